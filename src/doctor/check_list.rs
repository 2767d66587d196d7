//! The list of checks, with the result and the duration of each.
//!
//! Invariant: every listed check was made, or contains the reason why it was skipped.

use std::time::Instant;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// The check passed.
    Ok,
    /// A run works, but something is missing or unsafe.
    Warning,
    /// A run would fail.
    Failed,
    /// The check was not made; the detail contains the reason.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name, such as `conditional put`.
    pub name: &'static str,
    /// The result.
    pub outcome: CheckStatus,
    /// The finding, in one sentence.
    pub detail: String,
    /// A hint for the user.
    pub hint: Option<String>,
    /// The duration in seconds.
    pub seconds: f64,
}

/// All checks of a location.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostics {
    /// The location for display.
    pub location: String,
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// The exit code of the first failed check, or 0.
    pub exit_code: u8,
}

/// The result of a check that did not fail.
pub(crate) enum Finding {
    /// The finding.
    Passed(String),
    /// The finding, and a hint.
    Warning(String, &'static str),
    /// The reason.
    Skipped(&'static str),
}

impl Diagnostics {
    /// Makes a check and adds its result. Returns true if the check passed.
    pub(crate) fn check(&mut self, name: &'static str, work: impl FnOnce() -> Result<Finding>) -> Result<bool> {
        let begun = Instant::now();
        let (outcome, detail, hint) = match work() {
            Ok(Finding::Passed(detail)) => (CheckStatus::Ok, detail, None),
            Ok(Finding::Warning(detail, hint)) => (CheckStatus::Warning, detail, Some(hint.to_owned())),
            Ok(Finding::Skipped(why)) => (CheckStatus::Skipped, why.to_owned(), None),
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

    /// Adds checks that are skipped, because an earlier one failed.
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

/// The error of a check that found a problem itself.
pub(crate) fn failed(kind: ErrorKind, detail: String, hint: &str) -> Error {
    Error::new(kind, detail).hint(hint)
}
