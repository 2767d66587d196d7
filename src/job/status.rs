//! The newest version of a lake, and what has arrived since.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::job::list_input::list_input;
use crate::lake;
use crate::report::lake_status::{self, LakeStatus};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Returns the newest version of the lake that the configuration names, from its commit log alone; and what has arrived
/// since, if the configuration names an input.
///
/// # Errors
/// As [`crate::job::check::check`], and for an input as [`crate::job::run::run`] up to listing.
pub fn status(config: Config, context: &Context<'_>) -> Result<LakeStatus> {
    let stores = Stores::new(&config.store, &context.cancel);
    let (version, record) = lake::status(&JobSpec::output_root(&config)?, &stores)?;
    let mut status = LakeStatus::new(version, &record);
    if config.input.is_some() || config.song_data.is_some() || config.log_data.is_some() {
        let spec = JobSpec::new(config, true, &stores)?;
        let inputs = list_input(&spec, &stores, context)?;
        status.input = Some(lake_status::since(&spec, &inputs, &record));
    }
    Ok(status)
}
