//! What an incremental run builds upon: what an earlier run left in the lake, and how the input differs from it.
//!
//! The law: after any sequence of arrivals and runs the lake equals the one that reading everything would make now. So
//! only that is taken over which follows from unchanged files alone: a partition that no file that came, changed or went
//! feeds, and whose plays match the same songs as before.
//!
//! Invariant: whatever cannot be proven to be as it was is made again; when in doubt, everything is.

use crate::incremental::state_error::{StateError, StateResult};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use chrono::NaiveDate;

use crate::config::{Match, OnBadFile};
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::diff::InputDiff;
use crate::incremental::state_files;
use crate::input::input_files::InputFiles;
use crate::input::list::{InputFile, Selection};
use crate::input::sources::{Content, JobSpec};
use crate::input::{file_identity, path_dates};
use crate::lake::checkpoint::{Checkpoint, IncrementalState, ManifestEntry, MonthState, StateFile};
use crate::lake::commit_record::CommitRecord;
use crate::lake::read_summary::ReadSummary;
use crate::lake::{Lake, Stage};
use crate::schema::Table;
use crate::tables::partition_path;
use crate::tables::song_index::track_key;
use crate::tables::song_record::SongRecord;
use crate::tables::songs::{SongRow, SongsPartial};
use crate::tables::time::Month;
use crate::tables::users::{User, UsersPartial};
use crate::transform::write_tables::MonthResult;

/// What a run begins with.
#[derive(Debug)]
pub enum RunPlan<'l> {
    /// All of the input has to be read; why, if there was a choice.
    Full(Option<String>),
    /// Part of it.
    Incremental(Box<Increment<'l>>),
}

/// What an earlier run left, and what is new.
#[derive(Debug)]
pub struct Increment<'l> {
    /// What the tables were made from.
    pub base: &'l Checkpoint,
    /// What its last run told.
    pub summary: &'l ReadSummary,
    /// Song files.
    pub songs: InputDiff<'l>,
    /// Log files.
    pub logs: InputDiff<'l>,
}

/// Leaves of the log files those that the lake knows and those of the days that the configuration names.
///
/// # Errors
/// [`ErrorKind::NoInput`] when none is left.
pub fn restrict(spec: &JobSpec, inputs: &mut InputFiles, head: Option<&CommitRecord>) -> Result<()> {
    let days = &spec.config.days;
    let (Some(source), true) = (&spec.logs, days.start.is_some() || days.end.is_some()) else { return Ok(()) };
    let known = head.and_then(|head| head.manifest(Content::Logs.name()));
    let known = known.filter(|known| known.location == file_identity::location(source));
    let (mut within, mut unplaced) = (0_u64, 0_u64);
    let mut is_taken = |file: &&InputFile| {
        let name = file_identity::name(source, file);
        let span = path_dates::span(&name);
        let is_known = known.is_some_and(|known| known.files.contains_key(&name));
        unplaced += u64::from(span.is_none() && !is_known);
        let is_within = span.is_some_and(|span| {
            days.end.is_none_or(|end| span.start < end) && days.start.is_none_or(|start| span.end > start)
        });
        within += u64::from(is_within);
        is_within || is_known
    };
    let files: Vec<InputFile> = inputs.logs.files.iter().filter(&mut is_taken).cloned().collect();
    let shown = |day: Option<NaiveDate>| day.map_or_else(|| "…".to_owned(), |day| day.to_string());
    let window = format!("{}..{}", shown(days.start), shown(days.end));
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NoInput, format!("no log file in {} is of {window}", source.shown))
            .cause(format!("{} files are of other days, {unplaced} have no day in their path", inputs.logs.files.len()))
            .hint("since is a day, until the day behind the last one")
            .context("path", source.shown.clone()));
    }
    if within == 0 {
        inputs.logs.warnings.push(format!("no log file in {} is of {window}", source.shown));
    }
    if unplaced > 0 {
        inputs.logs.warnings.push(format!(
            "{unplaced} log files in {} have no day in their path: since and until do not take them",
            source.shown
        ));
    }
    inputs.logs.files = files.into();
    Ok(())
}

/// Looks for something to build upon: `head` is the newest version of the lake, `is_whole` tells whether the tables are
/// what it says.
#[must_use]
pub fn choose<'l>(
    spec: &JobSpec,
    inputs: &InputFiles,
    head: Option<&'l CommitRecord>,
    is_whole: impl FnOnce() -> bool,
) -> RunPlan<'l> {
    let whole = |reason: &str| RunPlan::Full(Some(reason.to_owned()));
    let config = &spec.config;
    let Some(head) = head else { return RunPlan::Full(None) };
    if config.rebuild {
        return whole("--rebuild was said");
    }
    if head.package != env!("CARGO_PKG_VERSION") {
        return RunPlan::Full(Some(format!("version {} of the lake is the work of another release", head.version)));
    }
    if head.options != config.table_options() {
        return whole("options that shape rows or files are not what they were");
    }
    let folders: BTreeSet<String> =
        config.tables.iter().filter_map(|table| config.folders.get(table)).cloned().collect();
    let Some(base) = head.checkpoint(&folders) else {
        return whole("the tables were not made together, or are new");
    };
    if !is_whole() {
        return whole("files of the tables are not what they were");
    }
    let Some(summary) = base.summaries.get(&config.read_options()) else {
        return whole("options that judge the input are not what they were");
    };
    let listed_at = file_identity::nanoseconds(&base.listed_at).unwrap_or(i128::MIN);
    let mut deltas = Vec::new();
    for (content, listing) in inputs.each() {
        let (Some(source), Some(known)) = (spec.source(content), base.input.get(content.name())) else {
            deltas.push(InputDiff::default());
            continue;
        };
        // A file that could not be read is looked at again where that is no longer accepted.
        let is_accepted = |file: &ManifestEntry| file.bad.is_none() || config.on_bad_file == OnBadFile::Quarantine;
        let Some(delta) = InputDiff::new(source, listing, known, listed_at, is_accepted) else {
            return RunPlan::Full(Some(format!("the lake was made from {}", known.location)));
        };
        deltas.push(delta);
    }
    let mut deltas = deltas.into_iter();
    let (songs, logs) = (deltas.next().unwrap_or_default(), deltas.next().unwrap_or_default());
    RunPlan::Incremental(Box::new(Increment { base, summary, songs, logs }))
}

/// The song records that earlier runs kept.
#[derive(Debug, Default)]
pub struct KnownSongs {
    /// Those of unchanged files, under the numbers of these files in the listing.
    pub unchanged: Vec<SongRecord>,
    /// Those of files that have changed or are no longer there.
    pub stale: Vec<SongRecord>,
}

impl<'l> RunPlan<'l> {
    /// What an incremental run builds upon.
    #[must_use]
    pub fn increment(&self) -> Option<&Increment<'l>> {
        match self {
            Self::Full(_) => None,
            Self::Incremental(increment) => Some(increment),
        }
    }

    /// Why everything is read although the lake has a version.
    #[must_use]
    pub fn full_reason(&self) -> Option<&String> {
        match self {
            Self::Full(reason) => reason.as_ref(),
            Self::Incremental(_) => None,
        }
    }
}

impl Increment<'_> {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.songs.is_empty() && self.logs.is_empty()
    }

    /// The song records of the manifest's files.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and the storage's.
    pub fn song_records(&self, lake: &Lake) -> StateResult<KnownSongs> {
        let Some(ledger) = self.base.input.get(Content::Songs.name()) else { return Ok(KnownSongs::default()) };
        let bytes = state_of(lake, self.base.state.songs.as_ref())?;
        let number = |name: &str| self.songs.unchanged.get(name).map_or(usize::MAX, |(index, _)| *index);
        let files = ledger.files.iter().map(|(name, file)| (number(name), file.loaded));
        let records = state_files::songs_from_bytes(bytes, files).map_err(|_| StateError::Unusable)?;
        let (unchanged, stale) = records.into_iter().partition(|record| record.file != usize::MAX);
        Ok(KnownSongs { unchanged, stale })
    }

    /// The months whose tracks a song among `keys` may match.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and the storage's.
    pub fn months_with(&self, lake: &Lake, keys: &HashSet<u64>) -> StateResult<BTreeSet<Month>> {
        let mut months = BTreeSet::new();
        if keys.is_empty() {
            return Ok(months);
        }
        for (name, state) in &self.base.state.months {
            let month = Month::parse(name).ok_or(StateError::Unusable)?;
            let bytes = state_of(lake, Some(&state.tracks))?;
            let tracks = state_files::tracks_from_bytes(bytes).map_err(|_| StateError::Unusable)?;
            if tracks.iter().any(|track| keys.contains(track)) {
                months.insert(month);
            }
        }
        Ok(months)
    }

    /// The months that files which changed or went have fed.
    #[must_use]
    pub fn affected_months(&self) -> BTreeSet<Month> {
        self.logs.left().flat_map(|file| &file.months).filter_map(|month| Month::parse(month)).collect()
    }

    /// The unchanged log files that have to be read all the same: those that feed one of these months, and those that
    /// may be a double of a file that is new.
    #[must_use]
    pub fn others(&self, spec: &JobSpec, inputs: &InputFiles, months: &BTreeSet<Month>) -> Selection {
        let names: HashSet<String> = months.iter().map(ToString::to_string).collect();
        let files = &inputs.logs.files;
        let is_compared = inputs.logs.bucket.is_none() && !spec.config.allow_duplicates;
        let sizes: HashSet<u64> = if is_compared {
            self.logs.to_read().iter().filter_map(|index| files.get(*index)).map(|file| file.size).collect()
        } else {
            HashSet::new()
        };
        let is_needed = |known: &ManifestEntry| {
            known.months.iter().any(|month| names.contains(month)) || sizes.contains(&known.size)
        };
        let unchanged = self.logs.unchanged.values();
        let mut others: Vec<usize> = unchanged.filter(|(_, known)| is_needed(known)).map(|(index, _)| *index).collect();
        others.sort_unstable();
        others.into()
    }

    /// The users, after `months` were made again.
    ///
    /// # Errors
    /// [`StateError::Unusable`], and the storage's.
    pub fn users(&self, lake: &Lake, months: &BTreeSet<Month>, told: &[MonthResult]) -> StateResult<Vec<User>> {
        let state = &self.base.state;
        // Where nothing left, a later event can only replace an earlier one: the users of all months are a beginning.
        let files: Vec<&StateFile> = if self.logs.left().next().is_none() {
            state.users.iter().collect()
        } else {
            let is_kept = |name: &str| Month::parse(name).is_some_and(|month| !months.contains(&month));
            state.months.iter().filter(|(name, _)| is_kept(name)).map(|(_, month)| &month.users).collect()
        };
        let mut users = UsersPartial::default();
        for file in files {
            let bytes = state_of(lake, Some(file))?;
            let rows = state_files::users_from_bytes(bytes).map_err(|_| StateError::Unusable)?;
            for (user_id, row) in rows {
                users.add(user_id, row);
            }
        }
        for month in told {
            for (user_id, row) in &month.users {
                users.add(user_id.clone(), row.clone());
            }
        }
        Ok(users.finish())
    }
}

fn state_of(lake: &Lake, file: Option<&StateFile>) -> StateResult<Bytes> {
    let file = file.ok_or(StateError::Unusable)?;
    lake.read_state(file)?.ok_or(StateError::Unusable)
}

/// How the songs table differs from what it was.
#[derive(Debug, Default)]
pub struct SongsChange {
    /// The partitions with a row that is new, gone or different.
    pub partitions: BTreeSet<String>,
    /// The keys of the tracks that such a row matches, or has matched.
    pub keys: HashSet<u64>,
}

/// The songs table of some records.
pub fn songs_of<'r>(records: impl Iterator<Item = &'r SongRecord>) -> Vec<SongRow> {
    let mut songs = SongsPartial::default();
    records.for_each(|record| songs.add(&record.song()));
    songs.finish()
}

/// Compares the songs table with what it was.
#[must_use]
pub fn songs_change(before: &[SongRow], now: &[SongRow], matching: Match) -> SongsChange {
    let mut before: HashMap<&str, &SongRow> = before.iter().map(|row| (&*row.song_id, row)).collect();
    let mut change = SongsChange::default();
    let mut note = |row: &SongRow| {
        change.partitions.insert(partition_path::of_song(row));
        change.keys.extend(track_key(matching, row.title.as_deref(), row.artist_name.as_deref(), row.duration));
    };
    for row in now {
        match before.remove(&*row.song_id) {
            Some(known) if known.is_same(row) => {}
            known => {
                note(row);
                known.into_iter().for_each(&mut note);
            }
        }
    }
    before.into_values().for_each(note);
    change
}

/// Writes the state of a run: `records` are all song records if they are to be written, `users` likewise; `kept` is the
/// state of the base with what is left of it.
///
/// # Errors
/// The place's.
pub fn write_state(
    stage: &Stage,
    kept: IncrementalState,
    records: Option<&[SongRecord]>,
    users: Option<&[User]>,
    months: &[MonthResult],
) -> Result<IncrementalState> {
    let mut left = kept;
    if let Some(records) = records {
        left.songs = Some(stage.put_state("songs.parquet", &state_files::songs_to_bytes(records)?)?);
    }
    if let Some(users) = users {
        left.users = Some(stage.put_state("users.parquet", &state_files::users_to_bytes(users)?)?);
    }
    for told in months {
        let month = MonthState {
            plays: told.plays.rows,
            matched: told.plays.matched,
            users: stage
                .put_state(&format!("{}-users.parquet", told.month), &state_files::users_to_bytes(&told.users)?)?,
            tracks: stage
                .put_state(&format!("{}-tracks.parquet", told.month), &state_files::tracks_to_bytes(&told.tracks)?)?,
        };
        left.months.insert(told.month.to_string(), month);
    }
    Ok(left)
}

/// The partitions of each table, and its plays, as the state tells.
pub fn count_tables(outcome: &mut ReadSummary, state: &IncrementalState, tables: &[Table], song_partitions: u64) {
    let months = || state.months.values();
    if tables.contains(&Table::Songplays) {
        outcome.plays.rows = months().map(|month| month.plays).sum();
        outcome.plays.matched = months().map(|month| month.matched).sum();
    }
    let partitions = |table: &Table| match table {
        Table::Songs => Some(song_partitions),
        Table::Time => Some(months().count() as u64),
        Table::Songplays => Some(months().filter(|month| month.plays > 0).count() as u64),
        Table::Artists | Table::Users => None,
    };
    outcome.partitions = tables
        .iter()
        .filter_map(|table| Some((table.name().to_owned(), partitions(table)?)))
        .collect::<BTreeMap<_, _>>();
}
