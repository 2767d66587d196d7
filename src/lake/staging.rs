//! A run's files on their way: compared with what is in place, staged where they differ.
//!
//! Invariant: what [`Stage`] has counted as written lies complete in the stage; what it has counted as unchanged lies
//! complete in its final place.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::SUCCESS;
use crate::lake::checkpoint::StateFile;
use crate::lake::commit::{Published, Staged};
use crate::lake::commit_record::{CommitRecord, FileRecord, Image, TableRecord, sha256, stage_of, state_path};
use crate::lake::open::Lake;
use crate::lake::staging_sink::{StagedEntry, StagedFile, StagingSink, measure, relative};
use crate::lake::storage::{Entry, LakeStorage, StageStorage};
use crate::schema::Table;

/// What became of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableChanges {
    /// Rows in all files.
    pub rows: u64,
    /// Files that make up the table now.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that this run wrote.
    pub written: u64,
    /// Files whose bytes were already in place.
    pub unchanged: u64,
    /// Files of earlier runs that are gone.
    pub removed: u64,
}

/// A file of the published table.
#[derive(Debug)]
struct Existing {
    size: u64,
    stamp: String,
    /// As the newest version's record has it; `None` for what is adopted.
    sha256: Option<String>,
    is_kept: AtomicBool,
}

#[derive(Debug)]
struct StagedTable {
    table: Table,
    folder: String,
    existing: HashMap<String, Existing>,
    is_marked: bool,
    unchanged: AtomicU64,
    files: Mutex<BTreeMap<String, FileRecord>>,
}

/// Where workers put finished files; shared between threads.
#[derive(Debug)]
pub struct Stage {
    pub(super) lake: Lake,
    pub(super) run: String,
    pub(super) storage: Box<dyn StageStorage>,
    tables: BTreeMap<Table, StagedTable>,
    /// Names of the state files that this run wrote, until they are committed.
    state: Mutex<Vec<String>>,
    /// Whether what is staged is committed, and stays until a later run has published it.
    is_committed: AtomicBool,
}

impl Stage {
    /// Begins a run's stage and looks at what the tables hold now.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when a table's folder holds files that no version of this lake names (`adopt` takes them
    /// over), the place's errors otherwise.
    pub fn begin(lake: Lake, run: &str, folders: &[(Table, String)], adopt: bool) -> Result<Self> {
        let mut tables = BTreeMap::new();
        let known = |folder: &str| lake.head.as_ref().and_then(|record| record.tables.get(folder));
        let names: Vec<_> = folders.iter().map(|(_, folder)| (folder.as_str(), known(folder))).collect();
        for ((table, folder), entries) in folders.iter().zip(lake.storage.tables(&names)?) {
            let known = known(folder);
            let mut existing = HashMap::new();
            let mut is_marked = false;
            for entry in entries {
                if entry.path == SUCCESS {
                    is_marked = true;
                    continue;
                }
                let sha256 = owner(&*lake.storage, folder, &entry, known)?;
                if sha256.is_none() && !adopt {
                    lake.must_be_newest()?;
                    let shown = lake.shown(folder);
                    let message = format!("{shown} holds files that sparkify-lake did not write");
                    return Err(Error::new(ErrorKind::Protocol, message)
                        .cause(format!("for example {}", lake.shown(&format!("{folder}/{}", entry.path))))
                        .hint("--adopt replaces them (a Spark job's output, for example); or choose another output")
                        .context("path", shown));
                }
                let Entry { path, size, stamp } = entry;
                existing.insert(path, Existing { size, stamp, sha256, is_kept: AtomicBool::new(false) });
            }
            let staged = StagedTable {
                table: *table,
                folder: folder.clone(),
                existing,
                is_marked,
                unchanged: AtomicU64::new(0),
                files: Mutex::default(),
            };
            tables.insert(*table, staged);
        }
        lake.storage.make_room(run, &lake.state_files())?;
        let storage = lake.storage.stage(run)?;
        let (run, state, is_committed) = (run.to_owned(), Mutex::default(), AtomicBool::new(false));
        Ok(Self { lake, run, storage, tables, state, is_committed })
    }

    /// What is published, if every file of every table is as the newest version says, and no other is there.
    #[must_use]
    pub fn intact_version(&self) -> Option<Published> {
        let head = self.lake.head.as_ref()?;
        let mut tables = BTreeMap::new();
        for staged in self.tables.values() {
            let known = &head.tables.get(&staged.folder)?.files;
            let is_whole = staged.is_marked
                && staged.existing.len() == known.len()
                && staged.existing.values().all(|existing| existing.sha256.is_some());
            if !is_whole {
                return None;
            }
            let files = known.len() as u64;
            let state = TableChanges {
                rows: known.values().map(|file| file.rows).sum(),
                files,
                bytes: known.values().map(|file| file.size).sum(),
                unchanged: files,
                ..TableChanges::default()
            };
            tables.insert(staged.table, state);
        }
        let warnings = self.lake.warnings();
        Some(Published { tables, version: head.version, is_new: false, was_idle: true, warnings })
    }

    /// The lake that is written to.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A folder for the run's scratch files; it goes when the stage goes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn scratch(&self) -> Result<PathBuf> {
        self.storage.scratch()
    }

    /// Where the run's rejects lie, for people.
    #[must_use]
    pub fn quarantine(&self) -> String {
        self.lake.shown(&format!("_etl/quarantine/{}", self.run))
    }

    /// Writes a file of rejects. It stays, whatever becomes of the run.
    ///
    /// # Errors
    /// The place's.
    pub fn put_reject(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.lake.storage.keep(&format!("_etl/quarantine/{}/{name}", self.run), bytes)
    }

    /// Takes over the files of a table that this run has no reason to make again.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the table is not part of the run.
    pub fn inherit(&self, table: Table, is_kept: impl Fn(&str) -> bool) -> Result<()> {
        let staged = self.table(table)?;
        let Some(known) = self.lake.head.as_ref().and_then(|head| head.tables.get(&staged.folder)) else {
            return Ok(());
        };
        let mut files = staged.files.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, file) in known.files.iter().filter(|(path, _)| is_kept(path)) {
            let Some(existing) = staged.existing.get(path) else { continue };
            existing.is_kept.store(true, Ordering::Relaxed);
            staged.unchanged.fetch_add(1, Ordering::Relaxed);
            let stamp = Some(existing.stamp.clone());
            files.insert(
                path.clone(),
                FileRecord { stamp, image: None, replaces: None, replaced: None, ..file.clone() },
            );
        }
        Ok(())
    }

    /// Writes a file of the state, unless the newest version has one of the same bytes. Its name ends in `kind`.
    ///
    /// # Errors
    /// The place's.
    pub fn put_state(&self, kind: &str, bytes: &[u8]) -> Result<StateFile> {
        let sha256 = sha256(bytes);
        let mut known = self.lake.head.iter().flat_map(CommitRecord::state_files);
        if let Some(same) = known.find(|file| file.sha256 == sha256) {
            return Ok(same.clone());
        }
        let file = StateFile { name: format!("{}-{kind}", self.run), size: bytes.len() as u64, sha256 };
        self.state.lock().unwrap_or_else(PoisonError::into_inner).push(file.name.clone());
        self.lake.storage.write(&state_path(&file.name), bytes)?;
        Ok(file)
    }

    /// Takes a file that a worker staged for this run. If the same bytes are already in place, the staged copy goes.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when it is not there as the worker told, the place's errors otherwise.
    pub fn adopt(&self, entry: &StagedEntry) -> Result<()> {
        let table = Table::from_name(&entry.table)
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("there is no table {}", entry.table)))?;
        let staged = self.table(table)?;
        let record =
            FileRecord { size: entry.size, rows: entry.rows, sha256: entry.sha256.clone(), ..FileRecord::default() };
        let mut is_needed = false;
        staged.take(entry.path.clone(), record, |path| {
            is_needed = true;
            self.storage.adopt(path, entry.size)
        })?;
        if is_needed { Ok(()) } else { self.storage.withdraw(&staged.path(&entry.path)) }
    }

    /// Leaves something for workers in the stage.
    ///
    /// # Errors
    /// The place's.
    pub fn put_blob(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.lake.storage.write(&format!("{}/{name}", stage_of(&self.run)), bytes)
    }

    /// What a worker has left in the stage; `None` when it is not there.
    ///
    /// # Errors
    /// The place's.
    pub fn read_blob(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.lake.storage.read_optional(&format!("{}/{name}", stage_of(&self.run)))
    }

    /// Removes what was left in the stage and is no longer needed.
    ///
    /// # Errors
    /// The place's.
    pub fn remove_blobs(&self, names: &[String]) -> Result<()> {
        let paths: Vec<String> = names.iter().map(|name| format!("{}/{name}", stage_of(&self.run))).collect();
        self.lake.storage.remove(&paths)
    }

    /// The name of the run.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Brings what is staged so far to a place where it survives a crash, so that [`Self::seal`] has less to wait for.
    ///
    /// # Errors
    /// The place's.
    pub fn flush(&self) -> Result<()> {
        if self.tables.values().any(StagedTable::has_images) { self.storage.flush() } else { Ok(()) }
    }

    /// Ends staging: every file of every table is complete, and would survive a crash.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] when the place takes two of the files for one, and the place's.
    pub fn seal(self) -> Result<Staged> {
        if self.lake.storage.folds_case() {
            self.tables.values().try_for_each(|staged| staged.must_not_collide(&self.lake))?;
        }
        let has_state = !self.state.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if has_state || self.tables.values().any(StagedTable::has_images) {
            self.storage.seal()?;
        }
        let mut tables = BTreeMap::new();
        let mut states = BTreeMap::new();
        for staged in self.tables.values() {
            let (record, state) = staged.finish();
            tables.insert(staged.folder.clone(), record);
            states.insert(staged.table, state);
        }
        Ok(Staged::new(self, tables, states))
    }

    /// The state files belong to a version from now on.
    pub(super) fn keep_state(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Leaves the stage to a later run.
    pub(super) fn leave(&self) {
        self.keep_state();
        self.is_committed.store(true, Ordering::Relaxed);
    }

    fn table(&self, table: Table) -> Result<&StagedTable> {
        self.tables.get(&table).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("the table {} is not part of this run", table.name()))
        })
    }
}

impl StagingSink for Stage {
    fn put(&self, table: Table, partition: &str, file: &str, bytes: &[u8], rows: u64) -> Result<()> {
        let staged = self.table(table)?;
        let (name, size) = (relative(partition, file), bytes.len() as u64);
        let record = FileRecord { size, rows, sha256: sha256(bytes), ..FileRecord::default() };
        staged.take(name, record, |path| self.storage.put(path, bytes))
    }

    fn open(&self, table: Table, partition: &str, file: &str) -> Result<StagedFile> {
        let name = relative(partition, file);
        let file = self.storage.open(&self.table(table)?.path(&name))?;
        Ok(StagedFile { file, table, name, draft: None })
    }

    fn finish(&self, staged_file: StagedFile, rows: u64) -> Result<()> {
        let StagedFile { file, table, name, .. } = staged_file;
        let staged = self.table(table)?;
        let (size, sha256) = measure(&file)?;
        let record = FileRecord { size, rows, sha256, ..FileRecord::default() };
        let path = staged.path(&name);
        let mut file = Some(file);
        staged.take(name, record, |path| {
            let file = file.take().ok_or_else(|| Error::new(ErrorKind::Internal, "a file was staged twice"))?;
            self.storage.finish(path, file)
        })?;
        file.map_or(Ok(()), |unneeded| self.storage.discard(&path, unneeded))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.is_committed.load(Ordering::Relaxed) {
            let state = std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner));
            let paths: Vec<String> = state.iter().map(|name| state_path(name)).collect();
            // What is left over, a later run removes.
            drop(self.lake.storage.remove(&paths));
            self.storage.end();
        }
    }
}

impl StagedTable {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Takes a file into the table, staging it where its bytes are new.
    fn take(
        &self,
        name: String,
        mut record: FileRecord,
        stage: impl FnOnce(&str) -> Result<(Image, Option<String>)>,
    ) -> Result<()> {
        let existing = self.existing.get(&name);
        if let Some(existing) = existing {
            existing.is_kept.store(true, Ordering::Relaxed);
        }
        match existing {
            Some(same) if same.size == record.size && same.sha256.as_deref() == Some(&record.sha256) => {
                self.unchanged.fetch_add(1, Ordering::Relaxed);
                record.stamp = Some(same.stamp.clone());
            }
            other => {
                record.replaces = other.map(|existing| existing.stamp.clone());
                record.replaced = other.and_then(|existing| existing.sha256.clone());
                let (image, stamp) = stage(&self.path(&name))?;
                (record.image, record.stamp) = (Some(image), stamp);
            }
        }
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name, record);
        Ok(())
    }

    fn has_images(&self) -> bool {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.values().any(|file| file.image.is_some())
    }

    /// For a place where the case of letters does not count: a file may not replace another of the run, nor be removed
    /// under the name of its predecessor.
    fn must_not_collide(&self, lake: &Lake) -> Result<()> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = self.existing.keys().filter(|path| !files.contains_key(*path));
        let mut seen: HashMap<String, &str> = HashMap::new();
        for path in files.keys().chain(gone) {
            if let Some(other) = seen.insert(path.to_lowercase(), path) {
                let shown = |path: &str| lake.shown(&self.path(path));
                return Err(Error::new(
                    ErrorKind::Output,
                    format!("{} and {} are one file here", shown(other), shown(path)),
                )
                .cause("the file system does not tell upper from lower case")
                .hint("write to a file system that does; or remove the older table, if only its names differ")
                .context("path", shown(path)));
            }
        }
        Ok(())
    }

    fn finish(&self) -> (TableRecord, TableChanges) {
        let files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let gone = self.existing.iter().filter(|(_, existing)| !existing.is_kept.load(Ordering::Relaxed));
        let removed: BTreeMap<String, String> =
            gone.map(|(path, existing)| (path.clone(), existing.stamp.clone())).collect();
        let state = TableChanges {
            rows: files.values().map(|file| file.rows).sum(),
            files: files.len() as u64,
            bytes: files.values().map(|file| file.size).sum(),
            written: files.values().filter(|file| file.image.is_some()).count() as u64,
            unchanged: self.unchanged.load(Ordering::Relaxed),
            removed: removed.len() as u64,
        };
        let table = self.table.name().to_owned();
        (TableRecord { table, files, removed, marked: self.is_marked }, state)
    }
}

/// The checksum of a file in place, when the newest version names it. A file whose stamp is another one was copied or
/// touched; its bytes then tell whether it is still the version's.
pub(super) fn owner(
    storage: &dyn LakeStorage,
    folder: &str,
    entry: &Entry,
    known: Option<&TableRecord>,
) -> Result<Option<String>> {
    let Some(file) = known.and_then(|table| table.files.get(&entry.path)) else { return Ok(None) };
    if file.size == entry.size && file.stamp.as_ref() == Some(&entry.stamp) {
        return Ok(Some(file.sha256.clone()));
    }
    if file.size != entry.size {
        return Ok(None);
    }
    let bytes = storage.read_optional(&format!("{folder}/{}", entry.path))?;
    Ok(bytes.map(|bytes| sha256(&bytes)).filter(|sha256| *sha256 == file.sha256))
}
