//! Reads listed files and stages finished tables: of the entire input, or of the changes and everything they affect.
//!
//! Songs come first, because plays are matched with them. An incremental run then reads the new log files, the files with
//! plays in the same months, and the files whose plays may match a new song. All other months are inherited.
//!
//! Invariant: a month is rebuilt from all files that have plays in it, or not at all.

use std::collections::BTreeSet;
use std::path::Path;

use crate::distributed::leader::{FileReach, Leader};
use crate::distributed::shuffle::ShuffleFile;
use crate::error::Result;
use crate::incremental::plan::Increment;
use crate::incremental::retained_input::{self, RetainedFiles};
use crate::incremental::song_changes::{SongChanges, songs_table};
use crate::incremental::state::{self, KnownSongs};
use crate::incremental::state_error::StateResult;
use crate::input::file_identity;
use crate::input::input_files::InputFiles;
use crate::input::list::{SelectedFiles, Selection};
use crate::input::sources::{Content, JobSpec};
use crate::lake::Stage;
use crate::lake::checkpoint::IncrementalState;
use crate::quality::input_stats::InputStats;
use crate::quality::read_stats::ReadStats;
use crate::runtime::clock::PhaseClock;
use crate::runtime::context::Context;
use crate::runtime::progress::{Level, Phase};
use crate::schema::Table;
use crate::tables::artists::ArtistsPartial;
use crate::tables::play_dictionary::PlayDictionary;
use crate::tables::song_index::SongIndex;
use crate::tables::song_record::SongRecord;
use crate::tables::time::Month;
use crate::tables::users::{User, UsersPartial};
use crate::tables::{artists, users, users_history};
use crate::transform::external_sort::RunBuffer;
use crate::transform::extract::{Extractor, LogsRead, PlayTarget, SongsRead};
use crate::transform::finished_tables::{FinishedTables, MonthResult};
use crate::transform::{extract, write_tables};

/// The content of the song files.
#[derive(Debug)]
pub struct Songs {
    pub index: SongIndex,
    artists: ArtistsPartial,
    /// All song records, in the order of the state file.
    records: Vec<SongRecord>,
    /// The changes of the table, in an incremental run.
    changes: Option<SongChanges>,
}

impl Songs {
    /// Returns the partitions that may have changed; `None` means all of them.
    pub fn partitions(&self) -> Option<&BTreeSet<String>> {
        self.changes.as_ref().map(|changes| &changes.partitions)
    }
}

/// The content of the log files.
#[derive(Debug)]
pub struct Logs {
    read: LogsRead,
    runs: RunBuffer,
    /// The files with the plays that workers have read.
    shuffled: Vec<ShuffleFile>,
    /// The months to rebuild; `None` means all of them.
    months: Option<BTreeSet<Month>>,
}

/// Everything that the steps of a run need.
#[derive(Clone, Copy, Debug)]
pub struct ReadContext<'d> {
    pub spec: &'d JobSpec,
    /// The changes of the input, in an incremental run.
    pub increment: Option<&'d Increment<'d>>,
    /// The stage that is written to; its lake has the state of earlier runs.
    pub stage: &'d Stage,
    /// The copies of missing files.
    pub retained: &'d RetainedFiles,
    /// A folder for temporary files.
    pub scratch: &'d Path,
    pub context: &'d Context<'d>,
}

impl ReadContext<'_> {
    /// Calls `read` with the files that are present, and with restored copies of those that are missing.
    fn each(
        &self,
        content: Content,
        files: SelectedFiles<'_>,
        mut read: impl FnMut(SelectedFiles<'_>, FileReach) -> Result<()>,
    ) -> Result<()> {
        let SelectedFiles { listing, selection } = files;
        let (present, missing) = listing.split_missing(selection);
        if !present.is_empty() || missing.is_empty() {
            read(SelectedFiles { listing, selection: &present }, FileReach::Workers)?;
        }
        match self.spec.source(content) {
            Some(source) if !missing.is_empty() => {
                let (from, lake) = ((source, listing), self.stage.lake().state());
                let restored = retained_input::restore(self.retained, from, &missing, lake, self.scratch)?;
                read(SelectedFiles { listing: &restored, selection: &missing }, FileReach::Leader)
            }
            _ => Ok(()),
        }
    }

    fn extractor(&self) -> Extractor<'_> {
        Extractor { config: &self.spec.config, scratch: Some(self.scratch), context: self.context }
    }

    fn leader(&self) -> Option<Leader<'_>> {
        Leader::new(self.spec, self.stage, self.context)
    }
}

/// Reads the song files, or only the new and changed ones, and selects the files of both contents to read.
///
/// # Errors
/// Those of [`Extractor::songs`] and [`retained_input::restore`]; [`StateError::Unusable`][unusable] when the records of
/// unchanged files are missing.
///
/// [unusable]: crate::incremental::state_error::StateError::Unusable
pub fn songs(read: &ReadContext<'_>, inputs: &mut InputFiles) -> StateResult<(Songs, ReadStats)> {
    let ReadContext { spec, increment, stage, context, .. } = *read;
    let has_changed = increment.is_some_and(|increment| !increment.songs.is_empty());
    let reader = stage.lake().state();
    let known = increment.filter(|_| has_changed).map(|increment| increment.song_records(reader)).transpose()?;
    if let Some(increment) = increment {
        inputs.song_selection = Some(increment.songs.to_read());
        inputs.log_selection = Some(increment.logs.to_read());
    }
    note_files(inputs, context);
    let selection = inputs.selection(Content::Songs);
    let files = SelectedFiles { listing: &inputs.songs, selection: &selection };
    context.begin(Phase::Songs, inputs.songs.bytes_of(&selection));
    let (mut found, mut stats) = (SongsRead::default(), ReadStats::default());
    let leader = read.leader().and_then(|leader| leader.for_songs(files));
    read.each(Content::Songs, files, |files, reach| {
        let (songs, its_stats) = match &leader {
            Some(leader) => leader.songs(files, reach)?,
            None => read.extractor().songs(files)?,
        };
        found.merge(songs);
        stats.merge(its_stats);
        Ok(())
    })?;
    let mut table_before = Vec::new();
    if let Some(KnownSongs { unchanged, outdated }) = known {
        table_before = songs_table(unchanged.iter().chain(&outdated));
        for record in unchanged {
            found.add(record);
        }
    } else if let Some(increment) = increment {
        // No song file has changed, so neither have the artists and the state: only the index of the songs is needed.
        increment.add_songs(reader, &mut found.songs)?;
    }
    let mut records = found.records;
    sort_as_manifest(spec, inputs, &mut records);
    let index = SongIndex::new(found.songs.finish(), spec.config.matching);
    let between = || SongChanges::between(&table_before, index.rows(), &spec.config);
    let changes = increment.map(|_| if has_changed { between() } else { SongChanges::default() });
    Ok((Songs { index, artists: found.artists, records, changes }, stats))
}

fn note_files(inputs: &InputFiles, context: &Context<'_>) {
    for (content, listing) in inputs.each() {
        let (files, selection) = (listing.files.len(), inputs.selection(content));
        let (name, bytes) = (content.name(), listing.bytes_of(&selection));
        context.note(Level::Info, || match selection.len() {
            read if read == files => format!("{name}: {files} files, {bytes} bytes"),
            read => format!("{name}: {files} files, {read} of them new or changed, {bytes} bytes"),
        });
    }
}

/// Sorts records by the names of their files, like the manifest.
fn sort_as_manifest(spec: &JobSpec, inputs: &InputFiles, records: &mut [SongRecord]) {
    let Some(source) = spec.source(Content::Songs).filter(|_| !records.is_empty()) else { return };
    let files = inputs.songs.files.iter().enumerate();
    let mut names: Vec<(String, usize)> =
        files.map(|(index, file)| (file_identity::name(source, file), index)).collect();
    names.sort_unstable();
    let mut ranks = vec![0; names.len()];
    for (rank, (_, index)) in names.iter().enumerate() {
        if let Some(place) = ranks.get_mut(*index) {
            *place = rank;
        }
    }
    records.sort_by_key(|record| (ranks.get(record.file).copied(), record.offset));
}

/// Reads the log files, or only the new and changed ones and those that have to be read with them. Adds to `stats`.
///
/// # Errors
/// Those of [`Extractor::plays`]; [`StateError::Unusable`][unusable] when the tracks of earlier months are missing.
///
/// [unusable]: crate::incremental::state_error::StateError::Unusable
pub fn logs(
    read: &ReadContext<'_>,
    inputs: &mut InputFiles,
    songs: &Songs,
    stats: &mut InputStats,
) -> StateResult<Logs> {
    let ReadContext { spec, increment, stage, context, .. } = *read;
    let config = &spec.config;
    let runs = RunBuffer::new(extract::runs_budget(config), read.scratch.to_owned());
    let (leader, mut shuffled) = (read.leader(), Vec::new());
    let mut found = LogsRead::default();
    let selection = inputs.selection(Content::Logs);
    let mut take = |selection: &Selection, months: Option<&BTreeSet<Month>>, found: &mut LogsRead| {
        context.begin(Phase::Logs, inputs.logs.bytes_of(selection));
        let files = SelectedFiles { listing: &inputs.logs, selection };
        read.each(Content::Logs, files, |files, reach| match &leader {
            None => {
                let target = PlayTarget { songs: &songs.index, runs: &runs, months };
                read.extractor().plays(files, target, found)
            }
            Some(leader) => {
                shuffled.extend(leader.plays(files, months, reach, found)?);
                Ok(())
            }
        })
    };
    take(&selection, None, &mut found)?;
    let mut months = None;
    if let (Some(increment), Some(changes)) = (increment, &songs.changes) {
        let mut rebuilt: BTreeSet<Month> = found.months.iter().map(|(_, month)| *month).collect();
        rebuilt.extend(increment.outdated_months());
        if config.tables.contains(&Table::Songplays) {
            rebuilt.extend(increment.months_with_tracks(stage.lake().state(), &changes.track_keys)?);
        }
        let others = increment.unchanged_to_read(&rebuilt);
        context.note(Level::Info, || {
            format!("{} months are rebuilt, from {} more log files", rebuilt.len(), others.len())
        });
        take(&others, Some(&rebuilt), &mut found)?;
        let mut all: Vec<usize> = selection.iter().chain(others.iter()).copied().collect();
        all.sort_unstable();
        inputs.log_selection = Some(all.into());
        months = Some(rebuilt);
    }
    stats.logs = std::mem::take(&mut found.stats);
    stats.months = std::mem::take(&mut found.months);
    Ok(Logs { read: found, runs, shuffled, months })
}

/// Stages all tables except the songs, and saves the state.
///
/// # Errors
/// Those of [`write_tables::tables`]; [`StateError::Unusable`][unusable] when the users of earlier months are missing.
///
/// [unusable]: crate::incremental::state_error::StateError::Unusable
pub fn write(read: &ReadContext<'_>, songs: Songs, logs: Logs) -> StateResult<IncrementalState> {
    let ReadContext { spec, increment, stage, context, .. } = *read;
    let config = &spec.config;
    let wants = |table| config.tables.contains(&table);
    let Songs { index, artists, records, .. } = songs;
    let Logs { read: logs_read, runs, shuffled, months } = logs;
    let same_songs = increment.is_some_and(|increment| increment.songs.is_empty());
    let mut dimensions = Vec::new();
    if wants(Table::Artists) {
        if same_songs {
            stage.inherit(Table::Artists, |_| true)?;
        } else {
            dimensions.push(artists::columns(&artists.finish()));
        }
    }
    let dictionary = PlayDictionary::new(logs_read.dictionaries);
    let finished = FinishedTables { index, dimensions, dictionary, runs: runs.finish() };
    write_tables::inherit_months(months.as_ref(), config, stage)?;
    let mut results = write_tables::tables(&finished, config, stage, context)?;
    if let Some(leader) = read.leader() {
        results = leader.months(shuffled, finished.index.rows())?;
    }
    let same_users = months.as_ref().is_some_and(BTreeSet::is_empty) || spec.logs.is_none();
    let users = match (increment, &months) {
        _ if same_users => None,
        (Some(increment), Some(months)) => Some(increment.users(stage.lake().state(), months, &results)?),
        _ => Some(users_of(&results)),
    };
    if wants(Table::Users) {
        match &users {
            Some(users) => write_tables::single_file(&users::columns(users), config, stage)?,
            None => stage.inherit(Table::Users, |_| true)?,
        }
    }
    let mut reused = increment.map(|increment| increment.checkpoint.state.clone()).unwrap_or_default();
    let history = if !wants(Table::UsersHistory) {
        reused.history = None;
        None
    } else if same_users {
        stage.inherit(Table::UsersHistory, |_| true)?;
        None
    } else {
        let mut periods = results.iter_mut().flat_map(|month| std::mem::take(&mut month.history)).collect();
        if let (Some(increment), Some(months)) = (increment, &months) {
            periods = increment.history(stage.lake().state(), months, periods)?;
        } else {
            users_history::sort(&mut periods);
        }
        write_tables::single_file(&users_history::columns(&periods), config, stage)?;
        Some(periods)
    };
    if let Some(months) = &months {
        reused.months.retain(|name, _| !Month::parse(name).is_some_and(|month| months.contains(&month)));
    }
    let records = (!same_songs && spec.songs.is_some()).then_some(records.as_slice());
    Ok(state::save(stage, reused, records, users.as_deref(), history.as_deref(), &results)?)
}

/// Returns the users of all months.
fn users_of(months: &[MonthResult]) -> Vec<User> {
    let mut users = UsersPartial::default();
    for (user_id, row) in months.iter().flat_map(|month| &month.users) {
        users.add(user_id.clone(), row.clone());
    }
    users.finish()
}

/// The entire input, for tables that stay in memory.
#[derive(Debug)]
pub struct InMemory {
    pub finished: FinishedTables,
    pub stats: InputStats,
}

/// Reads the entire input, for tables that stay in memory.
///
/// # Errors
/// Those of [`Extractor`].
pub fn all(
    spec: &JobSpec,
    inputs: &InputFiles,
    runs: RunBuffer,
    clock: &mut PhaseClock,
    context: &Context<'_>,
) -> Result<InMemory> {
    let config = &spec.config;
    let extractor = Extractor { config, scratch: None, context };
    note_files(inputs, context);
    let selection = inputs.selection(Content::Songs);
    context.begin(Phase::Songs, inputs.songs.bytes());
    let (songs, its_stats) = extractor.songs(SelectedFiles { listing: &inputs.songs, selection: &selection })?;
    clock.end("songs");
    let index = SongIndex::new(songs.songs.finish(), config.matching);
    let mut logs = LogsRead::default();
    let selection = inputs.selection(Content::Logs);
    context.begin(Phase::Logs, inputs.logs.bytes());
    let target = PlayTarget { songs: &index, runs: &runs, months: None };
    let files = SelectedFiles { listing: &inputs.logs, selection: &selection };
    extractor.plays(files, target, &mut logs)?;
    let stats = InputStats { songs: its_stats, logs: logs.stats, months: logs.months, quarantine: None };
    let mut dimensions = Vec::new();
    if config.tables.contains(&Table::Artists) {
        dimensions.push(artists::columns(&songs.artists.finish()));
    }
    if config.tables.contains(&Table::Users) {
        dimensions.push(users::columns(&users::finish(&logs.dictionaries)));
    }
    let dictionary = PlayDictionary::new(logs.dictionaries);
    Ok(InMemory { finished: FinishedTables { index, dimensions, dictionary, runs: runs.finish() }, stats })
}
