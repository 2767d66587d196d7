//! The checks of a local folder.
//!
//! Invariant: files that are made here have no name that outlives the check.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::doctor::{Diagnostics, Finding, failed};
use crate::error::{Error, ErrorKind, Result, shown};

/// Less than this is worth a word.
const ROOM: u64 = 1 << 30;

/// Examines `path`, or where it would be made.
pub fn examine(sheet: &mut Diagnostics, path: &Path) -> Result<()> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&absolute);
    let exists = sheet.check("exists", || match std::fs::metadata(there) {
        Err(error) => Err(Error::io(ErrorKind::Output, "look at", there, &error)),
        Ok(found) if !found.is_dir() => {
            Err(failed(ErrorKind::Output, format!("{} is not a folder", shown(there)), "name a folder"))
        }
        Ok(_) if there == absolute => Ok(Finding::Fine("the folder is there".to_owned())),
        Ok(_) => Ok(Finding::Fine(format!("it would be made in {}", shown(there)))),
    })?;
    if !exists {
        sheet.skip(&["readable", "writable", "durable", "space", "case"], "there is no folder to try it in");
        return Ok(());
    }
    sheet.check("readable", || match std::fs::read_dir(there) {
        Ok(entries) => Ok(Finding::Fine(format!("{} entries", entries.count()))),
        Err(error) => Err(Error::io(ErrorKind::Access, "list", there, &error)),
    })?;
    let probe = tempfile::Builder::new().prefix("doctorA").tempfile_in(there);
    sheet.check("writable", || match &probe {
        Ok(_) => Ok(Finding::Fine("a file can be made and removed".to_owned())),
        Err(error) => Err(Error::io(ErrorKind::Output, "write to", there, error)),
    })?;
    let Ok(mut probe) = probe else {
        sheet.skip(&["durable", "space", "case"], "nothing can be written there");
        return Ok(());
    };
    sheet.check("durable", || {
        let wrong = |error: &std::io::Error| Error::io(ErrorKind::Storage, "sync a file in", there, error);
        probe.write_all(b"doctor").map_err(|error| wrong(&error))?;
        probe.as_file().sync_all().map_err(|error| wrong(&error))?;
        File::open(there).and_then(|folder| folder.sync_all()).map_err(|error| wrong(&error))?;
        Ok(Finding::Fine("files and folders can be synced".to_owned()))
    })?;
    sheet.check("space", || {
        let found = rustix::fs::statvfs(there).map_err(|error| {
            Error::io(ErrorKind::Storage, "ask for the free space of", there, &std::io::Error::from(error))
        })?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        let detail = format!("{} MiB free", free >> 20);
        Ok(if free < ROOM { Finding::Odd(detail, "make room before a large run") } else { Finding::Fine(detail) })
    })?;
    sheet.check("case", || {
        let name = probe.path().file_name().unwrap_or_default().to_string_lossy().replace("doctorA", "doctora");
        Ok(if there.join(name).exists() {
            Finding::Odd(
                "the file system does not tell a from A".to_owned(),
                "partitions whose names differ in case alone would collide: choose another file system",
            )
        } else {
            Finding::Fine("the file system tells a from A".to_owned())
        })
    })?;
    Ok(())
}
