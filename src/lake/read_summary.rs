//! What reading the input told, beyond the tables: counts, reasons and places. The report says it, and the record of the
//! version keeps it, so that a later run on an unchanged input can say it again without reading.
//!
//! Invariant: an outcome holds no record of the input, and what it says of a content is what its ledger adds up to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSummary {
    /// What became of the records, by content.
    pub records: BTreeMap<String, Records>,
    /// Records left out by a named rule.
    pub filtered: BTreeMap<String, u64>,
    /// Quarantined records by content and reason.
    pub reasons: BTreeMap<String, BTreeMap<String, u64>>,
    /// Values taken over from another JSON type without loss, by content.
    pub coerced: BTreeMap<String, u64>,
    /// Keys that no rule knows, by content.
    pub unknown_keys: BTreeMap<String, BTreeMap<String, u64>>,
    /// The first quarantined records, located.
    pub rejects: Vec<LocatedReject>,
    /// Files left out as a whole.
    pub bad_files: Vec<BadFile>,
    /// Files without a record, by content.
    pub silent: BTreeMap<String, u64>,
    /// Where quarantined records lie.
    pub quarantine: Option<String>,
    /// Plays and how many of them have a song.
    pub plays: Plays,
    /// Partition folders, by table.
    pub partitions: BTreeMap<String, u64>,
}

/// The accounting of one content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Records found.
    pub read: u64,
    /// Records that went into tables.
    pub loaded: u64,
    /// Records left out by a named rule.
    pub filtered: u64,
    /// Records that are not what they should be.
    pub quarantined: u64,
}

impl Records {
    /// Whether every record read is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.read == self.loaded + self.filtered + self.quarantined
    }
}

impl fmt::Display for Records {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, loaded, filtered, quarantined } = self;
        write!(formatter, "{read} records read, {loaded} loaded, {filtered} filtered, {quarantined} quarantined")
    }
}

/// A quarantined record's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LocatedReject {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
    /// Reason code of the bad-input catalogue.
    pub reason: String,
    /// The key it is about.
    pub key: Option<String>,
}

/// A file that was left out as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFile {
    /// The file.
    pub file: String,
    /// Reason code of the bad-input catalogue.
    pub reason: String,
}

/// Plays and matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plays {
    /// Rows of songplays.
    pub rows: u64,
    /// Those with a song.
    pub matched: u64,
}
