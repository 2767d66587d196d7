//! Staging: the first half of the transaction. New files are compared with the published ones, and staged if they
//! differ.
//!
//! Invariant: a file that [`Stage`] counts as written is complete in the staging area; a file that it counts as
//! unchanged is complete in its final place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::config::{Config, TableFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::checkpoint::StateFile;
use crate::lake::commit::{Published, Staged};
use crate::lake::commit_record::{
    CommitRecord, FileRecord, must_be_apart, names_of_columns, sha256, stage_of, state_path,
};
use crate::lake::iceberg::IcebergTables;
use crate::lake::open::Lake;
use crate::lake::staged_table::{NextVersion, StagedTable, Takeover};
use crate::lake::staging_sink::{StagedEntry, StagedFile, StagingSink, content_name, measure, relative};
use crate::lake::storage::StageStorage;
use crate::location::Location;
use crate::parquet_io::file_stats::FileSummary;
use crate::runtime::iceberg_writer::IcebergWriter;
use crate::schema::Table;

/// The staging area of a run, which collects finished files; shared between threads.
#[derive(Debug)]
pub struct Stage {
    pub(super) lake: Lake,
    pub(super) run: String,
    config: Config,
    pub(super) storage: Box<dyn StageStorage>,
    /// The Iceberg tables as of the newest version; `None` if there are none and the run publishes none.
    pub(super) iceberg: Option<IcebergTables>,
    tables: BTreeMap<Table, StagedTable>,
    /// Names of the state files that this run wrote and has not committed yet.
    state_files: Mutex<Vec<String>>,
    /// Whether the staged files belong to a committed version, which a later run publishes.
    is_committed: AtomicBool,
    /// Whether a state file that exists already is kept only if its bytes have been read.
    reads_back: bool,
}

impl Stage {
    /// Creates the staging area of a run and lists the published files of its tables.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when a table's folder has files that do not match the newest version and the run may not
    /// take them over; otherwise any storage error.
    pub fn begin(lake: Lake, run: &str, config: &Config) -> Result<Self> {
        let config = with_formats_of(lake.head.as_ref(), config.clone());
        if config.retain.is_some_and(|versions| versions > 0) && !config.has_table_formats() {
            return Err(Error::new(ErrorKind::Configuration, "retain needs a table format")
                .cause("without one, files are replaced in place, and readers of a folder would find the retained ones")
                .hint("also set formats to delta, or leave retain out; no table was changed")
                .context("option", "retain"));
        }
        let takeover = Takeover { adopt: config.adopt, rebuild: config.rebuild };
        let folder = |table: &Table| Some((*table, config.folders.get(table)?.clone()));
        let folders: Vec<(Table, String)> = config.tables.iter().filter_map(folder).collect();
        must_be_apart(lake.head.as_ref(), folders.iter().map(|(_, folder)| folder.as_str()))?;
        let mut tables = BTreeMap::new();
        let known = |folder: &str| {
            let head = lake.head.as_ref().filter(|_| !takeover.lists_everything());
            head.and_then(|record| record.tables.get(folder))
        };
        let names: Vec<_> = folders.iter().map(|(_, folder)| (folder.as_str(), known(folder))).collect();
        for ((table, folder), entries) in folders.iter().zip(lake.storage.list_tables(&names, config.threads)?) {
            tables.insert(*table, StagedTable::open(&lake, *table, folder, entries, takeover)?);
        }
        lake.storage.clean_up_before(run, &lake.state_files())?;
        let storage = lake.storage.stage(run)?;
        let (run, state_files, is_committed) = (run.to_owned(), Mutex::default(), AtomicBool::new(false));
        let (iceberg, reads_back) = (None, takeover.rebuild);
        Ok(Self { lake, run, config, storage, iceberg, tables, state_files, is_committed, reads_back })
    }

    /// Opens the Iceberg tables, as [`Lake::open_iceberg`].
    ///
    /// # Errors
    /// The same.
    pub fn open_iceberg(&mut self, location: &Location, writer: Option<&dyn IcebergWriter>) -> Result<()> {
        let publishes = self.config.publishes(TableFormat::Iceberg);
        self.iceberg = self.lake.open_iceberg(location, publishes, writer)?;
        Ok(())
    }

    /// Requires that the run reads each state file before it keeps it, because one of them is missing or damaged.
    pub fn distrust_state(&mut self) {
        self.reads_back = true;
    }

    /// The newest version, if every table of the run has exactly the files of that version, unchanged.
    #[must_use]
    pub fn intact_version(&self) -> Option<Published> {
        let head = self.lake.head.as_ref()?;
        let mut tables = BTreeMap::new();
        for staged in self.tables.values() {
            let known = head.tables.get(&staged.folder)?;
            tables.insert(staged.table, staged.intact(known)?);
        }
        let warnings = self.lake.warnings();
        Some(Published { tables, version: head.version, is_new: false, was_idle: true, warnings })
    }

    /// The files in the folders of the run's tables that readers ignore, and the run too.
    pub fn ignored_files(&self) -> Vec<String> {
        self.tables.values().flat_map(StagedTable::ignored).collect()
    }

    /// The options of the run, with the table formats of the lake if no others were chosen.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The lake of the run.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A local folder for the run's scratch files; it is removed with the staging area.
    ///
    /// # Errors
    /// Any error of the operating system.
    pub fn scratch(&self) -> Result<PathBuf> {
        self.storage.scratch()
    }

    /// The folder of the run's rejected records, for display.
    #[must_use]
    pub fn quarantine(&self) -> String {
        self.lake.shown(&format!("_etl/quarantine/{}", self.run))
    }

    /// Writes a quarantine file. It stays even if the run fails.
    ///
    /// # Errors
    /// Any storage error.
    pub fn put_reject(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.lake.storage.write_private(&format!("_etl/quarantine/{}/{name}", self.run), bytes)
    }

    /// Keeps published files of a table that this run does not rebuild: those whose path `is_kept` accepts.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the table is not part of the run.
    pub fn inherit(&self, table: Table, is_kept: impl Fn(&str) -> bool) -> Result<()> {
        let staged = self.table(table)?;
        let Some(known) = self.lake.head.as_ref().and_then(|head| head.tables.get(&staged.folder)) else {
            return Ok(());
        };
        staged.inherit(known, is_kept);
        Ok(())
    }

    /// Writes a state file whose name ends in `kind`, unless the newest version has one with the same bytes.
    ///
    /// # Errors
    /// Any storage error.
    pub fn put_state(&self, kind: &str, bytes: &[u8]) -> Result<StateFile> {
        let sha256 = sha256(bytes);
        let mut known = self.lake.head.iter().flat_map(CommitRecord::state_files);
        // Release 0.1.0 had other endings, which must not stay.
        let ending = |name: &str| name.rsplit_once('.').map(|(_, ending)| ending.to_owned());
        if let Some(same) = known.find(|file| file.sha256 == sha256 && ending(&file.name) == ending(kind))
            && (!self.reads_back || self.lake.has_state(same)?)
        {
            return Ok(same.clone());
        }
        let file = StateFile { name: format!("{}-{kind}", self.run), size: bytes.len() as u64, sha256 };
        self.state_files.lock().unwrap_or_else(PoisonError::into_inner).push(file.name.clone());
        self.lake.storage.write(&state_path(&file.name), bytes)?;
        Ok(file)
    }

    /// Adds a file that a worker staged for this run. If the same bytes are already published, the staged copy is
    /// removed.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when the file is missing or has another size than the worker reported; otherwise any
    /// storage error.
    pub fn adopt(&self, entry: &StagedEntry) -> Result<()> {
        let table = Table::from_name(&entry.table)
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("there is no table {}", entry.table)))?;
        let staged = self.table(table)?;
        let (sha256, stats) = (entry.sha256.clone(), entry.stats.clone());
        let record = FileRecord { size: entry.size, rows: entry.rows, sha256, stats, ..FileRecord::default() };
        let mut is_needed = false;
        staged.add(&*self.lake.storage, entry.path.clone(), record, |path| {
            is_needed = true;
            self.storage.adopt(path, entry.size)
        })?;
        if is_needed { Ok(()) } else { self.storage.remove_staged(&staged.path(&entry.path)) }
    }

    /// Writes a blob for workers to the staging area.
    ///
    /// # Errors
    /// Any storage error.
    pub fn put_blob(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.lake.storage.write(&format!("{}/{name}", stage_of(&self.run)), bytes)
    }

    /// Reads a blob that a worker wrote to the staging area; `None` if it does not exist.
    ///
    /// # Errors
    /// Any storage error.
    pub fn read_blob(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.lake.storage.read_optional(&format!("{}/{name}", stage_of(&self.run)))
    }

    /// Removes blobs that are no longer needed from the staging area.
    ///
    /// # Errors
    /// Any storage error.
    pub fn remove_blobs(&self, names: &[String]) -> Result<()> {
        let paths: Vec<String> = names.iter().map(|name| format!("{}/{name}", stage_of(&self.run))).collect();
        self.lake.storage.remove(&paths)
    }

    /// The id of the run.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Makes the files staged so far durable, so that [`Self::seal`] has less to wait for.
    ///
    /// # Errors
    /// Any storage error.
    pub fn flush(&self) -> Result<()> {
        if self.tables.values().any(StagedTable::has_images) { self.storage.flush() } else { Ok(()) }
    }

    /// Ends staging: every file of every table is complete and durable.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] when the file system would store two of the files under one name; otherwise any storage
    /// error.
    pub fn seal(self) -> Result<Staged> {
        if self.lake.storage.folds_case() {
            self.tables.values().try_for_each(|staged| staged.must_not_collide(&self.lake))?;
        }
        let has_state_files = !self.state_files.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if has_state_files || self.tables.values().any(StagedTable::has_images) {
            self.storage.seal()?;
        }
        let head = self.lake.head.as_ref();
        let known_columns = head.map(|head| names_of_columns(&head.options)).transpose()?;
        let next = NextVersion {
            version: head.map_or(1, |head| head.version + 1),
            run: &self.run,
            config: &self.config,
            retain: self.retain(),
            known_columns: known_columns.as_ref(),
        };
        let mut tables = BTreeMap::new();
        let mut changes = BTreeMap::new();
        for staged in self.tables.values() {
            let (record, table_changes) = staged.finish(&self.lake, &next)?;
            tables.insert(staged.folder.clone(), record);
            changes.insert(staged.table, table_changes);
        }
        Ok(Staged::new(self, tables, changes))
    }

    /// Keeps the state files when the stage is dropped: a committed version names them.
    pub(super) fn retain_state_files(&self) {
        self.state_files.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps the staging area and the state files when the stage is dropped: a later run publishes from them.
    pub(super) fn leave_for_recovery(&self) {
        self.retain_state_files();
        self.is_committed.store(true, Ordering::Relaxed);
    }

    /// The number of earlier versions whose files stay.
    pub(super) fn retain(&self) -> u64 {
        let known = self.lake.head.as_ref().map_or(0, |head| head.retain);
        if self.config.has_table_formats() { self.config.retain.unwrap_or(known) } else { 0 }
    }

    /// The name of a finished file.
    fn name(&self, path: String, sha256: &str) -> String {
        if self.config.has_table_formats() { content_name(&path, sha256) } else { path }
    }

    fn table(&self, table: Table) -> Result<&StagedTable> {
        self.tables.get(&table).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("the table {} is not part of this run", table.name()))
        })
    }
}

/// The options of a run with the table formats of the lake, if no others are chosen.
pub(crate) fn with_formats_of(head: Option<&CommitRecord>, mut config: Config) -> Config {
    let has =
        |format: &TableFormat| head.is_some_and(|head| head.tables.values().any(|table| table.has_format(*format)));
    let known: BTreeSet<TableFormat> = TableFormat::ALL.into_iter().filter(has).collect();
    if config.formats.is_none() && !known.is_empty() {
        config.formats = Some(known);
    }
    config
}

impl StagingSink for Stage {
    fn put(&self, table: Table, partition: &str, file: &str, bytes: &[u8], summary: FileSummary) -> Result<()> {
        let staged = self.table(table)?;
        let (size, sha256) = (bytes.len() as u64, sha256(bytes));
        let name = self.name(relative(partition, file), &sha256);
        let FileSummary { rows, stats } = summary;
        let record = FileRecord { size, rows, sha256, stats, ..FileRecord::default() };
        staged.add(&*self.lake.storage, name, record, |path| self.storage.put(path, bytes))
    }

    fn open(&self, table: Table, partition: &str, file: &str) -> Result<StagedFile> {
        let name = relative(partition, file);
        let file = self.storage.open(&self.table(table)?.path(&name))?;
        Ok(StagedFile { file, table, name, draft: None })
    }

    fn finish(&self, staged_file: StagedFile, summary: FileSummary) -> Result<()> {
        let StagedFile { file, table, name, .. } = staged_file;
        let staged = self.table(table)?;
        let (size, sha256) = measure(&file)?;
        let opened = staged.path(&name);
        let name = self.name(name, &sha256);
        let FileSummary { rows, stats } = summary;
        let record = FileRecord { size, rows, sha256, stats, ..FileRecord::default() };
        let mut file = Some(file);
        staged.add(&*self.lake.storage, name, record, |path| {
            let file = file.take().ok_or_else(|| Error::new(ErrorKind::Internal, "a file was staged twice"))?;
            self.storage.finish(&opened, path, file)
        })?;
        file.map_or(Ok(()), |unneeded| self.storage.discard(&opened, unneeded))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.is_committed.load(Ordering::Relaxed) {
            let state_files = std::mem::take(&mut *self.state_files.lock().unwrap_or_else(PoisonError::into_inner));
            let paths: Vec<String> = state_files.iter().map(|name| state_path(name)).collect();
            // A later run removes the remaining files.
            drop(self.lake.storage.remove(&paths));
            self.storage.clean_up();
        }
    }
}
