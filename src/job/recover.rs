//! Completes the publication of a version that an earlier run committed.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::job::check::check_at;
use crate::lake::{Lake, LakeCheck};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Completes the publication of a committed version; returns the comparison of the lake with its commit log afterwards.
///
/// # Errors
/// As [`crate::job::check::check`], and those of publishing.
pub fn recover(config: &Config, context: &Context<'_>) -> Result<LakeCheck> {
    let stores = Stores::new(&config.store, &context.cancel);
    let location = JobSpec::output_root(config)?;
    let (found, has_iceberg) = check_at(&location, &stores, context)?;
    if found.is_published && !has_iceberg {
        return Ok(found);
    }
    // Opening a lake for writing completes the publication. A catalog of Iceberg tables can be late too.
    let lake = Lake::open(&location, &stores, &context.cancel)?;
    lake.recover_iceberg(&location, context.iceberg)?;
    drop(lake);
    check_at(&location, &stores, context).map(|(check, _)| check)
}
