//! What a worker does with a shard: the kernels.
//!
//! They are the stages of a local run, on a part of its input: nothing of what makes a row or a file is written twice.
//! A worker reads input, stages files and tells; it commits nothing.
//!
//! Invariant: the same shard gives the same tables' files, byte for byte, and partials that merge to the same.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::shuffle::{self, Gathering};
use super::task::{self, Aside, Failure, Files, MonthMade, MonthWork, Seen, Shard, Told, Work};
use crate::account::Account;
use crate::commit::Outpost;
use crate::commit::record::sha256;
use crate::config::{Config, Settings};
use crate::discover::{InputFile, Listing};
use crate::doctor;
use crate::duplicates::SameSized;
use crate::emit::{self, Finished};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::{self, Control, LogsRead};
use crate::runs::Runs;
use crate::state;
use crate::store::Location;
use crate::store::stores::Stores;
use crate::tables::cast::Cast;
use crate::tables::catalogue::Catalogue;
use crate::tables::songs::SongsPartial;
use crate::tables::time::Month;
use crate::threads::for_tasks;

/// A result above this size is left in the stage: whoever leads the run takes results in by memory.
const CARRIED: usize = 4 << 20;

/// Files of plays that are opened at the same time: in a bucket that is waiting.
const OPENED: usize = 8;

/// Works on a shard; `secrets` are credentials, if any were given. What goes wrong is told in the result.
///
/// # Errors
/// [`ErrorKind::Interrupted`] alone.
pub fn work(shard: &[u8], secrets: Settings, control: &Control<'_>) -> Result<Vec<u8>> {
    let read = || -> Result<(Shard, Config)> {
        let (package, shard) = (version_of(shard), serde_json::from_slice::<Shard>(shard));
        if package.as_deref() != Some(env!("CARGO_PKG_VERSION")) {
            let leader = package.unwrap_or_else(|| "another release".to_owned());
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("a worker has sparkify-lake {}, but the run is led by {leader}", env!("CARGO_PKG_VERSION")),
            )
            .hint("install the same version of the package on every worker"));
        }
        let shard = shard.map_err(|error| {
            Error::new(ErrorKind::Internal, "a worker was handed something else than a shard").cause(error.to_string())
        })?;
        let mut settings: Settings = shard.options.clone().into_iter().collect();
        settings.extend(secrets);
        let config = Config::from_settings(&settings)?;
        Ok((shard, config))
    };
    let result = read().and_then(|(shard, config)| on(&shard, &config, control));
    match result {
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        Err(error) => task::to_bytes(&Told::Failed(Failure::from(&error)), &[]),
        Ok(bytes) => Ok(bytes),
    }
}

/// The release that made a shard: read by itself, because another release's shards may look different.
fn version_of(shard: &[u8]) -> Option<String> {
    let shard: serde_json::Value = serde_json::from_slice(shard).ok()?;
    Some(shard.get("package")?.as_str()?.to_owned())
}

/// Works on a shard of a run that is led by this release.
///
/// # Errors
/// The kernels'.
pub fn on(shard: &Shard, config: &Config, control: &Control<'_>) -> Result<Vec<u8>> {
    let stores = Stores::new(&config.store, &control.cancel);
    let lake = Location::parse("output", &shard.lake)?;
    if let Work::Examine(probe) = &shard.work {
        doctor::must_be_shared(probe.as_deref())?;
        let found = doctor::examine(config, &shard.lake, control)?;
        let is_bad = |check: &&doctor::Check| check.outcome == doctor::Outcome::Failed;
        let seen = found.checks.iter().filter(is_bad).map(|check| Seen {
            name: check.name.to_owned(),
            detail: check.detail.clone(),
            exit_code: found.exit_code,
        });
        return task::to_bytes(&Told::Examined(seen.collect()), &[]);
    }
    let outpost = Outpost::open(&lake, &shard.run, &config.folders, &stores)?;
    let (told, behind) = match &shard.work {
        Work::Songs(files) => songs(files, config, &outpost, &stores, control)?,
        Work::Plays(files, months) => (plays((files, months.as_deref()), config, &outpost, &stores, control)?, vec![]),
        Work::Month(work) => return month(work, config, outpost, control),
        Work::Examine(_) => return Err(Error::new(ErrorKind::Internal, "a shard was taken for another")),
    };
    let bytes = task::to_bytes(&told, &behind)?;
    if bytes.len() <= CARRIED {
        return Ok(bytes);
    }
    let name = outpost.put_aside("results", &bytes)?;
    task::to_bytes(&Told::Aside(Aside(name, sha256(&bytes))), &[])
}

/// The files of a shard as a listing, and which of them share their size with another file of the input.
fn listing(files: &Files, stores: &Stores) -> Result<(Listing, SameSized)> {
    let bucket = files.bucket.as_deref().map(|bucket| stores.open(bucket)).transpose()?;
    let listed: Vec<InputFile> = files.files.iter().map(|file| file.listed(bucket.is_none())).collect::<Result<_>>()?;
    let same_sized = SameSized::known(files.files.iter().map(|file| file.has_twin).collect());
    Ok((Listing { files: listed.into(), bucket, ..Listing::default() }, same_sized))
}

/// Writes the rejects of a shard, and closes its account.
fn close(mut account: Account, kind: &str, files: &Files, listing: &Listing, outpost: &Outpost) -> Result<Account> {
    let name = format!("{kind}-{:05}", files.number);
    let shown = |file| listing.shown(file).unwrap_or_default();
    account.has_written = account.write_rejects(&name, &shown, &mut |name, bytes| outpost.put_reject(name, bytes))?;
    Ok(account.closed(|file| file))
}

/// Reads song files: their records, sorted by file.
fn songs(
    files: &Files,
    config: &Config,
    outpost: &Outpost,
    stores: &Stores,
    control: &Control<'_>,
) -> Result<(Told, Vec<Bytes>)> {
    let (listing, _) = listing(files, stores)?;
    let (read, account) = ingest::songs((&listing, &listing.all()), config, Some(outpost.scratch()), control)?;
    let mut records = read.records;
    records.sort_by_key(|record| (record.file, record.offset));
    let account = close(account, "songs", files, &listing, outpost)?;
    Ok((Told::Songs(account, records.len() as u64), vec![state::songs_to_bytes(&records)?]))
}

/// Reads log files, and leaves their plays in the stage.
fn plays(
    (files, months): (&Files, Option<&[String]>),
    config: &Config,
    outpost: &Outpost,
    stores: &Stores,
    control: &Control<'_>,
) -> Result<Told> {
    let (listing, same_sized) = listing(files, stores)?;
    let wanted: Option<BTreeSet<Month>> =
        months.map(|months| months.iter().filter_map(|month| Month::parse(month)).collect());
    let runs = Runs::new(ingest::runs_budget(config), outpost.scratch().to_owned());
    // Songs are looked for where the month is made: one lookup a track of a month, not one a track of a shard.
    let nothing = Catalogue::new(Vec::new(), config.matching);
    let mut read = LogsRead::default();
    let same_sized = (!config.allow_duplicates).then_some(same_sized);
    let (files_read, scratch) = ((&listing, &listing.all()), (Some(outpost.scratch()), same_sized));
    ingest::plays(files_read, wanted.as_ref(), config, (&nothing, &runs), scratch, control, &mut read)?;
    let runs = runs.finish();
    let draft = outpost.draft()?;
    let months = shuffle::write(&runs, &read.people, draft.as_file())?;
    let shuffled = if months.is_empty() {
        None
    } else {
        let (name, size) = outpost.keep_aside("plays", draft)?;
        Some(shuffle::ShuffleFile { name, size, months })
    };
    let account = close(read.account, "logs", files, &listing, outpost)?;
    let months = read.months.iter().map(|(file, month)| (*file, month.to_string())).collect();
    Ok(Told::Plays(account, months, shuffled))
}

/// Makes the files of a month.
fn month(work: &MonthWork, config: &Config, outpost: Outpost, control: &Control<'_>) -> Result<Vec<u8>> {
    let unlike = || Error::new(ErrorKind::Internal, format!("{:?} is not a month", work.month));
    let month = Month::parse(&work.month).ok_or_else(unlike)?;
    let Aside(name, expected) = &work.songs;
    let mut songs = SongsPartial::default();
    let rows = outpost.find_aside(name, expected)?;
    for record in state::songs_from_bytes(rows, std::iter::once((0, work.song_rows)))? {
        songs.add(&record.song());
    }
    let catalogue = Catalogue::new(songs.finish(), config.matching);
    let parts = for_tasks(
        OPENED,
        work.files.len(),
        &control.cancel,
        |_| Gathering::default(),
        |gathering: &mut Gathering, number| {
            let Some(file) = work.files.get(number) else { return Ok(()) };
            let blob = outpost.blob(&file.name)?;
            gathering.merge(Gathering::open(&blob, file.size, month, &catalogue, outpost.scratch())?);
            Ok(())
        },
        |_| Ok(()),
    )?;
    let mut gathering = Gathering::default();
    for part in parts {
        gathering.merge(part);
    }
    let (runs, people) = gathering.finish();
    let finished = Finished { catalogue, dimensions: Vec::new(), cast: Cast::new(people), runs };
    let told = emit::tables(&finished, config, &outpost, control)?;
    let [told] = &told[..] else { return Err(unlike()) };
    let behind = [state::users_to_bytes(&told.users)?, state::tracks_to_bytes(&told.tracks)?];
    let made = MonthMade { month: work.month.clone(), plays: told.plays, files: outpost.into_entries() };
    task::to_bytes(&Told::Month(made), &behind)
}
