//! The files below a local folder.
//!
//! No file is opened here. Symlinks below a source are not followed: a target inside the source is listed anyway, a
//! target outside does not belong to the source, and loops cannot occur.
//!
//! Invariant: each folder is read once, by one thread, and the result does not depend on which one.

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

/// Lists a folder with several threads, because a tree of one-file folders costs up to three system calls per folder.
/// If `root` is a file, it is the only file of the listing.
pub(super) fn list(root: &Path, glob: Option<&GlobMatcher>, threads: usize, cancel: &Cancel) -> Result<Found> {
    let metadata = std::fs::metadata(root).map_err(|error| Error::io(ErrorKind::NoInput, "read", root, &error))?;
    if metadata.is_dir() {
        return walk(root, glob, threads, cancel);
    }
    // A file that is named explicitly is read even if its name is not that of a JSON file.
    Ok(Found { files: vec![input_file(root.to_owned(), &metadata)], ..Found::default() })
}

fn input_file(path: PathBuf, metadata: &std::fs::Metadata) -> InputFile {
    InputFile { path, size: metadata.len(), version: Version::Modified(modified(metadata)), is_missing: false }
}

/// Folders to read, and the number of threads that may still add some.
struct Queue {
    folders: Mutex<Vec<PathBuf>>,
    wake: Condvar,
    busy: AtomicUsize,
}

impl Queue {
    /// The next folder. Waits while other threads may still find folders; `None` when all folders are read.
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
            // After a failure, the thread still empties the queue, so that no other thread waits forever.
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
    let mut found = Found::default();
    for part in parts? {
        found.merge(part?);
    }
    Ok(found)
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
                // A file that is deleted between these two system calls ends the run.
                let metadata = entry.metadata().map_err(failed)?;
                listing.files.push(input_file(path, &metadata));
            }
        } else {
            let kind = if kind.is_symlink() { "a symlink" } else { "not a regular file" };
            listing.warnings.push(format!("{} is {kind} and was not read", shown(&entry.path())));
        }
    }
    Ok(folders)
}
