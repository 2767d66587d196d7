//! The job as an outline. The only file that knows the order of the stages.
//!
//! ```text
//! plan ── lock │ discover ── songs ─┬─ logs ── (accept?) ── write ── commit ── report
//!                                   └─ write songs, on to the disk
//! ```
//!
//! Invariant: every file is staged, and every refusal made, before a file is published.

use std::path::Path;

use crate::commit::{self, Checkup, Lake, Published, Stage, Statement, Status, TableState};
use crate::config::Config;
use crate::discover::{self, Listing};
use crate::emit::{self, Emitted, Finished};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::{self, Control};
use crate::judge::{self, Inputs};
use crate::ledger;
use crate::outcome::Outcome;
use crate::plan::{Plan, Source};
use crate::preview::Preview;
use crate::progress::{Level, Stage as At};
use crate::report::{Report, StageClock};
use crate::runs::Runs;
use crate::schema::Table;
use crate::star::{self, Star};
use crate::store::stores::Stores;
use crate::tables::artists::{self, ArtistsPartial};
use crate::tables::cast::Cast;
use crate::tables::catalogue::Catalogue;
use crate::tables::users;
use crate::threads;

/// So many files are brought to the disk in a moment.
const FEW_FILES: u64 = 1000;

/// Runs the job: reads the input, writes the tables, publishes them.
///
/// # Errors
/// See [`ErrorKind`]; whatever it is, the tables are as they were, unless the message says otherwise.
pub fn run(config: Config, control: &Control<'_>) -> Result<Report> {
    let mut clock = StageClock::start();
    let stores = Stores::new(&config.store, &control.cancel);
    let plan = Plan::new(config, true, &stores)?;
    let output = plan.output.clone().ok_or_else(|| Error::new(ErrorKind::Internal, "the plan has no output"))?;
    let report = Report::begin(&plan.config);
    let folders: Vec<(Table, String)> = plan
        .config
        .tables
        .iter()
        .filter_map(|table| plan.config.folders.get(table).map(|folder| (*table, folder.clone())))
        .collect();
    let open = || {
        let lake = Lake::open(&output, &stores, &control.cancel)?;
        Stage::begin(lake, &report.run_id, &folders, plan.config.adopt)
    };
    // Side by side: in a bucket both are waiting. What is wrong with the lake is said first.
    let (inputs, stage) = threads::both(|| list_all(&plan, &stores, control), open)?;
    let (stage, inputs) = (stage?, inputs?);
    if let Some((outcome, standing)) = known(&plan, &inputs, &stage) {
        clock.end("discover");
        control.note(Level::Info, || format!("nothing has changed since version {}", standing.version));
        control.begin(At::Done, 0);
        return Ok(report.published(&plan, &inputs, outcome, &standing, clock).with_stores(&stores));
    }
    ledger::outwait_fresh_files(&inputs, &report.started_at);
    ledger::must_not_shrink(&plan, &inputs, stage.lake().record())?;
    let scratch = Some(stage.scratch()?);
    let runs = Runs::new(ingest::runs_budget(&plan.config), stage.scratch()?);
    clock.end("discover");
    let (songs, inputs) = read_songs(&plan, inputs, scratch.as_deref(), control)?;
    let partitions = emit::songs(&songs.catalogue, &plan.config, &stage, control)?;
    clock.end("songs");

    let facts = || {
        let (mut inputs, finished) = read_logs(&plan, inputs, songs, runs, scratch.as_deref(), control)?;
        inputs.write_rejects(stage.quarantine(), &mut |name, bytes| stage.put_reject(name, bytes))?;
        judge::accept(&plan, &inputs)?;
        clock.end("logs");
        let emitted = emit::tables(&finished, &plan.config, &stage, control)?;
        clock.end("write");
        Ok((inputs, emitted))
    };
    // Bringing many files to the disk is waiting, and so it passes while the logs are read.
    let (facts, settled) =
        if partitions > FEW_FILES { threads::both(facts, || stage.settle())? } else { (facts(), Ok(())) };
    let (inputs, mut emitted) = facts?;
    settled?;
    emitted.partitions.insert(Table::Songs, partitions);
    control.begin(At::Commit, 0);
    let outcome = emitted.told(inputs.outcome(&plan));
    let statement = Statement {
        committed_at: report.started_at.clone(),
        options: plan.config.shaping(),
        input: ledger::of(&plan, &inputs),
        outcome: (plan.config.deciding(), outcome.clone()),
    };
    let published = stage.seal()?.commit(statement, &control.cancel)?.publish(&control.cancel)?;
    clock.end("commit");
    for (table, state) in &published.tables {
        let TableState { written, unchanged, removed, .. } = state;
        let name = table.name();
        control
            .note(Level::Info, || format!("{name}: {written} files written, {unchanged} unchanged, {removed} removed"));
    }
    control.begin(At::Done, 0);
    Ok(report.published(&plan, &inputs, outcome, &published, clock).with_stores(&stores))
}

/// What a run would say and publish, when the newest version of the lake was made by this very program from these very
/// files, with options that decide the same, and lies there as it was published: then there is nothing to do.
fn known(plan: &Plan, inputs: &Inputs, stage: &Stage) -> Option<(Outcome, Published)> {
    let record = stage.lake().record().filter(|_| !plan.config.rebuild)?;
    let outcome = record.outcomes.get(&plan.config.deciding())?;
    let is_known = record.package == env!("CARGO_PKG_VERSION")
        && record.options == plan.config.shaping()
        && ledger::is_same(plan, inputs, record);
    if is_known { Some((outcome.clone(), stage.standing()?)) } else { None }
}

/// Reads the input and returns the tables instead of writing them.
///
/// # Errors
/// As [`run`]; no output is needed or touched.
pub fn build(config: Config, control: &Control<'_>) -> Result<(Star, Report)> {
    let mut clock = StageClock::start();
    let stores = Stores::new(&config.store, &control.cancel);
    let plan = Plan::new(config, false, &stores)?;
    let report = Report::begin(&plan.config);
    let scratch = tempfile::tempdir().map_err(|error| {
        Error::new(ErrorKind::Storage, "no folder for scratch files").cause(error.to_string()).hint("set TMPDIR")
    })?;
    let runs = Runs::new(ingest::runs_budget(&plan.config), scratch.path().to_owned());
    let inputs = list_all(&plan, &stores, control)?;
    clock.end("discover");
    let (songs, inputs) = read_songs(&plan, inputs, None, control)?;
    clock.end("songs");
    let (inputs, finished) = read_logs(&plan, inputs, songs, runs, None, control)?;
    judge::accept(&plan, &inputs)?;
    clock.end("logs");
    let (star, plays) = star::build(&finished, &plan.config, control)?;
    clock.end("write");
    let outcome = Emitted { plays, ..Emitted::default() }.told(inputs.outcome(&plan));
    let report = report.built(&plan, &inputs, outcome, &star, clock).with_stores(&stores);
    Ok((star, report))
}

/// Lists what [`run`] would read and names what it would write; writes nothing.
///
/// # Errors
/// As [`run`] up to listing.
pub fn preview(config: Config, control: &Control<'_>) -> Result<Preview> {
    let stores = Stores::new(&config.store, &control.cancel);
    let plan = Plan::new(config, true, &stores)?;
    let inputs = list_all(&plan, &stores, control)?;
    Preview::new(&plan, &inputs, &stores)
}

/// Compares the lake that the configuration names with its log; changes nothing.
///
/// # Errors
/// [`ErrorKind::NoInput`] when there is no lake, the place's errors otherwise. Files that are not as the log says are
/// no error: the result tells them.
pub fn check(config: &Config, control: &Control<'_>) -> Result<Checkup> {
    let stores = Stores::new(&config.store, &control.cancel);
    commit::check(&Plan::output_root(config)?, &stores, &control.cancel)
}

/// Tells the newest version of the lake that the configuration names, from its log alone.
///
/// # Errors
/// As [`check`].
pub fn status(config: &Config, control: &Control<'_>) -> Result<Status> {
    let stores = Stores::new(&config.store, &control.cancel);
    commit::status(&Plan::output_root(config)?, &stores)
}

/// Publishes what an earlier run committed and did not finish; returns what the lake is then.
///
/// # Errors
/// As [`check`], and what stops a run from publishing.
pub fn recover(config: &Config, control: &Control<'_>) -> Result<Checkup> {
    let stores = Stores::new(&config.store, &control.cancel);
    let location = Plan::output_root(config)?;
    let found = commit::check(&location, &stores, &control.cancel)?;
    if found.is_published {
        return Ok(found);
    }
    drop(Lake::open(&location, &stores, &control.cancel)?);
    commit::check(&location, &stores, &control.cancel)
}

/// What the song files say.
struct Songs {
    catalogue: Catalogue,
    artists: ArtistsPartial,
}

fn read_songs(
    plan: &Plan,
    mut inputs: Inputs,
    scratch: Option<&Path>,
    control: &Control<'_>,
) -> Result<(Songs, Inputs)> {
    for (content, listing, _) in inputs.each() {
        let files = listing.files.len();
        control.note(Level::Info, || format!("{}: {files} files, {} bytes", content.name(), listing.bytes()));
    }
    control.begin(At::Songs, inputs.songs.bytes());
    let (songs, artists, account) = ingest::songs(&inputs.songs, &plan.config, scratch, control)?;
    inputs.song_account = account;
    Ok((Songs { catalogue: Catalogue::new(songs.finish(), plan.config.matching), artists }, inputs))
}

/// From the listed logs to the finished dimensions and the sorted plays.
fn read_logs(
    plan: &Plan,
    mut inputs: Inputs,
    songs: Songs,
    runs: Runs,
    scratch: Option<&Path>,
    control: &Control<'_>,
) -> Result<(Inputs, Finished)> {
    let config = &plan.config;
    let Songs { catalogue, artists } = songs;
    control.begin(At::Logs, inputs.logs.bytes());
    let (people, account) = ingest::plays(&inputs.logs, config, &catalogue, &runs, scratch, control)?;
    inputs.log_account = account;
    for (content, _, account) in inputs.each() {
        control.note(Level::Info, || format!("{}: {}", content.name(), judge::records(account)));
    }
    let mut dimensions = Vec::new();
    if config.tables.contains(&Table::Artists) {
        dimensions.push(artists::columns(&artists.finish()));
    }
    if config.tables.contains(&Table::Users) {
        dimensions.push(users::columns(&users::finish(&people)));
    }
    Ok((inputs, Finished { catalogue, dimensions, cast: Cast::new(people), runs: runs.finish() }))
}

fn list_all(plan: &Plan, stores: &Stores, control: &Control<'_>) -> Result<Inputs> {
    control.begin(At::Discover, 0);
    let list = |source: &Option<Source>| -> Result<Listing> {
        source.as_ref().map_or_else(
            || Ok(Listing::default()),
            |source| discover::list(source, plan.config.threads, stores, &control.cancel),
        )
    };
    // Side by side: in a bucket listing is waiting.
    let mut listings =
        threads::on_each(2, |content| list(if content == 0 { &plan.songs } else { &plan.logs }))?.into_iter();
    let mut next = || listings.next().unwrap_or_else(|| Ok(Listing::default()));
    Ok(Inputs { songs: next()?, logs: next()?, ..Inputs::default() })
}
