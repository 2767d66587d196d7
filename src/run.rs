//! The job as an outline. The only file that knows the order of the stages.
//!
//! ```text
//! plan ── lock │ discover ── songs ─┬─ logs ── (accept?) ── write ── commit ── report
//!                                   └─ write songs, on to the disk
//! ```
//!
//! Invariant: every file is staged, and every refusal made, before a file is published.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::{self, Copies};
use crate::arrivals::{self, Overview};
use crate::commit::base::Base;
use crate::commit::{self, Checkup, Lake, OVERTAKEN, Stage, Statement, TableState};
use crate::config::Config;
use crate::discover::{self, Listing};
use crate::emit;
use crate::error::{Error, ErrorKind, Result};
use crate::increment::{self, Start};
use crate::ingest::{self, Control};
use crate::judge::{self, Inputs};
use crate::ledger;
use crate::load::{self, Desk};
use crate::outcome::Outcome;
use crate::plan::{Plan, Source};
use crate::preview::Preview;
use crate::progress::{Level, Stage as At};
use crate::report::{Report, StageClock};
use crate::runs::Runs;
use crate::schema::Table;
use crate::star::{self, Star};
use crate::store::stores::Stores;
use crate::threads;

/// So often a run that lost its version to another plans again.
const TRIES: u32 = 4;

/// So many files are brought to the disk in a moment.
const FEW_FILES: u64 = 1000;

/// Runs the job: reads the input, or what has changed of it, writes the tables, publishes them.
///
/// # Errors
/// See [`ErrorKind`]; whatever it is, the tables are as they were, unless the message says otherwise.
pub fn run(config: Config, control: &Control<'_>) -> Result<Report> {
    let stores = Stores::new(&config.store, &control.cancel);
    let plan = Plan::new(config, true, &stores)?;
    let mut whole = None;
    for tries in 1.. {
        match attempt(&plan, &stores, whole.clone(), control) {
            Ok(Some(report)) => return Ok(report),
            Ok(None) => whole = Some("the state that earlier runs left is missing or damaged".to_owned()),
            // What the other run did may be what this one has to build upon: see what is left to do.
            Err(error) if tries < TRIES && error.context_values().iter().any(|(name, _)| *name == OVERTAKEN) => {
                control.note(Level::Info, || format!("{}: planning again", error.message()));
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::Internal, "a run came to no end"))
}

/// One attempt at a run; `whole` says why all of the input is read, if it has to be. `None` when it builds upon a state
/// that turns out to be missing.
fn attempt(plan: &Plan, stores: &Stores, whole: Option<String>, control: &Control<'_>) -> Result<Option<Report>> {
    let (mut report, mut clock) = (Report::begin(&plan.config), StageClock::start());
    if let Some(executor) = control.executor {
        executor.name().clone_into(&mut report.executor);
    }
    let output = plan.output.clone().ok_or_else(|| Error::new(ErrorKind::Internal, "the plan has no output"))?;
    let config = &plan.config;
    let folders: Vec<(Table, String)> = config
        .tables
        .iter()
        .filter_map(|table| config.folders.get(table).map(|folder| (*table, folder.clone())))
        .collect();
    let open = || {
        let lake = Lake::open(&output, stores, &control.cancel)?;
        Stage::begin(lake, &report.run_id, &folders, config.adopt)
    };
    // Side by side: in a bucket both are waiting. What is wrong with the lake is said first.
    let (inputs, stage) = threads::both(|| list_all(plan, stores, control), open)?;
    let (stage, mut inputs) = (stage?, inputs?);
    increment::restrict(plan, &mut inputs, stage.lake().record())?;
    let copies = archive::take(plan, &mut inputs, &stage, control)?;
    let start = whole.map_or_else(
        || increment::begin(plan, &inputs, stage.lake().record(), || stage.standing().is_some()),
        |reason| Start::Whole(Some(reason)),
    );
    let increment = match &start {
        Start::Part(increment) => Some(&**increment),
        Start::Whole(reason) => {
            report.rebuilt.clone_from(reason);
            None
        }
    };
    if let Some(increment) = increment.filter(|increment| increment.is_idle() && !copies.is_news)
        && let Some(standing) = stage.standing()
    {
        clock.end("discover");
        control.note(Level::Info, || format!("nothing has changed since version {}", standing.version));
        control.begin(At::Done, 0);
        (inputs.song_selection, inputs.log_selection) = (Some([].into()), Some([].into()));
        let outcome = increment.outcome.clone();
        return Ok(Some(report.published(plan, &inputs, outcome, &standing, clock).with_stores(stores)));
    }
    ledger::outwait_fresh_files(&inputs, &report.started_at);
    ledger::must_not_shrink(plan, &inputs, stage.lake().record())?;
    let scratch = stage.scratch()?;
    clock.end("discover");
    let desk = Desk { plan, increment, stage: &stage, copies: &copies, scratch: &scratch, control };
    let Some((songs, inputs)) = load::songs(&desk, inputs)? else { return Ok(None) };
    let partitions = emit::songs(&songs.catalogue, songs.partitions(), config, &stage, control)?;
    clock.end("songs");

    let facts = || {
        let runs = Runs::new(ingest::runs_budget(config), scratch.clone());
        let Some((logs, mut inputs)) = load::logs(&desk, inputs, &songs, runs)? else { return Ok(None) };
        inputs.write_rejects(stage.quarantine(), &mut |name, bytes| stage.put_reject(name, bytes))?;
        let before = (increment.map(|increment| increment.base), stage.lake().record());
        let ledgers = ledger::of(plan, &inputs, before, &copies, &report.run_id);
        let mut outcome = ledger::outcome(plan, &inputs, &ledgers, increment.map(|increment| increment.outcome));
        tell_records(&outcome, control);
        judge::accept(plan, &inputs, &outcome, &ledgers)?;
        clock.end("logs");
        let Some(mut left) = load::write(plan, songs, logs, increment, &stage, control)? else { return Ok(None) };
        left.packs.clone_from(&copies.packs);
        clock.end("write");
        increment::tell(&mut outcome, &left, &config.tables, partitions);
        Ok(Some((inputs, ledgers, outcome, left)))
    };
    // Bringing many files to the disk is waiting, and so it passes while the logs are read.
    let (facts, settled) =
        if partitions > FEW_FILES { threads::both(facts, || stage.settle())? } else { (facts(), Ok(())) };
    let Some((inputs, input, outcome, left)) = facts? else { return Ok(None) };
    settled?;
    control.begin(At::Commit, 0);
    let base = Base {
        tables: BTreeSet::new(),
        listed_at: report.started_at.clone(),
        input,
        outcomes: BTreeMap::from([(config.deciding(), outcome.clone())]),
        state: left,
    };
    drop(start);
    let statement = Statement { committed_at: report.started_at.clone(), options: config.shaping(), base };
    let published = stage.seal()?.commit(statement, &control.cancel)?.publish(&control.cancel)?;
    clock.end("commit");
    for (table, state) in &published.tables {
        let TableState { written, unchanged, removed, .. } = state;
        let name = table.name();
        control
            .note(Level::Info, || format!("{name}: {written} files written, {unchanged} unchanged, {removed} removed"));
    }
    control.begin(At::Done, 0);
    Ok(Some(report.published(plan, &inputs, outcome, &published, clock).with_stores(stores)))
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
    let mut inputs = list_all(&plan, &stores, control)?;
    increment::restrict(&plan, &mut inputs, None)?;
    clock.end("discover");
    let (finished, inputs) = load::all(&plan, inputs, runs, &mut clock, control)?;
    let ledgers = ledger::of(&plan, &inputs, (None, None), &Copies::default(), &report.run_id);
    let mut outcome = ledger::outcome(&plan, &inputs, &ledgers, None);
    tell_records(&outcome, control);
    judge::accept(&plan, &inputs, &outcome, &ledgers)?;
    clock.end("logs");
    let (star, plays) = star::build(&finished, &plan.config, control)?;
    clock.end("write");
    outcome.plays = plays;
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
    let mut inputs = list_all(&plan, &stores, control)?;
    Preview::new(&plan, &mut inputs, &stores)
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

/// Tells the newest version of the lake that the configuration names, from its log alone; and what has arrived since,
/// if the configuration names an input.
///
/// # Errors
/// As [`check`], and for an input as [`run`] up to listing.
pub fn status(config: Config, control: &Control<'_>) -> Result<Overview> {
    let stores = Stores::new(&config.store, &control.cancel);
    let (status, record) = commit::status(&Plan::output_root(&config)?, &stores)?;
    let mut overview = Overview::new(status, &record);
    if config.input.is_some() || config.song_data.is_some() || config.log_data.is_some() {
        let plan = Plan::new(config, true, &stores)?;
        let inputs = list_all(&plan, &stores, control)?;
        overview.input = Some(arrivals::since(&plan, &inputs, &record));
    }
    Ok(overview)
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

fn tell_records(outcome: &Outcome, control: &Control<'_>) {
    for (content, records) in &outcome.records {
        control.note(Level::Info, || format!("{content}: {records}"));
    }
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
