//! A table in a commit record: its files, the changes from the version before, and its table formats.
//!
//! Invariant: a file is among those of the version, among the removed ones, or among the retained ones, never in two of
//! these places.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::TableFormat;
use crate::parquet_io::file_stats::ColumnStats;

/// The value of [`TableRecord::iceberg`] in the version that no longer publishes the table as an Iceberg table.
pub(crate) const NOT_PUBLISHED: u64 = 0;

/// A table at a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// The plain name of the table, such as `songs`.
    pub table: String,
    /// All files of the table at this version, by path below its folder.
    pub files: BTreeMap<String, FileRecord>,
    /// The files that this version removes, each with its stamp before.
    pub removed: BTreeMap<String, String>,
    /// Whether `_SUCCESS` existed before this version.
    pub marked: bool,
    /// Files of earlier versions that stay in place for readers of these versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retained: BTreeMap<String, RetainedFile>,
    /// The log of the Delta table; absent if the table is not published as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<DeltaLog>,
    /// The version of the lake that last changed the Iceberg table; [`NOT_PUBLISHED`] in the version that no longer
    /// publishes it, so that a later run removes what a stopped run has left; otherwise absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iceberg: Option<u64>,
}

impl TableRecord {
    /// Whether the table is published in a format.
    pub(crate) fn has_format(&self, format: TableFormat) -> bool {
        match format {
            TableFormat::Delta => self.delta.is_some(),
            TableFormat::Iceberg => self.iceberg_version().is_some(),
        }
    }

    /// The version of the lake that last changed the Iceberg table; `None` if the table is not published as one.
    pub(crate) fn iceberg_version(&self) -> Option<u64> {
        self.iceberg.filter(|version| *version != NOT_PUBLISHED)
    }

    /// A file of this version, or of an earlier one that stays in place.
    pub(crate) fn file(&self, path: &str) -> Option<&FileRecord> {
        self.files.get(path).or_else(|| Some(&self.retained.get(path)?.file))
    }
}

/// A file of earlier versions that stays in place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedFile {
    /// The file.
    #[serde(flatten)]
    pub file: FileRecord,
    /// The version that no longer has it.
    pub left_at: u64,
}

/// A file of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Size in bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// The stamp of the file: its `ETag`, or its modification time on a local disk. Absent if only the marker of the
    /// published version has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
    /// Where the new bytes are staged, if this version changes the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The stamp of the file that it replaces; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// SHA-256 of the bytes that it replaces; absent if there was no file of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
    /// The columns' statistics, in the order of the file; absent unless a table format or an expectation needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Vec<ColumnStats>>,
}

/// The place of a file's new bytes in the staging area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The number N of `pack-N.bin` in the staging area; absent if the bytes are staged as a separate file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<u32>,
    /// Byte offset in the pack.
    pub offset: u64,
}

/// The state of a table's log at a version of the lake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaLog {
    /// The id of the Delta table, a UUID.
    pub id: String,
    /// The number of the newest commit; commits count up from 0.
    pub version: u64,
    /// The version of the lake that made this commit.
    pub lake_version: u64,
    /// The files that the commit adds; commit 0 adds all files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// The files that the commit removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// SHA-256 of the schema.
    pub schema: String,
    /// Whether the commit has a new schema.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_new_schema: bool,
}
