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

pub mod divide;
pub mod kernel;
pub mod shuffle;
pub mod task;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::account::Account;
use crate::commit::Stage;
use crate::commit::record::sha256;
use crate::discover::{Listing, Selection};
use crate::duplicates::SameSized;
use crate::emit::{self, MonthTold};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::Executor;
use crate::ingest::{Control, LogsRead, SongsRead};
use crate::plan::Plan;
use crate::progress::{Level, Stage as At};
use crate::state;
use crate::store::Location;
use crate::tables::records::SongRecord;
use crate::tables::songs::SongRow;
use crate::tables::time::Month;
use shuffle::ShuffleFile;
use task::{Aside, FileWork, Files, MonthWork, Shard, Told, Work};

/// Song files of less weight than this the leader reads itself: it has threads, too.
const FEW_SONGS: u64 = 512 << 20;

/// Options of the run that are nobody's business but its leader's.
const LEADERS: [&str; 9] =
    ["adopt", "allow_shrink", "keep_gone", "max_bad", "rebuild", "shard_size", "since", "threads", "until"];

/// Whoever leads a run with an executor.
#[derive(Clone, Copy, Debug)]
pub struct Leader<'l> {
    executor: &'l dyn Executor,
    plan: &'l Plan,
    stage: &'l Stage,
    control: &'l Control<'l>,
}

/// Where files lie: where all workers see them, or in the leader's own scratch folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every worker's.
    All,
    /// The leader's.
    Leader,
}

impl<'l> Leader<'l> {
    /// Leads, if there is an executor.
    #[must_use]
    pub fn new(plan: &'l Plan, stage: &'l Stage, control: &'l Control<'l>) -> Option<Self> {
        Some(Self { executor: control.executor?, plan, stage, control })
    }

    /// Leads also for song files, if there are many.
    #[must_use]
    pub fn for_songs(self, listing: &Listing, selection: &Selection) -> Option<Self> {
        let files = selection.iter().filter_map(|index| listing.files.get(*index));
        let is_asked = self.plan.config.shard_size.is_some();
        (is_asked || divide::weight(files) >= FEW_SONGS).then_some(self)
    }

    /// Reads song files.
    ///
    /// # Errors
    /// The executor's, and those of [`crate::ingest::songs`].
    pub fn songs(&self, (listing, selection): (&Listing, &Selection), reach: Reach) -> Result<(SongsRead, Account)> {
        let shards = self.divided(listing, selection);
        let work =
            shards.iter().enumerate().map(|(number, files)| Ok(Work::Songs(files_of(listing, files, number, None)?)));
        let (mut read, mut account, mut records) = (SongsRead::default(), Account::default(), BTreeMap::new());
        self.each(work.collect::<Result<_>>()?, reach, &mut |number, told, behind| {
            let (Told::Songs(its, count), Some(files)) = (told, shards.get(number)) else { return Err(unlike()) };
            let number_of = |file: usize| files.get(file).copied().unwrap_or(usize::MAX);
            let counts: Vec<(usize, u64)> = its.files.iter().map(|file| (number_of(file.file), file.loaded)).collect();
            let bytes = behind.into_iter().next().ok_or_else(unlike)?;
            let found = state::songs_from_bytes(bytes, counts.into_iter())?;
            if found.len() as u64 != count {
                return Err(unlike());
            }
            records.insert(number, found);
            self.control.add(listing.bytes_of(files));
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
    /// The executor's, and those of [`crate::ingest::plays`].
    pub fn plays(
        &self,
        (listing, selection): (&Listing, &Selection),
        wanted: Option<&BTreeSet<Month>>,
        reach: Reach,
        read: &mut LogsRead,
    ) -> Result<Vec<ShuffleFile>> {
        let shards = self.divided(listing, selection);
        let twins = (!self.plan.config.allow_duplicates).then(|| SameSized::new(listing));
        let months: Option<Vec<String>> = wanted.map(|months| months.iter().map(ToString::to_string).collect());
        // Numbers tell the rejects of one call from those of another.
        let first = read.shards;
        read.shards += shards.len();
        let work = shards.iter().enumerate().map(|(number, files)| {
            Ok(Work::Plays(files_of(listing, files, first + number, twins.as_ref())?, months.clone()))
        });
        let mut shuffled = BTreeMap::new();
        self.each(work.collect::<Result<_>>()?, reach, &mut |number, told, _| {
            let (Told::Plays(its, fed, file), Some(files)) = (told, shards.get(number)) else { return Err(unlike()) };
            let number_of = |file: usize| files.get(file).copied().unwrap_or(usize::MAX);
            for (file, month) in fed {
                read.months.insert((number_of(file), Month::parse(&month).ok_or_else(unlike)?));
            }
            shuffled.extend(file.map(|file| (number, file)));
            self.control.add(listing.bytes_of(files));
            read.account.merge(its.closed(number_of));
            Ok(())
        })?;
        Ok(shuffled.into_values().collect())
    }

    /// Has the months made whose plays lie in `files`, and takes their files into the stage.
    ///
    /// # Errors
    /// The executor's, and those of [`crate::emit::tables`].
    pub fn months(&self, files: Vec<ShuffleFile>, songs: &[SongRow]) -> Result<Vec<MonthTold>> {
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
        emit::must_be_few(months.len())?;
        self.control.begin(At::Write, months.len() as u64);
        let mut scratch = String::new();
        let song_rows = songs.len() as u64;
        let songs: Vec<SongRecord> = songs.iter().map(|row| SongRecord::of_row(row, &mut scratch)).collect();
        let songs = state::songs_to_bytes(&songs)?;
        let checksum = sha256(&songs);
        let songs_at = Aside(format!("songs/{checksum}"), checksum);
        self.stage.put_aside(&songs_at.0, &songs)?;
        // The longest first: what is left for the end is short.
        let mut work: Vec<(u64, MonthWork)> = months
            .into_iter()
            .map(|(month, (plays, files))| (plays, MonthWork { month, files, songs: songs_at.clone(), song_rows }))
            .collect();
        work.sort_by_key(|(plays, _)| std::cmp::Reverse(*plays));
        let work = work.into_iter().map(|(_, work)| Work::Month(work)).collect();
        let mut told = BTreeMap::new();
        self.each(work, Reach::All, &mut |_, result, behind| {
            let Told::Month(made) = result else { return Err(unlike()) };
            let [users, tracks] = <[Bytes; 2]>::try_from(behind).map_err(|_| unlike())?;
            let month = Month::parse(&made.month).ok_or_else(unlike)?;
            made.files.iter().try_for_each(|file| self.stage.adopt(file))?;
            let users = state::users_from_bytes(users)?;
            let tracks = state::tracks_from_bytes(tracks)?;
            told.insert(month, MonthTold { month, plays: made.plays, users, tracks });
            self.control.add(1);
            Ok(())
        })?;
        let mut left: Vec<String> = files.into_iter().map(|file| file.name).collect();
        left.push(songs_at.0);
        self.stage.clear_aside(&left)?;
        Ok(told.into_values().collect())
    }

    fn divided(&self, listing: &Listing, selection: &Selection) -> Vec<Vec<usize>> {
        let total = divide::weight(selection.iter().filter_map(|index| listing.files.get(*index)));
        let target = divide::target(total, self.executor.slots(), self.plan.config.shard_size);
        divide::divide(&listing.files, selection, target)
    }

    /// Has all of it done; `take` gets each result once, with the work's number.
    fn each(
        &self,
        work: Vec<Work>,
        reach: Reach,
        take: &mut dyn FnMut(usize, Told, Vec<Bytes>) -> Result<()>,
    ) -> Result<()> {
        let count = work.len();
        let mut shards = Vec::with_capacity(count);
        for work in work {
            shards.push(self.shard(work)?);
        }
        let mut done = vec![false; count];
        let mut take = |number: usize, bytes: &[u8]| -> Result<()> {
            self.control.cancel.check()?;
            match done.get_mut(number) {
                None => return Err(unlike()),
                // A second attempt that was not needed.
                Some(true) => return Ok(()),
                Some(is_done) => *is_done = true,
            }
            let (mut told, mut behind) = task::from_bytes(bytes)?;
            if let Told::Aside(Aside(name, checksum)) = &told {
                let found = self.stage.find_aside(name)?.filter(|bytes| sha256(bytes) == *checksum);
                let found = found.ok_or_else(|| {
                    Error::new(ErrorKind::Retry, "what a worker left in the stage is not there")
                        .hint("do all workers share the lake's disk? nothing was changed; run again")
                })?;
                self.stage.clear_aside(std::slice::from_ref(name))?;
                (told, behind) = task::from_bytes(&found)?;
            }
            match told {
                Told::Failed(failure) => Err(failure.into_error()),
                told => take(number, told, behind),
            }
        };
        if reach == Reach::Leader {
            for (number, shard) in shards.iter().enumerate() {
                take(number, &kernel::on(shard, &self.plan.config, self.control)?)?;
            }
            return Ok(());
        }
        let shards = shards.iter().map(|shard| {
            serde_json::to_vec(shard)
                .map_err(|error| Error::new(ErrorKind::Internal, "a shard cannot be told").cause(error.to_string()))
        });
        let name = self.executor.name();
        self.control.note(Level::Info, || format!("{name}: {count} shards on {} slots", self.executor.slots()));
        self.executor.map(shards.collect::<Result<_>>()?, &mut take)?;
        match done.iter().filter(|is_done| !**is_done).count() {
            0 => Ok(()),
            missing => {
                Err(Error::new(ErrorKind::Retry, format!("{name} gave back {} of {count} results", count - missing))
                    .hint("nothing was changed; run again"))
            }
        }
    }

    fn shard(&self, work: Work) -> Result<Shard> {
        let lake = match &self.plan.output {
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
        options(&self.plan.config.to_texts(), self.executor)
    }
}

/// The options of a run that workers need.
#[must_use]
pub fn options(texts: &BTreeMap<&'static str, String>, executor: &dyn Executor) -> BTreeMap<String, String> {
    let needed = texts.iter().filter(|(name, _)| !LEADERS.contains(name));
    let threads = ("threads".to_owned(), executor.threads().to_string());
    needed.map(|(name, value)| ((*name).to_owned(), value.clone())).chain([threads]).collect()
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
