//! Checkpoints: the input of the tables, and the state that lets the next run read only new and changed files.
//!
//! Tables that one run makes together share a [`Checkpoint`]: the manifests of the input files, the read summaries, and
//! the incremental state, a few files below `_etl/state` that later runs read in place of the input. A state file is
//! written once, before the commit record that names it, and never changed; it is removed when the newest record no
//! longer names it.
//!
//! Invariant: the state of a checkpoint holds exactly the records that its manifests count; a reader checks its bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::input::fingerprint::Fingerprint;
use crate::lake::read_summary::{LocatedReject, Plays, ReadSummary, rfc3339};

/// The folder of state files, as a path below the lake's root.
pub(super) const STATE: &str = "_etl/state";

/// The input and the incremental state of some tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The folders of these tables.
    pub tables: BTreeSet<String>,
    /// The folders of tables that have rows of retained files of this checkpoint, although its state is outdated.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub retains_for: BTreeSet<String>,
    /// When the run that listed the input began; RFC 3339, UTC.
    pub listed_at: String,
    /// The manifests, by content (`songs` and `logs`).
    pub input: BTreeMap<String, Manifest>,
    /// The read summaries, by the options that decide them ([`crate::config::Config::read_options`]).
    #[serde(default, rename = "outcomes")]
    pub summaries: BTreeMap<String, ReadSummary>,
    /// The state that later runs read.
    #[serde(default)]
    pub state: IncrementalState,
}

impl Checkpoint {
    /// Returns true if any of the tables contains rows of this checkpoint's input. A checkpoint of an older release that
    /// only keeps retained files does not know its tables, so it counts for all of them.
    #[must_use]
    pub(crate) fn is_input_of(&self, folders: &BTreeSet<&String>) -> bool {
        let mut tables = self.tables.iter().chain(&self.retains_for).peekable();
        tables.peek().is_none() || tables.any(|table| folders.contains(table))
    }
}

/// The input files of one content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The source: an absolute path with symlinks resolved, or an `s3://` URL.
    pub location: String,
    /// The files, by path below the location.
    pub files: BTreeMap<String, ManifestEntry>,
}

impl Manifest {
    /// The records that were found in all files.
    pub(crate) fn records(&self) -> u64 {
        self.files.values().map(ManifestEntry::read).sum()
    }
}

/// An input file as it was read, with record counts per outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Size in bytes, as listed.
    pub size: u64,
    /// `ETag`, or modification time in nanoseconds since 1970.
    pub version: String,
    /// Records that became rows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub loaded: u64,
    /// Records that a rule left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filtered: u64,
    /// Rejected records.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quarantined: u64,
    /// Values that were converted from another JSON type without loss.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub coerced: u64,
    /// Rejected records, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Keys that no table uses, with their counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown_keys: BTreeMap<String, u64>,
    /// The id of the run whose quarantine has the rejects of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<String>,
    /// The first rejected records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_rejects: Vec<RejectExample>,
    /// Why the entire file was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<String>,
    /// The content of the file; known of every event log that was read, and of every file with a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Fingerprint>,
    /// The months of its plays, or of its events if all pages are read, such as `2018-11`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub months: BTreeSet<String>,
    /// The retained copy of the file (`--keep-gone`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<FileCopy>,
}

/// A rejected record of a file, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectExample {
    /// Line number, from 1.
    pub line: u64,
    /// Byte offset in the uncompressed file.
    pub offset: u64,
    /// Reason code (`docs/bad_input.md`).
    pub reason: String,
    /// The JSON key at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl RejectExample {
    /// The example with the file that contains it.
    pub(crate) fn located(&self, file: &str) -> LocatedReject {
        let Self { line, offset, reason, key } = self.clone();
        LocatedReject { file: file.to_owned(), line, offset, reason, key }
    }
}

/// The retained copy of an input file, without the compression of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCopy {
    /// Its parts in order, each of one or more complete zstd frames.
    pub parts: Vec<Part>,
}

/// A part of a pack: the number of the pack, the byte offset, and the length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part(pub u32, pub u64, pub u64);

impl ManifestEntry {
    /// Records that were found in the file.
    pub(crate) fn read(&self) -> u64 {
        self.loaded + self.filtered + self.quarantined
    }
}

/// The state files that later runs read in place of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncrementalState {
    /// All song records, in the order of the manifest's file names, as many per file as its `loaded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub songs: Option<StateFile>,
    /// The users of all months, with their latest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<StateFile>,
    /// The periods of the users' levels in each month; absent unless the `users_history` table is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<StateFile>,
    /// The state of each month, by names such as `2018-11`.
    #[serde(default)]
    pub months: BTreeMap<String, MonthState>,
    /// Packs of retained input files, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packs: BTreeMap<u32, StateFile>,
}

/// The state of a month: the users and the tracks of its plays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthState {
    /// Rows of songplays in the month.
    pub plays: u64,
    /// Rows of songplays with a song.
    pub matched: u64,
    /// The time of the last play, as in [`Plays`].
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339")]
    pub last_at: Option<i64>,
    /// The users of the month, with their latest event in it.
    pub users: StateFile,
    /// The keys of the tracks that were played.
    pub tracks: StateFile,
}

impl MonthState {
    /// The counts and the time of the plays of the month.
    pub(crate) fn counts(&self) -> Plays {
        Plays { rows: self.plays, matched: self.matched, last_at: self.last_at }
    }
}

/// A state file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// The name below `_etl/state`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
}

impl IncrementalState {
    /// All state files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &StateFile> {
        let months = self.months.values().flat_map(|month| [&month.users, &month.tracks]);
        self.songs.iter().chain(&self.users).chain(&self.history).chain(months).chain(self.packs.values())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
