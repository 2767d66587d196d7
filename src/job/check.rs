//! Compares a lake with its commit log.

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::{self, LakeCheck};
use crate::location::Location;
use crate::runtime::context::Context;
use crate::runtime::progress::Level;
use crate::s3::stores::Stores;

/// Compares the configured lake with its commit log; changes nothing.
///
/// # Errors
/// [`crate::error::ErrorKind::NoInput`] when there is no lake, and storage errors. Files that differ from the commit log
/// are not an error: the result lists them.
pub fn check(config: &Config, context: &Context<'_>) -> Result<LakeCheck> {
    let stores = Stores::new(&config.store, &context.cancel);
    check_at(&JobSpec::output_root(config)?, &stores, context).map(|(check, _)| check)
}

/// Compares the lake at a location with its commit log; also returns whether it has Iceberg tables.
pub(super) fn check_at(location: &Location, stores: &Stores, context: &Context<'_>) -> Result<(LakeCheck, bool)> {
    let (mut check, checked) = lake::check(location, stores, &context.cancel)?;
    let has_iceberg = lake::iceberg::add_problems(&mut check, &checked, location, context.iceberg)?;
    if has_iceberg && context.iceberg.is_none() {
        context.note(Level::Info, || {
            "the files of the Iceberg tables were not compared: pyiceberg is not installed".into()
        });
    }
    Ok((check, has_iceberg))
}
