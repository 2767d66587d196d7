//! Whether a place will do: each thing that a run needs of it, tried once and told by name.
//!
//! It changes nothing but objects and files of its own, which it removes. What follows from a finding is the reader's
//! decision; a run asks for itself what it must know.
//!
//! Invariant: every check that is listed was made, or says why it was not.

mod bucket;
mod check_list;
mod folder;

pub use check_list::{Check, CheckStatus, Diagnostics};
pub(crate) use check_list::{Finding, failed};

use crate::config::Config;
use crate::error::Result;
use crate::location::Location;
use crate::runtime::context::Context;

/// Examines `location` with the store options of `config`.
///
/// # Errors
/// [`ErrorKind::Configuration`] when `location` is not a location, [`ErrorKind::Interrupted`] when it was stopped;
/// whatever is wrong with the location is a check that failed.
pub fn examine(config: &Config, location: &str, context: &Context<'_>) -> Result<Diagnostics> {
    let location = Location::parse("location", location)?;
    let shown = match &location {
        Location::Local(path) => crate::error::shown(path),
        Location::Object(place) => place.to_string(),
    };
    let mut found = Diagnostics { location: shown, checks: Vec::new(), exit_code: 0 };
    match &location {
        Location::Local(path) => folder::examine(&mut found, path)?,
        Location::Object(place) => bucket::examine(&mut found, config, place, context)?,
    }
    Ok(found)
}
