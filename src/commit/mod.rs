//! Staged files become visible: the one place that publishes or deletes.
//!
//! ```text
//! Lake::lock ──> Stage ──seal──> Staged ──publish──> Vec<TableState>
//! (one run at    (workers add     (complete,          (renamed into place,
//!  a time)        whole files)     nothing visible)     stale files removed, _SUCCESS last)
//! ```
//!
//! Everything is first written below `_etl/stage/<run>/`, in the shape of the tables. Publishing moves that tree onto
//! the tables by renames: a folder that is new moves as a whole, a file that changed replaces its predecessor in one
//! step. Files whose bytes are already in place are not staged at all. The commit log will go between `Staged` and
//! `publish`: what is staged is complete, named and counted by then.
//!
//! Invariant: before `publish` nothing that a reader of the tables can see is created, changed or removed; at no time
//! is there an incomplete file under a final name.

#![expect(clippy::disallowed_methods, reason = "deleting and publishing belong here, and nowhere else")]

mod lake;
mod stage;
mod tree;

pub use lake::Lake;
pub use stage::{Stage, Staged, StagedFile, TableState};

/// Whether a table's folder exists, and how many files lie in it.
///
/// # Errors
/// The operating system's.
pub fn existing_files(root: &std::path::Path) -> crate::error::Result<(bool, u64)> {
    Ok((root.is_dir(), tree::files(root)?.len() as u64))
}
