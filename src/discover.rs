//! Sources to files: what there is to read, listed and frozen.
//!
//! A file enters by its name (`.json`, `.jsonl`, `.ndjson`, each also compressed); what it holds is decided by its
//! bytes, later. Nothing is opened here. Symlinks below a source are not followed: what they point to inside the
//! source is listed in its own place, what lies outside does not belong to it, and loops cannot occur.
//!
//! Invariant: the list is sorted by path and free of repetitions, so it does not depend on threads or on the order in
//! which a file system returns names.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use globset::{GlobBuilder, GlobMatcher};

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::plan::Source;

/// A file as it was when listed; reading checks that it has not changed since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified: i128,
}

/// The files of one source.
#[derive(Debug, Default)]
pub struct Listing {
    /// Sorted by path.
    pub files: Vec<InputFile>,
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

    fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.hidden += other.hidden;
        self.other += other.other;
        self.warnings.extend(other.warnings);
    }
}

/// The modification time that [`InputFile`] keeps.
#[must_use]
pub fn modified(metadata: &std::fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Lists a source with several threads: a tree of one-file folders costs a system call or three per folder.
///
/// # Errors
/// [`ErrorKind::NoInput`] when nothing matches, the operating system's error when a folder cannot be read.
pub fn list(source: &Source, threads: usize, cancel: &Cancel) -> Result<Listing> {
    let glob = source.glob.as_deref().map(matcher).transpose()?;
    let root = source.root.local().ok_or_else(|| Error::new(ErrorKind::Configuration, "S3 input is being built"))?;
    let metadata = std::fs::metadata(root).map_err(|error| Error::io(ErrorKind::NoInput, "read", root, &error))?;
    let mut listing = if metadata.is_dir() {
        walk(root, glob.as_ref(), threads, cancel)?
    } else {
        // A file that was named is read whatever its ending.
        let file = InputFile { path: root.to_owned(), size: metadata.len(), modified: modified(&metadata) };
        Listing { files: vec![file], ..Listing::default() }
    };
    listing.files.sort_unstable();
    listing.files.dedup();
    listing.warnings.sort_unstable();
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

/// Folders still to be read, and how many threads may yet add some.
struct Queue {
    folders: Mutex<Vec<PathBuf>>,
    wake: Condvar,
    busy: AtomicUsize,
}

impl Queue {
    /// The next folder, waiting while other threads may still find some; `None` when all is read.
    fn next(&self, cancel: &Cancel) -> Option<PathBuf> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if cancel.is_cancelled() {
                self.wake.notify_all();
                return None;
            }
            if let Some(folder) = folders.pop() {
                self.busy.fetch_add(1, Ordering::Relaxed);
                return Some(folder);
            }
            if self.busy.load(Ordering::Relaxed) == 0 {
                self.wake.notify_all();
                return None;
            }
            folders = self.wake.wait(folders).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, found: Vec<PathBuf>) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.extend(found);
        self.busy.fetch_sub(1, Ordering::Relaxed);
        drop(folders);
        self.wake.notify_all();
    }
}

fn walk(root: &Path, glob: Option<&GlobMatcher>, threads: usize, cancel: &Cancel) -> Result<Listing> {
    let queue = Queue { folders: Mutex::new(vec![root.to_owned()]), wake: Condvar::new(), busy: AtomicUsize::new(0) };
    let work = || {
        let mut listing = Listing::default();
        let mut failure = None;
        while let Some(folder) = queue.next(cancel) {
            // After a failure the queue is still drained, so that no other thread waits for ever.
            let found = match failure {
                None => read_folder(&folder, glob, &mut listing),
                Some(_) => Ok(Vec::new()),
            };
            queue.done(found.unwrap_or_else(|error| {
                failure = Some(error);
                Vec::new()
            }));
        }
        failure.map_or(Ok(listing), Err)
    };
    let parts = crate::threads::on_each(threads, |_| work());
    cancel.check()?;
    let mut whole = Listing::default();
    for part in parts? {
        whole.merge(part?);
    }
    Ok(whole)
}

/// Reads one folder: files go to `listing`, folders are returned.
fn read_folder(folder: &Path, glob: Option<&GlobMatcher>, listing: &mut Listing) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "list", folder, &error);
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let kind = entry.file_type().map_err(failed)?;
        if is_hidden(name) {
            listing.hidden += 1;
        } else if kind.is_dir() {
            folders.push(entry.path());
        } else if !is_json(name) {
            listing.other += 1;
        } else if kind.is_file() {
            let path = entry.path();
            if glob.is_none_or(|glob| glob.is_match(&path)) {
                // A file that vanished between two system calls is as gone as one that vanished a moment earlier.
                let metadata = entry.metadata().map_err(failed)?;
                listing.files.push(InputFile { path, size: metadata.len(), modified: modified(&metadata) });
            }
        } else {
            let what = if kind.is_symlink() { "a symlink" } else { "not a regular file" };
            listing.warnings.push(format!("{} is {what} and was not read", shown(&entry.path())));
        }
    }
    Ok(folders)
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
    use super::*;
    use crate::plan::Content;
    use crate::store::Location;

    fn listed(root: &Path, glob: Option<&str>) -> Vec<String> {
        let glob = glob.map(|glob| root.join(glob).to_string_lossy().into_owned());
        let source =
            Source { content: Content::Logs, root: Location::Local(root.to_owned()), glob, shown: shown(root) };
        let files = list(&source, 3, &Cancel::default()).unwrap().files;
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
        let error = list(&source, 2, &Cancel::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoInput);
        assert!(error.cause_text().unwrap().contains("1 files"));
    }
}
