//! The lock of a lake on a local disk: one run at a time writes to it.
//!
//! The operating system releases the lock when the process ends for any reason. A bucket has no lock: there, conditional
//! writes keep overlapping runs apart (see [`crate::lake::commit_log`] and [`crate::lake::write_fence`]).
//!
//! Invariant: while a [`Lock`] that is held lives, no other run of this program on this machine writes to the same lake.

use std::fs::File;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result, shown};

/// The lock of a lake.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    /// Why the file system does not support locks; `None` if the lock is held.
    pub unsupported: Option<String>,
}

/// Marks the error of a run that another run keeps out. A caller may wait and try again.
const LOCKED: &str = "locked";

/// Creates `_etl` below the root of the lake if needed, checks that it is writable, and locks it.
///
/// # Errors
/// [`ErrorKind::Output`] or [`ErrorKind::Access`] when it cannot be created or written to, [`ErrorKind::Retry`] when
/// another run has locked it.
pub(super) fn acquire(root: &Path) -> Result<Lock> {
    let folder = root.join("_etl");
    std::fs::create_dir_all(&folder).map_err(|error| Error::io(ErrorKind::Output, "create", &folder, &error))?;
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|error| Error::io(ErrorKind::Output, "write to", &path, &error))?;
    match lock(&file) {
        Ok(()) => Ok(Lock { _file: file, unsupported: None }),
        Err(error) if is_unsupported(error) => {
            Ok(Lock { _file: file, unsupported: Some(std::io::Error::from(error).to_string()) })
        }
        Err(Errno::WOULDBLOCK) => {
            Err(Error::new(ErrorKind::Retry, format!("another run is writing to {}", shown(root)))
                .hint("try again after it has ended; this run changed nothing")
                .context("state", LOCKED)
                .context("path", shown(root)))
        }
        Err(error) => Err(Error::io(ErrorKind::Output, "lock", &path, &error.into())),
    }
}

/// Returns true if the file system of an unlocked file supports locks.
///
/// # Errors
/// Any other error of the operating system.
pub fn is_supported(file: &File) -> std::io::Result<bool> {
    match lock(file) {
        Ok(()) => Ok(true),
        Err(error) if is_unsupported(error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn lock(file: &File) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive))
}

/// The answers of file systems without locks: NFS without a lock manager, some FUSE file systems, sandboxes.
fn is_unsupported(error: Errno) -> bool {
    matches!(error, Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL)
}
