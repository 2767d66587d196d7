//! Finished tables to staged files, on all threads: partition, encode, stage.
//!
//! Songs are mostly many small files, and known before a log is read: they are staged first, and reach the disk while
//! the logs are read. The plays come slice by slice (see [`crate::tables::songplays`]); a month's slices are encoded on
//! whatever thread takes them and joined in order. The small dimensions follow.
//!
//! Invariant: which rows lie in which file, and in which order, follows from the rows alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::commit::{Stage, StagedFile};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::Control;
use crate::outcome::{Outcome, Plays};
use crate::partition;
use crate::progress::Stage as At;
use crate::runs::SortedRuns;
use crate::schema::Table;
use crate::tables::cast::Cast;
use crate::tables::catalogue::Catalogue;
use crate::tables::columns::Columns;
use crate::tables::songplays::{Gathered, Slice};
use crate::tables::songs::{self, SongRow};
use crate::tables::time::{self, Month};
use crate::threads::for_tasks;
use crate::write::{Assembler, Encoded, Encoder};

/// A file that reached this size is followed by another.
const FILE_SIZE: usize = 128 << 20;

/// Song partitions to a task.
const PARTITIONS: usize = 128;

/// The finished input of this stage.
#[derive(Debug)]
pub struct Finished {
    /// Songs, indexed.
    pub catalogue: Catalogue,
    /// Artists and users, when they are wanted.
    pub dimensions: Vec<Columns>,
    /// Who and what the plays speak of.
    pub cast: Cast,
    /// The plays.
    pub runs: SortedRuns,
}

/// What was staged, beyond the files.
#[derive(Clone, Debug, Default)]
pub struct Emitted {
    /// Plays and matches.
    pub plays: Plays,
    /// Partition folders of each table.
    pub partitions: BTreeMap<Table, u64>,
}

impl Emitted {
    /// Says it, too.
    #[must_use]
    pub fn told(self, mut outcome: Outcome) -> Outcome {
        outcome.plays = self.plays;
        outcome.partitions =
            self.partitions.into_iter().map(|(table, count)| (table.name().to_owned(), count)).collect();
        outcome
    }
}

/// Stages the songs, if they are wanted; returns how many partitions they have.
///
/// # Errors
/// [`ErrorKind::Storage`] when the disk is full, [`ErrorKind::DataRefused`] when there are too many partitions.
pub fn songs(catalogue: &Catalogue, config: &Config, stage: &Stage, control: &Control<'_>) -> Result<u64> {
    if !config.tables.contains(&Table::Songs) {
        return Ok(0);
    }
    let same = |a: &SongRow, b: &SongRow| (a.year, songs::partition_artist(a)) == (b.year, songs::partition_artist(b));
    let partitions: Vec<&[SongRow]> = catalogue.rows().chunk_by(same).collect();
    must_be_few(partitions.len())?;
    let batches: Vec<&[&[SongRow]]> = partitions.chunks(PARTITIONS).collect();
    let (parquet, file) = (Encoder::new(Table::Songs, config.compression)?, file_name(0, config));
    control.begin(At::Write, partitions.len() as u64);
    // Two threads that create folders in the same folder wait for each other: each begins in a part of its own.
    let parts = config.threads.max(1);
    let stride = batches.len().div_ceil(parts);
    for_tasks(
        config.threads,
        stride * parts,
        &control.cancel,
        |_| (),
        |(), task| {
            let batch = batches.get(task % parts * stride + task / parts);
            for rows in batch.copied().unwrap_or_default() {
                control.cancel.check()?;
                let Some(first) = rows.first() else { continue };
                let encoded = parquet.encode(&songs::file_columns(rows))?;
                stage.put(Table::Songs, &partition::of_song(first), &file, &encoded.bytes, rows.len() as u64)?;
                control.add(1);
            }
            Ok(())
        },
        |()| Ok(()),
    )?;
    Ok(partitions.len() as u64)
}

/// Stages all other tables of the configuration.
///
/// # Errors
/// As [`songs`].
pub fn tables(finished: &Finished, config: &Config, stage: &Stage, control: &Control<'_>) -> Result<Emitted> {
    let wants = |table| config.tables.contains(&table);
    let slices =
        if wants(Table::Time) || wants(Table::Songplays) { finished.runs.histogram.slices() } else { Vec::new() };
    let months = Months::new(&slices, config, stage)?;
    must_be_few(months.joins.len())?;
    let file = file_name(0, config);
    control.begin(At::Write, (slices.len() + finished.dimensions.len()) as u64);
    let dimension = |columns: &Columns| -> Result<()> {
        let encoded = Encoder::new(columns.table, config.compression)?.encode(columns)?;
        stage.put(columns.table, "", &file, &encoded.bytes, columns.rows() as u64)
    };
    for_tasks(
        config.threads,
        slices.len() + finished.dimensions.len(),
        &control.cancel,
        |_| (),
        |(), task| {
            if let Some(slice) = slices.get(task) {
                months.add(task, slice, &gather(finished, slice)?, &finished.catalogue)?;
            } else if let Some(columns) = finished.dimensions.get(task - slices.len()) {
                dimension(columns)?;
            }
            control.add(1);
            Ok(())
        },
        |()| Ok(()),
    )?;
    let partitions = MONTHLY.into_iter().zip(months.partitions.iter().map(|count| count.load(Ordering::Relaxed)));
    Ok(Emitted { plays: months.plays(), partitions: partitions.collect() })
}

fn must_be_few(partitions: usize) -> Result<()> {
    if partitions <= partition::MOST {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::DataRefused,
        format!("a table would have {partitions} partitions, more than {}: too_many_partitions", partition::MOST),
    )
    .hint("is every artist_id and year what it says? the tables are as they were"))
}

/// The plays of a slice, from all runs, in order.
///
/// # Errors
/// [`crate::error::ErrorKind::Storage`] when a scratch file cannot be read back.
pub fn gather<'f>(finished: &'f Finished, slice: &Slice) -> Result<Gathered<'f>> {
    let mut gathered = Gathered::new(&finished.cast);
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
    stage: &'s Stage,
    time: Encoder,
    songplays: Encoder,
    joins: BTreeMap<Month, Mutex<Join>>,
    rows: AtomicU64,
    matched: AtomicU64,
    partitions: [AtomicU64; 2],
}

/// The slices of one month: which comes next, and what came too early.
#[derive(Default)]
struct Join {
    next: usize,
    end: usize,
    early: BTreeMap<usize, [Option<Encoded>; 2]>,
    files: [Joined; 2],
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
    fn new(slices: &[Slice], config: &'s Config, stage: &'s Stage) -> Result<Self> {
        let mut joins: BTreeMap<Month, Join> = BTreeMap::new();
        for (number, slice) in slices.iter().enumerate() {
            let join = joins.entry(slice.month).or_insert_with(|| Join { next: number, ..Join::default() });
            join.end = number + 1;
        }
        Ok(Self {
            config,
            stage,
            time: Encoder::new(Table::Time, config.compression)?,
            songplays: Encoder::new(Table::Songplays, config.compression)?,
            joins: joins.into_iter().map(|(month, join)| (month, Mutex::new(join))).collect(),
            rows: AtomicU64::new(0),
            matched: AtomicU64::new(0),
            partitions: Default::default(),
        })
    }

    fn encoder(&self, table: Table) -> &Encoder {
        if table == Table::Time { &self.time } else { &self.songplays }
    }

    /// Encodes a slice and appends every slice whose turn it is.
    fn add(&self, number: usize, slice: &Slice, gathered: &Gathered<'_>, catalogue: &Catalogue) -> Result<()> {
        let wants = |table| self.config.tables.contains(&table);
        let mut encoded = [None, None];
        if wants(Table::Time) {
            encoded[0] = Some(self.time.encode(&time::file_columns(gathered.times()))?);
        }
        if wants(Table::Songplays) {
            let (columns, matched) = gathered.columns(catalogue, self.config.unmatched)?;
            self.rows.fetch_add(columns.rows() as u64, Ordering::Relaxed);
            self.matched.fetch_add(matched, Ordering::Relaxed);
            encoded[1] = Some(self.songplays.encode(&columns)?);
        }
        let Some(join) = self.joins.get(&slice.month) else { return Ok(()) };
        let mut join = join.lock().unwrap_or_else(PoisonError::into_inner);
        let join = &mut *join;
        join.early.insert(number, encoded);
        let partition = partition::of_month(slice.month);
        while let Some(slices) = join.early.remove(&join.next) {
            join.next += 1;
            let is_last = join.next == join.end;
            let files = join.files.iter_mut().zip(&self.partitions);
            for ((table, (file, partitions)), encoded) in MONTHLY.into_iter().zip(files).zip(slices) {
                if let Some(encoded) = encoded.filter(|encoded| encoded.rows > 0) {
                    self.append(file, table, &partition, encoded)?;
                }
                if is_last && self.close(file, table, &partition)? {
                    partitions.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(())
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

    /// Ends the file in the making; says whether there is one, or was one before.
    fn close(&self, file: &mut Joined, table: Table, partition: &str) -> Result<bool> {
        let Joined { part, rows, only, open } = std::mem::take(file);
        if let Some(only) = only {
            self.stage.put(table, partition, &file_name(part, self.config), &only.bytes, rows)?;
        } else if let Some((assembler, staged)) = open {
            assembler.finish()?;
            self.stage.keep(staged, rows)?;
        } else {
            return Ok(part > 0);
        }
        file.part = part + 1;
        Ok(true)
    }

    fn plays(&self) -> Plays {
        Plays { rows: self.rows.load(Ordering::Relaxed), matched: self.matched.load(Ordering::Relaxed) }
    }
}
