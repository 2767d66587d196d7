//! Checks whether a location can be used for a lake, from this machine and from every worker of an executor.

use crate::config::Config;
use crate::distributed::check_workers;
use crate::doctor::{self, Diagnostics};
use crate::error::Result;
use crate::location::Location;
use crate::runtime::context::Context;

/// Examines `location` with the store options of `config`; also from every worker, if there is an executor.
///
/// # Errors
/// Those of [`doctor::examine`], and of the executor.
pub fn examine(config: &Config, location: &str, context: &Context<'_>) -> Result<Diagnostics> {
    let mut found = doctor::examine(config, location, context)?;
    if let Some(executor) = context.executor {
        check_workers::examine(&mut found, executor, config, &Location::parse("location", location)?)?;
    }
    Ok(found)
}
