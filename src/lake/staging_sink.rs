//! The destination of finished table files: the stage of this process's run, or the staging area of a run that another
//! process leads.
//!
//! Invariant: a file that was created but never finished has no name in the staging area, or is removed with the run.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::hex;
use crate::parquet_io::file_stats::{ColumnStats, FileSummary};
use crate::schema::Table;

/// Accepts finished files; shared between threads.
pub trait StagingSink: Sync {
    /// Stages a complete file, unless its bytes are already published. `partition` is '' or a path without leading and
    /// trailing slashes.
    ///
    /// # Errors
    /// Any storage error, such as [`ErrorKind::Storage`] when the disk is full.
    fn put(&self, table: Table, partition: &str, file: &str, bytes: &[u8], summary: FileSummary) -> Result<()>;

    /// Creates a file that is too large for memory; [`Self::finish`] completes it.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn open(&self, table: Table, partition: &str, file: &str) -> Result<StagedFile>;

    /// Stages a complete file that [`Self::open`] created. If the same bytes are already published, the staged copy is
    /// removed.
    ///
    /// # Errors
    /// Any storage error.
    fn finish(&self, staged: StagedFile, summary: FileSummary) -> Result<()>;
}

/// A large file that is being staged.
#[derive(Debug)]
pub struct StagedFile {
    pub(super) file: File,
    pub(super) table: Table,
    pub(super) name: String,
    /// The temporary name of an incomplete file, if it has one.
    pub(super) draft: Option<tempfile::TempPath>,
}

impl StagedFile {
    /// A second handle, for the writer of the bytes.
    ///
    /// # Errors
    /// Any error of the operating system.
    pub fn duplicate(&self) -> Result<File> {
        self.file.try_clone().map_err(|error| Error::io_unnamed(ErrorKind::Storage, "write a staged file", &error))
    }
}

/// A file of a table that a worker has staged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedEntry {
    /// The plain name of the table, such as `songs`.
    pub table: String,
    /// The path below the table's folder.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// The columns' statistics, if a table format needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Vec<ColumnStats>>,
}

/// Size and checksum of a staged file.
pub(super) fn measure(file: &File) -> Result<(u64, String)> {
    size_and_checksum(file).map_err(|error| Error::io_unnamed(ErrorKind::Storage, "read a staged file", &error))
}

/// Size and checksum of a file of any size.
pub(super) fn size_and_checksum(file: &File) -> io::Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        let read = file.read_at(&mut buffer, size)?;
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

/// The name of a file with a part of its checksum: `part-00000-<12 digits>.snappy.parquet`. A file with such a name is
/// never replaced by other bytes, so a reader of an earlier version reads what it expects or nothing.
pub(super) fn content_name(path: &str, sha256: &str) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let (stem, suffix) = name.split_once('.').map_or((name, String::new()), |(stem, rest)| (stem, format!(".{rest}")));
    relative(folder, &format!("{stem}-{}{suffix}", sha256.get(..12).unwrap_or(sha256)))
}

/// The error for a staged file that does not match the worker's result.
pub(super) fn not_as_staged(path: &str) -> Error {
    Error::new(ErrorKind::Retry, format!("{path} is missing, or is not the file that a worker staged"))
        .hint("make sure that all workers share the lake's disk, or write to a bucket; no table was changed")
}
