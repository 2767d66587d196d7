//! The doctor: checks of everything that a run needs from a location.
//!
//! It changes nothing except its own objects and files, which it removes. The results are for the user; a run makes the
//! checks that it needs again.
//!
//! Invariant: every listed check was made, or contains the reason why it was skipped.

mod bucket;
mod check_list;
mod folder;

pub use check_list::{Check, CheckStatus, Diagnostics};
pub(crate) use check_list::{Finding, failed};

use crate::config::Config;
use crate::error::Result;
use crate::location::Location;
use crate::runtime::context::Context;

/// Checks `location` with the store options of `config`. A problem of the location is a failed check, not an error.
///
/// # Errors
/// [`ErrorKind::Configuration`](crate::error::ErrorKind::Configuration) if `location` is not a path or URL, and
/// [`ErrorKind::Interrupted`](crate::error::ErrorKind::Interrupted) if the call was stopped.
pub fn examine(config: &Config, location: &str, context: &Context<'_>) -> Result<Diagnostics> {
    let location = Location::parse("location", location)?;
    let shown = match &location {
        Location::Local(path) => crate::error::shown(path),
        Location::Object(place) => place.to_string(),
    };
    let mut diagnostics = Diagnostics { location: shown, checks: Vec::new(), exit_code: 0 };
    match &location {
        Location::Local(path) => folder::examine(&mut diagnostics, path)?,
        Location::Object(place) => {
            bucket::examine(&mut diagnostics, config, place, context)?;
            folder::examine_scratch(&mut diagnostics)?;
        }
    }
    Ok(diagnostics)
}
