//! Staged files become visible: the one place that publishes or deletes.
//!
//! ```text
//! Lake::open ──> Stage ──seal──> Staged ──commit──> Committed ──publish──> Published
//! (recovers an   (workers add    (complete and      (the record is in     (every reader
//!  older commit)  new files)      lasting, unseen)   the log: decided)     sees the version)
//! ```
//!
//! Readers of a lake list folders and read files; a store makes one file atomic, never a folder. So a run first stages
//! all new bytes, then writes one record that names them, and only then moves them into place, a replay that any later
//! run can finish. What is already as it should be is neither staged nor touched.
//!
//! Invariant: before the record exists nothing that a reader of the tables can see is created, changed or removed; a
//! version whose record exists will be published; at no time is there an incomplete file under a final name.

#![expect(clippy::disallowed_methods, reason = "deleting and publishing belong here, and nowhere else")]

mod check;
pub mod checkpoint;
mod commit;
mod commit_log;
pub mod commit_record;
mod open;
pub mod read_summary;
mod staging;
mod staging_sink;
mod status;
mod storage;
pub mod table_presence;
mod worker_staging;
mod write_fence;

pub use check::{LakeCheck, Problem, check};
pub use commit::{CommitInfo, Committed, Published, Staged};
pub use commit_log::{KEPT_VERSIONS, was_overtaken};
pub use open::Lake;
pub use staging::{Stage, TableChanges};
pub use staging_sink::{StagedEntry, StagedFile, StagingSink};
pub use status::{LakeVersion, Survey, status, survey};
pub use worker_staging::{Blob, WorkerStaging};

use crate::schema::Table;

/// The marker that Spark's readers look for.
const SUCCESS: &str = "_SUCCESS";

/// A record's tables with their folders: dimensions before facts.
fn in_publishing_order(record: &commit_record::CommitRecord) -> Vec<(&str, &commit_record::TableRecord)> {
    let mut tables: Vec<(&str, &commit_record::TableRecord)> =
        record.tables.iter().map(|(folder, table)| (folder.as_str(), table)).collect();
    tables.sort_by_key(|(_, table)| Table::from_name(&table.table));
    tables
}
