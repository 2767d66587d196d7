//! Lists the files of both contents, and opens the lake at the same time.

use crate::config::TableFormat;
use crate::error::{Error, ErrorKind, Result};
use crate::input::input_files::InputFiles;
use crate::input::list::{self, Listing};
use crate::input::sources::{JobSpec, Source, refuse_overlap};
use crate::job::notes::note_ignored_files;
use crate::lake::{self, Lake, Stage};
use crate::location::Location;
use crate::runtime::context::Context;
use crate::runtime::progress::Phase;
use crate::runtime::threads;
use crate::s3::stores::Stores;

/// Lists song files and log files at the same time, because listing a bucket is mostly waiting.
///
/// # Errors
/// Those of [`list::list`], and [`ErrorKind::Configuration`] if a followed symlink leads into the output.
pub fn list_input(spec: &JobSpec, stores: &Stores, context: &Context<'_>) -> Result<InputFiles> {
    context.begin(Phase::Discover, 0);
    let config = &spec.config;
    let list = |source: &Option<Source>| -> Result<Listing> {
        source.as_ref().map_or_else(
            || Ok(Listing::default()),
            |source| list::list(source, config.follow_symlinks, config.threads, stores, &context.cancel),
        )
    };
    let (songs, logs) = threads::both(|| list(&spec.songs), || list(&spec.logs))?;
    let inputs = InputFiles { songs: songs?, logs: logs?, ..InputFiles::default() };
    if let Some(output) = &spec.output {
        let links = inputs.each().into_iter().flat_map(|(_, listing)| &listing.links);
        links.cloned().try_for_each(|link| refuse_overlap(&Location::Local(link), output))?;
    }
    Ok(inputs)
}

/// Lists the input and opens the lake for writing at the same time, because both wait for a bucket.
///
/// # Errors
/// Those of opening the lake first, then those of [`list_input`].
pub fn list_and_open(
    spec: &JobSpec,
    stores: &Stores,
    run_id: &str,
    context: &Context<'_>,
) -> Result<(InputFiles, Stage)> {
    let output = spec.output.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "the job has no output"))?;
    if spec.config.publishes(TableFormat::Iceberg) {
        lake::iceberg::must_be_possible(output, context.iceberg)?;
    }
    let open = || {
        let mut stage = Stage::begin(Lake::open(output, stores, &context.cancel)?, run_id, &spec.config)?;
        stage.open_iceberg(output, context.iceberg)?;
        Ok(stage)
    };
    let (inputs, stage) = threads::both(|| list_input(spec, stores, context), open)?;
    let stage = stage?;
    note_ignored_files(&stage.ignored_files(), context);
    Ok((inputs?, stage))
}
