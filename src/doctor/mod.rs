//! Whether a place will do: each thing that a run needs of it, tried once and told by name.
//!
//! It changes nothing but objects and files of its own, which it removes. What follows from a finding is the reader's
//! decision; a run asks for itself what it must know.
//!
//! Invariant: every check that is listed was made, or says why it was not.

mod bucket;
mod folder;
mod workers;

use std::time::Instant;

use serde::Serialize;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::Control;
use crate::store::Location;

pub use workers::must_be_shared;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
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
    pub outcome: Outcome,
    /// What was seen, in a sentence.
    pub detail: String,
    /// What to do about it, where there is something to do.
    pub hint: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// All checks of a place.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// The place.
    pub location: String,
    /// What was looked at, in order.
    pub checks: Vec<Check>,
    /// 0, or that of the first check that failed.
    pub exit_code: u8,
}

/// Examines `location` with the store options of `config`; from every worker, too, if there is an executor.
///
/// # Errors
/// [`ErrorKind::Configuration`] when `location` is none, [`ErrorKind::Interrupted`] when it was stopped; whatever is
/// wrong with the place is a check that failed.
pub fn examine(config: &Config, location: &str, control: &Control<'_>) -> Result<Examination> {
    let mut sheet = Sheet { checks: Vec::new(), exit_code: 0 };
    let place = Location::parse("location", location)?;
    let shown = match &place {
        Location::Local(path) => {
            folder::examine(&mut sheet, path)?;
            crate::error::shown(path)
        }
        Location::Object(place) => {
            bucket::examine(&mut sheet, config, place, control)?;
            place.to_string()
        }
    };
    if let Some(executor) = control.executor {
        workers::examine(&mut sheet, executor, config, &place)?;
    }
    Ok(Examination { location: shown, checks: sheet.checks, exit_code: sheet.exit_code })
}

/// What a check found when nothing failed.
enum Finding {
    Fine(String),
    Odd(String, &'static str),
    Untried(&'static str),
}

/// The checks so far.
struct Sheet {
    checks: Vec<Check>,
    exit_code: u8,
}

impl Sheet {
    /// Makes a check; says whether it went well.
    fn check(&mut self, name: &'static str, work: impl FnOnce() -> Result<Finding>) -> Result<bool> {
        let begun = Instant::now();
        let (outcome, detail, hint) = match work() {
            Ok(Finding::Fine(detail)) => (Outcome::Ok, detail, None),
            Ok(Finding::Odd(detail, hint)) => (Outcome::Warning, detail, Some(hint.to_owned())),
            Ok(Finding::Untried(why)) => (Outcome::Skipped, why.to_owned(), None),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                if self.exit_code == 0 {
                    self.exit_code = error.kind().exit_code();
                }
                (Outcome::Failed, error.to_string(), error.hint_text().map(str::to_owned))
            }
        };
        self.checks.push(Check { name, outcome, detail, hint, seconds: begun.elapsed().as_secs_f64() });
        Ok(outcome == Outcome::Ok)
    }

    /// Notes checks that make no sense any more.
    fn skip(&mut self, names: &[&'static str], why: &'static str) {
        self.checks.extend(names.iter().map(|name| Check {
            name,
            outcome: Outcome::Skipped,
            detail: why.to_owned(),
            hint: None,
            seconds: 0.0,
        }));
    }
}

/// A check's failure that nothing reported as an error.
fn failed(kind: ErrorKind, detail: String, hint: &str) -> Error {
    Error::new(kind, detail).hint(hint)
}
