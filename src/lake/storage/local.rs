//! A lake on a local disk.
//!
//! New bytes are staged in folders of the same layout as the tables and moved into place by renames: a new folder moves
//! in one step, and a changed file replaces the published one in one step. One lock per lake excludes other runs, so no
//! write is conditional.
//!
//! Invariant: while a locked [`LocalStorage`] lives, no other run of this program on this machine writes to the same
//! output, provided that the file system supports locks.

use std::collections::HashSet;
use std::fs::{DirEntry, File};
use std::io::{ErrorKind as Io, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempPath;

use crate::error::{Error, ErrorKind, Result, shown};
use crate::lake::checkpoint::STATE;
use crate::lake::commit_log::DONE;
use crate::lake::commit_record::{CommitRecord, ConditionalSupport, START_AGAIN, TABLES, TableRecord, state_path};
use crate::lake::delta_log::{self, LogFile};
use crate::lake::staging_sink::size_and_checksum;
use crate::lake::storage::file_tree::{FileTime, SingleFiles};
use crate::lake::storage::local_stage::LocalStage;
use crate::lake::storage::lock::{self, Lock};
use crate::lake::storage::{LakeStorage, ListedFile, StageStorage, Stamps, file_tree, sync};
use crate::lake::{SUCCESS, in_publishing_order};
use crate::runtime::cancel::Cancel;
use crate::runtime::clock::Moment;

/// A commit of a Delta log before it gets its name. A later run replaces what a killed run left.
const DELTA_COMMIT: &str = "_etl/delta_commit";

/// The folder of a lake.
#[derive(Debug)]
pub(in crate::lake) struct LocalStorage {
    root: PathBuf,
    /// The lock, which the operating system releases when the run ends for any reason; `None` for read-only access.
    lock: Option<Lock>,
}

impl LocalStorage {
    /// Creates the folder if needed, checks that it is writable, and locks it.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] or [`ErrorKind::Access`] when it cannot be created or written to, [`ErrorKind::Retry`]
    /// when another run has locked it.
    pub(in crate::lake) fn lock(root: &Path) -> Result<Self> {
        Ok(Self { root: root.to_owned(), lock: Some(lock::acquire(root)?) })
    }

    /// Opens the folder for read-only access, without a lock.
    pub(in crate::lake) fn open_read_only(root: &Path) -> Self {
        Self { root: root.to_owned(), lock: None }
    }

    fn list(&self, folder: &str, known: Option<&TableRecord>, threads: usize) -> Result<Vec<ListedFile>> {
        let root = self.root.join(folder);
        if root.is_symlink() {
            return Err(Error::new(ErrorKind::Output, format!("{} is a symlink", shown(&root)))
                .cause("a table is published by renames, which would replace the symlink")
                .hint("move the entire lake instead of one table, and set its new location as the output")
                .context("path", shown(&root)));
        }
        let single = known.map(|known| SingleFiles::new(known, self.published_at())).unwrap_or_default();
        file_tree::files(&root, &single, threads)
    }

    /// When the newest version was published in full: the time of its marker.
    fn published_at(&self) -> FileTime {
        let markers = std::fs::read_dir(self.root.join(DONE)).into_iter().flatten().flatten();
        let newest = markers.filter(|entry| entry.path().extension().is_some_and(|name| name == "json"));
        let newest = newest.max_by_key(DirEntry::file_name).and_then(|entry| entry.metadata().ok());
        newest.map_or(FileTime::MIN, |metadata| FileTime::modified(&metadata))
    }

    fn publish_table(
        &self,
        stage: &Path,
        (folder, table): (&str, &TableRecord),
        record: &CommitRecord,
        cancel: &Cancel,
    ) -> Result<()> {
        let log_files = delta_log::files_to_write(record, folder, table)?;
        let root = self.root.join(folder);
        let staged = stage.join(folder);
        let changed = table.files.values().any(|file| file.image.is_some());
        let marker = root.join(SUCCESS);
        if !changed && table.removed.is_empty() && log_files.is_empty() && marker.exists() {
            return Ok(());
        }
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &marker, &error);
        match std::fs::remove_file(&marker) {
            Err(error) if !matches!(error.kind(), Io::NotFound | Io::NotADirectory) => return Err(failed(error)),
            _ => {}
        }
        // Missing if an earlier run already moved it.
        if changed && staged.exists() {
            // The folder of a table may be nested.
            let above = root.parent().unwrap_or(&root);
            std::fs::create_dir_all(above).map_err(|error| Error::io(ErrorKind::Storage, "create", above, &error))?;
            file_tree::move_onto(&staged, &root, cancel)?;
        }
        log_files.iter().try_for_each(|file| self.write_log_file(file))?;
        for path in table.removed.keys() {
            cancel.check()?;
            file_tree::remove(&root, path)?;
        }
        std::fs::create_dir_all(&root).map_err(failed)?;
        File::create(&marker).map(drop).map_err(failed)
    }

    /// Writes a file of a Delta log. A commit is created in one step, so that of two programs only one succeeds.
    fn write_log_file(&self, file: &LogFile) -> Result<()> {
        let path = self.root.join(&file.path);
        if !file.is_commit {
            return write_file(&path, &file.bytes, Durability::Synced);
        }
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let new = self.root.join(DELTA_COMMIT);
        write_file(&new, &file.bytes, Durability::Synced)?;
        match TempPath::try_from_path(new).map_err(failed)?.persist_noclobber(&path) {
            Ok(()) => sync::path(folder).map_err(failed),
            Err(error) if error.error.kind() == Io::AlreadyExists => {
                // A run that was stopped here has written it, or another program.
                if self.read_optional(&file.path)?.as_ref() == Some(&file.bytes) {
                    return Ok(());
                }
                let (log, what) = (shown(folder), format!("another program has created {}", shown(&path)));
                Err(delta_log::damaged(&log, &what))
            }
            Err(error) => Err(failed(error.error)),
        }
    }

    /// Checks that every changed file is either staged or already in place, so that an incomplete staging area is not
    /// published.
    fn must_be_complete(&self, staged: &Path, record: &CommitRecord) -> Result<()> {
        for (folder, table) in &record.tables {
            for (path, file) in table.files.iter().filter(|(_, file)| file.image.is_some()) {
                if staged.join(folder).join(path).is_file() {
                    continue;
                }
                let target = format!("{folder}/{path}");
                if self.checksum(&target)?.as_ref() != Some(&file.sha256) {
                    return Err(Error::new(
                        ErrorKind::Protocol,
                        format!("{} is neither staged nor in place", self.shown(&target)),
                    )
                    .cause(format!(
                        "run {} committed version {}, but its staged file is missing",
                        record.run, record.version
                    ))
                    .hint(START_AGAIN));
                }
            }
        }
        Ok(())
    }
}

impl LakeStorage for LocalStorage {
    fn shown(&self, path: &str) -> String {
        if path.is_empty() { shown(&self.root) } else { shown(&self.root.join(path)) }
    }

    fn read_optional(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let path = self.root.join(path);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory) => Ok(None),
            Err(error) => Err(Error::io(ErrorKind::Storage, "read", &path, &error)),
        }
    }

    fn checksum(&self, path: &str) -> Result<Option<String>> {
        let path = self.root.join(path);
        match File::open(&path).and_then(|file| size_and_checksum(&file)) {
            Ok((_, sha256)) => Ok(Some(sha256)),
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::IsADirectory) => Ok(None),
            Err(error) => Err(Error::io(ErrorKind::Storage, "read", &path, &error)),
        }
    }

    fn stamps_prove_bytes(&self) -> bool {
        false
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let path = self.root.join(path);
        // Because of the lock, no other run creates it between this check and the write.
        if path.exists() {
            return Ok(false);
        }
        write_file(&path, bytes, Durability::Synced)?;
        Ok(true)
    }

    fn create_without_lock(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let path = self.root.join(path);
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let readable = std::fs::Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new().permissions(readable).tempfile_in(folder).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        sync::file(file.as_file()).map_err(failed)?;
        match file.persist_noclobber(&path) {
            Ok(_) => sync::path(folder).map_err(failed).map(|()| true),
            Err(error) if error.error.kind() == Io::AlreadyExists => Ok(false),
            Err(error) => Err(failed(error.error)),
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        write_file(&self.root.join(path), bytes, Durability::Unsynced)
    }

    fn write_private(&self, path: &str, bytes: &[u8]) -> Result<()> {
        // Directly under the final name: no program reads the file of a run that was killed, and no temporary file
        // needs to be removed.
        let path = self.root.join(path);
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(failed)?;
        file.write_all(bytes).map_err(failed)
    }

    fn list_many(&self, folders: &[&str]) -> Result<Vec<Vec<ListedFile>>> {
        folders.iter().map(|folder| self.list(folder, None, 1)).collect()
    }

    fn list_tables(&self, tables: &[(&str, Option<&TableRecord>)], threads: usize) -> Result<Vec<Vec<ListedFile>>> {
        tables.iter().map(|(folder, known)| self.list(folder, *known, threads)).collect()
    }

    /// The lock replaces conditions.
    fn probe_conditional_support(&self) -> Result<ConditionalSupport> {
        let is_guarded = self.unguarded().is_none();
        Ok(ConditionalSupport { put: is_guarded, delete: is_guarded, atomic: is_guarded })
    }

    fn unguarded(&self) -> Option<String> {
        let cause = self.lock.as_ref()?.unsupported.as_ref()?;
        Some(format!("the file system of {} does not support locks ({cause})", shown(&self.root)))
    }

    fn stale_writer_window(&self) -> Option<Duration> {
        None
    }

    /// If the lock file is also found in upper case, the file system ignores case.
    fn folds_case(&self) -> bool {
        let identity = |name: &str| {
            let metadata = std::fs::metadata(self.root.join("_etl").join(name)).ok()?;
            Some((metadata.dev(), metadata.ino()))
        };
        identity("lock").is_some_and(|lock| identity("LOCK") == Some(lock))
    }

    fn stage(&self, run: &str) -> Result<Box<dyn StageStorage>> {
        Ok(Box::new(LocalStage::create(&self.root, run)?))
    }

    fn replay(
        &self,
        record: &CommitRecord,
        stage: Option<&dyn StageStorage>,
        _: Moment,
        cancel: &Cancel,
    ) -> Result<Stamps> {
        let staged = self.root.join(record.stage()).join(TABLES);
        if stage.is_none() {
            self.must_be_complete(&staged, record)?;
        }
        for (folder, table) in in_publishing_order(record) {
            self.publish_table(&staged, (folder, table), record, cancel)?;
        }
        Ok(Stamps::new())
    }

    fn remove(&self, paths: &[String]) -> Result<()> {
        for path in paths {
            let path = self.root.join(path);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != Io::NotFound => {
                    return Err(Error::io(ErrorKind::Storage, "remove", &path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Nothing to do: the committing run removes its staging area, or [`LakeStorage::clean_up_before`] of the next run
    /// does.
    fn remove_stage(&self, _: &CommitRecord) -> Result<()> {
        Ok(())
    }

    /// Because of the lock, all other runs have ended.
    fn clean_up_before(&self, run: &str, state_files: &HashSet<String>) -> Result<()> {
        let entries = file_tree::files(&self.root.join(STATE), &SingleFiles::default(), 1)?;
        let outdated: Vec<String> = entries
            .into_iter()
            .filter(|entry| !state_files.contains(&entry.path))
            .map(|entry| state_path(&entry.path))
            .collect();
        self.remove(&outdated)?;
        let stages = self.root.join("_etl").join("stage");
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "remove", &stages, &error);
        let entries = match std::fs::read_dir(&stages) {
            Ok(entries) => entries,
            Err(error) if error.kind() == Io::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_name() == run {
                continue;
            }
            match std::fs::remove_dir_all(entry.path()) {
                // A worker of an ended run may still write for a moment; a later run removes its files.
                Err(error) if matches!(error.kind(), Io::NotFound | Io::DirectoryNotEmpty) => {}
                removed => removed.map_err(failed)?,
            }
        }
        Ok(())
    }

    fn clean_up_after(&self, _: &str, _: &HashSet<String>) -> Result<()> {
        Ok(())
    }
}

/// Whether a write waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Synced,
    Unsynced,
}

/// Writes a file under a temporary name, then renames it.
fn write_file(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", path, &error);
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    let mut file = File::create(&new).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if durability == Durability::Synced {
        sync::file(&file).map_err(failed)?;
    }
    std::fs::rename(&new, path).map_err(failed)?;
    if durability == Durability::Synced {
        sync::path(folder).map_err(failed)?;
    }
    Ok(())
}
