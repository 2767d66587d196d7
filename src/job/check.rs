//! Compares a lake with its commit log.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::{self, LakeCheck};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Compares the configured lake with its commit log; changes nothing.
///
/// # Errors
/// [`crate::error::ErrorKind::NoInput`] when there is no lake, and storage errors. Files that differ from the commit log
/// are not an error: the result lists them.
pub fn check(config: &Config, context: &Context<'_>) -> Result<LakeCheck> {
    let stores = Stores::new(&config.store, &context.cancel);
    lake::check(&JobSpec::output_root(config)?, &stores, &context.cancel)
}
