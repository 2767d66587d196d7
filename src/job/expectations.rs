//! The expectations of a run: checked for staged tables before the commit, or for the newest version if nothing changed.

use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::Staged;
use crate::lake::commit_record::CommitRecord;
use crate::lake::read_summary::ReadSummary;
use crate::quality::expectations::{self, Candidate, CheckedExpectation};
use crate::runtime::context::Context;
use crate::runtime::progress::Level;

/// Checks the tables of the newest version. `now` is when the run began.
///
/// # Errors
/// Those of [`expectations::check`].
pub(super) fn check_newest(
    spec: &JobSpec,
    newest: Option<&CommitRecord>,
    summary: &ReadSummary,
    now: &str,
    context: &Context<'_>,
) -> Result<Vec<CheckedExpectation>> {
    let Some(record) = newest else { return Ok(Vec::new()) };
    check(spec, &Candidate { tables: &record.tables, newest, summary, now }, context)
}

/// Checks staged tables; discards them if an expectation is not met.
///
/// # Errors
/// Those of [`expectations::check`].
pub(super) fn check_staged(
    spec: &JobSpec,
    staged: Staged,
    summary: &ReadSummary,
    now: &str,
    context: &Context<'_>,
) -> Result<(Staged, Vec<CheckedExpectation>)> {
    let candidate = Candidate { tables: staged.tables(), newest: staged.lake().record(), summary, now };
    match check(spec, &candidate, context) {
        Ok(checked) => Ok((staged, checked)),
        Err(error) => {
            staged.discard();
            Err(error)
        }
    }
}

fn check(spec: &JobSpec, candidate: &Candidate<'_>, context: &Context<'_>) -> Result<Vec<CheckedExpectation>> {
    let checked = expectations::check(&spec.config, candidate)?;
    for CheckedExpectation { expectation, value, .. } in &checked {
        let value = value.map_or_else(|| "none".to_owned(), |value| value.to_string());
        context.note(Level::Info, || format!("the expectation {expectation} is met: the value is {value}"));
    }
    Ok(checked)
}
