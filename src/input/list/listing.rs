//! The files of a source, in one definite order.
//!
//! Invariant: a listing is sorted by path and has no duplicates, so it does not depend on threads or on the order in
//! which a file system or a store returns names.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::shown;
use crate::s3::bucket::Bucket;
use crate::s3::object::Tag;

/// A file as it was when listed; reading checks that it has not changed since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Where it lies: on a disk its path, in a bucket its key.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Which one of all that ever lay there.
    pub version: Version,
    /// Whether it is no longer there, and only the lake has a copy of it.
    pub is_gone: bool,
}

/// What tells a version of a file from the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// On a disk: the modification time, nanoseconds since 1970.
    Modified(i128),
    /// In a bucket.
    Tag(Tag),
}

/// Files of a listing by their numbers, sorted.
pub type Selection = Arc<[usize]>;

/// The files of one source.
#[derive(Debug, Default)]
pub struct Listing {
    /// Sorted by path. Shared, because objects are fetched while they are read.
    pub files: Arc<[InputFile]>,
    /// Where they lie, if not on a disk.
    pub bucket: Option<Bucket>,
    /// Hidden and temporary names that were passed over.
    pub hidden: u64,
    /// Files with another ending that were passed over.
    pub other: u64,
    /// Things worth saying.
    pub warnings: Vec<String>,
}

/// Some files of a listing: those that are to be read.
#[derive(Clone, Copy, Debug)]
pub struct SelectedFiles<'l> {
    /// All files of the source.
    pub listing: &'l Listing,
    /// Which of them.
    pub selection: &'l Selection,
}

impl Listing {
    /// The bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The bytes of some files.
    #[must_use]
    pub fn bytes_of(&self, selection: &[usize]) -> u64 {
        selection.iter().filter_map(|index| self.files.get(*index)).map(|file| file.size).sum()
    }

    /// All files.
    #[must_use]
    pub fn all(&self) -> Selection {
        (0..self.files.len()).collect()
    }

    /// Tells files of a selection that are there from those that are gone.
    #[must_use]
    pub fn apart(&self, selection: &Selection) -> (Selection, Selection) {
        let is_gone = |index: &&usize| self.files.get(**index).is_some_and(|file| file.is_gone);
        if !selection.iter().any(|index| is_gone(&index)) {
            return (Arc::clone(selection), [].into());
        }
        let (gone, there): (Vec<usize>, Vec<usize>) = selection.iter().partition(is_gone);
        (there.into(), gone.into())
    }

    /// Files that are no longer there.
    #[must_use]
    pub fn gone(&self) -> u64 {
        self.files.iter().filter(|file| file.is_gone).count() as u64
    }

    /// Adds files that are no longer there.
    pub fn add_gone(&mut self, gone: Vec<InputFile>) {
        if !gone.is_empty() {
            let mut files = self.files.to_vec();
            files.extend(gone);
            files.sort_unstable_by(in_order);
            self.files = files.into();
        }
    }

    /// A file for people, by its number.
    #[must_use]
    pub fn shown(&self, index: usize) -> Option<String> {
        let path = &self.files.get(index)?.path;
        Some(self.bucket.as_ref().map_or_else(|| shown(path), |bucket| bucket.shown(&path.to_string_lossy())))
    }
}

/// Files in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<InputFile>,
    pub(super) hidden: u64,
    pub(super) other: u64,
    pub(super) warnings: Vec<String>,
}

impl Found {
    pub(super) fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.hidden += other.hidden;
        self.other += other.other;
        self.warnings.extend(other.warnings);
    }

    /// The same in a definite order.
    pub(super) fn listing(mut self, bucket: Option<Bucket>) -> Listing {
        self.files.sort_unstable_by(in_order);
        self.files.dedup_by(|left, right| left == right && in_order(left, right).is_eq());
        self.warnings.sort_unstable();
        let Self { files, hidden, other, warnings } = self;
        Listing { files: files.into(), bucket, hidden, other, warnings }
    }
}

/// By path, folder for folder, as [`std::path::Path`] has it, but several times as fast: a slash comes before all other
/// characters. Names that a bucket tells apart by a double slash stay apart.
pub(super) fn in_order(left: &InputFile, right: &InputFile) -> Ordering {
    let [mine, other] = [left, right].map(|file| file.path.as_os_str().as_encoded_bytes());
    let end = mine.len().min(other.len());
    let rank = |bytes: &[u8], at: usize| bytes.get(at).map(|byte| if *byte == b'/' { 0 } else { *byte });
    let at = mine.iter().zip(other).position(|(mine, other)| mine != other).unwrap_or(end);
    rank(mine, at).cmp(&rank(other, at))
}
