//! The commit log: one record per version of the lake, and one marker per published version.
//!
//! ```text
//! _etl/FORMAT                           the format of the lake; a lake of a newer format is not changed
//! _etl/log/00000000000000000042.json    record of version 42, written once   <- the commit point
//! _etl/done/00000000000000000042.json   version 42 is published
//! ```
//!
//! Invariant: a version's record is written once, by one run, and never changed.

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{CommitRecord, ConditionalSupport, FORMAT, PublishedMarker};
use crate::lake::storage::LakeStorage;
use crate::runtime::clock::Moment;

/// Number of versions that the log keeps; records and markers of older versions are removed.
pub const KEPT_VERSIONS: u64 = 16;

/// The limit of looks in a row that take too long, as in a store that is too slow.
const MAX_LOOKS: u32 = 3;

/// Marks the error of a run that lost its version to another run.
const OVERTAKEN: &str = "overtaken";

/// Marks the error of a run whose version is not the newest one anymore.
const NEWEST: &str = "newest";

pub(super) const FORMAT_PATH: &str = "_etl/FORMAT";

/// The folder of the markers, as a path below the lake's root.
pub(super) const DONE: &str = "_etl/done";

/// The folder of the commit records.
pub(super) const LOG: &str = "_etl/log";

/// The newest version, and whether it is published in full.
#[derive(Debug)]
pub(super) struct Head {
    pub record: CommitRecord,
    pub is_published: bool,
}

pub(super) fn record_path(version: u64) -> String {
    format!("{LOG}/{version:020}.json")
}

fn marker_path(version: u64) -> String {
    format!("{DONE}/{version:020}.json")
}

/// Returns true if the lake has a format that this release supports, false if it has no format yet.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the format is newer or cannot be parsed.
pub(super) fn has_format(storage: &dyn LakeStorage) -> Result<bool> {
    let Some(bytes) = storage.read_optional(FORMAT_PATH)? else { return Ok(false) };
    let format = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|value| value.get("format").and_then(serde_json::Value::as_u64));
    if format.is_some_and(|format| format <= FORMAT) {
        return Ok(true);
    }
    let shown = storage.shown(FORMAT_PATH);
    Err(Error::new(
        ErrorKind::Protocol,
        format!("{shown} has a format that this version of sparkify-lake does not support"),
    )
    .hint(
        "upgrade sparkify-lake, because a newer version wrote this lake; if the file is damaged, remove it and run again",
    )
    .context("path", shown))
}

/// Writes the format file of a new lake, which also checks that the location is writable, and determines which
/// conditional requests the store supports.
pub(super) fn initialize(storage: &dyn LakeStorage, is_new: bool) -> Result<ConditionalSupport> {
    if is_new {
        write_format(storage)?;
    }
    storage.probe_conditional_support()
}

/// Writes the format file if it does not exist.
pub(super) fn write_format(storage: &dyn LakeStorage) -> Result<()> {
    let bytes = format!("{{\"format\":{FORMAT}}}\n");
    // If another run created the file first, it has the same content. A store may also refuse to create a file that was
    // deleted before.
    if !storage.create(FORMAT_PATH, bytes.as_bytes())? && !has_format(storage)? {
        storage.write(FORMAT_PATH, bytes.as_bytes())?;
    }
    Ok(())
}

/// The newest version; `None` before the first.
pub(super) fn head(storage: &dyn LakeStorage) -> Result<Option<Head>> {
    let Some(version) = newest(storage)? else { return Ok(None) };
    let path = record_path(version);
    let Some(bytes) = storage.read_optional(&path)? else {
        return Err(Error::new(
            ErrorKind::Retry,
            format!("{} disappeared while it was being read", storage.shown(&path)),
        )
        .hint("try again; another run is writing to this lake"));
    };
    let mut record = CommitRecord::from_bytes(&bytes, version, &storage.shown(&path))?;
    let marker = marker(storage, &record)?;
    if let Some(marker) = &marker {
        record.add_stamps(marker);
    }
    Ok(Some(Head { record, is_published: marker.is_some() }))
}

/// The record of a version; `None` if the log no longer has it.
pub(super) fn record(storage: &dyn LakeStorage, version: u64) -> Result<Option<CommitRecord>> {
    let path = record_path(version);
    storage
        .read_optional(&path)?
        .map(|bytes| CommitRecord::from_bytes(&bytes, version, &storage.shown(&path)))
        .transpose()
}

/// The number of the newest version.
pub(super) fn newest(storage: &dyn LakeStorage) -> Result<Option<u64>> {
    let entries = storage.list_many(&[LOG])?.concat();
    Ok(entries.iter().filter_map(|entry| version_of(&entry.path)).max())
}

/// The newest version with a marker.
pub(super) fn newest_marker(storage: &dyn LakeStorage) -> Result<Option<u64>> {
    let entries = storage.list_many(&[DONE])?.concat();
    Ok(entries.iter().filter_map(|entry| version_of(&entry.path)).max())
}

/// The marker of a version; `None` if the version is not published in full. A damaged marker, and the marker of another
/// run's version with the same number, do not count: the version is then published again.
pub(super) fn marker(storage: &dyn LakeStorage, record: &CommitRecord) -> Result<Option<PublishedMarker>> {
    let marker = storage.read_optional(&marker_path(record.version))?;
    let marker: Option<PublishedMarker> = marker.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(marker
        .filter(|marker| marker.version == record.version && marker.run.as_ref().is_none_or(|run| *run == record.run)))
}

/// Commits a version by writing its record: from now on the version will be published, by this run or a later one.
///
/// Returns when it began to look for a newer version, of which there is none.
///
/// # Errors
/// [`ErrorKind::Retry`] when another run has committed this version.
pub(super) fn commit(storage: &dyn LakeStorage, record: &CommitRecord) -> Result<Moment> {
    let path = record_path(record.version);
    if storage.create(&path, &record.to_bytes()?)? {
        let looked = Moment::now();
        match newest(storage)? {
            Some(newest) if newest == record.version => return Ok(looked),
            // The run was paused after the store had created the record; another run has published the version.
            Some(newest) if newest > record.version && newest - record.version < KEPT_VERSIONS => {
                return Err(replaced_by_newer(record.version, newest));
            }
            // A run that was paused before it can create the record of a version that has left the log.
            _ => storage.remove(&[path])?,
        }
    } else if newest(storage)?.is_none_or(|newest| newest < record.version) {
        let shown = storage.shown(&path);
        return Err(Error::new(
            ErrorKind::Protocol,
            format!("the store refused to create {shown}, although it does not exist"),
        )
        .cause("a lake was deleted here, and the store takes the marker of a deletion for an object")
        .hint("choose another output, or remove the deletion markers of the old lake's keys")
        .context("path", shown));
    }
    Err(Error::new(
        ErrorKind::Retry,
        format!("another run committed version {} of {} first", record.version, storage.shown("")),
    )
    .hint("run again; this run changed nothing")
    .context(OVERTAKEN, record.version.to_string()))
}

/// Marks a version as published and removes the record and the marker that leave the log.
pub(super) fn mark_published(storage: &dyn LakeStorage, marker: &PublishedMarker) -> Result<()> {
    let bytes = serde_json::to_vec(marker).map_err(|error| {
        Error::new(ErrorKind::Internal, "cannot serialize the marker of a published version").cause(error.to_string())
    })?;
    let path = marker_path(marker.version);
    if !storage.create(&path, &bytes)? {
        // Another run has published this version too; or the marker is damaged, or belongs to a lost commit record.
        let found = storage.read_optional(&path)?;
        let found = found.and_then(|bytes| serde_json::from_slice::<PublishedMarker>(&bytes).ok());
        if found.is_none_or(|found| found.run != marker.run) {
            storage.remove(std::slice::from_ref(&path))?;
            // A store may refuse to create a file that was deleted before.
            if !storage.create(&path, &bytes)? {
                storage.write(&path, &bytes)?;
            }
        }
    }
    let Some(old) = marker.version.checked_sub(KEPT_VERSIONS).filter(|old| *old > 0) else { return Ok(()) };
    storage.remove(&[record_path(old), marker_path(old)])
}

/// Checks that no run has committed a newer version than `version`, at the end of a run that published it: its report
/// must not be about a lake that looks different now. On a local disk the lock makes sure of that.
///
/// # Errors
/// [`ErrorKind::Retry`] when there is a newer version.
pub(super) fn must_be_newest(storage: &dyn LakeStorage, version: u64) -> Result<()> {
    match young_newest(storage)? {
        Some(newest) if newest > version => Err(replaced_by_newer(version, newest)),
        _ => Ok(()),
    }
}

/// The number of the newest version in a bucket; `None` also on a local disk, where no other run can have committed one.
/// A look that took as long as a pause may have is repeated, because its answer may be from before the pause.
fn young_newest(storage: &dyn LakeStorage) -> Result<Option<u64>> {
    let Some(window) = storage.stale_writer_window() else { return Ok(None) };
    for _ in 1..MAX_LOOKS {
        let looked = Moment::now();
        let newest = newest(storage)?;
        if looked.elapsed() < window / 2 {
            return Ok(newest);
        }
    }
    newest(storage)
}

/// Checks that the newest version is still the one that a run started from.
///
/// # Errors
/// [`ErrorKind::Retry`] when another run has committed a version since; see [`was_overtaken`].
pub(super) fn must_be_unchanged(storage: &dyn LakeStorage, version: Option<u64>) -> Result<()> {
    if storage.stale_writer_window().is_none() || young_newest(storage)? == version {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Retry, format!("another run has committed a version of {}", storage.shown("")))
        .hint("run again; this run changed nothing")
        .context(OVERTAKEN, version.unwrap_or_default().to_string()))
}

/// Returns true for the error of [`replaced_by_newer`].
pub(super) fn was_replaced(error: &Error) -> bool {
    error.context_values().iter().any(|(name, _)| *name == NEWEST)
}

/// The error of a run whose version is not the newest one anymore.
pub(super) fn replaced_by_newer(version: u64, newest: u64) -> Error {
    Error::new(ErrorKind::Retry, format!("version {version} of the lake was replaced: version {newest} is there now"))
        .cause("another run committed it while this run was working or paused")
        .hint("run again if the lake should have the input of this run; no data is lost")
        .context("version", version.to_string())
        .context(NEWEST, newest.to_string())
}

/// Returns true if another run committed the version that this run wanted to commit: the run may plan again.
#[must_use]
pub fn was_overtaken(error: &Error) -> bool {
    error.context_values().iter().any(|(name, _)| *name == OVERTAKEN)
}

fn version_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json").filter(|digits| digits.len() == 20)?;
    digits.parse().ok()
}
