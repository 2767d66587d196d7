//! What a lake stands on: a folder on a local disk, or a prefix of keys in a bucket.
//!
//! Everything the protocol needs of a place, and nothing more: control files, listings, staging, and the replay of a
//! record. Paths are relative to the lake's root, separated by `/`.
//!
//! Invariant: no method changes what a reader of the tables sees, except [`LakeStorage::replay`] of a committed record.

pub(in crate::lake) mod bucket;
pub(in crate::lake) mod file_tree;
pub(in crate::lake) mod local;
mod pack_writer;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::time::Duration;

use crate::error::Result;
use crate::lake::commit_record::{CommitRecord, Conditional, Image, TableRecord};
use crate::runtime::cancel::Cancel;

/// The stamps of changed files by the table's folder and the path below it.
pub(in crate::lake) type Stamps = BTreeMap<String, BTreeMap<String, String>>;

/// A file below a listed folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lake) struct Entry {
    /// Relative to the listed folder; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What tells this version of the file from another.
    pub stamp: String,
}

/// A place for a lake.
pub(in crate::lake) trait LakeStorage: fmt::Debug + Send + Sync {
    /// A path for people.
    fn shown(&self, path: &str) -> String;

    /// A small file; `None` when it is not there.
    fn read_optional(&self, path: &str) -> Result<Option<Vec<u8>>>;

    /// Writes a control file where there is none, so that it lasts; `false` when there is one, of somebody else's.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool>;

    /// Writes a control file, over whatever was there.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()>;

    /// Writes a control file with records of the input in it: for the lake's owner alone, where the place knows owners.
    fn keep(&self, path: &str, bytes: &[u8]) -> Result<()>;

    /// All files below each folder, in no particular order; nothing for one that is not there.
    fn list_many(&self, folders: &[&str]) -> Result<Vec<Vec<Entry>>>;

    /// The same for folders of tables, with what a version knows of them: where that saves work.
    fn tables(&self, tables: &[(&str, Option<&TableRecord>)]) -> Result<Vec<Vec<Entry>>> {
        let folders: Vec<&str> = tables.iter().map(|(folder, _)| *folder).collect();
        self.list_many(&folders)
    }

    /// Which conditions are honoured, found out by trying on a control file that holds `bytes` and keeps them.
    fn conditional(&self, path: &str, bytes: &[u8]) -> Result<Conditional>;

    /// How long after a commit a writer of the version before may still change a file, as long as it is awake; `None`
    /// where there can be none.
    fn stale_writer_window(&self) -> Option<Duration>;

    /// Whether two names that differ in the case of letters alone are one file.
    fn folds_case(&self) -> bool;

    /// Begins the stage of a run.
    fn stage(&self, run: &str) -> Result<Box<dyn StageStorage>>;

    /// Makes a committed version visible, as far as that has not happened; returns the stamps that the record lacks.
    /// `stage` is the run's own stage, where the replay follows the commit; a recovery has none.
    fn replay(&self, record: &CommitRecord, stage: Option<&dyn StageStorage>, cancel: &Cancel) -> Result<Stamps>;

    /// Removes control files and folders of them. What is not there counts as removed.
    fn remove(&self, paths: &[String]) -> Result<()>;

    /// Forgets the stage of a version that is published.
    fn forget_stage(&self, record: &CommitRecord) -> Result<()>;

    /// Makes room before a run: forgets what earlier runs have left and no version needs, where it is certain that none
    /// of them is at work. `kept` are the state files that the newest version names.
    fn make_room(&self, run: &str, kept: &HashSet<String>) -> Result<()>;

    /// The same after a run, where only time tells that nobody is at work any more.
    fn clean_up(&self, run: &str, kept: &HashSet<String>) -> Result<()>;
}

/// Where a run stages the new bytes of files; shared between threads.
pub(in crate::lake) trait StageStorage: fmt::Debug + Send + Sync {
    /// Stages a whole file of a table; returns where, and its stamp if that is known already.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(Image, Option<String>)>;

    /// Begins a file that is too large to hold.
    fn open(&self, path: &str) -> Result<File>;

    /// Takes a file that [`Self::open`] began and that is complete now.
    fn finish(&self, path: &str, file: File) -> Result<(Image, Option<String>)>;

    /// Forgets a file that [`Self::open`] began.
    fn discard(&self, path: &str, file: File) -> Result<()>;

    /// Takes a file of `size` bytes that a worker staged under its own name.
    fn adopt(&self, path: &str, size: u64) -> Result<(Image, Option<String>)>;

    /// Removes a file that a worker staged under its own name.
    fn withdraw(&self, path: &str) -> Result<()>;

    /// Does of [`Self::seal`] what can be done for the files staged so far, while others are made.
    fn flush(&self) -> Result<()>;

    /// Returns when everything staged would survive a crash.
    fn seal(&self) -> Result<()>;

    /// A local folder for scratch files; it goes with the stage.
    fn scratch(&self) -> Result<std::path::PathBuf>;

    /// Ends the stage. A run that was stopped has little time: what is left over, the next run removes.
    fn end(&self);

    /// The staged bytes of a file.
    fn read(&self, path: &str, image: Image, size: u64) -> Result<Vec<u8>>;
}
