//! Builds the tables in memory, for callers that want data frames instead of files.
//!
//! Invariant: the tables have the same rows in the same order as the files, with the partition columns at the position
//! that the schema defines.

use crate::config::Config;
use crate::error::Result;
use crate::lake::read_summary::Plays;
use crate::runtime::context::Context;
use crate::runtime::threads::for_tasks;
use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::users_history::{self, CodedPeriod, PeriodSequence};
use crate::tables::{songs, time};
use crate::transform::finished_tables::FinishedTables;
use crate::transform::write_tables::gather;

/// The tables, each in batches of consecutive rows. A table without rows has no batch.
#[derive(Debug, Default)]
pub struct Star {
    /// The tables.
    pub tables: Vec<Table>,
    /// The batches of all tables.
    pub batches: Vec<Columns>,
}

impl Star {
    /// Returns the batches of one table, in order.
    pub fn table(&self, table: Table) -> impl Iterator<Item = &Columns> {
        self.batches.iter().filter(move |batch| batch.table == table)
    }

    /// Returns the number of rows of one table.
    #[must_use]
    pub fn rows(&self, table: Table) -> u64 {
        self.table(table).map(|batch| batch.rows() as u64).sum()
    }
}

/// The rows that the plays of one slice of time become.
struct SliceRows {
    slice: usize,
    times: Columns,
    songplays: Columns,
    plays: Plays,
    history: Option<Vec<CodedPeriod>>,
}

/// Builds all tables of the configuration.
///
/// # Errors
/// Those of [`crate::transform::write_tables::gather`], and [`crate::error::ErrorKind::DataRefused`] when too many plays
/// share a millisecond.
pub fn build(finished: &FinishedTables, config: &Config, context: &Context<'_>) -> Result<(Star, Plays)> {
    let wants = |table| config.tables.contains(&table);
    let mut star = Star { tables: config.tables.clone(), batches: Vec::new() };
    if wants(Table::Songs) {
        star.batches.push(songs::columns(finished.index.rows()));
    }
    star.batches.extend(finished.dimensions.iter().cloned());
    let slices = finished.runs.histogram.slices();
    let parts = for_tasks(
        config.threads,
        slices.len(),
        &context.cancel,
        |_| Vec::new(),
        |built: &mut Vec<SliceRows>, task| {
            let Some(slice) = slices.get(task) else { return Ok(()) };
            let gathered = gather(finished, slice)?;
            let songplays = gathered.rows(&finished.index, config.unmatched)?;
            let (rows, matched) = (songplays.count, songplays.matched);
            let mut songplays = songplays.into_columns();
            let plays = Plays { rows: rows as u64, matched, last_at: gathered.times().last() };
            for value in [slice.month.year, slice.month.month] {
                songplays.columns.push(Column::int32(std::iter::repeat_n(Some(value), rows)));
            }
            let history = wants(Table::UsersHistory).then(|| gathered.level_periods());
            built.push(SliceRows { slice: task, times: time::columns(gathered.times()), songplays, plays, history });
            Ok(())
        },
        |_| Ok(()),
    )?;
    let mut built: Vec<SliceRows> = parts.into_iter().flatten().collect();
    built.sort_unstable_by_key(|rows| rows.slice);
    let (mut plays, mut periods) = (Plays::default(), PeriodSequence::default());
    for SliceRows { times, songplays, plays: its_plays, history, .. } in built {
        if let Some(history) = history {
            periods.append(&history, &finished.dictionary);
        }
        plays.add(its_plays);
        star.batches.push(times);
        star.batches.push(songplays);
    }
    let mut history = periods.resolve(&finished.dictionary);
    users_history::sort(&mut history);
    star.batches.push(users_history::columns(&history));
    star.batches.retain(|batch| wants(batch.table) && batch.rows() > 0);
    Ok((star, plays))
}
