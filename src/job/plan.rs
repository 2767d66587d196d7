//! The dry run: what a run would read and write. It writes nothing.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::job::list_input::list_input;
use crate::report::dry_run::DryRun;
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Lists what [`crate::job::run::run`] would read and names what it would write; writes nothing.
///
/// # Errors
/// As [`crate::job::run::run`] up to listing.
pub fn plan(config: Config, context: &Context<'_>) -> Result<DryRun> {
    let stores = Stores::new(&config.store, &context.cancel);
    let spec = JobSpec::new(config, true, &stores)?;
    let mut inputs = list_input(&spec, &stores, context)?;
    DryRun::new(&spec, &mut inputs, &stores)
}
