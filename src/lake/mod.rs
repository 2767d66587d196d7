//! The lake: a transaction that stages files, commits a version and publishes it. Only this folder changes or deletes
//! files of a lake.
//!
//! ```text
//! Lake::open ──> Stage ──seal──> Staged ──commit──> Committed ──publish──> Published
//! (publishes an  (workers add    (complete and      (the record is in     (every reader
//!  older commit)  new files)      durable, unseen)   the commit log)       sees the version)
//! ```
//!
//! Readers of a lake list folders and read files, and a store can replace one file atomically but not a folder. So a
//! run first stages all new bytes, then writes one record that names them, and only then moves them into place: a
//! replay that any later run can complete. Files that are already correct are neither staged nor changed.
//! `docs/format.md` specifies the files and the protocol.
//!
//! Invariant: before the record exists, no file that a reader of the tables can see is created, changed or removed; a
//! version whose record exists will be published; no final name ever has an incomplete file.

#![expect(clippy::disallowed_methods, reason = "only this folder deletes and publishes files")]

mod check;
pub mod checkpoint;
mod commit;
mod commit_log;
pub mod commit_record;
mod delta_log;
pub mod figures;
mod history;
pub mod iceberg;
mod older_versions;
mod open;
pub mod read_summary;
mod staged_table;
mod staging;
mod staging_sink;
mod state_damage;
mod state_reader;
mod status;
mod storage;
pub mod table_presence;
mod table_record;
mod worker_staging;
mod write_fence;

pub(crate) use check::check;
pub use check::{LakeCheck, Problem};
pub(crate) use commit::{CommitInfo, Published, Staged};
pub(crate) use commit_log::{KEPT_VERSIONS, was_overtaken};
pub use history::LakeHistory;
pub(crate) use history::history;
pub use open::Lake;
pub(crate) use staged_table::TableChanges;
pub(crate) use staging::{Stage, with_formats_of};
pub(crate) use staging_sink::{StagedEntry, StagedFile, StagingSink};
pub use state_damage::LostCopies;
pub use state_reader::StateReader;
pub use status::{LakeTable, LakeTables};
pub(crate) use status::{LakeVersion, damaged_copies, status, survey, tables};
pub(crate) use storage::{supports_folder_syncs, supports_locks};
pub(crate) use worker_staging::{Blob, WorkerStaging};

use crate::schema::Table;

/// The empty file that marks a complete table for readers such as Spark.
const SUCCESS: &str = "_SUCCESS";

/// Returns true for the path of a file that readers of tables ignore, because its name begins with `.` or `_`.
fn is_ignored_by_readers(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(['.', '_']))
}

/// The tables of a record with their folders, dimensions before facts.
fn in_publishing_order(record: &commit_record::CommitRecord) -> Vec<(&str, &commit_record::TableRecord)> {
    let mut tables: Vec<(&str, &commit_record::TableRecord)> =
        record.tables.iter().map(|(folder, table)| (folder.as_str(), table)).collect();
    tables.sort_by_key(|(_, table)| Table::from_name(&table.table));
    tables
}
