//! The leader of a distributed run: splits the work into shards for an [`Executor`] and merges the results.
//!
//! ```text
//!  song files ──┬─ shard ─┬── records ──────────── songs, artists          (built by the leader)
//!               └─ shard ─┘                          │ rows of songs, once in the stage
//!  log files  ──┬─ shard ─┬── plays, by month ──┬─ month ─┬── files of time and songplays (staged by workers)
//!               └─ shard ─┘   (in the stage)    └─ month ─┘   users, history, tracks
//! ```
//!
//! One worker writes a month, from the plays of all shards that have plays of it. So ids and the time table are the same
//! as in a local run, file by file. The leader holds the lock of the lake, merges results in any order, and commits.
//!
//! Invariant: a result counts exactly once, even if a shard runs several times, and regardless of the order of results.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::distributed::protocol::{self, FileWork, MonthWork, Shard, ShardFiles, ShardResult, ShardWork, StagedBlob};
use crate::distributed::shuffle::ShuffleFile;
use crate::distributed::{split, worker};
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::state_files;
use crate::input::list::{Listing, SelectedFiles};
use crate::input::sources::JobSpec;
use crate::lake::Stage;
use crate::lake::commit_record::sha256;
use crate::location::Location;
use crate::quality::read_stats::ReadStats;
use crate::runtime::context::Context;
use crate::runtime::executor::Executor;
use crate::runtime::progress::{Level, Phase};
use crate::tables::song_record::SongRecord;
use crate::tables::songs::SongRow;
use crate::tables::time::Month;
use crate::transform::extract::{LogsRead, SongsRead};
use crate::transform::finished_tables::MonthResult;
use crate::transform::write_tables;

/// The leader reads song files itself if their weight is less than this.
const MIN_SHARDED_SONG_BYTES: u64 = 512 << 20;

/// The leader of a run with an executor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leader<'l> {
    executor: &'l dyn Executor,
    spec: &'l JobSpec,
    stage: &'l Stage,
    context: &'l Context<'l>,
}

/// The processes that can read some input files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileReach {
    /// All workers.
    Workers,
    /// Only the leader: the files are in its scratch folder.
    Leader,
}

impl<'l> Leader<'l> {
    /// Returns the leader if there is an executor.
    pub(crate) fn new(spec: &'l JobSpec, stage: &'l Stage, context: &'l Context<'l>) -> Option<Self> {
        Some(Self { executor: context.executor?, spec, stage, context })
    }

    /// Returns the leader if song files are to be read in shards: if they are large, or if a shard size is set.
    pub(crate) fn for_songs(self, files: SelectedFiles<'_>) -> Option<Self> {
        let SelectedFiles { listing, selection } = files;
        let files = selection.iter().filter_map(|index| listing.files.get(*index));
        let has_shard_size = self.spec.config.shard_size.is_some();
        (has_shard_size || split::weight(files) >= MIN_SHARDED_SONG_BYTES).then_some(self)
    }

    /// Reads song files.
    ///
    /// # Errors
    /// Executor errors, and those of [`crate::transform::extract::Extractor::songs`].
    pub(crate) fn songs(&self, files: SelectedFiles<'_>, reach: FileReach) -> Result<(SongsRead, ReadStats)> {
        let listing = files.listing;
        let shards = self.split(files);
        let work =
            shards.iter().enumerate().map(|(number, files)| Ok(ShardWork::Songs(files_of(listing, files, number)?)));
        let (mut read, mut stats, mut records) = (SongsRead::default(), ReadStats::default(), BTreeMap::new());
        self.run_shards(work.collect::<Result<_>>()?, reach, &mut |number, result, attachments| {
            let (ShardResult::Songs(shard_stats, count), Some(files)) = (result, shards.get(number)) else {
                return Err(mismatch());
            };
            let number_of = |file: usize| files.get(file).copied().unwrap_or(usize::MAX);
            let counts: Vec<(usize, u64)> =
                shard_stats.files.iter().map(|file| (number_of(file.file), file.loaded)).collect();
            let bytes = attachments.into_iter().next().ok_or_else(mismatch)?;
            let shard_records = state_files::songs_from_bytes(bytes, counts.into_iter())?;
            if shard_records.len() as u64 != count {
                return Err(mismatch());
            }
            records.insert(number, shard_records);
            self.context.add(listing.bytes_of(files));
            stats.merge(shard_stats.closed(number_of));
            Ok(())
        })?;
        // In the order of the listing, so that nothing depends on the order of the results.
        records.into_values().flatten().for_each(|record| read.add(record));
        Ok((read, stats))
    }

    /// Reads the plays of the months `wanted`, or all plays, from log files. Returns the shuffle files that contain them.
    ///
    /// # Errors
    /// Executor errors, and those of [`crate::transform::extract::Extractor::plays`].
    pub(crate) fn plays(
        &self,
        files: SelectedFiles<'_>,
        wanted: Option<&BTreeSet<Month>>,
        reach: FileReach,
        read: &mut LogsRead,
    ) -> Result<Vec<ShuffleFile>> {
        let listing = files.listing;
        let shards = self.split(files);
        let months: Option<Vec<String>> = wanted.map(|months| months.iter().map(ToString::to_string).collect());
        // Shards of all calls have different numbers, because the names of reject files contain them.
        let first = read.shards;
        read.shards += shards.len();
        let work = shards
            .iter()
            .enumerate()
            .map(|(number, files)| Ok(ShardWork::Plays(files_of(listing, files, first + number)?, months.clone())));
        let mut shuffled = BTreeMap::new();
        self.run_shards(work.collect::<Result<_>>()?, reach, &mut |number, result, _| {
            let (ShardResult::Plays(shard_stats, months, file), Some(files)) = (result, shards.get(number)) else {
                return Err(mismatch());
            };
            let number_of = |file: usize| files.get(file).copied().unwrap_or(usize::MAX);
            for (file, month) in months {
                read.months.insert((number_of(file), Month::parse(&month).ok_or_else(mismatch)?));
            }
            shuffled.extend(file.map(|file| (number, file)));
            self.context.add(listing.bytes_of(files));
            read.stats.merge(shard_stats.closed(number_of));
            Ok(())
        })?;
        Ok(shuffled.into_values().collect())
    }

    /// Has workers write all months with plays in the shuffle files `files`, and adds the written files to the stage.
    ///
    /// # Errors
    /// Executor errors, and those of [`crate::transform::write_tables::tables`].
    pub(crate) fn months(&self, files: Vec<ShuffleFile>, songs: &[SongRow]) -> Result<Vec<MonthResult>> {
        let mut months: BTreeMap<String, (u64, Vec<ShuffleFile>)> = BTreeMap::new();
        for file in &files {
            for (month, plays) in &file.months {
                let (month_plays, month_files) = months.entry(month.clone()).or_default();
                *month_plays += plays;
                // The worker does not need the counts, so they are omitted.
                month_files.push(ShuffleFile { months: BTreeMap::new(), ..file.clone() });
            }
        }
        if months.is_empty() {
            return Ok(Vec::new());
        }
        write_tables::check_partition_count(months.len())?;
        self.context.begin(Phase::Write, months.len() as u64);
        let mut scratch = String::new();
        let song_rows = songs.len() as u64;
        let songs: Vec<SongRecord> = songs.iter().map(|row| SongRecord::of_row(row, &mut scratch)).collect();
        let songs = state_files::songs_to_bytes(&songs)?;
        let checksum = sha256(&songs);
        let song_blob = StagedBlob(format!("songs/{checksum}"), checksum);
        self.stage.put_blob(&song_blob.0, &songs)?;
        // The longest months first, so that the last ones are short.
        let mut work: Vec<(u64, MonthWork)> = months
            .into_iter()
            .map(|(month, (plays, files))| (plays, MonthWork { month, files, songs: song_blob.clone(), song_rows }))
            .collect();
        work.sort_by_key(|(plays, _)| std::cmp::Reverse(*plays));
        let work = work.into_iter().map(|(_, work)| ShardWork::Month(work)).collect();
        let mut results = BTreeMap::new();
        self.run_shards(work, FileReach::Workers, &mut |_, result, attachments| {
            let ShardResult::Month(finished) = result else { return Err(mismatch()) };
            let mut attachments = attachments.into_iter();
            let (Some(users), Some(tracks)) = (attachments.next(), attachments.next()) else { return Err(mismatch()) };
            let month = Month::parse(&finished.month).ok_or_else(mismatch)?;
            finished.files.iter().try_for_each(|file| self.stage.adopt(file))?;
            let users = state_files::users_from_bytes(users)?;
            let tracks = state_files::tracks_from_bytes(tracks)?;
            let history = attachments.next().map_or_else(|| Ok(Vec::new()), state_files::history_from_bytes)?;
            results.insert(month, MonthResult { month, plays: finished.plays, users, history, tracks });
            self.context.add(1);
            Ok(())
        })?;
        let mut unneeded: Vec<String> = files.into_iter().map(|file| file.name).collect();
        unneeded.push(song_blob.0);
        self.stage.remove_blobs(&unneeded)?;
        Ok(results.into_values().collect())
    }

    fn split(&self, files: SelectedFiles<'_>) -> Vec<Vec<usize>> {
        let SelectedFiles { listing, selection } = files;
        let total = split::weight(selection.iter().filter_map(|index| listing.files.get(*index)));
        let target = split::target(total, self.executor.slots(), self.spec.config.shard_size);
        split::divide(&listing.files, selection, target)
    }

    /// Has all tasks executed. Calls `take` once per task with its number, its result and the attachments.
    fn run_shards(
        &self,
        work: Vec<ShardWork>,
        reach: FileReach,
        take: &mut dyn FnMut(usize, ShardResult, Vec<Bytes>) -> Result<()>,
    ) -> Result<()> {
        let count = work.len();
        let mut shards = Vec::with_capacity(count);
        for work in work {
            shards.push(self.shard(work)?);
        }
        let mut done = vec![false; count];
        let mut take = |number: usize, bytes: &[u8]| -> Result<()> {
            self.context.cancel.check()?;
            match done.get_mut(number) {
                None => return Err(mismatch()),
                // The shard ran twice.
                Some(true) => return Ok(()),
                Some(is_done) => *is_done = true,
            }
            let (mut result, mut attachments) = protocol::from_bytes(bytes)?;
            if let ShardResult::StagedBlob(StagedBlob(name, checksum)) = &result {
                let staged = self.stage.read_blob(name)?.filter(|bytes| sha256(bytes) == *checksum);
                let staged = staged.ok_or_else(|| {
                    Error::new(ErrorKind::Retry, "a result that a worker staged is missing or incomplete")
                        .hint("check that all workers share the disk of the lake; no table was changed, run again")
                })?;
                self.stage.remove_blobs(std::slice::from_ref(name))?;
                (result, attachments) = protocol::from_bytes(&staged)?;
            }
            match result {
                ShardResult::Failed(failure) => Err(failure.into_error()),
                result => take(number, result, attachments),
            }
        };
        if reach == FileReach::Leader {
            for (number, shard) in shards.iter().enumerate() {
                take(number, &worker::process(shard, &self.spec.config, self.context)?)?;
            }
            return Ok(());
        }
        let shards = shards.iter().map(|shard| {
            serde_json::to_vec(shard)
                .map_err(|error| Error::new(ErrorKind::Internal, "a shard cannot be encoded").cause(error.to_string()))
        });
        let name = self.executor.name();
        self.context.note(Level::Info, || format!("{name}: {count} shards on {} slots", self.executor.slots()));
        self.executor.map(shards.collect::<Result<_>>()?, &mut take)?;
        match done.iter().filter(|is_done| !**is_done).count() {
            0 => Ok(()),
            missing => {
                Err(Error::new(ErrorKind::Retry, format!("{name} returned {} of {count} results", count - missing))
                    .hint("no table was changed; run again"))
            }
        }
    }

    fn shard(&self, work: ShardWork) -> Result<Shard> {
        let lake = match &self.spec.output {
            Some(Location::Local(path)) => {
                let path =
                    std::path::absolute(path).map_err(|error| Error::io(ErrorKind::Storage, "find", path, &error))?;
                path.to_str().map(str::to_owned).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Output,
                        "the path of the lake is not UTF-8, so it cannot be passed to workers",
                    )
                })?
            }
            Some(lake) => lake.to_string(),
            None => return Err(Error::new(ErrorKind::Internal, "the job has no output")),
        };
        let run = self.stage.run().to_owned();
        Ok(Shard { package: env!("CARGO_PKG_VERSION").to_owned(), options: self.options(), lake, run, work })
    }

    /// The options that workers need.
    fn options(&self) -> BTreeMap<String, String> {
        protocol::options(&self.spec.config.to_texts(), self.executor)
    }
}

fn files_of(listing: &Listing, files: &[usize], number: usize) -> Result<ShardFiles> {
    let bucket = listing.bucket.as_ref().map(|bucket| bucket.name().to_owned());
    let files = files.iter().filter_map(|index| listing.files.get(*index)).map(FileWork::new);
    Ok(ShardFiles { number, bucket, files: files.collect::<Result<_>>()? })
}

fn mismatch() -> Error {
    Error::new(ErrorKind::Internal, "a worker's result does not fit its shard")
}
