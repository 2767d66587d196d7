//! Notes for the log that more than one job leaves.

use crate::lake::read_summary::ReadSummary;
use crate::runtime::context::Context;
use crate::runtime::progress::Level;

/// Notes what became of the records of each content.
pub(super) fn note_records(summary: &ReadSummary, context: &Context<'_>) {
    for (content, records) in &summary.records {
        context.note(Level::Info, || format!("{content}: {records}"));
    }
}
