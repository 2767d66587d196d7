//! A run on more than one machine: its work in shards, done by an [`Executor`], and its results taken in.
//!
//! ```text
//!  song files ──┬─ shard ─┬── records ──────────── songs, artists          (made by the leader)
//!               └─ shard ─┘                          │ rows of songs, once in the stage
//!  log files  ──┬─ shard ─┬── plays, by month ──┬─ month ─┬── files of time and songplays (staged by workers)
//!               └─ shard ─┘   (in the stage)    └─ month ─┘   users, keys of tracks
//! ```
//!
//! A month is made by one worker, from the plays of all shards that feed it: so ids and the time table are what they are
//! in a local run, file by file. The leader keeps the lake's lock, takes in results in any order, decides and commits.
//!
//! Invariant: a result counts once, whoever did the shard, how often, and in whatever order results come.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::distributed::protocol::{self, FileWork, Files, MonthWork, Shard, ShardResult, ShardWork, StagedBlob};
use crate::distributed::shuffle::ShuffleFile;
use crate::distributed::{split, worker};
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::state_files;
use crate::input::duplicate_files::SameSized;
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
use crate::transform::write_tables;
use crate::transform::write_tables::MonthResult;

/// Song files of less weight than this the leader reads itself: it has threads, too.
const FEW_SONGS: u64 = 512 << 20;

/// Whoever leads a run with an executor.
#[derive(Clone, Copy, Debug)]
pub struct Leader<'l> {
    executor: &'l dyn Executor,
    spec: &'l JobSpec,
    stage: &'l Stage,
    context: &'l Context<'l>,
}

/// Where files lie: where all workers see them, or in the leader's own scratch folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileReach {
    /// Every worker's.
    All,
    /// The leader's.
    Leader,
}

impl<'l> Leader<'l> {
    /// Leads, if there is an executor.
    #[must_use]
    pub fn new(spec: &'l JobSpec, stage: &'l Stage, context: &'l Context<'l>) -> Option<Self> {
        Some(Self { executor: context.executor?, spec, stage, context })
    }

    /// Leads also for song files, if there are many.
    #[must_use]
    pub fn for_songs(self, files: SelectedFiles<'_>) -> Option<Self> {
        let SelectedFiles { listing, selection } = files;
        let files = selection.iter().filter_map(|index| listing.files.get(*index));
        let is_asked = self.spec.config.shard_size.is_some();
        (is_asked || split::weight(files) >= FEW_SONGS).then_some(self)
    }

    /// Reads song files.
    ///
    /// # Errors
    /// The executor's, and those of [`crate::transform::extract::Extractor::songs`].
    pub fn songs(&self, files: SelectedFiles<'_>, reach: FileReach) -> Result<(SongsRead, ReadStats)> {
        let listing = files.listing;
        let shards = self.divided(files);
        let work = shards
            .iter()
            .enumerate()
            .map(|(number, files)| Ok(ShardWork::Songs(files_of(listing, files, number, None)?)));
        let (mut read, mut account, mut records) = (SongsRead::default(), ReadStats::default(), BTreeMap::new());
        self.each(work.collect::<Result<_>>()?, reach, &mut |number, told, behind| {
            let (ShardResult::Songs(its, count), Some(files)) = (told, shards.get(number)) else {
                return Err(unlike());
            };
            let number_of = |file: usize| files.get(file).copied().unwrap_or(usize::MAX);
            let counts: Vec<(usize, u64)> = its.files.iter().map(|file| (number_of(file.file), file.loaded)).collect();
            let bytes = behind.into_iter().next().ok_or_else(unlike)?;
            let found = state_files::songs_from_bytes(bytes, counts.into_iter())?;
            if found.len() as u64 != count {
                return Err(unlike());
            }
            records.insert(number, found);
            self.context.add(listing.bytes_of(files));
            account.merge(its.closed(number_of));
            Ok(())
        })?;
        // In the order of the listing, so that nothing depends on who was faster.
        records.into_values().flatten().for_each(|record| read.add(record));
        Ok((read, account))
    }

    /// Reads log files, those of the months `wanted` or all; returns where their plays lie.
    ///
    /// # Errors
    /// The executor's, and those of [`crate::transform::extract::Extractor::plays`].
    pub fn plays(
        &self,
        files: SelectedFiles<'_>,
        wanted: Option<&BTreeSet<Month>>,
        reach: FileReach,
        read: &mut LogsRead,
    ) -> Result<Vec<ShuffleFile>> {
        let listing = files.listing;
        let shards = self.divided(files);
        let twins = (!self.spec.config.allow_duplicates).then(|| SameSized::new(listing));
        let months: Option<Vec<String>> = wanted.map(|months| months.iter().map(ToString::to_string).collect());
        // Numbers tell the rejects of one call from those of another.
        let first = read.shards;
        read.shards += shards.len();
        let work = shards.iter().enumerate().map(|(number, files)| {
            Ok(ShardWork::Plays(files_of(listing, files, first + number, twins.as_ref())?, months.clone()))
        });
        let mut shuffled = BTreeMap::new();
        self.each(work.collect::<Result<_>>()?, reach, &mut |number, told, _| {
            let (ShardResult::Plays(its, fed, file), Some(files)) = (told, shards.get(number)) else {
                return Err(unlike());
            };
            let number_of = |file: usize| files.get(file).copied().unwrap_or(usize::MAX);
            for (file, month) in fed {
                read.months.insert((number_of(file), Month::parse(&month).ok_or_else(unlike)?));
            }
            shuffled.extend(file.map(|file| (number, file)));
            self.context.add(listing.bytes_of(files));
            read.stats.merge(its.closed(number_of));
            Ok(())
        })?;
        Ok(shuffled.into_values().collect())
    }

    /// Has the months made whose plays lie in `files`, and takes their files into the stage.
    ///
    /// # Errors
    /// The executor's, and those of [`crate::transform::write_tables::tables`].
    pub fn months(&self, files: Vec<ShuffleFile>, songs: &[SongRow]) -> Result<Vec<MonthResult>> {
        let mut months: BTreeMap<String, (u64, Vec<ShuffleFile>)> = BTreeMap::new();
        for file in &files {
            for (month, plays) in &file.months {
                let (all, its) = months.entry(month.clone()).or_default();
                *all += plays;
                // What the worker need not know is left away.
                its.push(ShuffleFile { months: BTreeMap::new(), ..file.clone() });
            }
        }
        if months.is_empty() {
            return Ok(Vec::new());
        }
        write_tables::must_be_few(months.len())?;
        self.context.begin(Phase::Write, months.len() as u64);
        let mut scratch = String::new();
        let song_rows = songs.len() as u64;
        let songs: Vec<SongRecord> = songs.iter().map(|row| SongRecord::of_row(row, &mut scratch)).collect();
        let songs = state_files::songs_to_bytes(&songs)?;
        let checksum = sha256(&songs);
        let songs_at = StagedBlob(format!("songs/{checksum}"), checksum);
        self.stage.put_blob(&songs_at.0, &songs)?;
        // The longest first: what is left for the end is short.
        let mut work: Vec<(u64, MonthWork)> = months
            .into_iter()
            .map(|(month, (plays, files))| (plays, MonthWork { month, files, songs: songs_at.clone(), song_rows }))
            .collect();
        work.sort_by_key(|(plays, _)| std::cmp::Reverse(*plays));
        let work = work.into_iter().map(|(_, work)| ShardWork::Month(work)).collect();
        let mut told = BTreeMap::new();
        self.each(work, FileReach::All, &mut |_, result, behind| {
            let ShardResult::Month(made) = result else { return Err(unlike()) };
            let [users, tracks] = <[Bytes; 2]>::try_from(behind).map_err(|_| unlike())?;
            let month = Month::parse(&made.month).ok_or_else(unlike)?;
            made.files.iter().try_for_each(|file| self.stage.adopt(file))?;
            let users = state_files::users_from_bytes(users)?;
            let tracks = state_files::tracks_from_bytes(tracks)?;
            told.insert(month, MonthResult { month, plays: made.plays, users, tracks });
            self.context.add(1);
            Ok(())
        })?;
        let mut left: Vec<String> = files.into_iter().map(|file| file.name).collect();
        left.push(songs_at.0);
        self.stage.remove_blobs(&left)?;
        Ok(told.into_values().collect())
    }

    fn divided(&self, files: SelectedFiles<'_>) -> Vec<Vec<usize>> {
        let SelectedFiles { listing, selection } = files;
        let total = split::weight(selection.iter().filter_map(|index| listing.files.get(*index)));
        let target = split::target(total, self.executor.slots(), self.spec.config.shard_size);
        split::divide(&listing.files, selection, target)
    }

    /// Has all of it done; `take` gets each result once, with the work's number.
    fn each(
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
                None => return Err(unlike()),
                // A second attempt that was not needed.
                Some(true) => return Ok(()),
                Some(is_done) => *is_done = true,
            }
            let (mut told, mut behind) = protocol::from_bytes(bytes)?;
            if let ShardResult::StagedBlob(StagedBlob(name, checksum)) = &told {
                let found = self.stage.read_blob(name)?.filter(|bytes| sha256(bytes) == *checksum);
                let found = found.ok_or_else(|| {
                    Error::new(ErrorKind::Retry, "what a worker left in the stage is not there")
                        .hint("do all workers share the lake's disk? nothing was changed; run again")
                })?;
                self.stage.remove_blobs(std::slice::from_ref(name))?;
                (told, behind) = protocol::from_bytes(&found)?;
            }
            match told {
                ShardResult::Failed(failure) => Err(failure.into_error()),
                told => take(number, told, behind),
            }
        };
        if reach == FileReach::Leader {
            for (number, shard) in shards.iter().enumerate() {
                take(number, &worker::on(shard, &self.spec.config, self.context)?)?;
            }
            return Ok(());
        }
        let shards = shards.iter().map(|shard| {
            serde_json::to_vec(shard)
                .map_err(|error| Error::new(ErrorKind::Internal, "a shard cannot be told").cause(error.to_string()))
        });
        let name = self.executor.name();
        self.context.note(Level::Info, || format!("{name}: {count} shards on {} slots", self.executor.slots()));
        self.executor.map(shards.collect::<Result<_>>()?, &mut take)?;
        match done.iter().filter(|is_done| !**is_done).count() {
            0 => Ok(()),
            missing => {
                Err(Error::new(ErrorKind::Retry, format!("{name} gave back {} of {count} results", count - missing))
                    .hint("nothing was changed; run again"))
            }
        }
    }

    fn shard(&self, work: ShardWork) -> Result<Shard> {
        let lake = match &self.spec.output {
            Some(Location::Local(path)) => {
                let path =
                    std::path::absolute(path).map_err(|error| Error::io(ErrorKind::Storage, "find", path, &error))?;
                path.to_str().map(str::to_owned).ok_or_else(|| {
                    Error::new(ErrorKind::Output, "the path of the lake is no UTF-8, so no worker can be told of it")
                })?
            }
            Some(lake) => lake.to_string(),
            None => return Err(Error::new(ErrorKind::Internal, "the plan has no output")),
        };
        let run = self.stage.run().to_owned();
        Ok(Shard { package: env!("CARGO_PKG_VERSION").to_owned(), options: self.options(), lake, run, work })
    }

    /// The options that workers need.
    fn options(&self) -> BTreeMap<String, String> {
        protocol::options(&self.spec.config.to_texts(), self.executor)
    }
}

fn files_of(listing: &Listing, files: &[usize], number: usize, twins: Option<&SameSized>) -> Result<Files> {
    let bucket = listing.bucket.as_ref().map(|bucket| bucket.name().to_owned());
    let listed = files.iter().filter_map(|index| Some((index, listing.files.get(*index)?)));
    let files = listed.map(|(index, file)| FileWork::new(file, twins.is_some_and(|twins| twins.has(*index))));
    Ok(Files { number, bucket, files: files.collect::<Result<_>>()? })
}

fn unlike() -> Error {
    Error::new(ErrorKind::Internal, "a worker's result does not fit its shard")
}
