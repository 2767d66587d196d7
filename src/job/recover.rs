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
    let found = check_at(&location, &stores, context)?;
    let has_iceberg_problem = found.problems.iter().any(|problem| problem.path.starts_with("_etl/iceberg/"));
    if found.is_published && !has_iceberg_problem {
        return Ok(found);
    }
    // Opening a lake for writing completes the publication.
    let lake = Lake::open(&location, &stores, &context.cancel)?;
    lake.recover_iceberg(&location, context.iceberg)?;
    drop(lake);
    check_at(&location, &stores, context)
}
