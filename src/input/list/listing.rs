//! The files of a source, in a fixed order.
//!
//! Invariant: a listing is sorted by path and has no duplicates, so it does not depend on threads or on the order in
//! which a file system or a store returns names.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Result, shown};
use crate::input::list::skipped::Skipped;
use crate::input::sources::Source;
use crate::s3::bucket::Bucket;
use crate::s3::object::Tag;

/// A file at the time of the listing. Reading checks that it has not changed since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Its path on a disk, or its key in a bucket.
    pub path: PathBuf,
    /// Its size in bytes, as stored.
    pub size: u64,
    /// Distinguishes it from earlier and later files with the same path.
    pub version: Version,
    /// Whether the file is missing and only the lake's retained copy of it exists.
    pub is_missing: bool,
}

/// The version of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// On a disk: the modification time in nanoseconds since 1970.
    Modified(i128),
    /// In a bucket: the `ETag`.
    Tag(Tag),
}

/// Sorted numbers of files in a listing.
pub type Selection = Arc<[usize]>;

/// The files of one source.
#[derive(Debug, Default)]
pub struct Listing {
    /// The files, sorted by path. Shared, because objects are fetched ahead while other ones are decoded.
    pub files: Arc<[InputFile]>,
    /// The bucket of the files; `None` for local files.
    pub bucket: Option<Bucket>,
    /// The targets of the symlinks to folders that were followed.
    pub links: Vec<PathBuf>,
    /// Warnings for the report.
    pub warnings: Vec<String>,
}

/// The files of a listing that are to be read.
#[derive(Clone, Copy, Debug)]
pub struct SelectedFiles<'l> {
    /// All files of the source.
    pub listing: &'l Listing,
    /// The numbers of the files to read.
    pub selection: &'l Selection,
}

impl Listing {
    /// The total size of all files in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The total size of some files in bytes.
    #[must_use]
    pub fn bytes_of(&self, selection: &[usize]) -> u64 {
        selection.iter().filter_map(|index| self.files.get(*index)).map(|file| file.size).sum()
    }

    /// The selection of all files.
    #[must_use]
    pub fn all(&self) -> Selection {
        (0..self.files.len()).collect()
    }

    /// Splits a selection into the files that exist and those that are missing.
    #[must_use]
    pub fn split_missing(&self, selection: &Selection) -> (Selection, Selection) {
        let is_missing = |index: &&usize| self.files.get(**index).is_some_and(|file| file.is_missing);
        if !selection.iter().any(|index| is_missing(&index)) {
            return (Arc::clone(selection), [].into());
        }
        let (missing, present): (Vec<usize>, Vec<usize>) = selection.iter().partition(is_missing);
        (present.into(), missing.into())
    }

    /// The number of missing files.
    #[must_use]
    pub fn missing_count(&self) -> u64 {
        self.files.iter().filter(|file| file.is_missing).count() as u64
    }

    /// Adds missing files.
    pub fn add_missing(&mut self, missing: Vec<InputFile>) {
        if !missing.is_empty() {
            let mut files = self.files.to_vec();
            files.extend(missing);
            files.sort_unstable_by(in_order);
            self.files = files.into();
        }
    }

    /// The path of a file for display, by the file's number.
    #[must_use]
    pub fn shown(&self, index: usize) -> Option<String> {
        let path = &self.files.get(index)?.path;
        Some(self.bucket.as_ref().map_or_else(|| shown(path), |bucket| bucket.shown(&path.to_string_lossy())))
    }
}

/// The result of a listing before it is sorted.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<InputFile>,
    pub(super) links: Vec<PathBuf>,
    pub(super) skipped: Skipped,
    pub(super) warnings: Vec<String>,
}

impl Found {
    pub(super) fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.links.extend(other.links);
        self.skipped.merge(other.skipped);
        self.warnings.extend(other.warnings);
    }

    /// Sorts the files and removes duplicates.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::NoInput`] if there are no files.
    pub(super) fn listing(mut self, source: &Source, bucket: Option<Bucket>) -> Result<Listing> {
        if self.files.is_empty() {
            return Err(self.skipped.nothing_to_read(source));
        }
        self.files.sort_unstable_by(in_order);
        self.files.dedup_by(|left, right| left == right && in_order(left, right).is_eq());
        self.warnings.sort_unstable();
        self.warnings.extend(self.skipped.warnings(source));
        let Self { files, links, warnings, .. } = self;
        Ok(Listing { files: files.into(), bucket, links, warnings })
    }
}

/// Compares paths component by component, like [`std::path::Path`] but several times faster: a slash sorts before all
/// other characters. Keys that differ only in a double slash are different.
pub(super) fn in_order(left: &InputFile, right: &InputFile) -> Ordering {
    let [mine, other] = [left, right].map(|file| file.path.as_os_str().as_encoded_bytes());
    let end = mine.len().min(other.len());
    let rank = |bytes: &[u8], at: usize| bytes.get(at).map(|byte| if *byte == b'/' { 0 } else { *byte });
    let at = mine.iter().zip(other).position(|(mine, other)| mine != other).unwrap_or(end);
    rank(mine, at).cmp(&rank(other, at))
}
