//! A folder on a disk to the files below it.
//!
//! Nothing is opened here. Symlinks below a source are not followed: what they point to inside the source is listed in
//! its own place, what lies outside does not belong to it, and loops cannot occur.
//!
//! Invariant: a folder is read once, by one thread; which one, the result does not tell.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use globset::GlobMatcher;

use crate::error::{Error, ErrorKind, Result, shown};
use crate::input::list::file_names::{is_hidden, is_json};
use crate::input::list::listing::Found;
use crate::input::list::{InputFile, Version};
use crate::runtime::cancel::Cancel;

/// The modification time that [`Version::Modified`] keeps.
#[must_use]
pub fn modified(metadata: &std::fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Lists a folder, or a file, with several threads: a tree of one-file folders costs a system call or three a folder.
pub(super) fn list(root: &Path, glob: Option<&GlobMatcher>, threads: usize, cancel: &Cancel) -> Result<Found> {
    let metadata = std::fs::metadata(root).map_err(|error| Error::io(ErrorKind::NoInput, "read", root, &error))?;
    if metadata.is_dir() {
        return walk(root, glob, threads, cancel);
    }
    // A file that was named is read whatever its ending.
    Ok(Found { files: vec![input_file(root.to_owned(), &metadata)], ..Found::default() })
}

fn input_file(path: PathBuf, metadata: &std::fs::Metadata) -> InputFile {
    InputFile { path, size: metadata.len(), version: Version::Modified(modified(metadata)), is_gone: false }
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

fn walk(root: &Path, glob: Option<&GlobMatcher>, threads: usize, cancel: &Cancel) -> Result<Found> {
    let queue = Queue { folders: Mutex::new(vec![root.to_owned()]), wake: Condvar::new(), busy: AtomicUsize::new(0) };
    let work = || {
        let mut listing = Found::default();
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
    let parts = crate::runtime::threads::on_each(threads, |_| work());
    cancel.check()?;
    let mut whole = Found::default();
    for part in parts? {
        whole.merge(part?);
    }
    Ok(whole)
}

/// Reads one folder: files go to `listing`, folders are returned.
fn read_folder(folder: &Path, glob: Option<&GlobMatcher>, listing: &mut Found) -> Result<Vec<PathBuf>> {
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
                listing.files.push(input_file(path, &metadata));
            }
        } else {
            let what = if kind.is_symlink() { "a symlink" } else { "not a regular file" };
            listing.warnings.push(format!("{} is {what} and was not read", shown(&entry.path())));
        }
    }
    Ok(folders)
}
