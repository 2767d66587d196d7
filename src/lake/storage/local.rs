//! A lake on a local disk.
//!
//! New bytes are staged as files in the shape of the tables and moved into place by renames: a folder that is new moves
//! as a whole, a file that changed replaces its predecessor in one step. One lock a lake keeps other runs out, so
//! nothing here is conditional.
//!
//! Invariant: while a locked [`Local`] lives, no other run of this program on this machine writes to the same output.

use crate::lake::commit_record::TABLES;
use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind as Io, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result, shown};
use crate::lake::checkpoint::STATE;
use crate::lake::commit_record::{CommitRecord, Conditional, Image, TableRecord, stage_of, state_path};
use crate::lake::staging_sink::unlike;
use crate::lake::storage::{Entry, LakeStorage, StageStorage, Stamps, file_tree};
use crate::lake::{SUCCESS, in_publishing_order};
use crate::runtime::cancel::Cancel;

/// How long a stopped run cleans up after itself; the next run removes the rest.
const CLEAN_UP: Duration = Duration::from_millis(200);

/// A lake's folder.
#[derive(Debug)]
pub(in crate::lake) struct Local {
    root: PathBuf,
    /// Holds the lock until the run ends, however it ends; `None` for one who only looks.
    _lock: Option<File>,
}

impl Local {
    /// Creates the folder where needed, proves that it can be written to, and locks it.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] or [`ErrorKind::Access`] when it cannot be created or written to, [`ErrorKind::Retry`]
    /// when another run holds it.
    pub(in crate::lake) fn lock(root: &Path) -> Result<Self> {
        let control = root.join("_etl");
        std::fs::create_dir_all(&control).map_err(|error| Error::io(ErrorKind::Output, "create", &control, &error))?;
        let path = control.join("lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| Error::io(ErrorKind::Output, "write to", &path, &error))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: Some(lock) }),
            Err(Errno::WOULDBLOCK) => {
                Err(Error::new(ErrorKind::Retry, format!("another run is writing to {}", shown(root)))
                    .hint("try again when it has ended; nothing was changed by this one")
                    .context("path", shown(root)))
            }
            Err(error) => Err(Error::io(ErrorKind::Output, "lock", &path, &error.into())),
        }
    }

    /// For one who changes nothing.
    pub(in crate::lake) fn look(root: &Path) -> Self {
        Self { root: root.to_owned(), _lock: None }
    }

    fn list(&self, folder: &str, known: Option<&TableRecord>) -> Result<Vec<Entry>> {
        let root = self.root.join(folder);
        if root.is_symlink() {
            return Err(Error::new(ErrorKind::Output, format!("{} is a symlink", shown(&root)))
                .hint("tables are published by renaming: move the whole lake, and name its new place as the output")
                .context("path", shown(&root)));
        }
        file_tree::files(&root, &known.map(file_tree::alone).unwrap_or_default())
    }

    fn publish_table(&self, stage: &Path, folder: &str, table: &TableRecord, cancel: &Cancel) -> Result<()> {
        let root = self.root.join(folder);
        let staged = stage.join(folder);
        let changed = table.files.values().any(|file| file.image.is_some());
        let marker = root.join(SUCCESS);
        if !changed && table.removed.is_empty() && marker.exists() {
            return Ok(());
        }
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &marker, &error);
        match std::fs::remove_file(&marker) {
            Err(error) if !matches!(error.kind(), Io::NotFound | Io::NotADirectory) => return Err(failed(error)),
            _ => {}
        }
        // Gone when a run before this one came as far as this.
        if changed && staged.exists() {
            file_tree::move_onto(&staged, &root, cancel)?;
        }
        for path in table.removed.keys() {
            cancel.check()?;
            file_tree::remove(&root, path)?;
        }
        std::fs::create_dir_all(&root).map_err(failed)?;
        File::create(&marker).map(drop).map_err(failed)
    }

    /// Sees that every changed file is staged or in place already: half a stage must not pass for a whole one.
    fn must_be_complete(&self, stage: &Path, record: &CommitRecord) -> Result<()> {
        for (folder, table) in &record.tables {
            for (path, file) in table.files.iter().filter(|(_, file)| file.image.is_some()) {
                if stage.join(folder).join(path).is_file() {
                    continue;
                }
                let place = self.root.join(folder).join(path);
                if !std::fs::read(&place).is_ok_and(|bytes| crate::lake::commit_record::sha256(&bytes) == file.sha256) {
                    return Err(Error::new(
                        ErrorKind::Protocol,
                        format!("{} is neither staged nor in place", shown(&place)),
                    )
                    .cause(format!("version {} of the lake was committed by run {}", record.version, record.run))
                    .hint("somebody removed files below _etl/stage; --adopt builds the tables anew"));
                }
            }
        }
        Ok(())
    }
}

impl LakeStorage for Local {
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

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let path = self.root.join(path);
        // Under the lock nobody else creates it between the question and the answer.
        if path.exists() {
            return Ok(false);
        }
        place(&path, bytes, true)?;
        Ok(true)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        place(&self.root.join(path), bytes, false)
    }

    fn keep(&self, path: &str, bytes: &[u8]) -> Result<()> {
        // Under its own name at once: nobody reads what a run that did not end has left, and nobody need tidy it up.
        let path = self.root.join(path);
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(failed)?;
        file.write_all(bytes).map_err(failed)
    }

    fn list_many(&self, folders: &[&str]) -> Result<Vec<Vec<Entry>>> {
        folders.iter().map(|folder| self.list(folder, None)).collect()
    }

    fn tables(&self, tables: &[(&str, Option<&TableRecord>)]) -> Result<Vec<Vec<Entry>>> {
        tables.iter().map(|(folder, known)| self.list(folder, *known)).collect()
    }

    fn conditional(&self, _: &str, _: &[u8]) -> Result<Conditional> {
        Ok(Conditional { put: true, delete: true })
    }

    fn stale_writer_window(&self) -> Option<Duration> {
        None
    }

    /// The lock has one name; where another spelling finds it too, case does not count.
    fn folds_case(&self) -> bool {
        let identity = |name: &str| {
            let metadata = std::fs::metadata(self.root.join("_etl").join(name)).ok()?;
            Some((metadata.dev(), metadata.ino()))
        };
        identity("lock").is_some_and(|lock| identity("LOCK") == Some(lock))
    }

    fn stage(&self, run: &str) -> Result<Box<dyn StageStorage>> {
        let root = self.root.join(stage_of(run));
        std::fs::create_dir_all(&root).map_err(|error| Error::io(ErrorKind::Output, "create", &root, &error))?;
        Ok(Box::new(LocalStage { root }))
    }

    fn replay(&self, record: &CommitRecord, stage: Option<&dyn StageStorage>, cancel: &Cancel) -> Result<Stamps> {
        let staged = self.root.join(record.stage()).join(TABLES);
        if stage.is_none() {
            self.must_be_complete(&staged, record)?;
        }
        for (folder, table) in in_publishing_order(record) {
            self.publish_table(&staged, folder, table, cancel)?;
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

    /// The stage's owner removes it, or the next run does: [`LakeStorage::make_room`].
    fn forget_stage(&self, _: &CommitRecord) -> Result<()> {
        Ok(())
    }

    /// Under the lock no other run can be at work: all of them have ended.
    fn make_room(&self, run: &str, kept: &HashSet<String>) -> Result<()> {
        let entries = file_tree::files(&self.root.join(STATE), &file_tree::Alone::new())?;
        let left: Vec<String> = entries
            .into_iter()
            .filter(|entry| !kept.contains(&entry.path))
            .map(|entry| state_path(&entry.path))
            .collect();
        self.remove(&left)?;
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
                // A worker of a run that is dead may be at work for a moment; what it adds, a later run removes.
                Err(error) if matches!(error.kind(), Io::NotFound | Io::DirectoryNotEmpty) => {}
                removed => removed.map_err(failed)?,
            }
        }
        Ok(())
    }

    fn clean_up(&self, _: &str, _: &HashSet<String>) -> Result<()> {
        Ok(())
    }
}

/// Writes a file under another name, then gives it its own; `lasting` waits for the disk.
fn place(path: &Path, bytes: &[u8], lasting: bool) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", path, &error);
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    let mut file = File::create(&new).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if lasting {
        file.sync_all().map_err(failed)?;
    }
    std::fs::rename(&new, path).map_err(failed)?;
    if lasting {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(())
}

/// A run's stage on a local disk.
#[derive(Debug)]
struct LocalStage {
    root: PathBuf,
}

impl LocalStage {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(TABLES).join(path)
    }
}

impl StageStorage for LocalStage {
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(Image, Option<String>)> {
        let mut file = self.open(path)?;
        file.write_all(bytes).map_err(|error| Error::io(ErrorKind::Storage, "write", &self.path(path), &error))?;
        self.finish(path, file)
    }

    fn open(&self, path: &str) -> Result<File> {
        let path = self.path(path);
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let folder = path.parent().unwrap_or(&self.root);
        // Most files are the only one of their folder: make the folder first, then the file.
        match std::fs::create_dir(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == Io::AlreadyExists => {}
            Err(_) => std::fs::create_dir_all(folder).map_err(failed)?,
        }
        File::options().read(true).write(true).create_new(true).open(&path).map_err(failed)
    }

    fn finish(&self, path: &str, file: File) -> Result<(Image, Option<String>)> {
        let metadata =
            file.metadata().map_err(|error| Error::io(ErrorKind::Storage, "read", &self.path(path), &error))?;
        Ok((Image { pack: None, offset: 0 }, Some(file_tree::stamp(&metadata))))
    }

    fn discard(&self, path: &str, file: File) -> Result<()> {
        drop(file);
        self.withdraw(path)
    }

    fn adopt(&self, path: &str, size: u64) -> Result<(Image, Option<String>)> {
        let path = self.path(path);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() == size => {
                Ok((Image { pack: None, offset: 0 }, Some(file_tree::stamp(&metadata))))
            }
            Ok(_) => Err(unlike(&shown(&path))),
            Err(error) if error.kind() == Io::NotFound => Err(unlike(&shown(&path))),
            Err(error) => Err(Error::io(ErrorKind::Storage, "look at", &path, &error)),
        }
    }

    fn withdraw(&self, path: &str) -> Result<()> {
        let path = self.path(path);
        std::fs::remove_file(&path).map_err(|error| Error::io(ErrorKind::Storage, "remove", &path, &error))
    }

    fn flush(&self) -> Result<()> {
        self.seal()
    }

    fn seal(&self) -> Result<()> {
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "sync", &self.root, &error);
        // One call for thousands of small files and their folders.
        let folder = File::open(&self.root).map_err(failed)?;
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&folder).map_err(|error| failed(error.into()))?;
        #[cfg(not(target_os = "linux"))]
        {
            drop(folder);
            rustix::fs::sync();
        }
        Ok(())
    }

    fn scratch(&self) -> Result<PathBuf> {
        let path = self.root.join("scratch");
        std::fs::create_dir_all(&path).map_err(|error| Error::io(ErrorKind::Storage, "create", &path, &error))?;
        Ok(path)
    }

    fn end(&self) {
        let deadline = Instant::now() + CLEAN_UP;
        if file_tree::remove_until(&self.root, deadline)
            && let Some(stages) = self.root.parent()
        {
            // Empty unless something else lies there, and then it stays.
            drop(std::fs::remove_dir(stages));
        }
    }

    fn read(&self, path: &str, image: Image, size: u64) -> Result<Vec<u8>> {
        let path = self.path(path);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        File::open(&path)
            .and_then(|file| file.read_exact_at(&mut bytes, image.offset))
            .map_err(|error| Error::io(ErrorKind::Storage, "read", &path, &error))?;
        Ok(bytes)
    }
}
