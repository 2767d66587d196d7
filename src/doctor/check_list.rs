//! The checks of a location: each made once, timed, with what it found.
//!
//! Invariant: every check that is listed was made, or says why it was not.

use std::time::Instant;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// A run works, but something is missing or odd.
    Warning,
    /// A run would fail.
    Failed,
    /// Not tried, for the reason that the detail gives.
    Skipped,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name, such as `conditional put`.
    pub name: &'static str,
    /// What it came to.
    pub outcome: CheckStatus,
    /// What was seen, in a sentence.
    pub detail: String,
    /// What to do about it, where there is something to do.
    pub hint: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// All checks of a place.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostics {
    /// The place.
    pub location: String,
    /// What was looked at, in order.
    pub checks: Vec<Check>,
    /// 0, or that of the first check that failed.
    pub exit_code: u8,
}

/// What a check found when nothing failed.
pub(crate) enum Finding {
    Fine(String),
    Odd(String, &'static str),
    Untried(&'static str),
}

impl Diagnostics {
    /// Makes a check; says whether it went well.
    pub(crate) fn check(&mut self, name: &'static str, work: impl FnOnce() -> Result<Finding>) -> Result<bool> {
        let begun = Instant::now();
        let (outcome, detail, hint) = match work() {
            Ok(Finding::Fine(detail)) => (CheckStatus::Ok, detail, None),
            Ok(Finding::Odd(detail, hint)) => (CheckStatus::Warning, detail, Some(hint.to_owned())),
            Ok(Finding::Untried(why)) => (CheckStatus::Skipped, why.to_owned(), None),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                if self.exit_code == 0 {
                    self.exit_code = error.kind().exit_code();
                }
                (CheckStatus::Failed, error.to_string(), error.hint_text().map(str::to_owned))
            }
        };
        self.checks.push(Check { name, outcome, detail, hint, seconds: begun.elapsed().as_secs_f64() });
        Ok(outcome == CheckStatus::Ok)
    }

    /// Notes checks that make no sense any more.
    pub(crate) fn skip(&mut self, names: &[&'static str], why: &'static str) {
        self.checks.extend(names.iter().map(|name| Check {
            name,
            outcome: CheckStatus::Skipped,
            detail: why.to_owned(),
            hint: None,
            seconds: 0.0,
        }));
    }
}

/// A check's failure that nothing reported as an error.
pub(crate) fn failed(kind: ErrorKind, detail: String, hint: &str) -> Error {
    Error::new(kind, detail).hint(hint)
}
