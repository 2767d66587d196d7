//! FinishedTables tables to staged files, on all threads: partition, encode, stage.
//!
//! Songs are mostly many small files, and known before a log is read: they are staged first, and reach the disk while
//! the logs are read. The plays come slice by slice (see [`crate::tables::songplays`]); a month's slices are encoded on
//! whatever thread takes them and joined in order. The small dimensions follow.
//!
//! Invariant: which rows lie in which file, and in which order, follows from the rows alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::read_summary::Plays;
use crate::lake::{Stage, StagedFile, StagingSink};
use crate::parquet_io::writer::{Assembler, Encoded, Encoder};
use crate::runtime::context::Context;
use crate::runtime::progress::Phase;
use crate::runtime::threads::for_tasks;
use crate::schema::Table;
use crate::tables::columns::Columns;
use crate::tables::play_dictionary::PlayDictionary;
use crate::tables::plays::Key;
use crate::tables::song_index::SongIndex;
use crate::tables::songplays::{Slice, SlicePlays};
use crate::tables::songs::SongRow;
use crate::tables::time::Month;
use crate::tables::users::{User, UsersPartial};
use crate::tables::{partition_path, songs, time, users};
use crate::transform::sorted_runs::SortedRuns;

/// A file that reached this size is followed by another.
const FILE_SIZE: usize = 128 << 20;

/// Song partitions to a task.
const PARTITIONS: usize = 128;

/// The finished input of this stage.
#[derive(Debug)]
pub struct FinishedTables {
    /// Songs, indexed.
    pub index: SongIndex,
    /// Artists, when they are wanted and may have changed; users as well, where frames are made.
    pub dimensions: Vec<Columns>,
    /// Who and what the plays speak of.
    pub dictionary: PlayDictionary,
    /// The plays.
    pub runs: SortedRuns,
}

/// What the plays of a month speak of.
#[derive(Clone, Debug)]
pub struct MonthResult {
    /// The month.
    pub month: Month,
    /// Rows of songplays, and those with a song.
    pub plays: Plays,
    /// Its users, as its latest events have them.
    pub users: Vec<User>,
    /// The keys of what was played, sorted.
    pub tracks: Vec<u64>,
}

/// Stages the songs, if they are wanted, or only those partitions that may have changed; returns how many there are.
///
/// # Errors
/// [`ErrorKind::Storage`] when the disk is full, [`ErrorKind::DataRefused`] when there are too many partitions.
pub fn songs(
    catalogue: &SongIndex,
    changed: Option<&BTreeSet<String>>,
    config: &Config,
    stage: &Stage,
    context: &Context<'_>,
) -> Result<u64> {
    if !config.tables.contains(&Table::Songs) {
        return Ok(0);
    }
    let same = |a: &SongRow, b: &SongRow| (a.year, songs::partition_artist(a)) == (b.year, songs::partition_artist(b));
    let mut partitions: Vec<&[SongRow]> = catalogue.rows().chunk_by(same).collect();
    must_be_few(partitions.len())?;
    let all = partitions.len() as u64;
    if let Some(changed) = changed {
        stage.inherit(Table::Songs, |path| !changed.contains(folder(path)))?;
        partitions.retain(|rows| rows.first().is_some_and(|row| changed.contains(&partition_path::of_song(row))));
    }
    let batches: Vec<&[&[SongRow]]> = partitions.chunks(PARTITIONS).collect();
    let (parquet, file) = (Encoder::new(Table::Songs, config.compression)?, file_name(0, config));
    context.begin(Phase::Write, partitions.len() as u64);
    // Two threads that create folders in the same folder wait for each other: each begins in a part of its own.
    let parts = config.threads.max(1);
    let stride = batches.len().div_ceil(parts);
    for_tasks(
        config.threads,
        stride * parts,
        &context.cancel,
        |_| (),
        |(), task| {
            let batch = batches.get(task % parts * stride + task / parts);
            for rows in batch.copied().unwrap_or_default() {
                context.cancel.check()?;
                let Some(first) = rows.first() else { continue };
                let encoded = parquet.encode(&songs::file_columns(rows))?;
                stage.put(Table::Songs, &partition_path::of_song(first), &file, &encoded.bytes, rows.len() as u64)?;
                context.add(1);
            }
            Ok(())
        },
        |()| Ok(()),
    )?;
    Ok(all)
}

/// The partition that a file lies in.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Takes over the months that were not made again, if those that were are named.
///
/// # Errors
/// [`ErrorKind::Internal`] when a table is not part of the run.
pub fn keep_months(changed: Option<&BTreeSet<Month>>, config: &Config, stage: &Stage) -> Result<()> {
    let Some(changed) = changed else { return Ok(()) };
    let changed: HashSet<String> = changed.iter().map(|month| partition_path::of_month(*month)).collect();
    for table in MONTHLY.iter().filter(|table| config.tables.contains(table)) {
        stage.inherit(*table, |path| !changed.contains(folder(path)))?;
    }
    Ok(())
}

/// Stages all other tables of the configuration but the users, who are known only then; of the monthly ones the months
/// of the plays that are there.
///
/// # Errors
/// As [`songs`].
pub fn tables(
    finished: &FinishedTables,
    config: &Config,
    stage: &dyn StagingSink,
    context: &Context<'_>,
) -> Result<Vec<MonthResult>> {
    let slices = if config.tables.iter().all(|table| table.is_made_from_songs()) {
        Vec::new()
    } else {
        finished.runs.histogram.slices()
    };
    let months = Months::new(&slices, (config, finished), stage)?;
    must_be_few(months.joins.len())?;
    let file = file_name(0, config);
    context.begin(Phase::Write, (slices.len() + finished.dimensions.len()) as u64);
    let dimension = |columns: &Columns| -> Result<()> {
        let encoded = Encoder::new(columns.table, config.compression)?.encode(columns)?;
        stage.put(columns.table, "", &file, &encoded.bytes, columns.rows() as u64)
    };
    for_tasks(
        config.threads,
        slices.len() + finished.dimensions.len(),
        &context.cancel,
        |_| (),
        |(), task| {
            if let Some(slice) = slices.get(task) {
                months.add(task, slice, &gather(finished, slice)?)?;
            } else if let Some(columns) = finished.dimensions.get(task - slices.len()) {
                dimension(columns)?;
            }
            context.add(1);
            Ok(())
        },
        |()| Ok(()),
    )?;
    Ok(months.told())
}

/// Stages the users.
///
/// # Errors
/// As [`songs`].
pub fn users(users: &[User], config: &Config, stage: &Stage) -> Result<()> {
    let encoded = Encoder::new(Table::Users, config.compression)?.encode(&users::columns(users))?;
    stage.put(Table::Users, "", &file_name(0, config), &encoded.bytes, users.len() as u64)
}

/// Refuses more partitions than readers bear.
///
/// # Errors
/// [`ErrorKind::DataRefused`].
pub fn must_be_few(partitions: usize) -> Result<()> {
    if partitions <= partition_path::MAX_PARTITIONS {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::DataRefused,
        format!(
            "a table would have {partitions} partitions, more than {}: too_many_partitions",
            partition_path::MAX_PARTITIONS
        ),
    )
    .hint("is every artist_id and year what it says? the tables are as they were"))
}

/// The plays of a slice, from all runs, in order.
///
/// # Errors
/// [`crate::error::ErrorKind::Storage`] when a scratch file cannot be read back.
pub fn gather<'f>(finished: &'f FinishedTables, slice: &Slice) -> Result<SlicePlays<'f>> {
    let mut gathered = SlicePlays::new(&finished.dictionary);
    let mut found = Vec::new();
    for run in &finished.runs.runs {
        found.clear();
        run.read(&slice.span, &mut found)?;
        gathered.add(run.worker, &found);
    }
    gathered.sort();
    Ok(gathered)
}

fn file_name(part: usize, config: &Config) -> String {
    format!("part-{part:05}{}", config.compression.file_suffix())
}

/// The files of time and songplays, joined from slices that arrive in any order.
struct Months<'s> {
    config: &'s Config,
    finished: &'s FinishedTables,
    stage: &'s dyn StagingSink,
    time: Encoder,
    songplays: Encoder,
    joins: BTreeMap<Month, Mutex<Join>>,
    told: Mutex<Vec<MonthResult>>,
}

/// The slices of one month: which comes next, and what came too early.
#[derive(Default)]
struct Join {
    next: usize,
    end: usize,
    early: BTreeMap<usize, [Option<Encoded>; 2]>,
    files: [Joined; 2],
    plays: Plays,
    profiles: HashMap<u32, Key>,
    tracks: hashbrown::HashSet<u32>,
}

/// A file in the making. One batch is a file by itself; a second one opens a file on disk.
#[derive(Default)]
struct Joined {
    part: usize,
    rows: u64,
    only: Option<Encoded>,
    open: Option<(Assembler<File>, StagedFile)>,
}

const MONTHLY: [Table; 2] = [Table::Time, Table::Songplays];

impl<'s> Months<'s> {
    fn new(
        slices: &[Slice],
        (config, finished): (&'s Config, &'s FinishedTables),
        stage: &'s dyn StagingSink,
    ) -> Result<Self> {
        let mut joins: BTreeMap<Month, Join> = BTreeMap::new();
        for (number, slice) in slices.iter().enumerate() {
            let join = joins.entry(slice.month).or_insert_with(|| Join { next: number, ..Join::default() });
            join.end = number + 1;
        }
        Ok(Self {
            config,
            finished,
            stage,
            time: Encoder::new(Table::Time, config.compression)?,
            songplays: Encoder::new(Table::Songplays, config.compression)?,
            joins: joins.into_iter().map(|(month, join)| (month, Mutex::new(join))).collect(),
            told: Mutex::default(),
        })
    }

    fn encoder(&self, table: Table) -> &Encoder {
        if table == Table::Time { &self.time } else { &self.songplays }
    }

    /// Encodes a slice and appends every slice whose turn it is.
    fn add(&self, number: usize, slice: &Slice, gathered: &SlicePlays<'_>) -> Result<()> {
        let wants = |table| self.config.tables.contains(&table);
        let (mut encoded, mut plays) = ([None, None], Plays::default());
        if wants(Table::Time) {
            encoded[0] = Some(self.time.encode(&time::file_columns(gathered.times()))?);
        }
        if wants(Table::Songplays) {
            let (columns, matched) = gathered.columns(&self.finished.index, self.config.unmatched)?;
            plays = Plays { rows: columns.rows() as u64, matched };
            encoded[1] = Some(self.songplays.encode(&columns)?);
        }
        let profiles = gathered.profiles();
        let tracks = gathered.tracks();
        let Some(join) = self.joins.get(&slice.month) else { return Ok(()) };
        let mut join = join.lock().unwrap_or_else(PoisonError::into_inner);
        let join = &mut *join;
        join.plays.rows += plays.rows;
        join.plays.matched += plays.matched;
        join.tracks.extend(tracks);
        for (profile, latest) in profiles {
            let known = join.profiles.entry(profile).or_insert(latest);
            *known = (*known).max(latest);
        }
        join.early.insert(number, encoded);
        let partition = partition_path::of_month(slice.month);
        while let Some(slices) = join.early.remove(&join.next) {
            join.next += 1;
            let is_last = join.next == join.end;
            for ((table, file), encoded) in MONTHLY.into_iter().zip(&mut join.files).zip(slices) {
                if let Some(encoded) = encoded.filter(|encoded| encoded.rows > 0) {
                    self.append(file, table, &partition, encoded)?;
                }
                if is_last {
                    self.close(file, table, &partition)?;
                }
            }
            // A slice may lie between the last play of a month and its end.
            if is_last && !join.profiles.is_empty() {
                self.tell(slice.month, join);
            }
        }
        Ok(())
    }

    /// Says what the plays of a month speak of, once all are there.
    fn tell(&self, month: Month, join: &mut Join) {
        let cast = &self.finished.dictionary;
        let mut users = UsersPartial::default();
        for (profile, latest) in std::mem::take(&mut join.profiles) {
            if let Some((user_id, row)) = cast.user(profile, latest) {
                users.add(user_id, row);
            }
        }
        let tracks = std::mem::take(&mut join.tracks);
        let mut tracks: Vec<u64> =
            tracks.into_iter().filter_map(|track| cast.track_key(track, self.config.matching)).collect();
        tracks.sort_unstable();
        tracks.dedup();
        let told = MonthResult { month, plays: join.plays, users: users.finish(), tracks };
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    fn append(&self, file: &mut Joined, table: Table, partition: &str, encoded: Encoded) -> Result<()> {
        if file.open.as_ref().is_some_and(|(assembler, _)| assembler.bytes_written() >= FILE_SIZE) {
            self.close(file, table, partition)?;
        }
        file.rows += encoded.rows as u64;
        if let Some((assembler, _)) = &mut file.open {
            return assembler.append(&encoded);
        }
        let Some(first) = file.only.take() else {
            file.only = Some(encoded);
            return Ok(());
        };
        let staged = self.stage.open(table, partition, &file_name(file.part, self.config))?;
        let mut assembler = self.encoder(table).assemble(staged.duplicate()?)?;
        assembler.append(&first)?;
        assembler.append(&encoded)?;
        file.open = Some((assembler, staged));
        Ok(())
    }

    /// Ends the file in the making, if there is one.
    fn close(&self, file: &mut Joined, table: Table, partition: &str) -> Result<()> {
        let Joined { part, rows, only, open } = std::mem::take(file);
        if let Some(only) = only {
            self.stage.put(table, partition, &file_name(part, self.config), &only.bytes, rows)?;
        } else if let Some((assembler, staged)) = open {
            assembler.finish()?;
            self.stage.finish(staged, rows)?;
        }
        file.part = part + 1;
        Ok(())
    }

    fn told(self) -> Vec<MonthResult> {
        self.told.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
