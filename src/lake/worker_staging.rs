//! A worker's way into the stage of a run that another process leads, from whatever machine it works on.
//!
//! What a worker stages has a name that follows from its bytes, or from the rows that it holds, and the same rows have
//! the same bytes. So a worker that is run again, or twice at the same time, or outlives its run, does no harm. It can
//! publish nothing.
//!
//! Invariant: what has a name in the stage is complete.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result, shown};
use crate::lake::commit_record::TABLES;
use crate::lake::commit_record::{sha256, stage_of};
use crate::lake::staging_sink::{StagedEntry, StagedFile, StagingSink, measure, relative};
use crate::location::Location;
use crate::s3::bucket::Bucket;
use crate::s3::object::Put;
use crate::s3::stores::Stores;
use crate::schema::Table;

/// A worker's place in a run.
#[derive(Debug)]
pub struct WorkerStaging {
    place: Place,
    run: String,
    folders: BTreeMap<Table, String>,
    entries: Mutex<Vec<StagedEntry>>,
    /// For what goes to a bucket, and for plays that do not fit into memory.
    scratch: tempfile::TempDir,
}

/// The lake's root.
#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Bucket(Bucket, String),
}

/// Something in the stage, to be read in parts.
#[derive(Clone, Debug)]
pub enum Blob {
    /// On a disk.
    File(Arc<File>),
    /// In a bucket, by its key.
    Object(Bucket, String),
}

impl Blob {
    /// Some of its bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it is shorter, the place's.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match self {
            Self::File(file) => {
                let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or_default();
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, range.start)
                    .map_err(|error| Error::io_unnamed(ErrorKind::Retry, "read what another worker staged", &error))?;
                Ok(bytes.into())
            }
            Self::Object(bucket, key) => bucket.wait(bucket.get(key, Some(range), None)),
        }
    }
}

impl WorkerStaging {
    /// Finds the stage of `run` in the lake at `location`; `folders` are those of the tables.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] when this machine does not see the lake's disk, the place's errors otherwise.
    pub fn open(location: &Location, run: &str, folders: &BTreeMap<Table, String>, stores: &Stores) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::io_unnamed(ErrorKind::Storage, "create a scratch folder", &error)
                .hint("set TMPDIR to a folder with room on every worker")
        };
        let scratch = tempfile::Builder::new().prefix("sparkify-lake-").tempdir().map_err(failed)?;
        let place = match location {
            Location::Local(root) => {
                if !root.join(stage_of(run)).is_dir() {
                    return Err(Error::new(ErrorKind::Output, format!("this worker does not see {}", shown(root)))
                        .cause("the run's stage is not there")
                        .hint(
                            "workers on several machines need a lake in a bucket, or on a disk that all of them share",
                        )
                        .context("path", shown(root)));
                }
                Place::Folder(root.clone())
            }
            Location::Object(path) => Place::Bucket(stores.open(&path.bucket)?, path.key.clone()),
        };
        Ok(Self { place, run: run.to_owned(), folders: folders.clone(), entries: Mutex::default(), scratch })
    }

    /// A local folder for scratch files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// What tables' files were staged through this value.
    #[must_use]
    pub fn into_entries(self) -> Vec<StagedEntry> {
        self.entries.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file to be filled and then given its name by [`Self::place`].
    ///
    /// # Errors
    /// The operating system's.
    pub fn draft(&self) -> Result<NamedTempFile> {
        let folder = match &self.place {
            // On the disk of the stage, but outside of what is moved into place.
            Place::Folder(root) => root.join(stage_of(&self.run)).join("scratch"),
            Place::Bucket(..) => self.scratch.path().to_owned(),
        };
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "create a file in", &folder, &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(&folder).map_err(failed)
    }

    /// Gives a complete file its name below the stage.
    ///
    /// # Errors
    /// The place's.
    pub fn place(&self, draft: NamedTempFile, name: &str) -> Result<()> {
        let (file, draft) = draft.into_parts();
        self.name(&file, draft, name)
    }

    fn name(&self, file: &File, draft: tempfile::TempPath, name: &str) -> Result<()> {
        match &self.place {
            Place::Folder(root) => {
                let path = root.join(stage_of(&self.run)).join(name);
                let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
                std::fs::create_dir_all(path.parent().unwrap_or(root)).map_err(failed)?;
                draft.persist(&path).map_err(|error| failed(error.error))
            }
            Place::Bucket(bucket, _) => {
                let failed = |error: std::io::Error| Error::io_unnamed(ErrorKind::Storage, "read a draft", &error);
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
        match &self.place {
            Place::Bucket(_, root) if !root.is_empty() => format!("{root}/{path}"),
            _ => path.to_owned(),
        }
    }

    /// Leaves bytes in the stage under a name that follows from them; returns it.
    ///
    /// # Errors
    /// The place's.
    pub fn put_blob(&self, folder: &str, bytes: &[u8]) -> Result<String> {
        let name = format!("{folder}/{}", sha256(bytes));
        let mut draft = self.draft()?;
        draft.write_all(bytes).map_err(|error| Error::io(ErrorKind::Storage, "write", draft.path(), &error))?;
        self.place(draft, &name)?;
        Ok(name)
    }

    /// Leaves a file in the stage under a name that follows from its bytes; returns the name and the size.
    ///
    /// # Errors
    /// The place's.
    pub fn put_blob_file(&self, folder: &str, draft: NamedTempFile) -> Result<(String, u64)> {
        let (size, sha256) = measure(draft.as_file())?;
        let name = format!("{folder}/{sha256}");
        self.place(draft, &name)?;
        Ok((name, size))
    }

    /// What lies in the stage under a name.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it is not there: the run has ended.
    pub fn open_blob(&self, name: &str) -> Result<Blob> {
        let path = format!("{}/{name}", stage_of(&self.run));
        match &self.place {
            Place::Bucket(bucket, _) => Ok(Blob::Object(bucket.clone(), self.key(&path))),
            Place::Folder(root) => {
                let path = root.join(path);
                let file = File::open(&path).map_err(|error| Error::io(ErrorKind::Retry, "open", &path, &error))?;
                Ok(Blob::File(Arc::new(file)))
            }
        }
    }

    /// The whole of what lies in the stage under a name, if its bytes are those of the checksum.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when they are not, or nothing is there.
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
        Err(Error::new(ErrorKind::Retry, format!("{name} in the stage of the run is not what was put there")))
    }

    /// Writes a file of rejects. It stays, whatever becomes of the run.
    ///
    /// # Errors
    /// The place's.
    pub fn put_reject(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = format!("_etl/quarantine/{}/{name}", self.run);
        match &self.place {
            Place::Bucket(bucket, _) => {
                bucket.wait(bucket.put(&self.key(&path), Bytes::copy_from_slice(bytes), Put::Always)).map(drop)
            }
            Place::Folder(root) => {
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

    fn stage(&self, file: &File, draft: tempfile::TempPath, table: Table, path: String, rows: u64) -> Result<()> {
        let folder = self.folders.get(&table).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("the table {} is not part of this run", table.name()))
        })?;
        let (size, sha256) = measure(file)?;
        if let Place::Folder(_) = self.place {
            // The leader waits for its own machine's disks, not for what this one still holds back.
            file.sync_all().map_err(|error| Error::io_unnamed(ErrorKind::Storage, "sync a staged file", &error))?;
        }
        self.name(file, draft, &format!("{TABLES}/{folder}/{path}"))?;
        let entry = StagedEntry { table: table.name().to_owned(), path, size, rows, sha256 };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Ok(())
    }
}

impl StagingSink for WorkerStaging {
    fn put(&self, table: Table, partition: &str, file: &str, bytes: &[u8], rows: u64) -> Result<()> {
        let mut draft = self.draft()?;
        draft.write_all(bytes).map_err(|error| Error::io(ErrorKind::Storage, "write", draft.path(), &error))?;
        let (handle, draft) = draft.into_parts();
        self.stage(&handle, draft, table, relative(partition, file), rows)
    }

    fn open(&self, table: Table, partition: &str, file: &str) -> Result<StagedFile> {
        let (handle, draft) = self.draft()?.into_parts();
        Ok(StagedFile { file: handle, table, name: relative(partition, file), draft: Some(draft) })
    }

    fn finish(&self, staged: StagedFile, rows: u64) -> Result<()> {
        let StagedFile { file, table, name, draft } = staged;
        let draft = draft.ok_or_else(|| Error::new(ErrorKind::Internal, "a staged file is not this worker's"))?;
        self.stage(&file, draft, table, name, rows)
    }
}
