//! A table of a run: its published files, compared with the files of the new version.
//!
//! Invariant: a file that is counted as unchanged has the recorded bytes in its final place.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::config::{Config, TableFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{DeltaLog, FileRecord, RetainedFile, TableRecord};
use crate::lake::delta_log;
use crate::lake::older_versions::OlderVersions;
use crate::lake::open::Lake;
use crate::lake::staging_sink::relative;
use crate::lake::storage::{LakeStorage, ListedFile, StagedImage};
use crate::lake::table_record::NOT_PUBLISHED;
use crate::lake::{SUCCESS, is_ignored_by_readers};
use crate::schema::{ColumnNames, Table};

/// The changes to a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableChanges {
    /// Rows in all files of the table.
    pub rows: u64,
    /// Number of files of the table.
    pub files: u64,
    /// Size of these files in bytes.
    pub bytes: u64,
    /// Number of files that this run wrote.
    pub written: u64,
    /// Number of files that already had the same bytes.
    pub unchanged: u64,
    /// Number of files of earlier runs that this run removes.
    pub removed: u64,
}

/// The files that a run replaces although they do not match the newest version.
#[derive(Clone, Copy, Debug, Default)]
pub struct Takeover {
    /// `--adopt`: files that no version names. All folders are listed.
    pub adopt: bool,
    /// `--rebuild`: changed files of the version. No modification time is trusted: a file counts as unchanged only if
    /// its bytes have been read.
    pub rebuild: bool,
}

impl Takeover {
    /// Whether all folders are listed, even those that seem to be unchanged.
    pub const fn lists_everything(self) -> bool {
        self.adopt || self.rebuild
    }
}

/// A published file of the table.
#[derive(Debug)]
struct PublishedFile {
    size: u64,
    stamp: String,
    /// The checksum; `None` for an adopted file.
    sha256: Option<String>,
    /// Whether the newest version has these bytes. If not, the file is to be replaced or removed: it is adopted, or a
    /// late request of an older version left it.
    is_current: bool,
    /// Whether the new version has a file of this name.
    is_kept: AtomicBool,
}

/// The published files of a table and the files of its new version; shared between threads.
#[derive(Debug)]
pub(super) struct StagedTable {
    pub table: Table,
    pub folder: String,
    published: HashMap<String, PublishedFile>,
    /// The stamps of files that readers ignore, by path.
    ignored: BTreeMap<String, String>,
    /// The files of the Delta log, if the table has one.
    log_files: Vec<ListedFile>,
    takeover: Takeover,
    /// Whether the folder has its `_SUCCESS`.
    is_marked: bool,
    unchanged: AtomicU64,
    files: Mutex<BTreeMap<String, FileRecord>>,
}

impl StagedTable {
    /// Compares the published files of a table, `entries`, with the newest version of the lake.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when there are files that do not match the newest version, unless `takeover` includes
    /// them; otherwise any storage error.
    pub fn open(lake: &Lake, table: Table, folder: &str, entries: Vec<ListedFile>, takeover: Takeover) -> Result<Self> {
        let known = lake.head.as_ref().and_then(|record| record.tables.get(folder));
        let mut staged = Self {
            table,
            folder: folder.to_owned(),
            published: HashMap::new(),
            ignored: BTreeMap::new(),
            log_files: Vec::new(),
            takeover,
            is_marked: false,
            unchanged: AtomicU64::new(0),
            files: Mutex::default(),
        };
        let mut older = None;
        let reads_back = takeover.rebuild && !lake.storage.stamps_prove_bytes();
        let has_log = known.is_some_and(|table| table.delta.is_some());
        for ListedFile { path, size, stamp } in entries {
            if has_log && delta_log::is_log_file(&path) {
                staged.log_files.push(ListedFile { path, size, stamp });
                continue;
            }
            if path == SUCCESS {
                staged.is_marked = true;
                continue;
            }
            let recorded = known.and_then(|table| table.file(&path));
            if recorded.is_none() && is_ignored_by_readers(&path) {
                staged.ignored.insert(path, stamp);
                continue;
            }
            let entry = ListedFile { path, size, stamp };
            let mut sha256 = match recorded {
                // `Self::add` reads the bytes if it would keep the file.
                Some(file) if reads_back => Some(file.sha256.clone()).filter(|_| file.size == entry.size),
                _ => known_checksum(&*lake.storage, folder, &entry, recorded)?,
            };
            let ListedFile { path, size, stamp } = entry;
            let is_current = sha256.is_some();
            if !is_current {
                sha256 = checksum_of_older_version(lake, folder, &path, &mut older)?;
            }
            if sha256.is_none() && !takeover.adopt && !(takeover.rebuild && recorded.is_some()) {
                lake.must_be_newest()?;
                return Err(match recorded {
                    Some(_) => changed_file(lake, folder, &path),
                    None => foreign_file(lake, folder, &path),
                });
            }
            let is_kept = AtomicBool::new(false);
            staged.published.insert(path, PublishedFile { size, stamp, sha256, is_current, is_kept });
        }
        Ok(staged)
    }

    /// The files that readers ignore.
    pub fn ignored(&self) -> impl Iterator<Item = String> {
        self.ignored.keys().map(|path| self.path(path))
    }

    /// The changes of a run that changes nothing, if the table has exactly the files of the newest version.
    pub fn intact(&self, known: &TableRecord) -> Option<TableChanges> {
        let files = &known.files;
        let is_intact = self.is_marked
            && self.published.len() == files.len() + known.retained.len()
            && self.published.values().all(|file| file.is_current);
        is_intact.then(|| TableChanges {
            rows: files.values().map(|file| file.rows).sum(),
            files: files.len() as u64,
            bytes: files.values().map(|file| file.size).sum(),
            unchanged: files.len() as u64,
            ..TableChanges::default()
        })
    }

    /// Keeps the published files of the newest version whose path `is_kept` accepts.
    pub fn inherit(&self, known: &TableRecord, is_kept: impl Fn(&str) -> bool) {
        let kept = known.files.iter().filter(|(path, _)| is_kept(path)).filter_map(|(path, file)| {
            let published = self.published.get(path)?;
            published.is_kept.store(true, Ordering::Relaxed);
            self.unchanged.fetch_add(1, Ordering::Relaxed);
            let stamp = Some(published.stamp.clone());
            Some((path.clone(), FileRecord { stamp, image: None, replaces: None, replaced: None, ..file.clone() }))
        });
        let mut kept: BTreeMap<String, FileRecord> = kept.collect();
        self.files.lock().unwrap_or_else(PoisonError::into_inner).append(&mut kept);
    }

    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Adds a file to the table, and stages it if its bytes are new.
    pub fn add(
        &self,
        storage: &dyn LakeStorage,
        name: String,
        mut record: FileRecord,
        stage: impl FnOnce(&str) -> Result<StagedImage>,
    ) -> Result<()> {
        let published = self.published.get(&name);
        let is_same = |file: &PublishedFile| -> Result<bool> {
            if !file.is_current || file.size != record.size || file.sha256.as_deref() != Some(&record.sha256) {
                return Ok(false);
            }
            if !self.takeover.rebuild || storage.stamps_prove_bytes() {
                return Ok(true);
            }
            Ok(storage.checksum(&self.path(&name))?.as_ref() == Some(&record.sha256))
        };
        let is_unchanged = published.map(is_same).transpose()?.unwrap_or_default();
        if let Some(published) = published {
            published.is_kept.store(true, Ordering::Relaxed);
        }
        match published {
            Some(same) if is_unchanged => {
                self.unchanged.fetch_add(1, Ordering::Relaxed);
                record.stamp = Some(same.stamp.clone());
            }
            other => {
                record.replaces = other.map(|file| file.stamp.clone());
                record.replaced = other.and_then(|file| file.sha256.clone());
                let StagedImage { image, stamp } = stage(&self.path(&name))?;
                (record.image, record.stamp) = (Some(image), stamp);
            }
        }
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name, record);
        Ok(())
    }

    /// Returns true if a file is staged.
    pub fn has_images(&self) -> bool {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.values().any(|file| file.image.is_some())
    }

    /// Checks names on a file system that ignores case: a file of the run must not replace another one, nor be removed
    /// because the published file that it replaces has a name in another case.
    pub fn must_not_collide(&self, lake: &Lake) -> Result<()> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = self.published.keys().filter(|path| !files.contains_key(*path));
        let mut seen: HashMap<String, &str> = HashMap::new();
        for path in files.keys().chain(removed) {
            if let Some(other) = seen.insert(path.to_lowercase(), path) {
                let shown = |path: &str| lake.shown(&self.path(path));
                return Err(Error::new(
                    ErrorKind::Output,
                    format!("{} and {} are the same file on this file system", shown(other), shown(path)),
                )
                .cause("the file system does not distinguish upper and lower case")
                .hint("use a case-sensitive file system; or remove the old table if its names differ only in case")
                .context("path", shown(path)));
            }
        }
        Ok(())
    }

    /// The record of the table at the new version, and its changes.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when the Delta log cannot be continued.
    pub fn finish(&self, lake: &Lake, next: &NextVersion<'_>) -> Result<(TableRecord, TableChanges)> {
        let known = lake.head.as_ref().and_then(|head| head.tables.get(&self.folder));
        let files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut removed, mut retained) = (BTreeMap::new(), BTreeMap::new());
        for (path, file) in self.published.iter().filter(|(_, file)| !file.is_kept.load(Ordering::Relaxed)) {
            match file.retained(path, known, next) {
                Some(file) => drop(retained.insert(path.clone(), file)),
                None => drop(removed.insert(path.clone(), file.stamp.clone())),
            }
        }
        let is_written = |path: &str| files.get(path).is_some_and(|file| file.image.is_some());
        let outdated = self.ignored.iter().filter(|(path, _)| {
            // Spark refuses a file that does not match its checksum in `.<name>.crc`. A file `.nfs…` belongs to a program
            // that still has a removed file open.
            let checksum_of = checksum_of(path);
            let is_outdated = checksum_of.is_some_and(|path| is_written(&path) || removed.contains_key(&path));
            is_outdated || (self.takeover.adopt && !file_name(path).starts_with(".nfs"))
        });
        let outdated: Vec<(String, String)> = outdated.map(|(path, stamp)| (path.clone(), stamp.clone())).collect();
        removed.extend(outdated);
        let mut changes = TableChanges {
            rows: files.values().map(|file| file.rows).sum(),
            files: files.len() as u64,
            bytes: files.values().map(|file| file.size).sum(),
            written: files.values().filter(|file| file.image.is_some()).count() as u64,
            unchanged: self.unchanged.load(Ordering::Relaxed),
            removed: removed.len() as u64,
        };
        let delta = if next.config.publishes(TableFormat::Delta) {
            Some(self.next_log(lake, next, &files, known)?)
        } else {
            removed.extend(self.log_files.iter().map(|file| (file.path.clone(), file.stamp.clone())));
            None
        };
        changes.removed += retained.values().filter(|file| file.left_at == next.version).count() as u64;
        let known_iceberg = known.and_then(TableRecord::iceberg_version);
        let iceberg = if next.config.publishes(TableFormat::Iceberg) {
            // The name of a file follows from its bytes.
            let is_same = |known: &TableRecord| next.has_known_names(self.table) && known.files.keys().eq(files.keys());
            known_iceberg.filter(|_| known.is_some_and(is_same)).or(Some(next.version))
        } else {
            known_iceberg.map(|_| NOT_PUBLISHED)
        };
        let table = self.table.name().to_owned();
        Ok((TableRecord { table, files, removed, marked: self.is_marked, retained, delta, iceberg }, changes))
    }

    /// The Delta log at the new version. A log that is missing, because its folder was moved away, begins again.
    fn next_log(
        &self,
        lake: &Lake,
        next: &NextVersion<'_>,
        files: &BTreeMap<String, FileRecord>,
        known: Option<&TableRecord>,
    ) -> Result<DeltaLog> {
        let begun_by_another = self.published.keys().find(|path| delta_log::is_log_file(path));
        if let Some(path) = begun_by_another {
            let (shown, path) = (lake.shown(&self.path("_delta_log")), lake.shown(&self.path(path)));
            return Err(delta_log::damaged(&shown, &format!("another program wrote {path}")));
        }
        let before = known.filter(|_| !self.log_files.is_empty());
        if let Some(log) = before.and_then(|table| table.delta.as_ref())
            && let Some((path, what)) = delta_log::problems(log, self.log_files.iter().map(|file| &*file.path)).first()
        {
            let shown = lake.shown(&self.path("_delta_log"));
            lake.must_be_newest()?;
            return Err(delta_log::damaged(&shown, &format!("{} is {what}", lake.shown(&self.path(path)))));
        }
        Ok(DeltaLog::next((next.run, &self.folder), next.version, (self.table, &next.config.columns), files, before))
    }
}

impl PublishedFile {
    /// The file as one that stays in place for readers of earlier versions; `None` if it is to be removed.
    fn retained(&self, path: &str, known: Option<&TableRecord>, next: &NextVersion<'_>) -> Option<RetainedFile> {
        let known = known.filter(|_| self.is_current)?;
        let left_at = known.retained.get(path).map_or(next.version, |file| file.left_at);
        if left_at + next.retain <= next.version {
            return None;
        }
        let stamp = Some(self.stamp.clone());
        let file =
            FileRecord { stamp, image: None, replaces: None, replaced: None, stats: None, ..known.file(path)?.clone() };
        Some(RetainedFile { file, left_at })
    }
}

/// The version that a run makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextVersion<'s> {
    pub version: u64,
    pub run: &'s str,
    pub config: &'s Config,
    /// The number of earlier versions whose files stay.
    pub retain: u64,
    /// The names of columns at the version before; `None` for the first version.
    pub known_columns: Option<&'s ColumnNames>,
}

impl NextVersion<'_> {
    fn has_known_names(&self, table: Table) -> bool {
        self.known_columns.is_some_and(|known| {
            let mut names = table.fields().iter().map(|field| field.name);
            names.all(|name| known.get(table, name) == self.config.columns.get(table, name))
        })
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The file that a file of checksums, `.<name>.crc`, belongs to. Hadoop writes such files when it copies to a local disk.
fn checksum_of(path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    Some(relative(folder, name.strip_prefix('.')?.strip_suffix(".crc")?))
}

/// The error for a file that sparkify-lake did not write.
fn foreign_file(lake: &Lake, folder: &str, path: &str) -> Error {
    let shown = lake.shown(folder);
    Error::new(ErrorKind::Protocol, format!("{shown} contains files that sparkify-lake did not write"))
        .cause(format!("for example {}", lake.shown(&format!("{folder}/{path}"))))
        .hint(
            "remove them; or set --adopt to replace them (for example the output of a Spark job), which loses rows that \
             are not in the input; or choose another output",
        )
        .context("path", shown)
}

/// The error for a file of the newest version that was changed afterwards.
fn changed_file(lake: &Lake, folder: &str, path: &str) -> Error {
    let shown = lake.shown(&format!("{folder}/{path}"));
    Error::new(ErrorKind::Protocol, format!("{shown} was changed after sparkify-lake had written it"))
        .cause("its bytes are not those in the commit log, as after a disk error or a restore of an older copy")
        .hint("run `sparkify-lake check` to list all such files, then run with --rebuild to write them again")
        .context("path", shown)
}

/// The checksum of a file that has the bytes of an older version; `older` are these versions once they are read.
fn checksum_of_older_version(
    lake: &Lake,
    folder: &str,
    path: &str,
    older: &mut Option<OlderVersions>,
) -> Result<Option<String>> {
    let Some(head) = &lake.head else { return Ok(None) };
    let older = match older {
        Some(read) => read,
        None => older.insert(OlderVersions::read(&*lake.storage, head.version)?),
    };
    older.checksum(&*lake.storage, folder, path)
}

/// The checksum of a published file if it is the file `known`, which the newest version records; `None` for a foreign or
/// changed file. A file with the recorded size and another stamp was copied or touched, so its bytes are hashed.
pub(super) fn known_checksum(
    storage: &dyn LakeStorage,
    folder: &str,
    entry: &ListedFile,
    known: Option<&FileRecord>,
) -> Result<Option<String>> {
    let Some(file) = known else { return Ok(None) };
    if file.size == entry.size && file.stamp.as_ref() == Some(&entry.stamp) {
        return Ok(Some(file.sha256.clone()));
    }
    if file.size != entry.size {
        return Ok(None);
    }
    Ok(storage.checksum(&format!("{folder}/{}", entry.path))?.filter(|sha256| *sha256 == file.sha256))
}
