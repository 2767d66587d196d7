//! The storage of a lake: a folder on a local disk, or a prefix of keys in a bucket.
//!
//! The traits have exactly the operations that the protocol needs: control files, listings, staging, and the replay of
//! a record. Paths are relative to the lake's root and separated by `/`.
//!
//! Invariant: only [`LakeStorage::replay`] of a committed record changes files that a reader of the tables sees.

pub(in crate::lake) mod bucket;
mod fenced_writer;
pub(in crate::lake) mod file_tree;
pub(in crate::lake) mod local;
mod local_stage;
mod lock;
mod pack_writer;
mod sync;

pub(crate) use lock::is_supported as supports_locks;
pub(crate) use sync::is_supported as supports_folder_syncs;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::time::Duration;

use crate::error::Result;
use crate::lake::commit_record::{CommitRecord, ConditionalSupport, Image, TableRecord, sha256};
use crate::runtime::cancel::Cancel;
use crate::runtime::clock::Moment;

/// The stamps of changed files by the table's folder and the path below it.
pub(in crate::lake) type Stamps = BTreeMap<String, BTreeMap<String, String>>;

/// A file below a listed folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lake) struct ListedFile {
    /// Relative to the listed folder; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Identifies the content: the `ETag`, or the modification time on a local disk.
    pub stamp: String,
}

/// The operations of the protocol on the location of a lake.
pub(in crate::lake) trait LakeStorage: fmt::Debug + Send + Sync {
    /// A path below the lake, for display.
    fn shown(&self, path: &str) -> String;

    /// Reads a small file; `None` if it does not exist.
    fn read_optional(&self, path: &str) -> Result<Option<Vec<u8>>>;

    /// Reads small files, in a bucket in parallel; `None` for each that does not exist.
    fn read_many(&self, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        paths.iter().map(|path| self.read_optional(path)).collect()
    }

    /// SHA-256 of a file of any size; `None` if it does not exist.
    fn checksum(&self, path: &str) -> Result<Option<String>> {
        Ok(self.read_optional(path)?.map(|bytes| sha256(&bytes)))
    }

    /// Returns true if the stamp of a file follows from its bytes, so that it changes whenever they do. On a local disk,
    /// a tool can preserve the modification time, and a disk can damage bytes.
    fn stamps_prove_bytes(&self) -> bool;

    /// Creates a durable control file; `false` if another run has already created it.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool>;

    /// Creates a durable control file that other programs may create too, without the lock of the lake; `false` if it
    /// exists.
    fn create_without_lock(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        self.create(path, bytes)
    }

    /// Writes a control file, replacing an existing one.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()>;

    /// Writes a control file that contains records of the input. On a local disk only its owner may read it.
    fn write_private(&self, path: &str, bytes: &[u8]) -> Result<()>;

    /// Lists all files below each folder, in no particular order; nothing for a folder that does not exist.
    fn list_many(&self, folders: &[&str]) -> Result<Vec<Vec<ListedFile>>>;

    /// Lists the folders of tables, each with its record at the newest version, which lets a local disk skip the
    /// listing of unchanged folders. A local disk is read with up to `threads` threads.
    fn list_tables(&self, tables: &[(&str, Option<&TableRecord>)], _threads: usize) -> Result<Vec<Vec<ListedFile>>> {
        let folders: Vec<&str> = tables.iter().map(|(folder, _)| *folder).collect();
        self.list_many(&folders)
    }

    /// Determines which conditional requests the store supports, by trying them.
    fn probe_conditional_support(&self) -> Result<ConditionalSupport>;

    /// Why nothing keeps overlapping runs apart here, for a warning; `None` if the lock or conditional writes do.
    fn unguarded(&self) -> Option<String> {
        None
    }

    /// How long after a commit a running writer of the previous version may still change a file; `None` if there can be
    /// no such writer.
    fn stale_writer_window(&self) -> Option<Duration>;

    /// Returns true if names that differ only in case are the same file.
    fn folds_case(&self) -> bool;

    /// Creates the staging area of a run.
    fn stage(&self, run: &str) -> Result<Box<dyn StageStorage>>;

    /// Publishes the remaining files of a committed version; returns the stamps that the record does not have. `stage`
    /// is the staging area of this run if the run itself committed the version, and `None` in a recovery. `looked` is
    /// the start of the last listing of the commit log, in which `record` was the newest version.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] when a newer version exists; otherwise any storage error.
    fn replay(
        &self,
        record: &CommitRecord,
        stage: Option<&dyn StageStorage>,
        looked: Moment,
        cancel: &Cancel,
    ) -> Result<Stamps>;

    /// Removes control files. A missing file is not an error.
    fn remove(&self, paths: &[String]) -> Result<()>;

    /// Removes the staging area of a published version, or of one that is not committed.
    fn remove_stage(&self, record: &CommitRecord) -> Result<()>;

    /// Removes files that earlier runs left and no version needs, before a run, if no other run can be active.
    /// `state_files` are the state files that the newest version names.
    fn clean_up_before(&self, run: &str, state_files: &HashSet<String>) -> Result<()>;

    /// Removes such files after a run, if only their age shows that their run has ended.
    fn clean_up_after(&self, run: &str, state_files: &HashSet<String>) -> Result<()>;
}

/// Where a file is staged, with its stamp if the stamp is already known.
#[derive(Debug)]
pub(in crate::lake) struct StagedImage {
    pub image: Image,
    pub stamp: Option<String>,
}

impl StagedImage {
    /// A file that is staged on its own, not in a pack.
    pub const fn separate(stamp: Option<String>) -> Self {
        Self { image: Image { pack: None, offset: 0 }, stamp }
    }
}

/// The staging area of a run; shared between threads.
pub(in crate::lake) trait StageStorage: fmt::Debug + Send + Sync {
    /// Stages a complete file of a table.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<StagedImage>;

    /// Creates a file that is too large for memory.
    fn open(&self, path: &str) -> Result<File>;

    /// Stages a complete file that [`Self::open`] created as `opened`, under its name.
    fn finish(&self, opened: &str, path: &str, file: File) -> Result<StagedImage>;

    /// Discards a file that [`Self::open`] created.
    fn discard(&self, path: &str, file: File) -> Result<()>;

    /// Adds a file of `size` bytes that a worker staged under its own name.
    fn adopt(&self, path: &str, size: u64) -> Result<StagedImage>;

    /// Removes a file that a worker staged under its own name.
    fn remove_staged(&self, path: &str) -> Result<()>;

    /// Does the part of [`Self::seal`] that is possible for the files staged so far, while others are still written.
    fn flush(&self) -> Result<()>;

    /// Makes all staged files durable.
    fn seal(&self) -> Result<()>;

    /// A local folder for scratch files; it is removed with the staging area.
    fn scratch(&self) -> Result<std::path::PathBuf>;

    /// Removes the staging area when the run ends and no later run needs it. A stopped run has little time, so it may
    /// leave files, which a later run removes.
    fn clean_up(&self);

    /// Reads the staged bytes of a file.
    fn read(&self, path: &str, image: Image, size: u64) -> Result<Vec<u8>>;
}
