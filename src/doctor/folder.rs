//! The checks of a local folder.
//!
//! Invariant: temporary files of the checks are removed when the checks end.

use std::io::Write;
use std::path::Path;

use crate::doctor::{Diagnostics, Finding, failed};
use crate::error::{Error, ErrorKind, Result, shown};
use crate::lake;

/// The hint for a file system without locks.
const NO_LOCKS: &str = "make sure that only one run at a time writes here: overlapping runs could damage the lake";

/// Less free space than this is a warning.
const MIN_FREE_BYTES: u64 = 1 << 30;

/// Checks `path`, or the nearest existing folder above it.
pub fn examine(checks: &mut Diagnostics, path: &Path) -> Result<()> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&absolute);
    let exists = checks.check("exists", || match std::fs::metadata(folder) {
        Err(error) => Err(Error::io(ErrorKind::Output, "access", folder, &error)),
        Ok(found) if !found.is_dir() => {
            Err(failed(ErrorKind::Output, format!("{} is not a folder", shown(folder)), "choose a folder, not a file"))
        }
        Ok(_) if folder == absolute => Ok(Finding::Passed("the folder exists".to_owned())),
        Ok(_) => Ok(Finding::Passed(format!("a run would create it in {}", shown(folder)))),
    })?;
    if !exists {
        checks.skip(&["readable", "writable", "durable", "lock", "space", "case"], "the folder does not exist");
        return Ok(());
    }
    checks.check("readable", || match std::fs::read_dir(folder) {
        Ok(entries) => Ok(Finding::Passed(format!("{} entries", entries.count()))),
        Err(error) => Err(Error::io(ErrorKind::Access, "list", folder, &error)),
    })?;
    let probe = tempfile::Builder::new().prefix("doctorA").tempfile_in(folder);
    checks.check("writable", || match &probe {
        Ok(_) => Ok(Finding::Passed("a file can be created and removed".to_owned())),
        Err(error) => Err(Error::io(ErrorKind::Output, "write to", folder, error)),
    })?;
    let Ok(mut probe) = probe else {
        checks.skip(&["durable", "lock", "space", "case"], "no file can be written there");
        return Ok(());
    };
    checks.check("durable", || {
        let failed_sync = |error: &std::io::Error| Error::io(ErrorKind::Storage, "sync a file in", folder, error);
        probe.write_all(b"doctor").map_err(|error| failed_sync(&error))?;
        probe.as_file().sync_all().map_err(|error| failed_sync(&error))?;
        Ok(if lake::supports_folder_syncs(folder).map_err(|error| failed_sync(&error))? {
            Finding::Passed("files and folders can be synced".to_owned())
        } else {
            Finding::Warning(
                "the file system cannot sync folders".to_owned(),
                "run again after a power failure, because the newest version may then be missing",
            )
        })
    })?;
    checks.check("lock", || {
        let failed = |error: &std::io::Error| Error::io(ErrorKind::Output, "lock a file in", folder, error);
        Ok(if lake::supports_locks(probe.as_file()).map_err(|error| failed(&error))? {
            Finding::Passed("files can be locked".to_owned())
        } else {
            Finding::Warning("the file system does not support locks".to_owned(), NO_LOCKS)
        })
    })?;
    checks.check("space", || {
        let found = rustix::fs::statvfs(folder).map_err(|error| {
            Error::io(ErrorKind::Storage, "determine the free space of", folder, &std::io::Error::from(error))
        })?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        let detail = format!("{} MiB free", free >> 20);
        Ok(if free < MIN_FREE_BYTES {
            Finding::Warning(detail, "free some space before a large run")
        } else {
            Finding::Passed(detail)
        })
    })?;
    checks.check("case", || {
        let name = probe.path().file_name().unwrap_or_default().to_string_lossy().replace("doctorA", "doctora");
        Ok(if folder.join(name).exists() {
            Finding::Warning(
                "file names are not case-sensitive".to_owned(),
                "choose another file system: partitions whose names differ only in case would collide",
            )
        } else {
            Finding::Passed("file names are case-sensitive".to_owned())
        })
    })?;
    Ok(())
}

/// Checks the folder for scratch files, which a run into a bucket needs on the local disk.
pub fn examine_scratch(checks: &mut Diagnostics) -> Result<()> {
    let folder = tempfile::env::temp_dir();
    let scratch = || match tempfile::tempfile_in(&folder) {
        Ok(_) => Ok(Finding::Passed(format!("scratch files can be written to {}", shown(&folder)))),
        Err(error) => Err(Error::io(ErrorKind::Access, "write scratch files to", &folder, &error)
            .hint("set TMPDIR to a writable folder with free space")),
    };
    checks.check("scratch", scratch).map(drop)
}
