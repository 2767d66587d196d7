//! The newest version of a lake, and how its input has changed since.

use std::collections::HashSet;

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::job::list_input::list_input;
use crate::lake;
use crate::report::lake_status::{self, LakeStatus};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Returns the newest version of the configured lake, from its commit log alone; and the changes of the input since, if
/// an input is configured.
///
/// # Errors
/// As [`crate::job::check::check`]; with an input, also those that [`crate::job::run::run`] has up to listing.
pub fn status(config: Config, context: &Context<'_>) -> Result<LakeStatus> {
    let stores = Stores::new(&config.store, &context.cancel);
    let output = JobSpec::output_root(&config)?;
    let (version, record) = lake::status(&output, &stores)?;
    let mut status = LakeStatus::new(version, &record);
    let mut listed: Option<HashSet<(&str, String)>> = None;
    if config.input.is_some() || config.song_data.is_some() || config.log_data.is_some() {
        let spec = JobSpec::new(config, true, &stores)?;
        let inputs = list_input(&spec, &stores, context)?;
        status.input = Some(lake_status::input_changes(&spec, &inputs, &record));
        listed = Some(lake_status::listed_names(&spec, &inputs));
    }
    // For an input file that is still there, the lake's copy is not the only one.
    let is_only_copy =
        |content: &str, name: &str| listed.as_ref().is_none_or(|listed| !listed.contains(&(content, name.to_owned())));
    status.lost = lake::damaged_copies(&output, &stores, &record, is_only_copy, &context.cancel)?;
    Ok(status)
}
