//! Writes finished tables to staged files, on all threads: partition, encode, stage.
//!
//! Songs usually become many small files, and are known before any log file is read: they are staged first, and are
//! synced to the disk while the log files are read. The plays come in slices of time (see [`crate::tables::songplays`]);
//! the slices of a month are encoded on any thread and joined in order ([`crate::transform::month_files`]).
//!
//! Invariant: the rows of each file, and their order, depend on the rows alone.

use std::collections::{BTreeSet, HashSet};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Stage, StagingSink};
use crate::parquet_io::writer::Encoder;
use crate::runtime::context::Context;
use crate::runtime::progress::Phase;
use crate::runtime::threads::for_tasks;
use crate::schema::Table;
use crate::tables::columns::Columns;
use crate::tables::partition_path::{self, MAX_PARTITIONS};
use crate::tables::song_index::SongIndex;
use crate::tables::songplays::{Slice, SlicePlays};
use crate::tables::songs;
use crate::tables::songs::SongRow;
use crate::tables::time::Month;
use crate::transform::finished_tables::{FinishedTables, MonthResult, file_name};
use crate::transform::month_files::{MONTHLY_TABLES, MonthFiles};

/// The number of song partitions that a thread writes before it takes the next ones.
const PARTITIONS_PER_TASK: usize = 128;

/// Stages the songs if they are wanted: all partitions, or only those in `changed`. Returns the number of partitions of
/// the table.
///
/// # Errors
/// [`ErrorKind::Storage`] when the disk is full, [`ErrorKind::DataRefused`] when there are too many partitions.
pub fn songs(
    index: &SongIndex,
    changed: Option<&BTreeSet<String>>,
    config: &Config,
    stage: &Stage,
    context: &Context<'_>,
) -> Result<u64> {
    if !config.tables.contains(&Table::Songs) {
        return Ok(0);
    }
    let same_partition =
        |a: &SongRow, b: &SongRow| (a.year, songs::partition_artist(a)) == (b.year, songs::partition_artist(b));
    let mut partitions: Vec<&[SongRow]> = index.rows().chunk_by(same_partition).collect();
    check_partition_count(partitions.len())?;
    let count = partitions.len() as u64;
    if changed.is_some_and(BTreeSet::is_empty) {
        stage.inherit(Table::Songs, |_| true)?;
        return Ok(count);
    }
    if let Some(changed) = changed {
        stage.inherit(Table::Songs, |path| !changed.contains(partition_of(path)))?;
        partitions.retain(|rows| {
            rows.first().is_some_and(|row| changed.contains(&partition_path::of_song(row, &config.columns)))
        });
    }
    let batches: Vec<&[&[SongRow]]> = partitions.chunks(PARTITIONS_PER_TASK).collect();
    let (song_encoder, file) = (Encoder::new(Table::Songs, &config.columns, config.compression)?, file_name(0, config));
    let needs_stats = config.needs_stats(Table::Songs);
    context.begin(Phase::Write, partitions.len() as u64);
    // Threads that create folders in the same parent folder wait for each other, so each thread starts in a different
    // part of the table.
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
                let encoded = song_encoder.encode(&songs::file_columns(rows))?;
                let partition = partition_path::of_song(first, &config.columns);
                stage.put(Table::Songs, &partition, &file, &encoded.bytes, encoded.summary(needs_stats))?;
                context.add(1);
            }
            Ok(())
        },
        |()| Ok(()),
    )?;
    Ok(count)
}

/// The partition of a file: the folder in its path.
fn partition_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Inherits the files of all months that are not in `changed` from the previous version; none if `changed` is `None`.
///
/// # Errors
/// [`ErrorKind::Internal`] when a table is not part of the run.
pub fn inherit_months(changed: Option<&BTreeSet<Month>>, config: &Config, stage: &Stage) -> Result<()> {
    let Some(changed) = changed else { return Ok(()) };
    for table in MONTHLY_TABLES.iter().filter(|table| config.tables.contains(table)) {
        let partition = |month: &Month| partition_path::of_month(*table, *month, &config.columns);
        let changed: HashSet<String> = changed.iter().map(partition).collect();
        stage.inherit(*table, |path| !changed.contains(partition_of(path)))?;
    }
    Ok(())
}

/// Stages the artists, and the months of time and songplays that have plays. Users and their history are staged later,
/// when the results of all months are known.
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
    let months = MonthFiles::new(&slices, finished, config, stage)?;
    check_partition_count(months.count())?;
    context.begin(Phase::Write, (slices.len() + finished.dimensions.len()) as u64);
    for_tasks(
        config.threads,
        slices.len() + finished.dimensions.len(),
        &context.cancel,
        |_| (),
        |(), task| {
            if let Some(slice) = slices.get(task) {
                months.add(task, slice, &gather(finished, slice)?)?;
            } else if let Some(columns) = finished.dimensions.get(task - slices.len()) {
                single_file(columns, config, stage)?;
            }
            context.add(1);
            Ok(())
        },
        |()| Ok(()),
    )?;
    Ok(months.into_results())
}

/// Stages a table that is one file.
///
/// # Errors
/// As [`songs`].
pub fn single_file(columns: &Columns, config: &Config, stage: &dyn StagingSink) -> Result<()> {
    let encoded = Encoder::new(columns.table, &config.columns, config.compression)?.encode(columns)?;
    stage.put(
        columns.table,
        "",
        &file_name(0, config),
        &encoded.bytes,
        encoded.summary(config.needs_stats(columns.table)),
    )
}

/// Rejects a table with more partitions than the common readers can handle.
///
/// # Errors
/// [`ErrorKind::DataRefused`].
pub(crate) fn check_partition_count(partitions: usize) -> Result<()> {
    if partitions <= MAX_PARTITIONS {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::DataRefused,
        format!(
            "a table would have {partitions} partitions, more than the maximum of {MAX_PARTITIONS}: too_many_partitions"
        ),
    )
    .hint("check the artist_id and year columns; no table was changed"))
}

/// Gathers the plays of a slice from all runs, in order.
///
/// # Errors
/// [`crate::error::ErrorKind::Storage`] when a scratch file cannot be read back.
pub fn gather<'f>(finished: &'f FinishedTables, slice: &Slice) -> Result<SlicePlays<'f>> {
    let mut gathered = SlicePlays::new(&finished.dictionary, slice.plays);
    let mut plays = Vec::new();
    for run in &finished.runs.runs {
        plays.clear();
        run.read(&slice.span, &mut plays)?;
        gathered.add(run.worker, &plays);
    }
    gathered.sort();
    Ok(gathered)
}
