//! Completes the publication of a version that an earlier run committed.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::{self, Lake, LakeCheck};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Completes the publication of a committed version; returns the comparison of the lake with its commit log afterwards.
///
/// # Errors
/// As [`crate::job::check::check`], and those of publishing.
pub fn recover(config: &Config, context: &Context<'_>) -> Result<LakeCheck> {
    let stores = Stores::new(&config.store, &context.cancel);
    let location = JobSpec::output_root(config)?;
    let found = lake::check(&location, &stores, &context.cancel)?;
    if found.is_published {
        return Ok(found);
    }
    // Opening a lake for writing completes the publication.
    drop(Lake::open(&location, &stores, &context.cancel)?);
    lake::check(&location, &stores, &context.cancel)
}
