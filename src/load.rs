//! From listed files to finished tables: everything, or what has changed and what that touches.
//!
//! Songs come first, because plays are matched with them. Then the log files that are new are read, then those that feed
//! the same months, and those whose plays may match a song that is new; every other month stays as it is.
//!
//! Invariant: a month is made again from all files that feed it, or not at all.

use std::collections::BTreeSet;
use std::path::Path;

use crate::account::Account;
use crate::archive::{self, Copies};
use crate::commit::Stage;
use crate::commit::base::State;
use crate::discover::{Listing, Selection};
use crate::duplicates::SameSized;
use crate::emit::{self, Finished};
use crate::error::Result;
use crate::increment::{self, Increment, SongsChange};
use crate::ingest::{self, Control, LogsRead, SongsRead};
use crate::judge::Inputs;
use crate::plan::{Content, Plan};
use crate::progress::{Level, Stage as At};
use crate::report::StageClock;
use crate::runs::Runs;
use crate::schema::Table;
use crate::shards::shuffle::ShuffleFile;
use crate::shards::{Leader, Reach};
use crate::tables::artists::{self, ArtistsPartial};
use crate::tables::cast::Cast;
use crate::tables::catalogue::Catalogue;
use crate::tables::records::SongRecord;
use crate::tables::time::Month;
use crate::tables::users::{self, UsersPartial};

/// What the song files say.
#[derive(Debug)]
pub struct Songs {
    /// The songs.
    pub catalogue: Catalogue,
    artists: ArtistsPartial,
    /// All song records, sorted as the state keeps them.
    records: Vec<SongRecord>,
    /// How the table differs from what it was, where that is known.
    change: Option<SongsChange>,
}

impl Songs {
    /// The partitions that may have changed; all of them where nothing is said.
    #[must_use]
    pub fn partitions(&self) -> Option<&BTreeSet<String>> {
        self.change.as_ref().map(|change| &change.partitions)
    }
}

/// What the log files say.
#[derive(Debug)]
pub struct Logs {
    people: LogsRead,
    runs: Runs,
    /// Where plays lie that workers have read.
    shuffled: Vec<ShuffleFile>,
    /// The months that are made again; all of them where nothing is said.
    months: Option<BTreeSet<Month>>,
}

/// What a run reads its input with.
#[derive(Debug)]
pub struct Desk<'d> {
    /// What to do.
    pub plan: &'d Plan,
    /// What to build upon.
    pub increment: Option<&'d Increment<'d>>,
    /// What is being written; its lake holds the state.
    pub stage: &'d Stage,
    /// Files that are gone.
    pub copies: &'d Copies,
    /// Where there is room.
    pub scratch: &'d Path,
    /// Whether to go on.
    pub control: &'d Control<'d>,
}

impl Desk<'_> {
    /// Calls `read` with files that are there, and with files that are gone, where their copies lie.
    fn each(
        &self,
        (content, listing): (Content, &Listing),
        selection: &Selection,
        mut read: impl FnMut((&Listing, &Selection), Reach) -> Result<()>,
    ) -> Result<()> {
        let (there, gone) = listing.apart(selection);
        if !there.is_empty() || gone.is_empty() {
            read((listing, &there), Reach::All)?;
        }
        match self.plan.source(content) {
            Some(source) if !gone.is_empty() => {
                let place = (source, listing);
                let brought = archive::bring(self.copies, place, &gone, self.stage.lake(), self.scratch)?;
                read((&brought, &gone), Reach::Leader)
            }
            _ => Ok(()),
        }
    }
}

/// Reads the song files, or those that are new; `None` when the state does not tell the others.
///
/// # Errors
/// Those of [`ingest::songs`] and [`archive::bring`].
pub fn songs(desk: &Desk<'_>, mut inputs: Inputs) -> Result<Option<(Songs, Inputs)>> {
    let Desk { plan, increment, stage, control, .. } = *desk;
    let known = increment.map(|increment| increment.song_records(stage.lake())).transpose()?;
    let known = match known {
        Some(None) => return Ok(None),
        Some(known) => known,
        None => None,
    };
    if let Some(increment) = increment {
        inputs.song_selection = Some(increment.songs.to_read());
        inputs.log_selection = Some(increment.logs.to_read());
    }
    tell_files(&inputs, control);
    let selection = inputs.selection(Content::Songs);
    control.begin(At::Songs, inputs.songs.bytes_of(&selection));
    let mut read = SongsRead::default();
    let mut account = Account::default();
    let leader = Leader::new(plan, stage, control).and_then(|leader| leader.for_songs(&inputs.songs, &selection));
    desk.each((Content::Songs, &inputs.songs), &selection, |files, reach| {
        let (songs, of_songs) = match &leader {
            Some(leader) => leader.songs(files, reach)?,
            None => ingest::songs(files, &plan.config, Some(desk.scratch), control)?,
        };
        read.merge(songs);
        account.merge(of_songs);
        Ok(())
    })?;
    inputs.song_account = account;
    let mut before = None;
    if let Some((unchanged, left)) = known {
        let is_same = increment.is_some_and(|increment| increment.songs.is_empty());
        if is_same {
            // Then the artists and the state stay as they are, too.
            for record in &unchanged {
                read.songs.add(&record.song());
            }
            before = Some(None);
        } else {
            before = Some(Some(increment::songs_of(unchanged.iter().chain(&left))));
            for record in unchanged {
                read.add(record);
            }
        }
    }
    let mut records = read.records;
    if !records.is_empty() {
        sort_as_ledger(plan, &inputs, &mut records);
    }
    let matching = plan.config.matching;
    let catalogue = Catalogue::new(read.songs.finish(), matching);
    let change = before.map(|before| {
        before.map_or_else(SongsChange::default, |before| increment::songs_change(&before, catalogue.rows(), matching))
    });
    Ok(Some((Songs { catalogue, artists: read.artists, records, change }, inputs)))
}

fn tell_files(inputs: &Inputs, control: &Control<'_>) {
    for (content, listing, _) in inputs.each() {
        let (files, selection) = (listing.files.len(), inputs.selection(content));
        let (name, bytes) = (content.name(), listing.bytes_of(&selection));
        control.note(Level::Info, || match selection.len() {
            read if read == files => format!("{name}: {files} files, {bytes} bytes"),
            read => format!("{name}: {files} files, {read} of them new, {bytes} bytes"),
        });
    }
}

/// Sorts records by the names of their files, as the ledger does.
fn sort_as_ledger(plan: &Plan, inputs: &Inputs, records: &mut [SongRecord]) {
    let Some(source) = plan.source(Content::Songs) else { return };
    let mut names: Vec<(String, usize)> =
        inputs.songs.files.iter().enumerate().map(|(index, file)| (crate::ledger::name(source, file), index)).collect();
    names.sort_unstable();
    let mut ranks = vec![0; names.len()];
    for (rank, (_, index)) in names.iter().enumerate() {
        if let Some(place) = ranks.get_mut(*index) {
            *place = rank;
        }
    }
    records.sort_by_key(|record| (ranks.get(record.file).copied(), record.offset));
}

/// Reads the log files, or those that are new and those that have to be read with them; `None` when the state does not
/// tell the others.
///
/// # Errors
/// Those of [`ingest::plays`].
pub fn logs(desk: &Desk<'_>, mut inputs: Inputs, songs: &Songs, runs: Runs) -> Result<Option<(Logs, Inputs)>> {
    let Desk { plan, increment, stage, control, .. } = *desk;
    let (leader, mut shuffled) = (Leader::new(plan, stage, control), Vec::new());
    let mut read = LogsRead::default();
    let selection = inputs.selection(Content::Logs);
    let (config, target) = (&plan.config, (&songs.catalogue, &runs));
    control.begin(At::Logs, inputs.logs.bytes_of(&selection));
    let same_sized = || (!config.allow_duplicates).then(|| SameSized::new(&inputs.logs));
    let mut take = |selection: &Selection, wanted: Option<&BTreeSet<Month>>, read: &mut LogsRead| {
        desk.each((Content::Logs, &inputs.logs), selection, |files, reach| match &leader {
            None => ingest::plays(files, wanted, config, target, (Some(desk.scratch), same_sized()), control, read),
            Some(leader) => {
                shuffled.extend(leader.plays(files, wanted, reach, read)?);
                Ok(())
            }
        })
    };
    take(&selection, None, &mut read)?;
    let mut months = None;
    if let (Some(increment), Some(change)) = (increment, &songs.change) {
        let mut touched: BTreeSet<Month> = read.months.iter().map(|(_, month)| *month).collect();
        touched.extend(increment.months_left());
        if config.tables.contains(&Table::Songplays) {
            let Some(matched) = increment.months_with(stage.lake(), &change.keys)? else { return Ok(None) };
            touched.extend(matched);
        }
        let others = increment.others(plan, &inputs, &touched);
        control.note(Level::Info, || {
            format!("{} months are made again, from {} more log files", touched.len(), others.len())
        });
        control.begin(At::Logs, inputs.logs.bytes_of(&others));
        take(&others, Some(&touched), &mut read)?;
        let mut all: Vec<usize> = selection.iter().chain(others.iter()).copied().collect();
        all.sort_unstable();
        inputs.log_selection = Some(all.into());
        months = Some(touched);
    }
    inputs.log_account = std::mem::take(&mut read.account);
    inputs.months = std::mem::take(&mut read.months);
    Ok(Some((Logs { people: read, runs, shuffled, months }, inputs)))
}

/// Stages all tables but the songs, and writes the state; `None` when the state of the base does not tell enough.
///
/// # Errors
/// Those of [`emit::tables`].
pub fn write(
    plan: &Plan,
    songs: Songs,
    logs: Logs,
    increment: Option<&Increment<'_>>,
    stage: &Stage,
    control: &Control<'_>,
) -> Result<Option<State>> {
    let config = &plan.config;
    let wants = |table| config.tables.contains(&table);
    let Songs { catalogue, artists, records, .. } = songs;
    let Logs { people, runs, shuffled, months } = logs;
    let same_songs = increment.is_some_and(|increment| increment.songs.is_empty());
    let mut dimensions = Vec::new();
    if wants(Table::Artists) {
        if same_songs {
            stage.inherit(Table::Artists, |_| true)?;
        } else {
            dimensions.push(artists::columns(&artists.finish()));
        }
    }
    let finished = Finished { catalogue, dimensions, cast: Cast::new(people.people), runs: runs.finish() };
    emit::keep_months(months.as_ref(), config, stage)?;
    let mut told = emit::tables(&finished, config, stage, control)?;
    if let Some(leader) = Leader::new(plan, stage, control) {
        told = leader.months(shuffled, finished.catalogue.rows())?;
    }
    let same_users = months.as_ref().is_some_and(BTreeSet::is_empty) || plan.logs.is_none();
    let users = match (increment, &months) {
        _ if same_users => None,
        (Some(increment), Some(months)) => match increment.users(stage.lake(), months, &told)? {
            Some(users) => Some(users),
            None => return Ok(None),
        },
        _ => {
            let mut users = UsersPartial::default();
            let rows = told.iter().flat_map(|month| &month.users);
            for (user_id, row) in rows {
                users.add(user_id.clone(), row.clone());
            }
            Some(users.finish())
        }
    };
    if wants(Table::Users) {
        match &users {
            Some(users) => emit::users(users, config, stage)?,
            None => stage.inherit(Table::Users, |_| true)?,
        }
    }
    let mut kept = increment.map(|increment| increment.base.state.clone()).unwrap_or_default();
    if let Some(months) = &months {
        kept.months.retain(|name, _| !Month::parse(name).is_some_and(|month| months.contains(&month)));
    }
    let records = (!same_songs && plan.songs.is_some()).then_some(records.as_slice());
    increment::write_state(stage, kept, records, users.as_deref(), &told).map(Some)
}

/// Reads everything, for tables that stay in memory.
///
/// # Errors
/// Those of [`ingest`].
pub fn all(
    plan: &Plan,
    mut inputs: Inputs,
    runs: Runs,
    clock: &mut StageClock,
    control: &Control<'_>,
) -> Result<(Finished, Inputs)> {
    let config = &plan.config;
    tell_files(&inputs, control);
    let selection = inputs.selection(Content::Songs);
    control.begin(At::Songs, inputs.songs.bytes());
    let (songs, account) = ingest::songs((&inputs.songs, &selection), config, None, control)?;
    inputs.song_account = account;
    clock.end("songs");
    let catalogue = Catalogue::new(songs.songs.finish(), config.matching);
    let mut logs = LogsRead::default();
    let selection = inputs.selection(Content::Logs);
    control.begin(At::Logs, inputs.logs.bytes());
    let same_sized = (!config.allow_duplicates).then(|| SameSized::new(&inputs.logs));
    let files = (&inputs.logs, &selection);
    ingest::plays(files, None, config, (&catalogue, &runs), (None, same_sized), control, &mut logs)?;
    (inputs.log_account, inputs.months) = (logs.account, logs.months);
    let mut dimensions = Vec::new();
    if config.tables.contains(&Table::Artists) {
        dimensions.push(artists::columns(&songs.artists.finish()));
    }
    if config.tables.contains(&Table::Users) {
        dimensions.push(users::columns(&users::finish(&logs.people)));
    }
    Ok((Finished { catalogue, dimensions, cast: Cast::new(logs.people), runs: runs.finish() }, inputs))
}
