//! Sources to files: what there is to read, listed and frozen.
//!
//! A file enters by its name (`.json`, `.jsonl`, `.ndjson`, each also compressed); what it holds is decided by its
//! bytes, later. A tree on a disk and the same tree in a bucket give the same files in the same order.
//!
//! Invariant: the list is sorted by path and free of repetitions, so it does not depend on threads or on the order in
//! which a file system or a store returns names.

mod bucket;
mod local;

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::plan::Source;
use crate::store::Location;
use crate::store::bucket::{Bucket, Tag};
use crate::store::stores::Stores;

pub use local::modified;

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
struct Found {
    files: Vec<InputFile>,
    hidden: u64,
    other: u64,
    warnings: Vec<String>,
}

impl Found {
    fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.hidden += other.hidden;
        self.other += other.other;
        self.warnings.extend(other.warnings);
    }

    /// The same in a definite order.
    fn listing(mut self, bucket: Option<Bucket>) -> Listing {
        self.files.sort_unstable_by(in_order);
        self.files.dedup_by(|left, right| left == right && in_order(left, right).is_eq());
        self.warnings.sort_unstable();
        let Self { files, hidden, other, warnings } = self;
        Listing { files: files.into(), bucket, hidden, other, warnings }
    }
}

/// By path, folder for folder, as [`std::path::Path`] has it, but several times as fast: a slash comes before all other
/// characters. Names that a bucket tells apart by a double slash stay apart.
fn in_order(left: &InputFile, right: &InputFile) -> Ordering {
    let [mine, other] = [left, right].map(|file| file.path.as_os_str().as_encoded_bytes());
    let end = mine.len().min(other.len());
    let rank = |bytes: &[u8], at: usize| bytes.get(at).map(|byte| if *byte == b'/' { 0 } else { *byte });
    let at = mine.iter().zip(other).position(|(mine, other)| mine != other).unwrap_or(end);
    rank(mine, at).cmp(&rank(other, at))
}

/// Lists a source: a folder with several threads, a bucket with several requests at once.
///
/// # Errors
/// [`ErrorKind::NoInput`] when nothing matches, the operating system's or the store's error when a place cannot be
/// listed, [`ErrorKind::DataRefused`] for a key that cannot be read.
pub fn list(source: &Source, threads: usize, stores: &Stores, cancel: &Cancel) -> Result<Listing> {
    let glob = source.glob.as_deref().map(matcher).transpose()?;
    let listing = match &source.root {
        Location::Local(root) => local::list(root, glob.as_ref(), threads, cancel)?.listing(None),
        Location::Object(root) => {
            let bucket = stores.open(&root.bucket)?;
            bucket::list(&bucket, root, glob.as_ref())?.listing(Some(bucket))
        }
    };
    if listing.files.is_empty() {
        let mut error = Error::new(ErrorKind::NoInput, format!("there are no JSON files in {}", source.shown))
            .hint("files end in .json, .jsonl or .ndjson, also followed by .gz, .bz2 or .zst; check the place or the pattern")
            .context("path", source.shown.clone());
        if listing.other + listing.hidden > 0 {
            error = error.cause(format!(
                "{} files with other endings and {} hidden ones were passed over",
                listing.other, listing.hidden
            ));
        }
        return Err(error);
    }
    Ok(listing)
}

fn matcher(pattern: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build().map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("the pattern {pattern:?} is not a glob"))
            .cause(error.kind().to_string())
            .hint("use *, ?, [..] and {a,b}; ** spans folders")
    })?;
    Ok(glob.compile_matcher())
}

/// Names that Spark hides too, and what editors and copying tools leave behind.
fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".") || name.starts_with(b"_") || name.ends_with(b"~")
}

fn is_json(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = [&b".gz"[..], b".bz2", b".zst"].iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(&name);
    [&b".json"[..], b".jsonl", b".ndjson"].iter().any(|suffix| plain.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::plan::Content;
    use crate::store::settings::StoreSettings;

    fn list(source: &Source) -> Result<Listing> {
        let cancel = Cancel::default();
        super::list(source, 3, &Stores::new(&StoreSettings::default(), &cancel), &cancel)
    }

    fn listed(root: &Path, glob: Option<&str>) -> Vec<String> {
        let glob = glob.map(|glob| root.join(glob).to_string_lossy().into_owned());
        let source =
            Source { content: Content::Logs, root: Location::Local(root.to_owned()), glob, shown: shown(root) };
        let files = list(&source).unwrap().files;
        files.iter().map(|file| shown(file.path.strip_prefix(root).unwrap())).collect()
    }

    #[test]
    fn names_decide_and_order_is_by_path() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b/2.json",
            "b/1.jsonl.gz",
            "a.ndjson.zst",
            "_temporary/x.json",
            ".x.json",
            "x.json~",
            "notes.txt",
            "x.json.crc",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop.json")).unwrap();
        assert_eq!(listed(dir.path(), None), ["a.ndjson.zst", "b/1.jsonl.gz", "b/2.json"]);
        assert_eq!(listed(dir.path(), Some("*/*.json")), ["b/2.json"]);
    }

    #[test]
    fn nothing_to_read_is_an_error_that_says_what_was_seen() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.txt"), "").unwrap();
        let source = Source {
            content: Content::Songs,
            root: Location::Local(dir.path().to_owned()),
            glob: None,
            shown: "here".into(),
        };
        let error = list(&source).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoInput);
        assert!(error.cause_text().unwrap().contains("1 files"));
    }
}
