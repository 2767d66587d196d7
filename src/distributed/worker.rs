//! What a worker does with a shard: the kernels.
//!
//! They are the stages of a local run, on a part of its input: nothing of what makes a row or a file is written twice.
//! A worker reads input, stages files and tells; it commits nothing.
//!
//! Invariant: the same shard gives the same tables' files, byte for byte, and partials that merge to the same.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;

use crate::config::{Config, Settings};
use crate::distributed::protocol::{
    FailedCheck, Files, FinishedMonth, MonthWork, Shard, ShardResult, ShardWork, StagedBlob, WorkerFailure,
};
use crate::distributed::shuffle::Gathering;
use crate::distributed::{protocol, shuffle};
use crate::doctor;
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::state_files;
use crate::input::duplicate_files::SameSized;
use crate::input::list::{InputFile, Listing, SelectedFiles};
use crate::lake::WorkerStaging;
use crate::lake::commit_record::sha256;
use crate::location::Location;
use crate::quality::read_stats::ReadStats;
use crate::runtime::context::Context;
use crate::runtime::threads::for_tasks;
use crate::s3::stores::Stores;
use crate::tables::play_dictionary::PlayDictionary;
use crate::tables::song_index::SongIndex;
use crate::tables::songs::SongsPartial;
use crate::tables::time::Month;
use crate::transform::extract::{Extractor, LogsRead, PlayTarget};
use crate::transform::sorted_runs::RunBuffer;
use crate::transform::write_tables::FinishedTables;
use crate::transform::{extract, write_tables};

/// A result above this size is left in the stage: whoever leads the run takes results in by memory.
const CARRIED: usize = 4 << 20;

/// Files of plays that are opened at the same time: in a bucket that is waiting.
const OPENED: usize = 8;

/// Works on a shard; `secrets` are credentials, if any were given. What goes wrong is told in the result.
///
/// # Errors
/// [`ErrorKind::Interrupted`] alone.
pub fn work(shard: &[u8], secrets: Settings, context: &Context<'_>) -> Result<Vec<u8>> {
    let read = || -> Result<(Shard, Config)> {
        let (package, shard) = (version_of(shard), serde_json::from_slice::<Shard>(shard));
        if package.as_deref() != Some(env!("CARGO_PKG_VERSION")) {
            let leader = package.unwrap_or_else(|| "another release".to_owned());
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("a worker has sparkify-lake {}, but the run is led by {leader}", env!("CARGO_PKG_VERSION")),
            )
            .hint("install the same version of the package on every worker"));
        }
        let shard = shard.map_err(|error| {
            Error::new(ErrorKind::Internal, "a worker was handed something else than a shard").cause(error.to_string())
        })?;
        let mut settings: Settings = shard.options.clone().into_iter().collect();
        settings.extend(secrets);
        let config = Config::from_settings(&settings)?;
        Ok((shard, config))
    };
    let result = read().and_then(|(shard, config)| on(&shard, &config, context));
    match result {
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        Err(error) => protocol::to_bytes(&ShardResult::Failed(WorkerFailure::from(&error)), &[]),
        Ok(bytes) => Ok(bytes),
    }
}

/// The release that made a shard: read by itself, because another release's shards may look different.
fn version_of(shard: &[u8]) -> Option<String> {
    let shard: serde_json::Value = serde_json::from_slice(shard).ok()?;
    Some(shard.get("package")?.as_str()?.to_owned())
}

/// Works on a shard of a run that is led by this release.
///
/// # Errors
/// The kernels'.
pub fn on(shard: &Shard, config: &Config, context: &Context<'_>) -> Result<Vec<u8>> {
    let stores = Stores::new(&config.store, &context.cancel);
    let lake = Location::parse("output", &shard.lake)?;
    if let ShardWork::Examine(probe) = &shard.work {
        must_be_shared(probe.as_deref())?;
        let found = doctor::examine(config, &shard.lake, context)?;
        let is_bad = |check: &&doctor::Check| check.outcome == doctor::CheckStatus::Failed;
        let seen = found.checks.iter().filter(is_bad).map(|check| FailedCheck {
            name: check.name.to_owned(),
            detail: check.detail.clone(),
            exit_code: found.exit_code,
        });
        return protocol::to_bytes(&ShardResult::Examined(seen.collect()), &[]);
    }
    let outpost = WorkerStaging::open(&lake, &shard.run, &config.folders, &stores)?;
    let (told, behind) = match &shard.work {
        ShardWork::Songs(files) => songs(files, config, &outpost, &stores, context)?,
        ShardWork::Plays(files, months) => {
            (plays((files, months.as_deref()), config, &outpost, &stores, context)?, vec![])
        }
        ShardWork::Month(work) => return month(work, config, outpost, context),
        ShardWork::Examine(_) => return Err(Error::new(ErrorKind::Internal, "a shard was taken for another")),
    };
    let bytes = protocol::to_bytes(&told, &behind)?;
    if bytes.len() <= CARRIED {
        return Ok(bytes);
    }
    let name = outpost.put_blob("results", &bytes)?;
    protocol::to_bytes(&ShardResult::StagedBlob(StagedBlob(name, sha256(&bytes))), &[])
}

/// The files of a shard as a listing, and which of them share their size with another file of the input.
fn listing(files: &Files, stores: &Stores) -> Result<(Listing, SameSized)> {
    let bucket = files.bucket.as_deref().map(|bucket| stores.open(bucket)).transpose()?;
    let listed: Vec<InputFile> = files.files.iter().map(|file| file.listed(bucket.is_none())).collect::<Result<_>>()?;
    let same_sized = SameSized::known(files.files.iter().map(|file| file.has_twin).collect());
    Ok((Listing { files: listed.into(), bucket, ..Listing::default() }, same_sized))
}

/// Writes the rejects of a shard, and closes its account.
fn close(
    mut account: ReadStats,
    kind: &str,
    files: &Files,
    listing: &Listing,
    outpost: &WorkerStaging,
) -> Result<ReadStats> {
    let name = format!("{kind}-{:05}", files.number);
    let shown = |file| listing.shown(file).unwrap_or_default();
    account.has_written = account.write_rejects(&name, &shown, &mut |name, bytes| outpost.put_reject(name, bytes))?;
    Ok(account.closed(|file| file))
}

/// Reads song files: their records, sorted by file.
fn songs(
    files: &Files,
    config: &Config,
    outpost: &WorkerStaging,
    stores: &Stores,
    context: &Context<'_>,
) -> Result<(ShardResult, Vec<Bytes>)> {
    let (listing, _) = listing(files, stores)?;
    let selected = SelectedFiles { listing: &listing, selection: &listing.all() };
    let (read, account) = Extractor { config, scratch: Some(outpost.scratch()), context }.songs(selected)?;
    let mut records = read.records;
    records.sort_by_key(|record| (record.file, record.offset));
    let account = close(account, "songs", files, &listing, outpost)?;
    Ok((ShardResult::Songs(account, records.len() as u64), vec![state_files::songs_to_bytes(&records)?]))
}

/// Reads log files, and leaves their plays in the stage.
fn plays(
    (files, months): (&Files, Option<&[String]>),
    config: &Config,
    outpost: &WorkerStaging,
    stores: &Stores,
    context: &Context<'_>,
) -> Result<ShardResult> {
    let (listing, same_sized) = listing(files, stores)?;
    let wanted: Option<BTreeSet<Month>> =
        months.map(|months| months.iter().filter_map(|month| Month::parse(month)).collect());
    let runs = RunBuffer::new(extract::runs_budget(config), outpost.scratch().to_owned());
    // Songs are looked for where the month is made: one lookup a track of a month, not one a track of a shard.
    let nothing = SongIndex::new(Vec::new(), config.matching);
    let mut read = LogsRead::default();
    let same_sized = (!config.allow_duplicates).then_some(same_sized);
    let selected = SelectedFiles { listing: &listing, selection: &listing.all() };
    let target = PlayTarget { songs: &nothing, runs: &runs, months: wanted.as_ref() };
    Extractor { config, scratch: Some(outpost.scratch()), context }.plays(selected, target, same_sized, &mut read)?;
    let runs = runs.finish();
    let draft = outpost.draft()?;
    let months = shuffle::write(&runs, &read.people, draft.as_file())?;
    let shuffled = if months.is_empty() {
        None
    } else {
        let (name, size) = outpost.put_blob_file("plays", draft)?;
        Some(shuffle::ShuffleFile { name, size, months })
    };
    let account = close(read.stats, "logs", files, &listing, outpost)?;
    let months = read.months.iter().map(|(file, month)| (*file, month.to_string())).collect();
    Ok(ShardResult::Plays(account, months, shuffled))
}

/// Makes the files of a month.
fn month(work: &MonthWork, config: &Config, outpost: WorkerStaging, context: &Context<'_>) -> Result<Vec<u8>> {
    let unlike = || Error::new(ErrorKind::Internal, format!("{:?} is not a month", work.month));
    let month = Month::parse(&work.month).ok_or_else(unlike)?;
    let StagedBlob(name, expected) = &work.songs;
    let mut songs = SongsPartial::default();
    let rows = outpost.read_blob(name, expected)?;
    for record in state_files::songs_from_bytes(rows, std::iter::once((0, work.song_rows)))? {
        songs.add(&record.song());
    }
    let catalogue = SongIndex::new(songs.finish(), config.matching);
    let parts = for_tasks(
        OPENED,
        work.files.len(),
        &context.cancel,
        |_| Gathering::default(),
        |gathering: &mut Gathering, number| {
            let Some(file) = work.files.get(number) else { return Ok(()) };
            let blob = outpost.open_blob(&file.name)?;
            gathering.merge(Gathering::open(&blob, file.size, month, &catalogue, outpost.scratch())?);
            Ok(())
        },
        |_| Ok(()),
    )?;
    let mut gathering = Gathering::default();
    for part in parts {
        gathering.merge(part);
    }
    let (runs, people) = gathering.finish();
    let finished =
        FinishedTables { index: catalogue, dimensions: Vec::new(), dictionary: PlayDictionary::new(people), runs };
    let told = write_tables::tables(&finished, config, &outpost, context)?;
    let [told] = &told[..] else { return Err(unlike()) };
    let behind = [state_files::users_to_bytes(&told.users)?, state_files::tracks_to_bytes(&told.tracks)?];
    let made = FinishedMonth { month: work.month.clone(), plays: told.plays, files: outpost.into_entries() };
    protocol::to_bytes(&ShardResult::Month(made), &behind)
}

/// Sees that a worker sees what the leader has put on its disk.
///
/// # Errors
/// [`ErrorKind::Output`] when it does not.
fn must_be_shared(probe: Option<&str>) -> Result<()> {
    match probe.filter(|probe| !Path::new(probe).exists()) {
        None => Ok(()),
        Some(probe) => Err(Error::new(ErrorKind::Output, "a worker does not see the leader's disk")
            .cause(format!("{probe} is not there"))
            .hint("workers on several machines need a lake in a bucket, or on a disk that all of them share")),
    }
}
