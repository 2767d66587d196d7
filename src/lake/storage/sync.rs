//! Making files durable on a local disk.
//!
//! Some file systems cannot sync a folder (CIFS, vboxsf, `DrvFs` of WSL), and some know no `syncfs`. A sync that the file
//! system does not support is skipped or replaced by another one, because nothing else can be done there.
//!
//! Invariant: an error of a sync that the file system supports is never ignored.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::cancel::Cancel;
use crate::runtime::threads::{for_tasks, must_be_available};

/// Files that are synced at the same time, because a file system combines syncs that arrive together.
const CONCURRENT_SYNCS: usize = 8;

/// Syncs a file.
pub fn file(file: &File) -> io::Result<()> {
    if_supported(file.sync_all())
}

/// Syncs a file or the entries of a folder.
pub fn path(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match File::open(path) {
        // The folder above the lake may not be readable; then its entries cannot be synced.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        opened => if_supported(opened?.sync_all()),
    }
}

/// Syncs a whole file system; returns false if that failed. It also waits for the files of other programs, and fails if
/// one of them cannot be written, so after a failure the caller has to sync its own files.
pub fn file_system(folder: &Path) -> io::Result<bool> {
    let folder = File::open(folder)?;
    #[cfg(target_os = "linux")]
    let is_synced = rustix::fs::syncfs(&folder).is_ok();
    #[cfg(not(target_os = "linux"))]
    let is_synced = {
        drop(folder);
        rustix::fs::sync();
        true
    };
    Ok(is_synced)
}

/// Syncs some files, and the folders above them up to `root`.
///
/// # Errors
/// [`ErrorKind::Storage`] when one of them cannot be synced.
pub fn files(root: &Path, files: &[PathBuf]) -> Result<()> {
    let folders = files.iter().flat_map(|file| file.ancestors().skip(1).take_while(|folder| folder.starts_with(root)));
    let folders: Vec<PathBuf> = folders.collect::<BTreeSet<&Path>>().into_iter().map(Path::to_owned).collect();
    // A failed sync must not be repeated: the second one succeeds, although the bytes are lost.
    let threads = if must_be_available(CONCURRENT_SYNCS - 1).is_ok() { CONCURRENT_SYNCS } else { 1 };
    for paths in [files, &folders] {
        let sync = |file: &PathBuf| path(file).map_err(|error| Error::io(ErrorKind::Storage, "sync", file, &error));
        let work = |(): &mut (), task: usize| paths.get(task).map_or(Ok(()), sync);
        for_tasks(threads, paths.len(), &Cancel::default(), |_| (), work, |()| Ok(()))?;
    }
    Ok(())
}

/// Returns true if the file system can sync a folder.
///
/// # Errors
/// Any other error of the operating system.
pub fn is_supported(folder: &Path) -> io::Result<bool> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Ok(()) => Ok(true),
        Err(error) if is_unsupported(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Turns the error of a file system that does not support the sync into a success.
fn if_supported(synced: io::Result<()>) -> io::Result<()> {
    synced.or_else(|error| if is_unsupported(&error) { Ok(()) } else { Err(error) })
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS))
}
