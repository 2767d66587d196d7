//! The read summary: counts, reject reasons and locations from reading the input. It is part of the report, and the
//! commit record keeps it, so that a later run on unchanged input can report it again without reading.
//!
//! Invariant: a summary contains no record of the input, and its counts per content are the sums over the manifest.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of reading the input, apart from the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSummary {
    /// Record counts per outcome, by content.
    pub records: BTreeMap<String, Records>,
    /// Records that a rule left out, by rule.
    pub filtered: BTreeMap<String, u64>,
    /// Rejected records, by content and reason.
    pub reasons: BTreeMap<String, BTreeMap<String, u64>>,
    /// Values that were converted from another JSON type without loss, by content.
    pub coerced: BTreeMap<String, u64>,
    /// Keys that no table uses, by content.
    pub unknown_keys: BTreeMap<String, BTreeMap<String, u64>>,
    /// The location of the first rejected records.
    pub rejects: Vec<LocatedReject>,
    /// Files that were left out entirely.
    pub bad_files: Vec<BadFile>,
    /// Number of files without a record, by content.
    pub silent: BTreeMap<String, u64>,
    /// The folder of the rejected records.
    pub quarantine: Option<String>,
    /// Rows of songplays, and how many of them have a song.
    pub plays: Plays,
    /// Number of partition folders, by table.
    pub partitions: BTreeMap<String, u64>,
}

/// Record counts of one content, per outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Records that were found.
    pub read: u64,
    /// Records that became rows.
    pub loaded: u64,
    /// Records that a rule left out.
    pub filtered: u64,
    /// Rejected records.
    pub quarantined: u64,
}

impl Records {
    /// Returns true if every record that was read has exactly one outcome.
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

/// The location of a rejected record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LocatedReject {
    /// The input file.
    pub file: String,
    /// Line number, from 1.
    pub line: u64,
    /// Byte offset in the uncompressed file.
    pub offset: u64,
    /// Reason code (`docs/bad_input.md`).
    pub reason: String,
    /// The JSON key at fault.
    pub key: Option<String>,
}

/// A file that was left out entirely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFile {
    /// The input file.
    pub file: String,
    /// Reason code (`docs/bad_input.md`).
    pub reason: String,
}

/// Counts of songplays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plays {
    /// Rows of songplays.
    pub rows: u64,
    /// Rows of songplays with a song.
    pub matched: u64,
    /// The time of the last play, in milliseconds since 1970 (UTC); serialized as RFC 3339. `None` without a play, and in
    /// records of release 0.1.0.
    #[serde(default, with = "rfc3339")]
    pub last_at: Option<i64>,
}

impl Plays {
    /// Adds the plays of another part.
    pub(crate) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.matched += other.matched;
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// Milliseconds since 1970 as RFC 3339 text.
pub(super) mod rfc3339 {
    use chrono::{DateTime, SecondsFormat};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde expects")]
    pub fn serialize<S: Serializer>(millis: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
        let time = millis.and_then(DateTime::from_timestamp_millis);
        time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)).serialize(serializer)
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<i64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let parse = |text: String| DateTime::parse_from_rfc3339(&text).map(|time| time.timestamp_millis());
        text.map(parse).transpose().map_err(serde::de::Error::custom)
    }
}
