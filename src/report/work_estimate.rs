//! What a run has to do, as far as names, sizes and times tell: for `plan`.
//!
//! Which months a new log file feeds, its path says, or nobody knows before it is read; which partitions a new song file
//! feeds, nobody knows.
//!
//! Invariant: an outlook never promises less work than there is, for log files that hold what their paths say.

use std::collections::BTreeSet;

use chrono::Datelike;

use crate::incremental::plan::{Increment, RunPlan};
use crate::input::input_files::InputFiles;
use crate::input::list::Selection;
use crate::input::sources::{Content, JobSpec};
use crate::input::{file_identity, path_dates};
use crate::lake::checkpoint::Checkpoint;
use crate::lake::commit_record::CommitRecord;
use crate::tables::time::Month;

/// What a run has to do.
#[derive(Debug)]
pub enum WorkEstimate {
    /// Everything; why, if the lake holds tables.
    Whole(Option<String>),
    /// What has changed.
    Part(Work),
}

/// The work of an incremental run.
#[derive(Debug, Default)]
pub struct Work {
    /// Song files to be read.
    pub songs: Selection,
    /// Log files to be read.
    pub logs: Selection,
    /// Files to be copied, by content.
    pub copied: Vec<(Content, Selection)>,
    /// Whether song files have come, changed or gone.
    pub has_songs: bool,
    /// Whether log files have.
    pub has_logs: bool,
    /// Partitions of songs that may change.
    pub song_partitions: u64,
    /// Months that are made again.
    pub months: BTreeSet<Month>,
    /// Log files of which nobody knows what months they feed.
    pub unplaced: u64,
    /// State files to be read.
    pub state_read: u64,
    /// State files to be written at most.
    pub state_written: u64,
    /// State files to be removed at most.
    pub state_removed: u64,
}

impl Work {
    /// Whether nothing has to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.has_songs && !self.has_logs && self.copied.iter().all(|(_, files)| files.is_empty())
    }
}

impl WorkEstimate {
    /// Looks ahead.
    #[must_use]
    pub fn new(
        spec: &JobSpec,
        inputs: &InputFiles,
        record: Option<&CommitRecord>,
        start: &RunPlan<'_>,
        copied: Vec<(Content, Selection)>,
    ) -> Self {
        match (start, record) {
            (RunPlan::Incremental(increment), Some(_)) => Self::Part(work(spec, inputs, increment, copied)),
            (RunPlan::Full(reason), _) => Self::Whole(reason.clone()),
            (RunPlan::Incremental(_), None) => Self::Whole(None),
        }
    }
}

fn work(spec: &JobSpec, inputs: &InputFiles, increment: &Increment<'_>, copied: Vec<(Content, Selection)>) -> Work {
    let Increment { base, songs, logs, .. } = increment;
    let (has_songs, has_logs) = (!songs.is_empty(), !logs.is_empty());
    let mut work = Work { has_songs, has_logs, songs: songs.to_read(), copied, ..Work::default() };
    if work.is_idle() {
        return work;
    }
    // A changed file may hold other songs than before.
    work.song_partitions = (songs.new.len() + 2 * songs.changed.len() + songs.gone.len()) as u64;
    work.months = increment.affected_months();
    if let Some(source) = &spec.logs {
        for index in logs.to_read().iter() {
            let Some(file) = inputs.logs.files.get(*index) else { continue };
            match path_dates::span(&file_identity::name(source, file)) {
                Some(days) => {
                    let first = days.start;
                    work.months.insert(Month { year: first.year(), month: first.month().cast_signed() });
                }
                None => work.unplaced += 1,
            }
        }
    }
    let mut read: Vec<usize> = logs.to_read().iter().copied().collect();
    read.extend(increment.others(spec, inputs, &work.months).iter());
    read.sort_unstable();
    work.logs = read.into();
    count_state(&mut work, base, logs.left().next().is_some());
    work
}

/// The state files that are read, written and removed.
fn count_state(work: &mut Work, base: &Checkpoint, has_left: bool) {
    let months = base.state.months.len() as u64;
    let again = work.months.len() as u64;
    let known = work.months.iter().filter(|month| base.state.months.contains_key(&month.to_string())).count() as u64;
    work.state_read = u64::from(base.input.contains_key(Content::Songs.name()));
    if work.has_songs {
        work.state_read += months;
        work.state_written += 1;
        work.state_removed += 1;
    }
    if again > 0 {
        work.state_read += if has_left { months - known } else { 1 };
        work.state_written += 1 + 2 * again;
        work.state_removed += 1 + 2 * known;
    }
}
