//! Completes the publication of a version that an earlier run committed.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::{self, Lake, LakeCheck};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Publishes what an earlier run committed and did not finish; returns how the lake compares with its commit log then.
///
/// # Errors
/// As [`crate::job::check::check`], and what stops a run from publishing.
pub fn recover(config: &Config, context: &Context<'_>) -> Result<LakeCheck> {
    let stores = Stores::new(&config.store, &context.cancel);
    let location = JobSpec::output_root(config)?;
    let found = lake::check(&location, &stores, &context.cancel)?;
    if found.is_published {
        return Ok(found);
    }
    // Opening a lake to write completes what was committed.
    drop(Lake::open(&location, &stores, &context.cancel)?);
    lake::check(&location, &stores, &context.cancel)
}
