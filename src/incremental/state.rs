//! Loads the state that earlier runs saved, and saves the state of this run.
//!
//! Invariant: state that is missing or damaged is never used; the run reads the entire input instead.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;

use crate::error::Result;
use crate::incremental::plan::Increment;
use crate::incremental::state_error::{StateError, StateResult};
use crate::incremental::state_files;
use crate::input::sources::Content;
use crate::lake::checkpoint::{IncrementalState, MonthState, StateFile};
use crate::lake::read_summary::{Plays, ReadSummary};
use crate::lake::{Stage, StateReader};
use crate::schema::Table;
use crate::tables::song_record::SongRecord;
use crate::tables::songs::SongsPartial;
use crate::tables::time::Month;
use crate::tables::users::{User, UsersPartial};
use crate::tables::users_history::{self, UserPeriod};
use crate::transform::finished_tables::MonthResult;

/// The song records that earlier runs saved.
#[derive(Debug, Default)]
pub(crate) struct KnownSongs {
    /// Records of unchanged files, with the numbers of these files in the listing.
    pub(crate) unchanged: Vec<SongRecord>,
    /// Records of files that have changed or are missing.
    pub(crate) outdated: Vec<SongRecord>,
}

impl Increment<'_> {
    /// Loads the song records of all files of the manifest.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and storage errors.
    pub(crate) fn song_records(&self, state: StateReader<'_>) -> StateResult<KnownSongs> {
        let Some(manifest) = self.checkpoint.input.get(Content::Songs.name()) else {
            return Ok(KnownSongs::default());
        };
        let bytes = load(state, self.checkpoint.state.songs.as_ref())?;
        let number = |name: &str| self.songs.unchanged.get(name).map_or(usize::MAX, |(index, _)| *index);
        let files = manifest.files.iter().map(|(name, entry)| (number(name), entry.loaded));
        let records = state_files::songs_from_bytes(bytes, files).map_err(|_| StateError::Unusable)?;
        let (unchanged, outdated) = records.into_iter().partition(|record| record.file != usize::MAX);
        Ok(KnownSongs { unchanged, outdated })
    }

    /// Adds all song records of the manifest to `songs`, for a run in which no song file has changed.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and storage errors.
    pub(crate) fn add_songs(&self, state: StateReader<'_>, songs: &mut SongsPartial) -> StateResult<()> {
        let Some(manifest) = self.checkpoint.input.get(Content::Songs.name()) else { return Ok(()) };
        let bytes = load(state, self.checkpoint.state.songs.as_ref())?;
        let files = manifest.files.values().map(|entry| (0, entry.loaded));
        state_files::each_song(bytes, files, |_, song| songs.add(song)).map_err(|_| StateError::Unusable)
    }

    /// Returns the months in which a track with one of these keys was played.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and storage errors.
    pub(crate) fn months_with_tracks(
        &self,
        state: StateReader<'_>,
        track_keys: &HashSet<u64>,
    ) -> StateResult<BTreeSet<Month>> {
        let mut months = BTreeSet::new();
        if track_keys.is_empty() {
            return Ok(months);
        }
        for (name, known) in &self.checkpoint.state.months {
            let month = Month::parse(name).ok_or(StateError::Unusable)?;
            let bytes = load(state, Some(&known.tracks))?;
            let tracks = state_files::tracks_from_bytes(bytes).map_err(|_| StateError::Unusable)?;
            if tracks.iter().any(|track| track_keys.contains(track)) {
                months.insert(month);
            }
        }
        Ok(months)
    }

    /// Returns the users of all months, after the months `rebuilt` were rebuilt with these results.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and storage errors.
    pub(crate) fn users(
        &self,
        state: StateReader<'_>,
        rebuilt: &BTreeSet<Month>,
        results: &[MonthResult],
    ) -> StateResult<Vec<User>> {
        let known = &self.checkpoint.state;
        // If no file has changed or is missing, a user's row can only be replaced by a later event: the one file with
        // the users of all months is enough.
        let files: Vec<&StateFile> = if self.logs.outdated_entries().next().is_none() {
            known.users.iter().collect()
        } else {
            let is_reused = |name: &str| Month::parse(name).is_some_and(|month| !rebuilt.contains(&month));
            known.months.iter().filter(|(name, _)| is_reused(name)).map(|(_, month)| &month.users).collect()
        };
        let mut users = UsersPartial::default();
        for file in files {
            let bytes = load(state, Some(file))?;
            let rows = state_files::users_from_bytes(bytes).map_err(|_| StateError::Unusable)?;
            for (user_id, row) in rows {
                users.add(user_id, row);
            }
        }
        for (user_id, row) in results.iter().flat_map(|month| &month.users) {
            users.add(user_id.clone(), row.clone());
        }
        Ok(users.finish())
    }

    /// Returns the periods of the users' levels in all months, sorted, after the months `rebuilt` were rebuilt with the
    /// periods `new`.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and storage errors.
    pub(crate) fn history(
        &self,
        state: StateReader<'_>,
        rebuilt: &BTreeSet<Month>,
        new: Vec<UserPeriod>,
    ) -> StateResult<Vec<UserPeriod>> {
        let bytes = load(state, self.checkpoint.state.history.as_ref())?;
        let mut periods = state_files::history_from_bytes(bytes).map_err(|_| StateError::Unusable)?;
        // Each period is within one month.
        periods.retain(|period| !rebuilt.contains(&Month::of(period.from)));
        periods.extend(new);
        users_history::sort(&mut periods);
        Ok(periods)
    }
}

/// Loads a state file and checks its bytes.
fn load(state: StateReader<'_>, file: Option<&StateFile>) -> StateResult<Bytes> {
    let file = file.ok_or(StateError::Unusable)?;
    state.read(file)?.ok_or(StateError::Unusable)
}

/// Stages the state files of a run and returns its state. `saved` is the part of the earlier state that is still
/// valid; `records` are all song records, `users` all users and `history` all periods of their levels, if they have
/// changed.
///
/// # Errors
/// Storage errors.
pub(crate) fn save(
    stage: &Stage,
    mut saved: IncrementalState,
    records: Option<&[SongRecord]>,
    users: Option<&[User]>,
    history: Option<&[UserPeriod]>,
    months: &[MonthResult],
) -> Result<IncrementalState> {
    if let Some(records) = records {
        saved.songs = Some(stage.put_state("songs.state", &state_files::songs_to_bytes(records)?)?);
    }
    if let Some(users) = users {
        saved.users = Some(stage.put_state("users.state", &state_files::users_to_bytes(users)?)?);
    }
    if let Some(history) = history {
        saved.history = Some(stage.put_state("history.state", &state_files::history_to_bytes(history)?)?);
    }
    // A month without plays has only events of other pages, and all of its state is in the history.
    for result in months.iter().filter(|result| !result.users.is_empty()) {
        let month = result.month;
        let users = state_files::users_to_bytes(&result.users)?;
        let users = stage.put_state(&format!("{month}-users.state"), &users)?;
        let tracks = state_files::tracks_to_bytes(&result.tracks)?;
        let tracks = stage.put_state(&format!("{month}-tracks.state"), &tracks)?;
        let Plays { rows: plays, matched, last_at } = result.plays;
        saved.months.insert(month.to_string(), MonthState { plays, matched, last_at, users, tracks });
    }
    Ok(saved)
}

/// Adds the number of partitions of each table, and the number of plays, to a summary.
pub(crate) fn count_tables(
    summary: &mut ReadSummary,
    state: &IncrementalState,
    tables: &[Table],
    song_partitions: u64,
) {
    let months = || state.months.values();
    if tables.contains(&Table::Songplays) {
        summary.plays = Plays::default();
        months().for_each(|month| summary.plays.add(month.counts()));
    }
    let partitions = |table: &Table| match table {
        Table::Songs => Some(song_partitions),
        Table::Time => Some(months().count() as u64),
        Table::Songplays => Some(months().filter(|month| month.plays > 0).count() as u64),
        Table::Artists | Table::Users | Table::UsersHistory => None,
    };
    summary.partitions = tables
        .iter()
        .filter_map(|table| Some((table.name().to_owned(), partitions(table)?)))
        .collect::<BTreeMap<_, _>>();
}
