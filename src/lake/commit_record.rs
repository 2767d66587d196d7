//! The commit record: the content of the lake at a version, and the changes from the version before.
//!
//! A record is one JSON object: `{"sha256": …, "record": …}`, with the checksum of the inner object's bytes. It lists
//! every file of every table with its size, rows and SHA-256. For a file that the version changes, it also has the
//! place where the new bytes are staged and the stamp of the file that they replace. Its checkpoints have the manifests
//! of the input files, with record counts per outcome. `docs/format.md` specifies every key.
//!
//! Invariant: a [`CommitRecord`] that was read has no path outside the tables' folders and its own staging area, so the
//! replay of a forged record writes nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::config::column_names;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::checkpoint::{Checkpoint, Manifest, STATE, StateFile};
use crate::lake::figures::VersionFigures;
use crate::lake::table_record::NOT_PUBLISHED;
pub use crate::lake::table_record::{DeltaLog, FileRecord, Image, RetainedFile, TableRecord};
use crate::schema::ColumnNames;

/// The format of the files below `_etl`. A lake of a newer format is not changed.
pub(super) const FORMAT: u64 = 1;

/// The folder below a staging area for new files of tables, each at its path in the lake.
pub(super) const TABLES: &str = "tables";

/// The way out when `_etl` is damaged so that no run can continue from it.
pub(super) const START_AGAIN: &str = "restore the file from a backup; or move _etl away and run with --adopt, which makes the \
                           tables again from the input alone: rows that only --keep-gone retained are then lost";

/// A version of the lake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// [`FORMAT`].
    pub format: u64,
    /// The number of the version; versions count up from 1.
    pub version: u64,
    /// The id of the run that committed it. It has a random part, so records of two runs always differ.
    pub run: String,
    /// The release of sparkify-lake that wrote it.
    pub package: String,
    /// When the run began; RFC 3339, UTC.
    pub committed_at: String,
    /// The options that decide rows and bytes, as text.
    pub options: BTreeMap<String, String>,
    /// The conditional requests that the store supports, as the first run of the lake determined.
    pub conditional: ConditionalSupport,
    /// The number of earlier versions whose files stay in place.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retain: u64,
    /// All tables of the lake, by their folder below its root.
    pub tables: BTreeMap<String, TableRecord>,
    /// The input and the state of the tables, newest last; each table is in at most one checkpoint.
    #[serde(rename = "bases")]
    pub checkpoints: Vec<Checkpoint>,
    /// The figures of expectations at the last versions, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<VersionFigures>,
}

/// The conditional requests that a store supports. A local disk needs none, because only one run at a time holds the
/// lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionalSupport {
    /// `If-None-Match` and `If-Match` on PUT requests.
    pub put: bool,
    /// `If-Match` on DELETE requests.
    pub delete: bool,
    /// Whether a condition also holds among requests at the same time; absent in records of 0.1.0.
    #[serde(default = "ConditionalSupport::atomic_unless_known")]
    pub atomic: bool,
}

impl ConditionalSupport {
    /// The support that keeps all runs apart.
    pub const FULL: Self = Self { put: true, delete: true, atomic: true };

    fn atomic_unless_known() -> bool {
        Self::FULL.atomic
    }
}

impl Default for ConditionalSupport {
    fn default() -> Self {
        Self::FULL
    }
}

/// The marker of a published version, with the stamps of changed files that the record does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PublishedMarker {
    /// The number of the published version.
    pub version: u64,
    /// The id of the run that committed it; absent in markers of release 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The stamps, by table folder and by path below it.
    pub stamps: BTreeMap<String, BTreeMap<String, String>>,
    /// When the version was published in full; RFC 3339, UTC. Absent in markers of older releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
}

impl PublishedMarker {
    /// The marker of a version that has just been published in full.
    pub(super) fn new(record: &CommitRecord, stamps: BTreeMap<String, BTreeMap<String, String>>) -> Self {
        // `Utc::now` panics if the clock is before 1970.
        let now = DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Millis, true);
        Self { version: record.version, run: Some(record.run.clone()), stamps, published_at: Some(now) }
    }
}

impl CommitRecord {
    /// Serializes the record, with its checksum.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when it cannot be serialized as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        // About 300 bytes for each file in its table, and as many in the manifests.
        let mut bytes = Vec::with_capacity(600 * self.tables.values().map(|table| table.files.len()).sum::<usize>());
        bytes.resize(HEAD_BYTES, b' ');
        serde_json::to_writer(&mut bytes, self).map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot serialize a commit record").cause(error.to_string())
        })?;
        let checksum = sha256(bytes.get(HEAD_BYTES..).unwrap_or_default());
        bytes.splice(..HEAD_BYTES, format!("{BEFORE_CHECKSUM}{checksum}{BEFORE_RECORD}").into_bytes());
        bytes.extend_from_slice(b"}\n");
        Ok(bytes)
    }

    /// Parses a record; `shown` is its path for error messages.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when it is damaged, has a newer format, is not the record of `version`, or has a path
    /// outside the tables' folders.
    pub fn from_bytes(bytes: &[u8], version: u64, shown: &str) -> Result<Self> {
        let refuse = |cause: String| {
            Error::new(ErrorKind::Protocol, format!("cannot use the commit record {shown}"))
                .cause(cause)
                .hint(START_AGAIN)
                .context("path", shown)
        };
        let body = split(bytes).ok_or_else(|| refuse("it is truncated or is not a commit record".to_owned()))?;
        if sha256(body.1) != body.0 {
            return Err(refuse("its checksum does not match".to_owned()));
        }
        let record: Self = serde_json::from_slice(body.1).map_err(|error| refuse(error.to_string()))?;
        if record.format > FORMAT {
            let cause = format!("its format is {}, which requires a newer version of sparkify-lake", record.format);
            return Err(refuse(cause).hint("upgrade sparkify-lake, or choose another output; no table was changed"));
        }
        if record.version != version {
            return Err(refuse(format!("it is the record of version {}", record.version)));
        }
        record.check_paths().map_err(refuse)?;
        Ok(record)
    }

    /// The run's staging area, as a path below the lake's root.
    pub(super) fn stage(&self) -> String {
        stage_of(&self.run)
    }

    /// Every staged file of this version, as paths below the lake's root.
    #[must_use]
    pub fn staged(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for (folder, table) in &self.tables {
            for (path, file) in &table.files {
                match file.image {
                    Some(Image { pack: Some(pack), .. }) => names.insert(pack_name(pack)),
                    Some(Image { pack: None, .. }) => names.insert(format!("tables/{folder}/{path}")),
                    None => false,
                };
            }
        }
        names.into_iter().map(|name| format!("{}/{name}", self.stage())).collect()
    }

    /// The newest manifest of a content (`songs` or `logs`).
    #[must_use]
    pub fn manifest(&self, content: &str) -> Option<&Manifest> {
        self.checkpoints.iter().rev().find_map(|checkpoint| checkpoint.input.get(content))
    }

    /// The checkpoints with the input of some tables, by their folders; the newest first.
    pub(crate) fn inputs_of(&self, folders: &BTreeSet<&String>) -> impl Iterator<Item = &Checkpoint> {
        self.checkpoints.iter().rev().filter(|checkpoint| checkpoint.is_input_of(folders))
    }

    /// The checkpoint of tables that one run made together, by their folders.
    pub(crate) fn checkpoint(&self, folders: &BTreeSet<String>) -> Option<&Checkpoint> {
        self.checkpoints.iter().find(|checkpoint| folders.is_subset(&checkpoint.tables))
    }

    /// All state files of the version.
    pub(crate) fn state_files(&self) -> impl Iterator<Item = &StateFile> {
        self.checkpoints.iter().flat_map(|checkpoint| checkpoint.state.files())
    }

    /// Returns true if the version changes a file of a table.
    pub(super) fn changes_tables(&self) -> bool {
        self.tables
            .values()
            .any(|table| !table.removed.is_empty() || table.files.values().any(|file| file.image.is_some()))
            || self
                .tables
                .values()
                .flat_map(|table| [table.delta.as_ref().map(|log| log.lake_version), table.iceberg])
                .flatten()
                .any(|version| version == self.version || version == NOT_PUBLISHED)
    }

    /// Adds the stamps that only the marker has.
    pub(super) fn add_stamps(&mut self, marker: &PublishedMarker) {
        for (folder, stamps) in &marker.stamps {
            let Some(table) = self.tables.get_mut(folder) else { continue };
            for (path, stamp) in stamps {
                if let Some(file) = table.files.get_mut(path) {
                    file.stamp = Some(stamp.clone());
                }
            }
        }
    }

    fn check_paths(&self) -> Result<(), String> {
        if self.run.is_empty() || !self.run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(format!("{:?} is not a valid run id", self.run));
        }
        for (folder, table) in &self.tables {
            if !is_folder(folder) {
                return Err(format!("{folder:?} is not a valid folder of a table"));
            }
            if let Some(path) = table
                .files
                .keys()
                .chain(table.removed.keys())
                .chain(table.retained.keys())
                .find(|path| !is_inside(path))
            {
                return Err(format!("{path:?} is not a valid path of a table's file"));
            }
        }
        match self.state_files().find(|file| !is_inside(&file.name) || file.name.contains('/')) {
            Some(file) => Err(format!("{:?} is not a valid name of a state file", file.name)),
            None => Ok(()),
        }
    }
}

/// Refuses folders that are inside the folder of another table of this version, or around it: readers of the outer table
/// would find the files of the inner one.
pub(super) fn must_be_apart<'f>(head: Option<&CommitRecord>, folders: impl Iterator<Item = &'f str>) -> Result<()> {
    let is_inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    for folder in folders {
        let mut others = head.into_iter().flat_map(|head| head.tables.keys());
        if let Some(other) = others.find(|other| is_inside(folder, other) || is_inside(other, folder)) {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("the lake has a table in {other}, so no other table can be in {folder}"),
            )
            .cause("readers of the outer folder would find the files of the inner one")
            .hint("set other folders with table_names, or choose another output")
            .context("option", "table_names"));
        }
    }
    Ok(())
}

/// Leaves a number out of a record.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde expects")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The staging area of a run, as a path below the lake's root.
pub(super) fn stage_of(run: &str) -> String {
    format!("_etl/stage/{run}")
}

/// The name of a pack in the staging area.
pub(super) fn pack_name(pack: u32) -> String {
    format!("pack-{pack:05}.bin")
}

/// The path of a state file below the lake's root.
pub(crate) fn state_path(name: &str) -> String {
    format!("{STATE}/{name}")
}

/// The names of columns at a version with these [`CommitRecord::options`].
///
/// # Errors
/// [`ErrorKind::Usage`] when they are invalid.
pub(super) fn names_of_columns(options: &BTreeMap<String, String>) -> Result<ColumnNames> {
    column_names(options.get("column_names").map_or("", String::as_str))
}

/// SHA-256 of some bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes before the checksum of a stored record.
const BEFORE_CHECKSUM: &str = "{\"sha256\":\"";
/// The bytes between the checksum and the record.
const BEFORE_RECORD: &str = "\",\"record\":";
/// The bytes before the record, with the checksum in hexadecimal.
const HEAD_BYTES: usize = BEFORE_CHECKSUM.len() + 64 + BEFORE_RECORD.len();

/// Splits a stored record into its checksum and its body.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(BEFORE_CHECKSUM.as_bytes())?;
    let (checksum, rest) = rest.split_at_checked(64)?;
    let body = rest.strip_prefix(BEFORE_RECORD.as_bytes())?.trim_ascii_end().strip_suffix(b"}")?;
    Some((str::from_utf8(checksum).ok()?, body))
}

/// Returns true for a relative path without a name that begins with `_` or `.`: readers ignore folders with such names,
/// and `_etl` is one of them.
fn is_folder(path: &str) -> bool {
    is_inside(path) && !path.split('/').any(|name| name.starts_with(['_', '.']))
}

/// Returns true for a relative path that stays below its root.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CommitRecord {
        let file = FileRecord {
            size: 4,
            rows: 1,
            sha256: sha256(b"PAR1"),
            stamp: None,
            image: Some(Image { pack: Some(0), offset: 0 }),
            replaces: Some("\"old\"".to_owned()),
            replaced: Some(sha256(b"PAR0")),
            stats: None,
        };
        let table = TableRecord {
            table: "songs".to_owned(),
            files: BTreeMap::from([("year=0/artist_id=A/part-00000.parquet".to_owned(), file)]),
            ..TableRecord::default()
        };
        CommitRecord {
            format: FORMAT,
            version: 3,
            run: "20260102T030405Z-0badcafe".to_owned(),
            package: "0".to_owned(),
            committed_at: "2026-01-02T03:04:05Z".to_owned(),
            options: BTreeMap::new(),
            conditional: ConditionalSupport::FULL,
            retain: 0,
            tables: BTreeMap::from([("songs_table".to_owned(), table)]),
            checkpoints: vec![Checkpoint::default()],
            figures: Vec::new(),
        }
    }

    #[test]
    fn a_record_survives_its_bytes() {
        let bytes = record().to_bytes().unwrap();
        assert_eq!(CommitRecord::from_bytes(&bytes, 3, "x").unwrap(), record());
        let whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(whole["record"]["version"], 3);
    }

    #[test]
    fn any_damage_is_detected() {
        let bytes = record().to_bytes().unwrap();
        for cut in 0..bytes.len() - 1 {
            assert!(CommitRecord::from_bytes(&bytes[..cut], 3, "x").is_err(), "cut at {cut}");
        }
        for place in 0..bytes.len() - 1 {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            assert!(CommitRecord::from_bytes(&bytes, 3, "x").is_err(), "flipped at {place}");
        }
        assert_eq!(CommitRecord::from_bytes(&bytes, 4, "x").unwrap_err().kind(), ErrorKind::Protocol);
    }

    #[test]
    fn damage_never_makes_another_record() {
        let (record, tokens) =
            (record(), [&b"\""[..], b"}", b"{", b",", b" ", b"\n", b"\0", b"1", b"../", b"\\u0061", b"null"]);
        let bytes = record.to_bytes().unwrap();
        crate::runtime::random_damage::fuzz("reading commit records", |random| {
            let mut damaged = bytes.clone();
            random.damage(&mut damaged, &tokens);
            if let Ok(read) = CommitRecord::from_bytes(&damaged, 3, "x") {
                assert_eq!(read, record, "{}", damaged.escape_ascii());
            }
            // With a matching checksum it may be another record, but none with a path outside the tables.
            let mut body = serde_json::to_vec(&record).unwrap();
            random.damage(&mut body, &tokens);
            let forged =
                [BEFORE_CHECKSUM.as_bytes(), sha256(&body).as_bytes(), BEFORE_RECORD.as_bytes(), &body, b"}\n"]
                    .concat();
            if let Ok(read) = CommitRecord::from_bytes(&forged, 3, "x") {
                assert_eq!(read.check_paths(), Ok(()));
                assert!(read.staged().iter().all(|path| path.starts_with("_etl/stage/") && is_inside(path)));
                assert_eq!(CommitRecord::from_bytes(&read.to_bytes().unwrap(), 3, "x").unwrap(), read);
            }
        });
    }

    #[test]
    fn a_forged_record_leads_nowhere() {
        for path in ["../x", "a/../../x", "/etc/x", "a//b", "", ".", "a/./b"] {
            let mut forged = record();
            let table = forged.tables.get_mut("songs_table").unwrap();
            table.removed.insert(path.to_owned(), String::new());
            assert!(CommitRecord::from_bytes(&forged.to_bytes().unwrap(), 3, "x").is_err(), "{path:?}");
        }
        for folder in ["..", "_etl", "a//b", "a/", "/a", "a/../b", "a/_etl", "", ".hidden"] {
            let mut forged = record();
            forged.tables.insert(folder.to_owned(), TableRecord::default());
            assert!(CommitRecord::from_bytes(&forged.to_bytes().unwrap(), 3, "x").is_err(), "{folder:?}");
        }
        for name in ["../x", "a/b", ""] {
            let mut forged = record();
            forged.checkpoints[0].state.songs = Some(StateFile { name: name.to_owned(), ..StateFile::default() });
            assert!(CommitRecord::from_bytes(&forged.to_bytes().unwrap(), 3, "x").is_err(), "{name:?}");
        }
        let mut forged = record();
        "../../x".clone_into(&mut forged.run);
        assert!(CommitRecord::from_bytes(&forged.to_bytes().unwrap(), 3, "x").is_err());
    }
}
