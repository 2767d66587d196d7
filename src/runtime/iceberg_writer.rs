//! The interface of the writer of Iceberg metadata, which is outside of this engine: Python has it, with `PyIceberg`.
//!
//! Requests are JSON. [`crate::lake`] defines their content, and reads and writes all files.
//!
//! Invariant: a writer changes no file of a lake.

use std::fmt;

use serde_json::Value;

use crate::error::Result;

/// Reads files of the metadata by their paths below the root of the lake; `None` for a file that does not exist.
pub type ReadFiles<'r> = dyn Fn(&[String]) -> Result<Vec<Option<Vec<u8>>>> + 'r;

/// The files of a commit.
#[derive(Clone, Debug, Default)]
pub struct IcebergCommit {
    /// The new files by path below the root of the lake; the last one is the commit itself.
    pub files: Vec<(String, Vec<u8>)>,
    /// The manifests and lists that the table needs after it, if files of earlier commits are no longer needed.
    pub needed: Option<Vec<String>>,
}

/// Makes the content of Iceberg metadata.
pub trait IcebergWriter: fmt::Debug + Sync {
    /// Announces that commits will follow, so that the writer can load what it needs while the run works.
    fn prepare(&self);

    /// The commit that brings a table to a version; `None` if a file of the newest commit is missing.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] if the writer fails, and any error of `read`.
    fn commit(&self, request: &Value, read: &ReadFiles<'_>) -> Result<Option<IcebergCommit>>;

    /// Announces the tables after their newest commits, for catalogs.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] if the writer fails, [`crate::error::ErrorKind::Protocol`] if a catalog has
    /// other tables.
    fn published(&self, tables: &Value) -> Result<()>;

    /// Returns true if the newest commit has exactly the files of a version.
    ///
    /// # Errors
    /// The same as [`Self::commit`].
    fn matches(&self, request: &Value, read: &ReadFiles<'_>) -> Result<bool>;
}
