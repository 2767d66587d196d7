//! The Iceberg metadata of a lake, for the Python part that makes its content.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::error::Result;
use crate::input::sources::JobSpec;
use crate::lake::iceberg::{self, IcebergFile, IcebergState};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;

/// Returns the Iceberg tables of the configured lake at its newest published version.
///
/// # Errors
/// As [`crate::job::check::check`].
pub fn state(config: &Config, context: &Context<'_>) -> Result<IcebergState> {
    iceberg::state(&JobSpec::output_root(config)?, &Stores::new(&config.store, &context.cancel))
}

/// Returns the files of the table in a folder at a version of the lake, and the retained files.
///
/// # Errors
/// As [`iceberg::files`].
pub fn files(
    config: &Config,
    version: u64,
    folder: &str,
    context: &Context<'_>,
) -> Result<(Vec<IcebergFile>, BTreeMap<String, u64>)> {
    iceberg::files(&JobSpec::output_root(config)?, &Stores::new(&config.store, &context.cancel), version, folder)
}

/// Reads a file of the metadata; `None` if it does not exist.
///
/// # Errors
/// As [`iceberg::read`].
pub fn read(config: &Config, path: &str, context: &Context<'_>) -> Result<Option<Vec<u8>>> {
    iceberg::read(&JobSpec::output_root(config)?, &Stores::new(&config.store, &context.cancel), path)
}

/// Writes the files of a commit; returns false if another program has made it.
///
/// # Errors
/// As [`iceberg::commit`].
pub fn commit(config: &Config, files: &[(String, Vec<u8>)], context: &Context<'_>) -> Result<bool> {
    iceberg::commit(&JobSpec::output_root(config)?, &Stores::new(&config.store, &context.cancel), files)
}

/// Removes files of the metadata.
///
/// # Errors
/// As [`iceberg::remove`].
pub fn remove(config: &Config, paths: &[String], context: &Context<'_>) -> Result<()> {
    iceberg::remove(&JobSpec::output_root(config)?, &Stores::new(&config.store, &context.cancel), paths)
}
