//! Executes shards on a worker.
//!
//! A worker uses the same code as a local run, on a part of the input, so the rules for rows and files exist only once.
//! A worker reads input, stages files and returns results; it never commits.
//!
//! Invariant: the same shard gives the same table files, byte for byte, and results that merge to the same tables.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;

use crate::config::{Config, Settings};
use crate::distributed::protocol::{
    FailedCheck, FinishedMonth, MonthWork, Shard, ShardFiles, ShardResult, ShardWork, StagedBlob, WorkerFailure,
};
use crate::distributed::shuffle::{MonthPlays, ShuffleFile};
use crate::distributed::{protocol, shuffle};
use crate::doctor;
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::state_files;
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
use crate::transform::external_sort::RunBuffer;
use crate::transform::extract::{Extractor, LogsRead, PlayTarget};
use crate::transform::finished_tables::{FinishedTables, MonthResult};
use crate::transform::{extract, write_tables};

/// Upper bound for a result that is returned directly. A larger one is put into the stage, because the leader receives
/// results in memory.
const MAX_RETURNED_BYTES: usize = 4 << 20;

/// Upper bound for the shuffle files that are opened at the same time; in a bucket, opening is mostly waiting.
const MAX_PARALLEL_OPENS: usize = 8;

/// Executes a shard; `secrets` are credentials, if there are any. Errors become part of the result.
///
/// # Errors
/// Only [`ErrorKind::Interrupted`].
pub fn work(shard: &[u8], secrets: Settings, context: &Context<'_>) -> Result<Vec<u8>> {
    let decode = || -> Result<(Shard, Config)> {
        let (package, shard) = (package_of(shard), serde_json::from_slice::<Shard>(shard));
        if package.as_deref() != Some(env!("CARGO_PKG_VERSION")) {
            let leader = package.unwrap_or_else(|| "another release".to_owned());
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("a worker has sparkify-lake {}, but the run is led by {leader}", env!("CARGO_PKG_VERSION")),
            )
            .hint("install the same version of the package on every worker"));
        }
        let shard = shard.map_err(|error| {
            Error::new(ErrorKind::Internal, "a worker received bytes that are not a shard").cause(error.to_string())
        })?;
        let mut settings: Settings = shard.options.clone().into_iter().collect();
        settings.extend(secrets);
        let config = Config::from_settings(&settings)?;
        Ok((shard, config))
    };
    let result = decode().and_then(|(shard, config)| process(&shard, &config, context));
    match result {
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        Err(error) => protocol::to_bytes(&ShardResult::Failed(WorkerFailure::from(&error)), &[]),
        Ok(bytes) => Ok(bytes),
    }
}

/// The version of the package that made a shard. It is read separately, because the shards of another release may have
/// another format.
fn package_of(shard: &[u8]) -> Option<String> {
    let shard: serde_json::Value = serde_json::from_slice(shard).ok()?;
    Some(shard.get("package")?.as_str()?.to_owned())
}

/// Executes a shard that this release made; returns the encoded result.
///
/// # Errors
/// Those of the tasks, and [`ErrorKind::Output`] when this machine does not see the stage of the run.
pub(crate) fn process(shard: &Shard, config: &Config, context: &Context<'_>) -> Result<Vec<u8>> {
    let stores = Stores::new(&config.store, &context.cancel);
    let lake = Location::parse("output", &shard.lake)?;
    if let ShardWork::Examine(probe) = &shard.work {
        return examine(probe.as_deref(), &shard.lake, config, context);
    }
    let staging = WorkerStaging::open(&lake, &shard.run, config, &stores)?;
    let worker = Worker { config, staging: &staging, stores: &stores, context };
    let (result, attachments) = match &shard.work {
        ShardWork::Songs(files) => worker.songs(files)?,
        ShardWork::Plays(files, months) => (worker.plays(files, months.as_deref())?, vec![]),
        ShardWork::Month(work) => {
            let result = worker.month(work)?;
            return finish_month(work, &result, staging);
        }
        ShardWork::Examine(_) => return Err(Error::new(ErrorKind::Internal, "a shard has an unexpected task")),
    };
    let bytes = protocol::to_bytes(&result, &attachments)?;
    if bytes.len() <= MAX_RETURNED_BYTES {
        return Ok(bytes);
    }
    let name = staging.put_blob("results", &bytes)?;
    protocol::to_bytes(&ShardResult::StagedBlob(StagedBlob(name, sha256(&bytes))), &[])
}

/// Checks that this worker reaches the lake, and sees the leader's file `probe`.
fn examine(probe: Option<&str>, lake: &str, config: &Config, context: &Context<'_>) -> Result<Vec<u8>> {
    must_be_shared(probe)?;
    let found = doctor::examine(config, lake, context)?;
    let has_failed = |check: &&doctor::Check| check.outcome == doctor::CheckStatus::Failed;
    let failed = found.checks.iter().filter(has_failed).map(|check| FailedCheck {
        name: check.name.to_owned(),
        detail: check.detail.clone(),
        exit_code: found.exit_code,
    });
    protocol::to_bytes(&ShardResult::Examined(failed.collect()), &[])
}

/// Everything that a task needs in addition to its shard.
struct Worker<'w> {
    config: &'w Config,
    staging: &'w WorkerStaging,
    stores: &'w Stores,
    context: &'w Context<'w>,
}

impl Worker<'_> {
    fn extractor(&self) -> Extractor<'_> {
        Extractor { config: self.config, scratch: Some(self.staging.scratch()), context: self.context }
    }

    /// Returns the files of a shard as a listing.
    fn listing(&self, files: &ShardFiles) -> Result<Listing> {
        let bucket = files.bucket.as_deref().map(|bucket| self.stores.open(bucket)).transpose()?;
        let listed: Vec<InputFile> =
            files.files.iter().map(|file| file.listed(bucket.is_none())).collect::<Result<_>>()?;
        Ok(Listing { files: listed.into(), bucket, ..Listing::default() })
    }

    /// Reads song files: their records, sorted by file.
    fn songs(&self, files: &ShardFiles) -> Result<(ShardResult, Vec<Bytes>)> {
        let listing = self.listing(files)?;
        let selected = SelectedFiles { listing: &listing, selection: &listing.all() };
        let (read, stats) = self.extractor().songs(selected)?;
        let mut records = read.records;
        records.sort_by_key(|record| (record.file, record.offset));
        let stats = self.write_rejects(stats, "songs", files, &listing)?;
        Ok((ShardResult::Songs(stats, records.len() as u64), vec![state_files::songs_to_bytes(&records)?]))
    }

    /// Reads log files, and writes their plays to a shuffle file in the stage.
    fn plays(&self, files: &ShardFiles, months: Option<&[String]>) -> Result<ShardResult> {
        let listing = self.listing(files)?;
        let wanted: Option<BTreeSet<Month>> =
            months.map(|months| months.iter().filter_map(|month| Month::parse(month)).collect());
        let runs = RunBuffer::new(extract::runs_budget(self.config), self.staging.scratch().to_owned());
        // The task of a month finds the songs: one lookup per track of a month, not one per track of a shard.
        let no_songs = SongIndex::new(Vec::new(), self.config.matching);
        let target = PlayTarget { songs: &no_songs, runs: &runs, months: wanted.as_ref() };
        let selected = SelectedFiles { listing: &listing, selection: &listing.all() };
        let mut read = LogsRead::default();
        self.extractor().plays(selected, target, &mut read)?;
        let draft = self.staging.draft()?;
        let plays_by_month = shuffle::write(&runs.finish(), &read.dictionaries, draft.as_file())?;
        let shuffled = if plays_by_month.is_empty() {
            None
        } else {
            let (name, size) = self.staging.put_blob_file("plays", draft)?;
            Some(ShuffleFile { name, size, months: plays_by_month })
        };
        let stats = self.write_rejects(read.stats, "logs", files, &listing)?;
        let months = read.months.iter().map(|(file, month)| (*file, month.to_string())).collect();
        Ok(ShardResult::Plays(stats, months, shuffled))
    }

    /// Writes the rejects of a shard; returns the statistics without them.
    fn write_rejects(
        &self,
        mut stats: ReadStats,
        kind: &str,
        files: &ShardFiles,
        listing: &Listing,
    ) -> Result<ReadStats> {
        let name = format!("{kind}-{:05}", files.number);
        let shown = |file| listing.shown(file).unwrap_or_default();
        let mut put = |name: &str, bytes: &[u8]| self.staging.put_reject(name, bytes);
        stats.has_written = stats.write_rejects(&name, &shown, &mut put)?;
        Ok(stats.closed(|file| file))
    }

    /// Writes the files of a month.
    fn month(&self, work: &MonthWork) -> Result<MonthResult> {
        let month = Month::parse(&work.month).ok_or_else(|| invalid_month(&work.month))?;
        let StagedBlob(name, checksum) = &work.songs;
        let mut songs = SongsPartial::default();
        let rows = self.staging.read_blob(name, checksum)?;
        for record in state_files::songs_from_bytes(rows, std::iter::once((0, work.song_rows)))? {
            songs.add(&record.song());
        }
        let index = SongIndex::new(songs.finish(), self.config.matching);
        let parts = for_tasks(
            MAX_PARALLEL_OPENS,
            work.files.len(),
            &self.context.cancel,
            |_| MonthPlays::default(),
            |plays: &mut MonthPlays, number| {
                let Some(file) = work.files.get(number) else { return Ok(()) };
                let blob = self.staging.open_blob(&file.name)?;
                plays.merge(MonthPlays::open(&blob, file.size, month, &index, self.staging.scratch())?);
                Ok(())
            },
            |_| Ok(()),
        )?;
        let mut plays = MonthPlays::default();
        for part in parts {
            plays.merge(part);
        }
        let (runs, dictionaries) = plays.finish();
        let dictionary = PlayDictionary::new(dictionaries);
        let finished = FinishedTables { index, dimensions: Vec::new(), dictionary, runs };
        let results = write_tables::tables(&finished, self.config, self.staging, self.context)?;
        <[MonthResult; 1]>::try_from(results).map(|[result]| result).map_err(|_| invalid_month(&work.month))
    }
}

fn invalid_month(month: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("a shard cannot write the month {month:?}"))
}

/// Encodes the result of a month with the files that are staged.
fn finish_month(work: &MonthWork, result: &MonthResult, staging: WorkerStaging) -> Result<Vec<u8>> {
    let mut attachments =
        vec![state_files::users_to_bytes(&result.users)?, state_files::tracks_to_bytes(&result.tracks)?];
    if !result.history.is_empty() {
        attachments.push(state_files::history_to_bytes(&result.history)?);
    }
    let finished = FinishedMonth { month: work.month.clone(), plays: result.plays, files: staging.into_entries() };
    protocol::to_bytes(&ShardResult::Month(finished), &attachments)
}

/// Checks that this worker sees a file that the leader has created on its disk.
///
/// # Errors
/// [`ErrorKind::Output`] if it does not.
fn must_be_shared(probe: Option<&str>) -> Result<()> {
    match probe.filter(|probe| !Path::new(probe).exists()) {
        None => Ok(()),
        Some(probe) => Err(Error::new(ErrorKind::Output, "a worker does not see the leader's disk")
            .cause(format!("{probe} does not exist on the worker"))
            .hint("use a lake in a bucket, or on a disk that all workers share")),
    }
}
