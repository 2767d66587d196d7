//! A run's files on their way: staged in whole, then published.
//!
//! Invariant: what [`Stage`] has counted as written lies complete below the stage; what it has counted as unchanged
//! lies complete in its final place.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::lake::Lake;
use super::tree;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::schema::Table;

/// The marker that Spark's readers look for.
const SUCCESS: &str = "_SUCCESS";

/// How long a stopped run cleans up after itself; the next run removes the rest.
const CLEAN_UP: Duration = Duration::from_millis(200);

/// What became of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableState {
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
    is_kept: AtomicBool,
}

#[derive(Debug, Default)]
struct StagedTable {
    folder: String,
    existing: HashMap<String, Existing>,
    rows: AtomicU64,
    bytes: AtomicU64,
    written: AtomicU64,
    unchanged: AtomicU64,
}

/// A large file that is being staged.
#[derive(Debug)]
pub struct StagedFile {
    file: File,
    table: Table,
    name: String,
    path: PathBuf,
}

impl StagedFile {
    /// A second handle for whoever writes the bytes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn duplicate(&self) -> Result<File> {
        self.file.try_clone().map_err(|error| Error::io(ErrorKind::Storage, "write", &self.path, &error))
    }
}

/// Where workers put finished files; shared between threads.
#[derive(Debug)]
pub struct Stage {
    lake: Lake,
    root: PathBuf,
    tables: BTreeMap<Table, StagedTable>,
}

impl Stage {
    /// Begins a run's stage and looks at what the tables hold now.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when a table's folder holds files that this program did not write (`adopt` takes them
    /// over), [`ErrorKind::Output`] when it is a symlink, the operating system's errors otherwise.
    pub fn begin(lake: Lake, run: &str, folders: &[(Table, String)], adopt: bool) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for (table, folder) in folders {
            let root = lake.root().join(folder);
            if root.is_symlink() {
                return Err(Error::new(ErrorKind::Output, format!("{} is a symlink", shown(&root)))
                    .hint("tables are published by renaming: move the whole lake, and name its new place as the output")
                    .context("path", shown(&root)));
            }
            let entries = tree::files(&root)?;
            if let Some(foreign) = entries.iter().find(|entry| !(adopt || lake.is_ours() && is_ours(&entry.path))) {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    format!("{} holds files that sparkify-lake did not write", shown(&root)),
                )
                .cause(format!("for example {}", shown(Path::new(&foreign.path))))
                .hint("--adopt replaces them (a Spark job's output, for example); or choose another output")
                .context("path", shown(&root)));
            }
            let existing = entries
                .into_iter()
                .map(|entry| (entry.path, Existing { size: entry.size, is_kept: AtomicBool::new(false) }))
                .collect();
            tables.insert(*table, StagedTable { folder: folder.clone(), existing, ..StagedTable::default() });
        }
        let root = lake.stages().join(run);
        std::fs::create_dir_all(&root).map_err(|error| Error::io(ErrorKind::Output, "create", &root, &error))?;
        Ok(Self { lake, root, tables })
    }

    /// A folder for the run's scratch files, on the same disk; it goes when the stage goes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn scratch(&self) -> Result<PathBuf> {
        let path = self.root.join("scratch");
        std::fs::create_dir_all(&path).map_err(|error| Error::io(ErrorKind::Storage, "create", &path, &error))?;
        Ok(path)
    }

    /// Stages a whole file, unless its bytes are already in place. `partition` is '' or a path without slashes at its
    /// ends.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the disk is full, among others.
    pub fn put(&self, table: Table, partition: &str, file: &str, bytes: &[u8], rows: u64) -> Result<()> {
        let staged = self.table(table)?;
        let name = relative(partition, file);
        staged.rows.fetch_add(rows, Ordering::Relaxed);
        staged.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Some(existing) = staged.existing.get(&name) {
            existing.is_kept.store(true, Ordering::Relaxed);
            let size = bytes.len() as u64;
            if existing.size == size && std::fs::read(self.published(staged, &name)).is_ok_and(|old| old == bytes) {
                staged.unchanged.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
        staged.written.fetch_add(1, Ordering::Relaxed);
        let (mut file, path) = self.create(staged, &name)?;
        file.write_all(bytes).map_err(|error| Error::io(ErrorKind::Storage, "write", &path, &error))
    }

    /// Begins a file that is too large to hold; [`Self::keep`] ends it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(&self, table: Table, partition: &str, file: &str) -> Result<StagedFile> {
        let name = relative(partition, file);
        let (file, path) = self.create(self.table(table)?, &name)?;
        Ok(StagedFile { file, table, name, path })
    }

    /// Takes a file that [`Self::open`] began and that is complete now. If the same bytes are already in place, the
    /// staged copy goes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn keep(&self, staged_file: StagedFile, rows: u64) -> Result<()> {
        let StagedFile { file, table, name, path } = staged_file;
        let staged = self.table(table)?;
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "read", &path, &error);
        let size = file.metadata().map_err(failed)?.len();
        drop(file);
        staged.rows.fetch_add(rows, Ordering::Relaxed);
        staged.bytes.fetch_add(size, Ordering::Relaxed);
        if let Some(existing) = staged.existing.get(&name) {
            existing.is_kept.store(true, Ordering::Relaxed);
            if existing.size == size && same_bytes(&path, &self.published(staged, &name)).unwrap_or(false) {
                staged.unchanged.fetch_add(1, Ordering::Relaxed);
                return std::fs::remove_file(&path).map_err(failed);
            }
        }
        staged.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Ends staging: every file of every table is complete.
    #[must_use]
    pub fn seal(self) -> Staged {
        Staged(self)
    }

    fn table(&self, table: Table) -> Result<&StagedTable> {
        self.tables.get(&table).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("the table {} is not part of this run", table.name()))
        })
    }

    fn published(&self, staged: &StagedTable, name: &str) -> PathBuf {
        self.lake.root().join(&staged.folder).join(name)
    }

    fn create(&self, staged: &StagedTable, name: &str) -> Result<(File, PathBuf)> {
        let path = self.root.join(&staged.folder).join(name);
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let folder = path.parent().unwrap_or(&self.root);
        // Most files are the only one of their folder: make the folder first, then the file.
        match std::fs::create_dir(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(_) => std::fs::create_dir_all(folder).map_err(failed)?,
        }
        let file = File::options().write(true).create_new(true).open(&path).map_err(failed)?;
        Ok((file, path))
    }
}

impl Drop for Stage {
    /// What was staged and not published goes; a run that was stopped has little time, the next one does the rest.
    fn drop(&mut self) {
        let deadline = Instant::now() + CLEAN_UP;
        if remove_until(&self.root, deadline) {
            // Empty unless something else lies there, and then it stays.
            drop(std::fs::remove_dir(self.lake.stages()));
        }
    }
}

/// Complete tables that nobody can see yet.
#[derive(Debug)]
pub struct Staged(Stage);

impl Staged {
    /// Makes the tables visible, dimensions before facts; returns what became of each.
    ///
    /// # Errors
    /// The operating system's, or [`ErrorKind::Interrupted`]: tables published so far stay, a repeated run converges.
    pub fn publish(self, cancel: &Cancel) -> Result<BTreeMap<Table, TableState>> {
        let stage = self.0;
        cancel.check()?;
        stage.lake.claim()?;
        let mut states = BTreeMap::new();
        for (table, staged) in &stage.tables {
            let published = publish_table(&stage, staged, cancel).map_err(|error| {
                if error.kind() == ErrorKind::Interrupted {
                    return Error::new(ErrorKind::Interrupted, "the run was stopped while it was publishing")
                        .hint("every file is whole, old or new; run again to bring all of them to the same state");
                }
                error
            })?;
            states.insert(*table, published);
        }
        Ok(states)
    }
}

fn publish_table(stage: &Stage, staged: &StagedTable, cancel: &Cancel) -> Result<TableState> {
    let root = stage.lake.root().join(&staged.folder);
    let source = stage.root.join(&staged.folder);
    let leftover: Vec<&String> = staged
        .existing
        .iter()
        .filter(|(path, existing)| !existing.is_kept.load(Ordering::Relaxed) && path.as_str() != SUCCESS)
        .map(|(path, _)| path)
        .collect();
    let written = staged.written.load(Ordering::Relaxed);
    let marker = root.join(SUCCESS);
    if written > 0 || !leftover.is_empty() || !staged.existing.contains_key(SUCCESS) {
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &marker, &error);
        match std::fs::remove_file(&marker) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        if written > 0 {
            tree::move_onto(&source, &root, cancel)?;
        }
        for path in &leftover {
            cancel.check()?;
            tree::remove(&root, path)?;
        }
        std::fs::create_dir_all(&root).map_err(failed)?;
        File::create(&marker).map_err(failed)?;
    }
    let unchanged = staged.unchanged.load(Ordering::Relaxed);
    Ok(TableState {
        rows: staged.rows.load(Ordering::Relaxed),
        files: written + unchanged,
        bytes: staged.bytes.load(Ordering::Relaxed),
        written,
        unchanged,
        removed: leftover.len() as u64,
    })
}

fn relative(partition: &str, file: &str) -> String {
    if partition.is_empty() { file.to_owned() } else { format!("{partition}/{file}") }
}

/// Whether the path is one that this program gives: `part-00000.snappy.parquet` in any folder, or the marker.
fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let number = name.strip_prefix("part-").and_then(|rest| rest.split_at_checked(5));
    path == SUCCESS
        || number.is_some_and(|(digits, suffix)| {
            digits.bytes().all(|digit| digit.is_ascii_digit())
                && matches!(suffix, ".parquet" | ".snappy.parquet" | ".zstd.parquet")
        })
}

fn same_bytes(a: &Path, b: &Path) -> std::io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let read = a.read(&mut left)?;
        if read == 0 {
            return Ok(b.read(&mut right)? == 0);
        }
        let (Some(left), Some(right)) = (left.get(..read), right.get_mut(..read)) else { return Ok(false) };
        match b.read_exact(right) {
            Ok(()) if left == right => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Removes a tree until the deadline; says whether it is gone. Errors end it: the next run meets them with time.
fn remove_until(root: &Path, deadline: Instant) -> bool {
    let Ok(entries) = std::fs::read_dir(root) else { return !root.exists() };
    for entry in entries.flatten() {
        let gone = match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_until(&entry.path(), deadline),
            _ => std::fs::remove_file(entry.path()).is_ok(),
        };
        if !gone || Instant::now() > deadline {
            return false;
        }
    }
    std::fs::remove_dir(root).is_ok()
}
