//! The versions that the commit log has: when they were committed and published, and the sizes of their tables and input.
//!
//! Invariant: nothing is changed, and no file outside the commit log is read.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{ErrorKind, Result};
use crate::lake::check::open_newest;
use crate::lake::checkpoint::ManifestEntry;
use crate::lake::commit_log::{self, KEPT_VERSIONS};
use crate::lake::commit_record::{CommitRecord, PublishedMarker, TableRecord};
use crate::lake::read_summary::{Plays, Records};
use crate::location::Location;
use crate::runtime::cancel::Cancel;
use crate::s3::stores::Stores;

/// The versions of a lake.
#[derive(Clone, Debug, Serialize)]
pub struct LakeHistory {
    /// The location of the lake.
    pub location: String,
    /// The versions, the oldest first.
    pub versions: Vec<PastVersion>,
    /// Versions whose commit records are damaged. Only the newest record is needed, and it is never among them.
    pub damaged: Vec<u64>,
}

/// A version of a lake.
#[derive(Clone, Debug, Serialize)]
pub struct PastVersion {
    /// The number of the version.
    pub version: u64,
    /// The id of the run that committed it.
    pub run: String,
    /// The release of sparkify-lake that wrote it.
    pub package: String,
    /// When the run began; RFC 3339, UTC.
    pub committed_at: String,
    /// When the version was published in full; `None` if it is not, or if an older release published it.
    pub published_at: Option<String>,
    /// Whether it is published in full.
    pub is_published: bool,
    /// The tables, by plain name.
    pub tables: BTreeMap<String, TableSize>,
    /// The input that the tables were made from, by content.
    pub input: BTreeMap<String, InputSize>,
    /// Rows of songplays, and how many of them have a song.
    pub plays: Plays,
}

/// The size of a table at a version.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TableSize {
    /// Number of rows.
    pub rows: u64,
    /// Number of files.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Number of files that the version wrote.
    pub written: u64,
    /// Number of files that the version removed.
    pub removed: u64,
}

/// The input of one content at a version.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputSize {
    /// Number of files.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Record counts per outcome.
    pub records: Records,
    /// Rejected records, by reason.
    pub reasons: BTreeMap<String, u64>,
}

/// Reads all versions of a lake that its commit log has.
///
/// # Errors
/// The same as [`crate::lake::check`].
pub fn history(location: &Location, stores: &Stores, cancel: &Cancel) -> Result<LakeHistory> {
    let (storage, head) = open_newest(location, stores)?;
    let newest = head.record;
    let mut damaged = Vec::new();
    let mut history = LakeHistory { location: storage.shown(""), versions: Vec::new(), damaged: Vec::new() };
    let mut add = |record: &CommitRecord| -> Result<()> {
        let marker = commit_log::marker(&*storage, record)?;
        history.versions.push(PastVersion::new(record, marker));
        Ok(())
    };
    for version in newest.version.saturating_sub(KEPT_VERSIONS - 1).max(1)..newest.version {
        cancel.check()?;
        match commit_log::record(&*storage, version) {
            Ok(Some(record)) => add(&record)?,
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::Protocol => damaged.push(version),
            Err(error) => return Err(error),
        }
    }
    add(&newest)?;
    history.damaged = damaged;
    Ok(history)
}

impl PastVersion {
    fn new(record: &CommitRecord, marker: Option<PublishedMarker>) -> Self {
        let tables = record.tables.values().map(|table| (table.table.clone(), TableSize::new(table)));
        let mut input: BTreeMap<String, InputSize> = BTreeMap::new();
        for checkpoint in &record.checkpoints {
            for (content, manifest) in &checkpoint.input {
                // A newer checkpoint comes later.
                let size = input.entry(content.clone()).or_default();
                *size = InputSize::default();
                for entry in manifest.files.values() {
                    size.add(entry);
                }
            }
        }
        let months = record.checkpoints.iter().rev().map(|checkpoint| &checkpoint.state.months);
        let mut plays = Plays::default();
        for month in months.filter(|months| !months.is_empty()).take(1).flat_map(BTreeMap::values) {
            plays.add(month.counts());
        }
        Self {
            version: record.version,
            run: record.run.clone(),
            package: record.package.clone(),
            committed_at: record.committed_at.clone(),
            is_published: marker.is_some(),
            published_at: marker.and_then(|marker| marker.published_at),
            tables: tables.collect(),
            input,
            plays,
        }
    }
}

impl TableSize {
    fn new(table: &TableRecord) -> Self {
        let files = table.files.values();
        Self {
            rows: files.clone().map(|file| file.rows).sum(),
            files: table.files.len() as u64,
            bytes: files.clone().map(|file| file.size).sum(),
            written: files.filter(|file| file.image.is_some()).count() as u64,
            removed: table.removed.len() as u64,
        }
    }
}

impl InputSize {
    fn add(&mut self, entry: &ManifestEntry) {
        self.files += 1;
        self.bytes += entry.size;
        self.records.read += entry.read();
        self.records.loaded += entry.loaded;
        self.records.filtered += entry.filtered;
        self.records.quarantined += entry.quarantined;
        for (reason, number) in &entry.reasons {
            *self.reasons.entry(reason.clone()).or_default() += number;
        }
    }
}
