//! The run, as an outline of its phases.
//!
//! ```text
//! list ── lock │ plan ── songs ─┬─ logs ── (accept?) ── write ── commit ── report
//!                               └─ write songs, sync them
//! ```
//!
//! Invariant: before a file is published, every file is staged and every check has passed.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, TableFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::manifest::{self, ManifestBuilder};
use crate::incremental::plan::{self, RunPlan};
use crate::incremental::state_error::{StateError, StateResult, UNUSABLE_STATE};
use crate::incremental::{retained_input, state, time_range};
use crate::input::file_identity;
use crate::input::input_files::InputFiles;
use crate::input::sources::JobSpec;
use crate::job::expectations;
use crate::job::list_input::list_and_open;
use crate::job::notes::{note_changes, note_records};
use crate::job::pipeline::{self, ReadContext, Songs};
use crate::lake::checkpoint::{Checkpoint, IncrementalState, Manifest};
use crate::lake::read_summary::ReadSummary;
use crate::lake::{self, CommitInfo};
use crate::quality::expectations::figures;
use crate::quality::gate;
use crate::quality::input_stats::InputStats;
use crate::quality::read_stats::ReadStats;
use crate::report::run_report::Report;
use crate::runtime::clock::PhaseClock;
use crate::runtime::context::Context;
use crate::runtime::progress::{Level, Phase};
use crate::runtime::threads;
use crate::s3::stores::Stores;
use crate::transform::write_tables;

/// Upper bound for the attempts of a run that other runs overtake.
const MAX_ATTEMPTS: u32 = 4;

/// Up to this many new files are synced to disk at the commit; more are synced while the log files are read.
const MAX_FILES_SYNCED_AT_COMMIT: u64 = 1000;

/// Runs the job: reads the input or its changes, writes the tables, and publishes them.
///
/// # Errors
/// See [`ErrorKind`]. After an error, no table was changed unless its message states otherwise.
pub fn run(config: Config, context: &Context<'_>) -> Result<Report> {
    let stores = Stores::new(&config.store, &context.cancel);
    let spec = JobSpec::new(config, true, &stores)?;
    let mut full_reason = None;
    for number in 1.. {
        match attempt(&spec, &stores, full_reason.clone(), context) {
            Ok(report) => return Ok(report),
            Err(StateError::Unusable) => {
                full_reason = Some(UNUSABLE_STATE.to_owned());
            }
            // This run may have to start from the version of the other run, so it plans again.
            Err(StateError::Failed(error)) if number < MAX_ATTEMPTS && lake::was_overtaken(&error) => {
                context.note(Level::Info, || format!("{}: planning again", error.message()));
            }
            Err(StateError::Failed(error)) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::Internal, "a run did not end"))
}

/// Makes one attempt at a run; `full_reason` is the reason why the entire input has to be read, if there is one.
fn attempt(spec: &JobSpec, stores: &Stores, full_reason: Option<String>, context: &Context<'_>) -> StateResult<Report> {
    let (mut report, mut clock) = (Report::begin(&spec.config), PhaseClock::start());
    if let Some(executor) = context.executor {
        executor.name().clone_into(&mut report.executor);
    }
    let (mut inputs, mut stage) = list_and_open(spec, stores, &report.run_id, context)?;
    let spec = &JobSpec { config: stage.config().clone(), ..spec.clone() };
    time_range::restrict(spec, &mut inputs, stage.lake().record(), context)?;
    let retained = retained_input::retain(spec, &mut inputs, &stage, context)?;
    if full_reason.is_some() {
        stage.distrust_state();
    }
    let run_plan = full_reason.map_or_else(
        || plan::choose(spec, &inputs, stage.lake().record(), || stage.intact_version().is_some()),
        |reason| RunPlan::Full(Some(reason)),
    );
    report.rebuilt = run_plan.full_reason().cloned();
    let increment = run_plan.increment();
    if let Some(increment) = increment.filter(|increment| increment.is_idle() && !retained.has_changed)
        && let Some(current) = stage.intact_version()
    {
        stage.lake().must_be_newest()?;
        let (newest, now) = (stage.lake().record(), &report.started_at);
        report.expectations = expectations::check_newest(spec, newest, increment.summary, now, context)?;
        clock.end("discover");
        context.note(Level::Info, || format!("nothing has changed since version {}", current.version));
        context.begin(Phase::Done, 0);
        (inputs.song_selection, inputs.log_selection) = (Some([].into()), Some([].into()));
        let summary = increment.summary.clone();
        return Ok(report.published(spec, &inputs, summary, &current, clock).with_stores(stores));
    }
    if let Some(writer) = context.iceberg.filter(|_| spec.config.publishes(TableFormat::Iceberg)) {
        writer.prepare();
    }
    file_identity::outwait_fresh_files(&inputs, &report.started_at);
    let scratch = stage.scratch()?;
    clock.end("discover");

    let read = ReadContext { spec, increment, stage: &stage, retained: &retained, scratch: &scratch, context };
    let (songs, song_stats) = pipeline::songs(&read, &mut inputs)?;
    let partitions = write_tables::songs(&songs.index, songs.partitions(), &spec.config, &stage, context)?;
    clock.end("songs");

    let run_id = report.run_id.clone();
    let write_rest = || write_the_rest(&read, inputs, songs, song_stats, partitions, &run_id, &mut clock);
    // Syncing many files is mostly waiting, so it is done while the log files are read.
    let (rest, settled) = if partitions > MAX_FILES_SYNCED_AT_COMMIT {
        threads::both(write_rest, || stage.flush())?
    } else {
        (write_rest(), Ok(()))
    };
    let rest = rest?;
    settled?;

    context.begin(Phase::Commit, 0);
    drop(run_plan);
    let (staged, checked) =
        expectations::check_staged(spec, stage.seal()?, &rest.summary, &report.started_at, context)?;
    let checkpoint = Checkpoint {
        tables: BTreeSet::new(),
        retains_for: BTreeSet::new(),
        listed_at: report.started_at.clone(),
        input: rest.manifests,
        summaries: BTreeMap::from([(spec.config.read_options(), rest.summary.clone())]),
        state: rest.state,
    };
    let (committed_at, options) = (report.started_at.clone(), spec.config.table_options());
    let figures = figures(&checked);
    report.expectations = checked;
    let info = CommitInfo { committed_at, options, checkpoint, figures };
    let published = staged.commit(info, &context.cancel)?.publish(&context.cancel, context.iceberg)?;
    note_changes(&published, context);
    clock.end("commit");
    context.begin(Phase::Done, 0);
    Ok(report.published(spec, &rest.inputs, rest.summary, &published, clock).with_stores(stores))
}

/// The part of a run after its songs, staged and ready to be committed.
struct StagedRest {
    inputs: InputFiles,
    manifests: BTreeMap<String, Manifest>,
    summary: ReadSummary,
    state: IncrementalState,
}

/// Reads the log files, checks that the input is good enough, and stages all tables except the songs.
fn write_the_rest(
    read: &ReadContext<'_>,
    mut inputs: InputFiles,
    songs: Songs,
    song_stats: ReadStats,
    song_partitions: u64,
    run_id: &str,
    clock: &mut PhaseClock,
) -> StateResult<StagedRest> {
    let ReadContext { spec, increment, stage, retained, context, .. } = *read;
    let mut stats = InputStats { songs: song_stats, ..InputStats::default() };
    let logs = pipeline::logs(read, &mut inputs, &songs, &mut stats)?;
    stats.write_rejects(&inputs, stage.quarantine(), &mut |name, bytes| stage.put_reject(name, bytes))?;
    let (checkpoint, head) = (increment.map(|increment| increment.checkpoint), stage.lake().record());
    let manifests =
        ManifestBuilder { spec, inputs: &inputs, stats: &stats, checkpoint, head, retained, run_id }.build();
    let before = increment.map(|increment| increment.summary);
    let mut summary = manifest::summarize(spec, &inputs, &stats, &manifests, before);
    note_records(&summary, context);
    gate::accept(spec, &inputs, &stats, &summary, &manifests, head)?;
    clock.end("logs");
    let mut new_state = pipeline::write(read, songs, logs)?;
    new_state.packs.clone_from(&retained.packs);
    clock.end("write");
    state::count_tables(&mut summary, &new_state, &spec.config.tables, song_partitions);
    Ok(StagedRest { inputs, manifests, summary, state: new_state })
}
