//! A folder of table files: listing it, and moving one tree onto another.
//!
//! Invariant: no function here follows a symlink, so nothing outside the two trees is touched.

use std::fs::Metadata;
use std::io::ErrorKind as Io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use super::ground::Entry;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};

/// What tells a version of a file from another: when its bytes were last written.
pub fn stamp(metadata: &Metadata) -> String {
    format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec())
}

/// All files below `root`, in no particular order; nothing when there is no such folder.
pub fn files(root: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let failed = |error: std::io::Error| Error::io(ErrorKind::Output, "list", &folder, &error);
        let listing = match std::fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == Io::NotFound && prefix.is_empty() => return Ok(entries),
            Err(error) => return Err(failed(error)),
        };
        for entry in listing {
            let entry = entry.map_err(failed)?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else {
                let metadata = entry.metadata().map_err(failed)?;
                entries.push(Entry { path, size: metadata.len(), stamp: stamp(&metadata) });
            }
        }
    }
    Ok(entries)
}

/// Moves everything below `from` to the same place below `to`: whole folders where `to` has none (or an empty one),
/// single files otherwise, each in one step. A file where a folder is due, or the reverse, was adopted with the table
/// and gives way.
pub fn move_onto(from: &Path, to: &Path, cancel: &Cancel) -> Result<()> {
    cancel.check()?;
    let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "publish", to, &error);
    match std::fs::rename(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == Io::NotADirectory => {
            std::fs::remove_file(to).map_err(failed)?;
            return std::fs::rename(from, to).map_err(failed);
        }
        Err(error) if error.kind() == Io::IsADirectory => {
            std::fs::remove_dir_all(to).map_err(failed)?;
            return std::fs::rename(from, to).map_err(failed);
        }
        Err(error) if matches!(error.kind(), Io::DirectoryNotEmpty | Io::AlreadyExists) => {}
        Err(error) => return Err(failed(error)),
    }
    let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "list", from, &error);
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        move_onto(&entry.path(), &to.join(entry.file_name()), cancel)?;
    }
    Ok(())
}

/// Removes a file, and the folders above it, up to `root`, that it leaves empty.
pub fn remove(root: &Path, path: &str) -> Result<()> {
    let file = root.join(path);
    match std::fs::remove_file(&file) {
        Ok(()) => {}
        // It has given way already, itself or a folder above it.
        Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::IsADirectory) => {}
        Err(error) => return Err(Error::io(ErrorKind::Storage, "remove", &file, &error)),
    }
    // A folder that is gone went when a run before this one was stopped right here.
    let is_gone = |folder: &Path| match std::fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == Io::NotFound,
    };
    let mut folder = file.parent();
    while let Some(empty) = folder.filter(|folder| *folder != root && is_gone(folder)) {
        folder = empty.parent();
    }
    Ok(())
}

/// Removes a tree until the deadline; says whether it is gone. Errors end it: the next run meets them with time.
pub fn remove_until(root: &Path, deadline: Instant) -> bool {
    let Ok(entries) = std::fs::read_dir(root) else { return !root.exists() };
    for entry in entries.flatten() {
        let gone = match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_until(&entry.path(), deadline),
            _ => std::fs::remove_file(entry.path()).is_ok(),
        };
        if !gone || Instant::now() > deadline {
            return false;
        }
    }
    std::fs::remove_dir(root).is_ok()
}
