//! The work of a run, for the dry run.
//!
//! For an incremental run, the new and changed files are read: they determine the partitions of the songs, the months of
//! the plays, and the months with plays that match another song now.
//!
//! Invariant: an incremental run reads exactly these files, and changes only these partitions.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::incremental::plan::{Increment, RunPlan};
use crate::incremental::song_changes::{SongChanges, songs_table};
use crate::incremental::state::KnownSongs;
use crate::incremental::state_error::{StateError, StateResult, UNUSABLE_STATE};
use crate::input::input_files::InputFiles;
use crate::input::list::{SelectedFiles, Selection};
use crate::input::sources::{Content, JobSpec};
use crate::lake::StateReader;
use crate::lake::checkpoint::Checkpoint;
use crate::runtime::context::Context;
use crate::schema::Table;
use crate::tables::song_index::SongIndex;
use crate::tables::time::Month;
use crate::transform::extract::Extractor;

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
    /// The partitions of songs that change.
    pub(crate) song_partitions: BTreeSet<String>,
    /// The months to rebuild.
    pub(crate) months: BTreeSet<Month>,
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

    fn new(
        spec: &JobSpec,
        inputs: &InputFiles,
        increment: &Increment<'_>,
        to_copy: Vec<(Content, Selection)>,
        (state, context): (StateReader<'_>, &Context<'_>),
    ) -> StateResult<Self> {
        let Increment { checkpoint, songs, logs, .. } = increment;
        let (songs_changed, logs_changed) = (!songs.is_empty(), !logs.is_empty());
        let mut work = Self { songs_changed, logs_changed, songs: songs.to_read(), to_copy, ..Self::default() };
        if work.is_idle() {
            return Ok(work);
        }
        work.months = increment.outdated_months();
        if songs_changed {
            let changes = song_changes(spec, inputs, increment, state, context)?;
            work.song_partitions = changes.partitions;
            if spec.config.tables.contains(&Table::Songplays) {
                work.months.extend(increment.months_with_tracks(state, &changes.track_keys)?);
            }
        }
        let (present, _) = inputs.logs.split_missing(&logs.to_read());
        let files = SelectedFiles { listing: &inputs.logs, selection: &present };
        let found = Extractor { config: &spec.config, scratch: None, context }.months(files)?;
        work.months.extend(found.into_iter().map(|(_, month)| month));
        let mut to_read: Vec<usize> = logs.to_read().iter().copied().collect();
        to_read.extend(increment.unchanged_to_read(&work.months).iter());
        to_read.sort_unstable();
        work.logs = to_read.into();
        let has_history = spec.config.tables.contains(&Table::UsersHistory);
        work.count_state_files(checkpoint, logs.outdated_entries().next().is_some(), has_history);
        Ok(work)
    }

    fn count_state_files(&mut self, checkpoint: &Checkpoint, has_outdated_logs: bool, has_history: bool) {
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
            let history = u64::from(has_history);
            self.state_files_read += if has_outdated_logs { all - known } else { 1 } + history;
            self.state_files_written += 1 + history + 2 * rebuilt;
            self.state_files_removed += 1 + history + 2 * known;
        }
    }
}

/// Reads the new and changed song files to find the changes of the songs table.
fn song_changes(
    spec: &JobSpec,
    inputs: &InputFiles,
    increment: &Increment<'_>,
    state: StateReader<'_>,
    context: &Context<'_>,
) -> StateResult<SongChanges> {
    let KnownSongs { unchanged, outdated } = increment.song_records(state)?;
    let (present, _) = inputs.songs.split_missing(&increment.songs.to_read());
    let files = SelectedFiles { listing: &inputs.songs, selection: &present };
    let (mut found, _) = Extractor { config: &spec.config, scratch: None, context }.songs(files)?;
    let before = songs_table(unchanged.iter().chain(&outdated));
    for record in &unchanged {
        found.songs.add(&record.song());
    }
    let now = SongIndex::new(found.songs.finish(), spec.config.matching);
    Ok(SongChanges::between(&before, now.rows(), &spec.config))
}

impl WorkEstimate {
    /// Estimates the work of a run with this plan.
    ///
    /// # Errors
    /// Those of reading the new song files and the state.
    pub(crate) fn new(
        spec: &JobSpec,
        inputs: &InputFiles,
        plan: &RunPlan<'_>,
        to_copy: Vec<(Content, Selection)>,
        reader: (StateReader<'_>, &Context<'_>),
    ) -> Result<Self> {
        match plan {
            RunPlan::Full(reason) => Ok(Self::Full(reason.clone())),
            RunPlan::Incremental(increment) => match IncrementalWork::new(spec, inputs, increment, to_copy, reader) {
                Ok(work) => Ok(Self::Incremental(work)),
                Err(StateError::Unusable) => Ok(Self::Full(Some(UNUSABLE_STATE.to_owned()))),
                Err(StateError::Failed(error)) => Err(error),
            },
        }
    }
}
