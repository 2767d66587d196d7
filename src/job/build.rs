//! Builds the tables in memory, without a lake.

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::manifest::{self, ManifestBuilder};
use crate::incremental::retained_input::RetainedFiles;
use crate::incremental::time_range;
use crate::input::sources::JobSpec;
use crate::job::list_input::list_input;
use crate::job::notes::note_records;
use crate::job::pipeline;
use crate::quality::gate;
use crate::report::run_report::Report;
use crate::runtime::clock::PhaseClock;
use crate::runtime::context::Context;
use crate::s3::stores::Stores;
use crate::schema::Table;
use crate::transform::external_sort::RunBuffer;
use crate::transform::extract;
use crate::transform::in_memory::{self, Star};

/// Reads the input and returns the tables instead of writing them: those that runs write by default, and those that are
/// selected in addition.
///
/// # Errors
/// As [`crate::job::run::run`]. An output is not needed, and not changed.
pub fn build(mut config: Config, context: &Context<'_>) -> Result<(Star, Report)> {
    let mut clock = PhaseClock::start();
    config.tables = Table::ALL
        .into_iter()
        .filter(|table| Table::DEFAULT.contains(table) || config.tables.contains(table))
        .collect();
    let stores = Stores::new(&config.store, &context.cancel);
    let spec = JobSpec::new(config, false, &stores)?;
    let report = Report::begin(&spec.config);
    let scratch = tempfile::tempdir().map_err(|error| {
        Error::new(ErrorKind::Storage, "cannot create a folder for scratch files")
            .cause(error.to_string())
            .hint("set TMPDIR to a folder with free space")
    })?;
    let runs = RunBuffer::new(extract::runs_budget(&spec.config), scratch.path().to_owned());
    let mut inputs = list_input(&spec, &stores, context)?;
    time_range::restrict(&spec, &mut inputs, None, context)?;
    clock.end("discover");
    let pipeline::InMemory { finished, stats } = pipeline::all(&spec, &inputs, runs, &mut clock, context)?;
    let manifests = ManifestBuilder {
        spec: &spec,
        inputs: &inputs,
        stats: &stats,
        checkpoint: None,
        head: None,
        retained: &RetainedFiles::default(),
        run_id: &report.run_id,
    }
    .build();
    let mut summary = manifest::summarize(&spec, &inputs, &stats, &manifests, None);
    note_records(&summary, context);
    gate::accept(&spec, &inputs, &stats, &summary, &manifests, None)?;
    clock.end("logs");
    let (star, plays) = in_memory::build(&finished, &spec.config, context)?;
    clock.end("write");
    summary.plays = plays;
    let report = report.built(&spec, &inputs, summary, &star, clock).with_stores(&stores);
    Ok((star, report))
}
