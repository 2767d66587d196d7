//! Lists the files of both contents.

use crate::error::Result;
use crate::input::input_files::InputFiles;
use crate::input::list::{self, Listing};
use crate::input::sources::{JobSpec, Source};
use crate::runtime::context::Context;
use crate::runtime::progress::Phase;
use crate::runtime::threads;
use crate::s3::stores::Stores;

/// Lists song files and log files, side by side: in a bucket, listing is waiting.
///
/// # Errors
/// Those of [`list::list`].
pub fn list_input(spec: &JobSpec, stores: &Stores, context: &Context<'_>) -> Result<InputFiles> {
    context.begin(Phase::Discover, 0);
    let list = |source: &Option<Source>| -> Result<Listing> {
        source.as_ref().map_or_else(
            || Ok(Listing::default()),
            |source| list::list(source, spec.config.threads, stores, &context.cancel),
        )
    };
    let (songs, logs) = threads::both(|| list(&spec.songs), || list(&spec.logs))?;
    Ok(InputFiles { songs: songs?, logs: logs?, ..InputFiles::default() })
}
