//! The dry run: lists what a run would read and write, and writes nothing.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::job::list_input::list_input;
use crate::report::dry_run::DryRun;
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Returns what [`crate::job::run::run`] would read and write; writes nothing.
///
/// # Errors
/// Those that [`crate::job::run::run`] has up to listing.
pub fn plan(config: Config, context: &Context<'_>) -> Result<DryRun> {
    let stores = Stores::new(&config.store, &context.cancel);
    let spec = JobSpec::new(config, true, &stores)?;
    let mut inputs = list_input(&spec, &stores, context)?;
    DryRun::new(&spec, &mut inputs, &stores, context)
}
