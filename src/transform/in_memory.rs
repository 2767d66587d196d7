//! The five tables in memory, for callers who want frames instead of files.
//!
//! Invariant: the same rows in the same order as the files hold, with the partition columns where the schema has them.

use crate::config::Config;
use crate::error::Result;
use crate::lake::read_summary::Plays;
use crate::runtime::context::Context;
use crate::runtime::threads::for_tasks;
use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::{songs, time};
use crate::transform::write_tables::{FinishedTables, gather};

/// The tables, each in batches of consecutive rows. A table without rows has no batch.
#[derive(Debug, Default)]
pub struct Star {
    /// Batches, table by table.
    pub batches: Vec<Columns>,
}

impl Star {
    /// The batches of one table.
    pub fn table(&self, table: Table) -> impl Iterator<Item = &Columns> {
        self.batches.iter().filter(move |batch| batch.table == table)
    }

    /// The rows of one table.
    #[must_use]
    pub fn rows(&self, table: Table) -> u64 {
        self.table(table).map(|batch| batch.rows() as u64).sum()
    }
}

/// Builds all tables of the configuration.
///
/// # Errors
/// As [`crate::transform::write_tables::gather`], and when a millisecond holds too many plays.
pub fn build(finished: &FinishedTables, config: &Config, context: &Context<'_>) -> Result<(Star, Plays)> {
    let wants = |table| config.tables.contains(&table);
    let mut star = Star::default();
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
        |built: &mut Vec<(usize, Columns, Columns, u64)>, task| {
            let Some(slice) = slices.get(task) else { return Ok(()) };
            let gathered = gather(finished, slice)?;
            let (mut plays, matched) = gathered.columns(&finished.index, config.unmatched)?;
            let rows = plays.rows();
            for value in [slice.month.year, slice.month.month] {
                plays.columns.push(Column::int32(std::iter::repeat_n(Some(value), rows)));
            }
            built.push((task, time::columns(gathered.times()), plays, matched));
            Ok(())
        },
        |_| Ok(()),
    )?;
    let mut built: Vec<_> = parts.into_iter().flatten().collect();
    built.sort_unstable_by_key(|(task, ..)| *task);
    let mut plays = Plays::default();
    for (_, times, songplays, matched) in built {
        plays.rows += songplays.rows() as u64;
        plays.matched += matched;
        star.batches.push(times);
        star.batches.push(songplays);
    }
    star.batches.retain(|batch| wants(batch.table) && batch.rows() > 0);
    Ok((star, plays))
}
