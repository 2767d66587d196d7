//! The log: versions of the lake, one record each, and markers of those that are published.
//!
//! ```text
//! _etl/FORMAT                           which format; a newer one is not touched
//! _etl/log/00000000000000000042.json    record of version 42, written once   <- the commit point
//! _etl/done/00000000000000000042.json   version 42 is published
//! ```
//!
//! Invariant: a version's record is written once, by one run, and never changed.

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{CommitRecord, Conditional, Done, FORMAT};
use crate::lake::storage::LakeStorage;

/// Versions kept; older records and markers go.
pub const KEPT_VERSIONS: u64 = 16;

/// Marks the error of a run that lost its version to another run.
const OVERTAKEN: &str = "overtaken";

const FORMAT_PATH: &str = "_etl/FORMAT";

/// The newest version, and whether readers see all of it.
#[derive(Debug)]
pub(super) struct Head {
    pub record: CommitRecord,
    pub is_published: bool,
}

pub(super) fn record_path(version: u64) -> String {
    format!("_etl/log/{version:020}.json")
}

fn done_path(version: u64) -> String {
    format!("_etl/done/{version:020}.json")
}

/// Whether the place has a format, and one that this version knows.
pub(super) fn has_format(storage: &dyn LakeStorage) -> Result<bool> {
    let Some(bytes) = storage.read_optional(FORMAT_PATH)? else { return Ok(false) };
    let format = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|value| value.get("format").and_then(serde_json::Value::as_u64));
    if format.is_some_and(|format| format <= FORMAT) {
        return Ok(true);
    }
    let shown = storage.shown(FORMAT_PATH);
    Err(Error::new(ErrorKind::Protocol, format!("{shown} is not of a format that this version knows"))
        .hint("a newer sparkify-lake wrote this lake: upgrade, or choose another output")
        .context("path", shown))
}

/// Records the format where nobody has, which also proves that the place can be written to, and finds out which
/// conditions it honours.
pub(super) fn claim(storage: &dyn LakeStorage, is_new: bool) -> Result<Conditional> {
    let bytes = format!("{{\"format\":{FORMAT}}}\n");
    if is_new {
        // Refused when another run came first: then it is claimed as well.
        storage.create(FORMAT_PATH, bytes.as_bytes())?;
    }
    storage.conditional(FORMAT_PATH, bytes.as_bytes())
}

/// The newest version; `None` before the first.
pub(super) fn head(storage: &dyn LakeStorage) -> Result<Option<Head>> {
    let Some(version) = newest(storage)? else { return Ok(None) };
    let path = record_path(version);
    let Some(bytes) = storage.read_optional(&path)? else {
        return Err(Error::new(ErrorKind::Retry, format!("{} vanished while it was being read", storage.shown(&path)))
            .hint("another run is at work: try again"));
    };
    let mut record = CommitRecord::from_bytes(&bytes, version, &storage.shown(&path))?;
    let done = published(storage, version)?;
    if let Some(done) = &done {
        record.learn(done);
    }
    Ok(Some(Head { record, is_published: done.is_some() }))
}

/// The record of a version; `None` when it is forgotten.
pub(super) fn record(storage: &dyn LakeStorage, version: u64) -> Result<Option<CommitRecord>> {
    let path = record_path(version);
    storage
        .read_optional(&path)?
        .map(|bytes| CommitRecord::from_bytes(&bytes, version, &storage.shown(&path)))
        .transpose()
}

/// The number of the newest version.
pub(super) fn newest(storage: &dyn LakeStorage) -> Result<Option<u64>> {
    let entries = storage.list_many(&["_etl/log"])?.concat();
    Ok(entries.iter().filter_map(|entry| version_of(&entry.path)).max())
}

/// The marker of a version, if it is published.
fn published(storage: &dyn LakeStorage, version: u64) -> Result<Option<Done>> {
    let path = done_path(version);
    let Some(bytes) = storage.read_optional(&path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Error::new(ErrorKind::Protocol, format!("{} is damaged", storage.shown(&path)))
            .cause(error.to_string())
            .hint("remove it: the version is then published once more")
    })
}

/// Commits a record: from now on its version will be seen, whatever happens to this run.
///
/// # Errors
/// [`ErrorKind::Retry`] when another run has this version.
pub(super) fn commit(storage: &dyn LakeStorage, record: &CommitRecord) -> Result<()> {
    let path = record_path(record.version);
    if storage.create(&path, &record.to_bytes()?)? {
        if newest(storage)? == Some(record.version) {
            return Ok(());
        }
        // A run that slept through so many versions that this one is forgotten again finds its place free.
        storage.remove(&[path])?;
    }
    Err(Error::new(
        ErrorKind::Retry,
        format!("another run committed version {} of {} first", record.version, storage.shown("")),
    )
    .hint("run again: nothing was changed by this one")
    .context(OVERTAKEN, record.version.to_string()))
}

/// Marks a version as published and forgets versions that nobody needs.
pub(super) fn finish(storage: &dyn LakeStorage, done: &Done) -> Result<()> {
    let bytes = serde_json::to_vec(done)
        .map_err(|error| Error::new(ErrorKind::Internal, "a marker cannot be written").cause(error.to_string()))?;
    // Somebody else's marker of the same version says the same.
    storage.create(&done_path(done.version), &bytes)?;
    let Some(old) = done.version.checked_sub(KEPT_VERSIONS).filter(|old| *old > 0) else { return Ok(()) };
    storage.remove(&[record_path(old), done_path(old)])
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
