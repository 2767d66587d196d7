//! The tables of a lake, as other engines need them for their definitions.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::{self, LakeTables};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Returns the tables of the configured lake, from its commit log alone; changes nothing.
///
/// # Errors
/// As [`crate::job::check::check`].
pub fn tables(config: &Config, context: &Context<'_>) -> Result<LakeTables> {
    lake::tables(&JobSpec::output_root(config)?, &Stores::new(&config.store, &context.cancel))
}
