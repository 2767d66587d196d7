//! Notes of jobs for the event log.

use crate::lake::read_summary::ReadSummary;
use crate::lake::{Published, TableChanges};
use crate::runtime::context::Context;
use crate::runtime::progress::Level;

/// Notes the counts of the records of each content.
pub(super) fn note_records(summary: &ReadSummary, context: &Context<'_>) {
    for (content, records) in &summary.records {
        context.note(Level::Info, || format!("{content}: {records}"));
    }
}

/// Notes the files in the folders of tables that readers ignore.
pub(super) fn note_ignored_files(paths: &[String], context: &Context<'_>) {
    if let Some(first) = paths.first() {
        let count = paths.len();
        context.note(Level::Info, || {
            format!("{count} files are ignored, as by readers, because their names begin with . or _; first: {first}")
        });
    }
}

/// Notes how many files of each table were written, left unchanged, and removed.
pub(super) fn note_changes(published: &Published, context: &Context<'_>) {
    for (table, changes) in &published.tables {
        let TableChanges { written, unchanged, removed, .. } = changes;
        let name = table.name();
        context
            .note(Level::Info, || format!("{name}: {written} files written, {unchanged} unchanged, {removed} removed"));
    }
}
