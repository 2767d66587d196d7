//! The files below a local folder.
//!
//! No file is opened here. Symlinks below a source are followed only on request ([`crate::input::list::symlinks`]).
//!
//! Invariant: each path is read once, by one thread, and the result does not depend on which one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use globset::GlobMatcher;

use crate::error::{Error, ErrorKind, Result, shown};
use crate::input::list::file_names::{is_hidden, is_input};
use crate::input::list::listing::Found;
use crate::input::list::symlinks::{Folder, LinkedFiles};
use crate::input::list::{InputFile, Version};
use crate::location::resolved;
use crate::runtime::cancel::Cancel;

/// The modification time that [`Version::Modified`] keeps.
#[must_use]
pub fn modified(metadata: &std::fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Lists a folder with several threads, because a tree of one-file folders costs up to three system calls per folder.
/// If `root` is a file, it is the only file of the listing.
pub(super) fn list(
    root: &Path,
    glob: Option<&GlobMatcher>,
    follow_symlinks: bool,
    threads: usize,
    cancel: &Cancel,
) -> Result<Found> {
    let metadata = std::fs::metadata(root).map_err(|error| Error::io(ErrorKind::NoInput, "read", root, &error))?;
    if metadata.is_dir() {
        let folder = Folder::root(root, follow_symlinks.then_some(&metadata));
        return walk(folder, glob, threads, cancel);
    }
    // A file that is named explicitly is read even if its name is not that of a JSON file.
    Ok(Found { files: vec![input_file(root.to_owned(), &metadata)], ..Found::default() })
}

fn input_file(path: PathBuf, metadata: &std::fs::Metadata) -> InputFile {
    InputFile { path, size: metadata.len(), version: Version::Modified(modified(metadata)), is_missing: false }
}

/// Folders to read, and the number of threads that may still add some.
struct Queue {
    folders: Mutex<Vec<Folder>>,
    wake: Condvar,
    busy: AtomicUsize,
}

impl Queue {
    /// The next folder. Waits while other threads may still find folders; `None` when all folders are read.
    fn next(&self, cancel: &Cancel) -> Option<Folder> {
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

    fn done(&self, found: Vec<Folder>) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.extend(found);
        self.busy.fetch_sub(1, Ordering::Relaxed);
        drop(folders);
        self.wake.notify_all();
    }
}

fn walk(root: Folder, glob: Option<&GlobMatcher>, threads: usize, cancel: &Cancel) -> Result<Found> {
    let queue = Queue { folders: Mutex::new(vec![root]), wake: Condvar::new(), busy: AtomicUsize::new(0) };
    let work = || {
        let mut read = FolderReader { glob, found: Found::default(), linked: LinkedFiles::default() };
        let mut failure = None;
        while let Some(folder) = queue.next(cancel) {
            // After a failure, the thread still empties the queue, so that no other thread waits forever.
            let found = match failure {
                None => read.folder(&folder),
                Some(_) => Ok(Vec::new()),
            };
            queue.done(found.unwrap_or_else(|error| {
                failure = Some(error);
                Vec::new()
            }));
        }
        failure.map_or(Ok((read.found, read.linked)), Err)
    };
    let parts = crate::runtime::threads::on_each(threads, |_| work());
    cancel.check()?;
    let (mut found, mut linked) = (Found::default(), LinkedFiles::default());
    for part in parts? {
        let (files, links) = part?;
        found.merge(files);
        linked.merge(links);
    }
    linked.remove_repeated(&mut found.files);
    Ok(found)
}

/// Reads folders; each thread has one.
struct FolderReader<'r> {
    glob: Option<&'r GlobMatcher>,
    found: Found,
    linked: LinkedFiles,
}

impl FolderReader<'_> {
    /// Reads one folder: files are added to the listing, folders are returned.
    fn folder(&mut self, folder: &Folder) -> Result<Vec<Folder>> {
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "list", &folder.path, &error);
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(&folder.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (name, path) = (entry.file_name(), entry.path());
            let kind = entry.file_type().map_err(failed)?;
            if is_hidden(name.as_encoded_bytes()) {
                self.found.skipped.hidden += 1;
            } else if kind.is_symlink() {
                folders.extend(self.symlink(folder, path));
            } else if kind.is_dir() {
                let metadata = if folder.follows_symlinks() { Some(entry.metadata().map_err(failed)?) } else { None };
                folders.extend(folder.child(path, metadata.as_ref(), false));
            } else if !is_input(name.as_encoded_bytes(), &path, self.glob) {
                self.found.skipped.other += 1;
            } else if kind.is_file() {
                // A file that is deleted between these two system calls ends the run.
                self.file(folder, path, &entry.metadata().map_err(failed)?, false);
            } else {
                self.found.warnings.push(format!("{} is not a regular file and was not read", shown(&path)));
            }
        }
        Ok(folders)
    }

    /// Follows a symlink, or counts it; returns its target if that is a folder to read.
    fn symlink(&mut self, folder: &Folder, path: PathBuf) -> Option<Folder> {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let is_input = is_input(name, &path, self.glob);
        let target = std::fs::metadata(&path);
        let is_folder = target.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        match target {
            _ if !is_input && !is_folder => self.found.skipped.other += 1,
            _ if !folder.follows_symlinks() => self.found.skipped.add_symlink(&path),
            Ok(metadata) if is_folder => {
                let child = folder.child(path, Some(&metadata), true);
                self.found.links.extend(child.iter().map(|child| resolved(&child.path)));
                return child;
            }
            Ok(metadata) if metadata.is_file() => self.file(folder, path, &metadata, true),
            Ok(_) => self.found.warnings.push(format!("{} is not a regular file and was not read", shown(&path))),
            Err(error) => {
                let warning =
                    format!("{} is a symlink that cannot be followed and was not read: {error}", shown(&path));
                self.found.warnings.push(warning);
            }
        }
        None
    }

    fn file(&mut self, folder: &Folder, path: PathBuf, metadata: &std::fs::Metadata, is_link: bool) {
        if folder.follows_symlinks() {
            self.linked.add(&path, metadata, folder.is_linked || is_link);
        }
        self.found.files.push(input_file(path, metadata));
    }
}
