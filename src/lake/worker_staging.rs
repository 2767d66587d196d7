//! Worker staging: how a worker process, on any machine, writes to the staging area of a run that another process
//! leads.
//!
//! Every file of a worker is named by its bytes or by the rows that it contains, and the same rows have the same bytes.
//! So a task may be repeated, run twice at the same time or outlive its run without harm. A worker cannot publish.
//!
//! Invariant: every file of a worker that has a name in the staging area is complete.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tempfile::NamedTempFile;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::lake::commit_record::{TABLES, sha256, stage_of};
use crate::lake::staging_sink::{StagedEntry, StagedFile, StagingSink, content_name, measure, relative};
use crate::location::Location;
use crate::parquet_io::file_stats::FileSummary;
use crate::s3::bucket::Bucket;
use crate::s3::object::Put;
use crate::s3::stores::Stores;
use crate::schema::Table;

/// The staging area of a run, as a worker uses it.
#[derive(Debug)]
pub struct WorkerStaging {
    root: LakeRoot,
    run: String,
    folders: BTreeMap<Table, String>,
    /// Whether the name of a file contains a part of its checksum.
    has_content_names: bool,
    entries: Mutex<Vec<StagedEntry>>,
    /// For files that are uploaded to a bucket, and for plays that do not fit into memory.
    scratch: tempfile::TempDir,
}

/// The root of the lake: a folder, or a bucket with the prefix of the keys.
#[derive(Debug)]
enum LakeRoot {
    Folder(PathBuf),
    Bucket(Bucket, String),
}

/// A blob in the staging area, which is read in parts.
#[derive(Clone, Debug)]
pub enum Blob {
    /// A file on a disk that the worker shares with the leader.
    File(Arc<File>),
    /// An object, by its bucket and its key.
    Object(Bucket, String),
}

impl Blob {
    /// Reads a range of bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when the blob is shorter; otherwise any storage error.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match self {
            Self::File(file) => {
                let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or_default();
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, range.start).map_err(|error| {
                    Error::io_unnamed(ErrorKind::Retry, "read a file that another worker staged", &error)
                })?;
                Ok(bytes.into())
            }
            Self::Object(bucket, key) => bucket.wait(bucket.get(key, Some(range), None)),
        }
    }
}

impl WorkerStaging {
    /// Opens the staging area of `run` in the lake at `location`.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] when this machine has no access to the lake's disk; otherwise any storage error.
    pub fn open(location: &Location, run: &str, config: &Config, stores: &Stores) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::io_unnamed(ErrorKind::Storage, "create a scratch folder", &error)
                .hint("set TMPDIR on every worker to a folder with enough free space")
        };
        let scratch = tempfile::Builder::new().prefix("sparkify-lake-").tempdir().map_err(failed)?;
        let root = match location {
            Location::Local(folder) => {
                if !folder.join(stage_of(run)).is_dir() {
                    return Err(Error::new(ErrorKind::Output, format!("this worker does not see {}", shown(folder)))
                        .cause("the staging area of the run does not exist on this worker")
                        .hint("write to a bucket, or to a disk that all workers share")
                        .context("path", shown(folder)));
                }
                LakeRoot::Folder(folder.clone())
            }
            Location::Object(path) => LakeRoot::Bucket(stores.open(&path.bucket)?, path.key.clone()),
        };
        let (folders, has_content_names) = (config.folders.clone(), config.has_table_formats());
        Ok(Self { root, run: run.to_owned(), folders, has_content_names, entries: Mutex::default(), scratch })
    }

    /// A local folder for scratch files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The table files that were staged through this value.
    #[must_use]
    pub fn into_entries(self) -> Vec<StagedEntry> {
        self.entries.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a temporary file, which gets its name in the staging area once it is complete.
    ///
    /// # Errors
    /// Any error of the operating system.
    pub fn draft(&self) -> Result<NamedTempFile> {
        let folder = match &self.root {
            // On the disk of the staging area, but not in the folder that is moved into place.
            LakeRoot::Folder(root) => root.join(stage_of(&self.run)).join("scratch"),
            LakeRoot::Bucket(..) => self.scratch.path().to_owned(),
        };
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "create a file in", &folder, &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(&folder).map_err(failed)
    }

    /// Gives a complete file its name below the staging area, or uploads it under that name.
    ///
    /// # Errors
    /// Any storage error.
    fn persist(&self, draft: NamedTempFile, name: &str) -> Result<()> {
        let (file, draft) = draft.into_parts();
        self.persist_parts(&file, draft, name)
    }

    fn persist_parts(&self, file: &File, draft: tempfile::TempPath, name: &str) -> Result<()> {
        match &self.root {
            LakeRoot::Folder(root) => {
                let path = root.join(stage_of(&self.run)).join(name);
                let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
                std::fs::create_dir_all(path.parent().unwrap_or(root)).map_err(failed)?;
                draft.persist(&path).map_err(|error| failed(error.error))
            }
            LakeRoot::Bucket(bucket, _) => {
                let failed =
                    |error: std::io::Error| Error::io_unnamed(ErrorKind::Storage, "read a temporary file", &error);
                let mut bytes = vec![0; usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or_default()];
                file.read_exact_at(&mut bytes, 0).map_err(failed)?;
                self.put_object(bucket, name, bytes.into())
            }
        }
    }

    fn put_object(&self, bucket: &Bucket, name: &str, bytes: Bytes) -> Result<()> {
        bucket.wait(bucket.put(&self.key(&format!("{}/{name}", stage_of(&self.run))), bytes, Put::Always)).map(drop)
    }

    fn key(&self, path: &str) -> String {
        match &self.root {
            LakeRoot::Bucket(_, root) if !root.is_empty() => format!("{root}/{path}"),
            _ => path.to_owned(),
        }
    }

    /// Writes a blob to the staging area, named by its checksum; returns the name.
    ///
    /// # Errors
    /// Any storage error.
    pub fn put_blob(&self, folder: &str, bytes: &[u8]) -> Result<String> {
        let name = format!("{folder}/{}", sha256(bytes));
        let mut draft = self.draft()?;
        draft.write_all(bytes).map_err(|error| Error::io(ErrorKind::Storage, "write", draft.path(), &error))?;
        self.persist(draft, &name)?;
        Ok(name)
    }

    /// Moves a file to the staging area as a blob, named by its checksum; returns the name and the size in bytes.
    ///
    /// # Errors
    /// Any storage error.
    pub fn put_blob_file(&self, folder: &str, draft: NamedTempFile) -> Result<(String, u64)> {
        let (size, sha256) = measure(draft.as_file())?;
        let name = format!("{folder}/{sha256}");
        self.persist(draft, &name)?;
        Ok((name, size))
    }

    /// Opens a blob of the staging area.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it does not exist, because the run has ended.
    pub fn open_blob(&self, name: &str) -> Result<Blob> {
        let path = format!("{}/{name}", stage_of(&self.run));
        match &self.root {
            LakeRoot::Bucket(bucket, _) => Ok(Blob::Object(bucket.clone(), self.key(&path))),
            LakeRoot::Folder(root) => {
                let path = root.join(path);
                let file = File::open(&path).map_err(|error| Error::io(ErrorKind::Retry, "open", &path, &error))?;
                Ok(Blob::File(Arc::new(file)))
            }
        }
    }

    /// Reads an entire blob of the staging area and compares its checksum with `expected`.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it does not exist or the checksum differs.
    pub fn read_blob(&self, name: &str, expected: &str) -> Result<Bytes> {
        let bytes = match self.open_blob(name)? {
            Blob::File(file) => {
                let size = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
                Blob::File(file).read(0..size)?
            }
            Blob::Object(bucket, key) => bucket.wait(bucket.get(&key, None, None))?,
        };
        if sha256(&bytes) == expected {
            return Ok(bytes);
        }
        Err(Error::new(ErrorKind::Retry, format!("{name} in the staging area of the run has unexpected content"))
            .hint("run again; no table was changed"))
    }

    /// Writes a quarantine file. It stays even if the run fails.
    ///
    /// # Errors
    /// Any storage error.
    pub fn put_reject(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = format!("_etl/quarantine/{}/{name}", self.run);
        match &self.root {
            LakeRoot::Bucket(bucket, _) => {
                bucket.wait(bucket.put(&self.key(&path), Bytes::copy_from_slice(bytes), Put::Always)).map(drop)
            }
            LakeRoot::Folder(root) => {
                let path = root.join(path);
                let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
                std::fs::create_dir_all(path.parent().unwrap_or(root)).map_err(failed)?;
                let mut options = File::options();
                let mut file =
                    options.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(failed)?;
                file.write_all(bytes).map_err(failed)
            }
        }
    }

    fn stage(
        &self,
        file: &File,
        draft: tempfile::TempPath,
        (table, path): (Table, String),
        summary: FileSummary,
    ) -> Result<()> {
        let folder = self.folders.get(&table).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("the table {} is not part of this run", table.name()))
        })?;
        let (size, sha256) = measure(file)?;
        let path = if self.has_content_names { content_name(&path, &sha256) } else { path };
        if let LakeRoot::Folder(_) = self.root {
            // The leader syncs only the disks of its machine, not the write cache of this one.
            file.sync_all().map_err(|error| Error::io_unnamed(ErrorKind::Storage, "sync a staged file", &error))?;
        }
        self.persist_parts(file, draft, &format!("{TABLES}/{folder}/{path}"))?;
        let FileSummary { rows, stats } = summary;
        let entry = StagedEntry { table: table.name().to_owned(), path, size, rows, sha256, stats };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Ok(())
    }
}

impl StagingSink for WorkerStaging {
    fn put(&self, table: Table, partition: &str, file: &str, bytes: &[u8], summary: FileSummary) -> Result<()> {
        let mut draft = self.draft()?;
        draft.write_all(bytes).map_err(|error| Error::io(ErrorKind::Storage, "write", draft.path(), &error))?;
        let (handle, draft) = draft.into_parts();
        self.stage(&handle, draft, (table, relative(partition, file)), summary)
    }

    fn open(&self, table: Table, partition: &str, file: &str) -> Result<StagedFile> {
        let (handle, draft) = self.draft()?.into_parts();
        Ok(StagedFile { file: handle, table, name: relative(partition, file), draft: Some(draft) })
    }

    fn finish(&self, staged: StagedFile, summary: FileSummary) -> Result<()> {
        let StagedFile { file, table, name, draft } = staged;
        let draft = draft.ok_or_else(|| Error::new(ErrorKind::Internal, "a staged file belongs to another worker"))?;
        self.stage(&file, draft, (table, name), summary)
    }
}
