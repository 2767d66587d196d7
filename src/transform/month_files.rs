//! Joins the slices of each month into the files of the time and songplays tables.
//!
//! Slices arrive in any order, from all threads. Each is encoded on the thread that has it and appended as soon as all
//! slices before it are there.
//!
//! Invariant: a month's files contain its slices in the order of time.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Mutex, PoisonError};

use hashbrown::{HashMap, HashSet};

use crate::config::Config;
use crate::error::Result;
use crate::lake::read_summary::Plays;
use crate::lake::{StagedFile, StagingSink};
use crate::parquet_io::file_stats::FileSummary;
use crate::parquet_io::writer::{Assembler, Encoded, Encoder};
use crate::schema::Table;
use crate::tables::plays::Key;
use crate::tables::songplays::{Slice, SlicePlays, SongplaysRows};
use crate::tables::time::Month;
use crate::tables::users::UsersPartial;
use crate::tables::users_history::{CodedPeriod, PeriodSequence};
use crate::tables::{partition_path, time};
use crate::transform::finished_tables::{FinishedTables, MonthResult, file_name};

/// The tables that are partitioned by month.
pub(super) const MONTHLY_TABLES: [Table; 2] = [Table::Time, Table::Songplays];

/// A file that has reached this size is closed, and the next rows go to another file.
const MAX_FILE_BYTES: usize = 128 << 20;

/// Writes the files of all months; shared between threads.
pub(super) struct MonthFiles<'s> {
    config: &'s Config,
    finished: &'s FinishedTables,
    stage: &'s dyn StagingSink,
    time: Encoder,
    songplays: Encoder,
    months: BTreeMap<Month, Mutex<OpenMonth>>,
    results: Mutex<Vec<MonthResult>>,
}

/// The state of one month: which slice comes next, and which slices arrived early.
#[derive(Default)]
struct OpenMonth {
    next: usize,
    end: usize,
    early: BTreeMap<usize, EarlySlice>,
    files: [OpenFile; 2],
    plays: Plays,
    /// The latest event of each profile.
    profiles: HashMap<u32, Key>,
    tracks: HashSet<u32>,
    /// The periods of the users' levels, if they are wanted.
    history: PeriodSequence,
}

/// A slice that waits for those before it.
struct EarlySlice {
    encoded: [Option<Encoded>; 2],
    history: Option<Vec<CodedPeriod>>,
}

/// A file that is not complete. Its first batch stays in memory; the second one creates a file on disk.
#[derive(Default)]
struct OpenFile {
    part: usize,
    summary: FileSummary,
    first: Option<Encoded>,
    on_disk: Option<(Assembler<File>, StagedFile)>,
}

impl<'s> MonthFiles<'s> {
    pub(super) fn new(
        slices: &[Slice],
        finished: &'s FinishedTables,
        config: &'s Config,
        stage: &'s dyn StagingSink,
    ) -> Result<Self> {
        let mut months: BTreeMap<Month, OpenMonth> = BTreeMap::new();
        for (number, slice) in slices.iter().enumerate() {
            let month = months.entry(slice.month).or_insert_with(|| OpenMonth { next: number, ..OpenMonth::default() });
            month.end = number + 1;
        }
        Ok(Self {
            config,
            finished,
            stage,
            time: Encoder::new(Table::Time, &config.columns, config.compression)?,
            songplays: Encoder::new(Table::Songplays, &config.columns, config.compression)?,
            months: months.into_iter().map(|(month, open)| (month, Mutex::new(open))).collect(),
            results: Mutex::default(),
        })
    }

    /// Returns the number of months that have slices.
    pub(super) fn count(&self) -> usize {
        self.months.len()
    }

    /// Encodes a slice, and appends it and every slice that waited for it.
    pub(super) fn add(&self, number: usize, slice: &Slice, gathered: &SlicePlays<'_>) -> Result<()> {
        let wants = |table| self.config.tables.contains(&table);
        let (mut encoded, mut plays) = ([None, None], Plays::default());
        if wants(Table::Time) {
            encoded[0] = Some(self.time.encode(&time::file_columns(gathered.times()))?);
        }
        if wants(Table::Songplays) {
            let SongplaysRows { count, matched, columns } =
                gathered.rows(&self.finished.index, self.config.unmatched)?;
            plays = Plays { rows: count as u64, matched, last_at: gathered.times().last() };
            encoded[1] = Some(self.songplays.encode_columns(count, columns)?);
        }
        let profiles = gathered.profiles();
        let tracks = gathered.tracks();
        let history = wants(Table::UsersHistory).then(|| gathered.level_periods());
        let Some(month) = self.months.get(&slice.month) else { return Ok(()) };
        let mut month = month.lock().unwrap_or_else(PoisonError::into_inner);
        let month = &mut *month;
        month.plays.add(plays);
        month.tracks.extend(tracks);
        for (profile, latest) in profiles {
            let known = month.profiles.entry(profile).or_insert(latest);
            *known = (*known).max(latest);
        }
        month.early.insert(number, EarlySlice { encoded, history });
        while let Some(EarlySlice { encoded, history }) = month.early.remove(&month.next) {
            if let Some(history) = history {
                month.history.append(&history, &self.finished.dictionary);
            }
            month.next += 1;
            let is_last = month.next == month.end;
            for ((table, file), encoded) in MONTHLY_TABLES.into_iter().zip(&mut month.files).zip(encoded) {
                let partition = partition_path::of_month(table, slice.month, &self.config.columns);
                if let Some(encoded) = encoded.filter(|encoded| encoded.rows > 0) {
                    self.append(file, table, &partition, encoded)?;
                }
                if is_last {
                    self.close(file, table, &partition)?;
                }
            }
            // A slice can be empty: it may cover only the time between the last play of a month and the month's end.
            if is_last && !(month.profiles.is_empty() && month.history.is_empty()) {
                self.finish_month(slice.month, month);
            }
        }
        Ok(())
    }

    /// Adds the result of a month whose slices are all appended.
    fn finish_month(&self, month: Month, open: &mut OpenMonth) {
        let dictionary = &self.finished.dictionary;
        let mut users = UsersPartial::default();
        for (profile, latest) in std::mem::take(&mut open.profiles) {
            if let Some((user_id, row)) = dictionary.user(profile, latest) {
                users.add(user_id, row);
            }
        }
        let tracks = std::mem::take(&mut open.tracks);
        let mut tracks: Vec<u64> =
            tracks.into_iter().filter_map(|track| dictionary.track_key(track, self.config.matching)).collect();
        tracks.sort_unstable();
        tracks.dedup();
        let history = std::mem::take(&mut open.history).resolve(dictionary);
        let result = MonthResult { month, plays: open.plays, users: users.finish(), history, tracks };
        self.results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
    }

    fn append(&self, file: &mut OpenFile, table: Table, partition: &str, encoded: Encoded) -> Result<()> {
        if file.on_disk.as_ref().is_some_and(|(assembler, _)| assembler.bytes_written() >= MAX_FILE_BYTES) {
            self.close(file, table, partition)?;
        }
        file.summary.add(encoded.summary(self.config.needs_stats(table)));
        if let Some((assembler, _)) = &mut file.on_disk {
            return assembler.append(&encoded);
        }
        let Some(first) = file.first.take() else {
            file.first = Some(encoded);
            return Ok(());
        };
        let staged = self.stage.open(table, partition, &file_name(file.part, self.config))?;
        let table_encoder = if table == Table::Time { &self.time } else { &self.songplays };
        let mut assembler = table_encoder.assemble(staged.duplicate()?)?;
        assembler.append(&first)?;
        assembler.append(&encoded)?;
        file.on_disk = Some((assembler, staged));
        Ok(())
    }

    /// Completes the current file, if there is one.
    fn close(&self, file: &mut OpenFile, table: Table, partition: &str) -> Result<()> {
        let OpenFile { part, summary, first, on_disk } = std::mem::take(file);
        if let Some(only) = first {
            self.stage.put(table, partition, &file_name(part, self.config), &only.bytes, summary)?;
        } else if let Some((assembler, staged)) = on_disk {
            assembler.finish()?;
            self.stage.finish(staged, summary)?;
        }
        file.part = part + 1;
        Ok(())
    }

    /// Returns the results of all months that have plays, in no particular order.
    pub(super) fn into_results(self) -> Vec<MonthResult> {
        self.results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
