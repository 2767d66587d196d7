//! Estimates the work of a run from the names, sizes and times of its files, for the dry run.
//!
//! The month of a new log file is known if its path contains a date. The partitions of a new song file are only known
//! when the file is read.
//!
//! Invariant: the estimate is never less than the actual work, provided that log files contain plays of the month in
//! their path.

use std::collections::BTreeSet;

use chrono::Datelike;

use crate::incremental::plan::{Increment, RunPlan};
use crate::input::input_files::InputFiles;
use crate::input::list::Selection;
use crate::input::sources::{Content, JobSpec};
use crate::input::{file_identity, path_dates};
use crate::lake::checkpoint::Checkpoint;
use crate::tables::time::Month;

/// The work of a run.
#[derive(Debug)]
pub(crate) enum WorkEstimate {
    /// The entire input is read; with the reason, if the lake has tables already.
    Full(Option<String>),
    /// Only what has changed is read.
    Incremental(IncrementalWork),
}

/// The work of an incremental run.
#[derive(Debug, Default)]
pub(crate) struct IncrementalWork {
    /// The song files to read.
    pub(crate) songs: Selection,
    /// The log files to read.
    pub(crate) logs: Selection,
    /// The files to copy for `--keep-gone`, by content.
    pub(crate) to_copy: Vec<(Content, Selection)>,
    /// Whether any song file is new, changed or missing.
    pub(crate) songs_changed: bool,
    /// Whether any log file is new, changed or missing.
    pub(crate) logs_changed: bool,
    /// Upper bound for the partitions of songs that change.
    pub(crate) song_partitions: u64,
    /// The months to rebuild, except those that are not known yet.
    pub(crate) months: BTreeSet<Month>,
    /// The number of log files whose month is only known when they are read.
    pub(crate) files_without_month: u64,
    /// The number of state files to read.
    pub(crate) state_files_read: u64,
    /// Upper bound for the state files to write.
    pub(crate) state_files_written: u64,
    /// Upper bound for the state files to remove.
    pub(crate) state_files_removed: u64,
}

impl IncrementalWork {
    /// Returns true if there is nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        !self.songs_changed && !self.logs_changed && self.to_copy.iter().all(|(_, files)| files.is_empty())
    }

    fn new(spec: &JobSpec, inputs: &InputFiles, increment: &Increment<'_>, to_copy: Vec<(Content, Selection)>) -> Self {
        let Increment { checkpoint, songs, logs, .. } = increment;
        let (songs_changed, logs_changed) = (!songs.is_empty(), !logs.is_empty());
        let mut work = Self { songs_changed, logs_changed, songs: songs.to_read(), to_copy, ..Self::default() };
        if work.is_idle() {
            return work;
        }
        // A changed file may contain other songs than before.
        work.song_partitions = (songs.new.len() + 2 * songs.changed.len() + songs.missing.len()) as u64;
        work.months = increment.outdated_months();
        if let Some(source) = &spec.logs {
            for index in logs.to_read().iter() {
                let Some(file) = inputs.logs.files.get(*index) else { continue };
                match path_dates::span(&file_identity::name(source, file)) {
                    Some(days) => {
                        let first = days.start;
                        work.months.insert(Month { year: first.year(), month: first.month().cast_signed() });
                    }
                    None => work.files_without_month += 1,
                }
            }
        }
        let mut to_read: Vec<usize> = logs.to_read().iter().copied().collect();
        to_read.extend(increment.unchanged_to_read(&work.months).iter());
        to_read.sort_unstable();
        work.logs = to_read.into();
        work.count_state_files(checkpoint, logs.outdated_entries().next().is_some());
        work
    }

    fn count_state_files(&mut self, checkpoint: &Checkpoint, has_outdated_logs: bool) {
        let known_months = &checkpoint.state.months;
        let all = known_months.len() as u64;
        let rebuilt = self.months.len() as u64;
        let known = self.months.iter().filter(|month| known_months.contains_key(&month.to_string())).count() as u64;
        self.state_files_read = u64::from(checkpoint.input.contains_key(Content::Songs.name()));
        if self.songs_changed {
            self.state_files_read += all;
            self.state_files_written += 1;
            self.state_files_removed += 1;
        }
        if rebuilt > 0 {
            self.state_files_read += if has_outdated_logs { all - known } else { 1 };
            self.state_files_written += 1 + 2 * rebuilt;
            self.state_files_removed += 1 + 2 * known;
        }
    }
}

impl WorkEstimate {
    /// Estimates the work of a run with this plan.
    pub(crate) fn new(
        spec: &JobSpec,
        inputs: &InputFiles,
        plan: &RunPlan<'_>,
        to_copy: Vec<(Content, Selection)>,
    ) -> Self {
        match plan {
            RunPlan::Full(reason) => Self::Full(reason.clone()),
            RunPlan::Incremental(increment) => {
                Self::Incremental(IncrementalWork::new(spec, inputs, increment, to_copy))
            }
        }
    }
}
