//! Where finished files of tables go: a run's own stage, or the stage of a run that another process leads.
//!
//! Invariant: a file that was begun has its name in the stage only once it is complete, or ends with the run.

use std::fs::File;
use std::os::unix::fs::FileExt;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::hex;
use crate::schema::Table;

/// Takes finished files; shared between threads.
pub trait StagingSink: Sync {
    /// Stages a whole file, unless its bytes are already in place. `partition` is '' or a path without slashes at its
    /// ends.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the disk is full, among others.
    fn put(&self, table: Table, partition: &str, file: &str, bytes: &[u8], rows: u64) -> Result<()>;

    /// Begins a file that is too large to hold; [`Self::finish`] ends it.
    ///
    /// # Errors
    /// The operating system's.
    fn open(&self, table: Table, partition: &str, file: &str) -> Result<StagedFile>;

    /// Takes a file that [`Self::open`] began and that is complete now. If the same bytes are already in place, the
    /// staged copy goes.
    ///
    /// # Errors
    /// The operating system's.
    fn finish(&self, staged: StagedFile, rows: u64) -> Result<()>;
}

/// A large file that is being staged.
#[derive(Debug)]
pub struct StagedFile {
    pub(super) file: File,
    pub(super) table: Table,
    pub(super) name: String,
    /// Its name until it is complete, where it has one.
    pub(super) draft: Option<tempfile::TempPath>,
}

impl StagedFile {
    /// A second handle for whoever writes the bytes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn duplicate(&self) -> Result<File> {
        self.file.try_clone().map_err(|error| Error::io_unnamed(ErrorKind::Storage, "write a staged file", &error))
    }
}

/// A file of a table that a worker has staged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedEntry {
    /// The table's plain name.
    pub table: String,
    /// Below the table's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Size and checksum of a file.
pub(super) fn measure(file: &File) -> Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        let read = file
            .read_at(&mut buffer, size)
            .map_err(|error| Error::io_unnamed(ErrorKind::Storage, "read a staged file", &error))?;
        if read == 0 {
            return Ok((size, hex(context.finish().as_ref())));
        }
        context.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
}

/// A file's path below the folder of its table.
pub(super) fn relative(partition: &str, file: &str) -> String {
    if partition.is_empty() { file.to_owned() } else { format!("{partition}/{file}") }
}

/// The error for a file that is not in the stage as a worker told.
pub(super) fn unlike(path: &str) -> Error {
    Error::new(ErrorKind::Retry, format!("{path} is not there as a worker staged it"))
        .hint("do all workers share the lake's disk? nothing was changed; run again, or write to a bucket")
}
