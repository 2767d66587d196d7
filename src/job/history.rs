//! The versions of a lake that its commit log has.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::{self, LakeHistory};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Returns the versions of the configured lake, from its commit log alone; changes nothing.
///
/// # Errors
/// As [`crate::job::check::check`].
pub fn history(config: &Config, context: &Context<'_>) -> Result<LakeHistory> {
    lake::history(&JobSpec::output_root(config)?, &Stores::new(&config.store, &context.cancel), &context.cancel)
}
