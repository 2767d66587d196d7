//! What tables were made from, and what the next run may build upon instead of reading all of it again.
//!
//! Tables that one run made have one [`Checkpoint`]: the ledger of the input files, what reading them told, and the state, a
//! few files below `_etl/state` that later runs read in place of the input. A state file is written once, before the
//! record that names it, and never changed; it goes when no record needs it.
//!
//! Invariant: the state of a base holds exactly what the files of its ledger say; a reader checks its bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::lake::read_summary::ReadSummary;

/// Where state files lie, below the lake's root.
pub const STATE: &str = "_etl/state";

/// What some tables were made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The folders of the tables.
    pub tables: BTreeSet<String>,
    /// When the input files were listed; RFC 3339, UTC.
    pub listed_at: String,
    /// The input files, by content.
    pub input: BTreeMap<String, Manifest>,
    /// What reading told, by the options that decide about it ([`crate::config::Config::read_options`]).
    #[serde(default)]
    pub outcomes: BTreeMap<String, ReadSummary>,
    /// What later runs build upon.
    #[serde(default)]
    pub state: IncrementalState,
}

/// The input files of one content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Where they lie.
    pub location: String,
    /// By path below the location.
    pub files: BTreeMap<String, ManifestEntry>,
}

/// An input file, frozen, and what became of its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Bytes.
    pub size: u64,
    /// `ETag`, or time of modification in nanoseconds.
    pub version: String,
    /// Records that went into tables.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub loaded: u64,
    /// Records that a named rule left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filtered: u64,
    /// Records that are not what they should be.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quarantined: u64,
    /// Values taken over from another JSON type without loss.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub coerced: u64,
    /// Quarantined records by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Keys that no rule knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown_keys: BTreeMap<String, u64>,
    /// The run whose quarantine holds what is bad of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<String>,
    /// Why it was left out as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<String>,
    /// The months that its plays lie in, as `2018-11`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub months: BTreeSet<String>,
    /// The copy of it that stays when it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<FileCopy>,
}

/// A copy of an input file, without the compression that it came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCopy {
    /// Of its plain bytes, in hexadecimal.
    pub sha256: String,
    /// Where it lies: its parts in order, each some whole zstd frames.
    pub parts: Vec<Part>,
}

/// A part of a pack: the pack's number, where it begins, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part(pub u32, pub u64, pub u64);

impl ManifestEntry {
    /// Records found in it.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.loaded + self.filtered + self.quarantined
    }
}

/// What later runs read in place of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncrementalState {
    /// All song records, in the order of the ledger's files, as many of each as it has loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub songs: Option<StateFile>,
    /// The users of all months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<StateFile>,
    /// By month, as `2018-11`.
    #[serde(default)]
    pub months: BTreeMap<String, MonthState>,
    /// RetainedFiles of input files, many to a file, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packs: BTreeMap<u32, StateFile>,
}

/// What a month's plays speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthState {
    /// Rows of songplays.
    pub plays: u64,
    /// Those with a song.
    pub matched: u64,
    /// Its users, as its latest events have them.
    pub users: StateFile,
    /// The keys of the tracks that were played.
    pub tracks: StateFile,
}

/// A file of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// Its name below [`STATE`].
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

impl IncrementalState {
    /// All its files.
    pub fn files(&self) -> impl Iterator<Item = &StateFile> {
        let months = self.months.values().flat_map(|month| [&month.users, &month.tracks]);
        self.songs.iter().chain(&self.users).chain(months).chain(self.packs.values())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde takes")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
