//! The staging area of a run on a local disk: one staged file per file of a table, at the same path.
//!
//! Invariant: after [`StageStorage::seal`], every staged file and every state file of the run survives a power failure, if
//! the file system can sync files.

use std::fs::{File, Metadata};
use std::io::{ErrorKind as Io, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result, shown};
use crate::lake::checkpoint::STATE;
use crate::lake::commit_record::{Image, TABLES, stage_of};
use crate::lake::staging_sink::not_as_staged;
use crate::lake::storage::file_tree::{self, SingleFiles};
use crate::lake::storage::{StageStorage, StagedImage, sync};

/// How long a stopped run may remove its staged files; the next run removes the rest.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_millis(200);

/// Up to this many staged files are synced one by one.
const MAX_FILES_SYNCED_SEPARATELY: usize = 128;

/// The staging area of a run on a local disk.
#[derive(Debug)]
pub(super) struct LocalStage {
    lake: PathBuf,
    root: PathBuf,
    run: String,
    /// The number of files that were staged so far.
    files: AtomicUsize,
}

impl LocalStage {
    /// Creates the staging area of a run.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] or [`ErrorKind::Access`] when it cannot be created.
    pub(super) fn create(lake: &Path, run: &str) -> Result<Self> {
        let root = lake.join(stage_of(run));
        std::fs::create_dir_all(&root).map_err(|error| Error::io(ErrorKind::Output, "create", &root, &error))?;
        Ok(Self { lake: lake.to_owned(), root, run: run.to_owned(), files: AtomicUsize::new(0) })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(TABLES).join(path)
    }

    /// Counts a staged file and returns its image.
    fn staged(&self, metadata: &Metadata) -> StagedImage {
        self.files.fetch_add(1, Ordering::Relaxed);
        StagedImage::separate(Some(file_tree::stamp(metadata)))
    }

    /// The staged files and the state files of this run.
    fn written_files(&self) -> Result<Vec<PathBuf>> {
        let below = |folder: PathBuf, is_ours: &dyn Fn(&str) -> bool| -> Result<Vec<PathBuf>> {
            let found = file_tree::files(&folder, &SingleFiles::default(), 1)?;
            Ok(found.iter().filter(|file| is_ours(&file.path)).map(|file| folder.join(&file.path)).collect())
        };
        let mut files = below(self.root.join(TABLES), &|_| true)?;
        files.extend(below(self.lake.join(STATE), &|name| name.starts_with(&self.run))?);
        Ok(files)
    }
}

impl StageStorage for LocalStage {
    fn put(&self, path: &str, bytes: &[u8]) -> Result<StagedImage> {
        let mut file = self.open(path)?;
        file.write_all(bytes).map_err(|error| Error::io(ErrorKind::Storage, "write", &self.path(path), &error))?;
        self.finish(path, path, file)
    }

    fn open(&self, path: &str) -> Result<File> {
        let path = self.path(path);
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let folder = path.parent().unwrap_or(&self.root);
        // Most files are the only one in their folder, so creating the folder first is faster than trying the file.
        match std::fs::create_dir(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == Io::AlreadyExists => {}
            Err(_) => std::fs::create_dir_all(folder).map_err(failed)?,
        }
        File::options().read(true).write(true).create_new(true).open(&path).map_err(failed)
    }

    fn finish(&self, opened: &str, path: &str, file: File) -> Result<StagedImage> {
        if opened != path {
            std::fs::rename(self.path(opened), self.path(path))
                .map_err(|error| Error::io(ErrorKind::Storage, "rename", &self.path(opened), &error))?;
        }
        let metadata =
            file.metadata().map_err(|error| Error::io(ErrorKind::Storage, "read", &self.path(path), &error))?;
        Ok(self.staged(&metadata))
    }

    fn discard(&self, path: &str, file: File) -> Result<()> {
        drop(file);
        self.remove_staged(path)
    }

    fn adopt(&self, path: &str, size: u64) -> Result<StagedImage> {
        let path = self.path(path);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() == size => Ok(self.staged(&metadata)),
            Ok(_) => Err(not_as_staged(&shown(&path))),
            Err(error) if error.kind() == Io::NotFound => Err(not_as_staged(&shown(&path))),
            Err(error) => Err(Error::io(ErrorKind::Storage, "check", &path, &error)),
        }
    }

    fn remove_staged(&self, path: &str) -> Result<()> {
        let path = self.path(path);
        std::fs::remove_file(&path).map_err(|error| Error::io(ErrorKind::Storage, "remove", &path, &error))
    }

    fn flush(&self) -> Result<()> {
        self.seal()
    }

    fn seal(&self) -> Result<()> {
        // `syncfs` syncs thousands of files in one call, but also waits for what other programs wrote to the disk.
        if self.files.load(Ordering::Relaxed) > MAX_FILES_SYNCED_SEPARATELY {
            let synced = sync::file_system(&self.root);
            if synced.map_err(|error| Error::io(ErrorKind::Storage, "sync", &self.root, &error))? {
                return Ok(());
            }
        }
        // The folder of the lake may be new as well.
        sync::files(self.lake.parent().unwrap_or(&self.lake), &self.written_files()?)
    }

    fn scratch(&self) -> Result<PathBuf> {
        let path = self.root.join("scratch");
        std::fs::create_dir_all(&path).map_err(|error| Error::io(ErrorKind::Storage, "create", &path, &error))?;
        Ok(path)
    }

    fn clean_up(&self) {
        let deadline = Instant::now() + CLEAN_UP_TIMEOUT;
        if file_tree::remove_until(&self.root, deadline)
            && let Some(stages) = self.root.parent()
        {
            // This fails if the folder is not empty; then it stays.
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
