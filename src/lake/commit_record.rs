//! The commit record: what the lake holds at a version, and how to get there from the one before.
//!
//! A record is JSON for people and for other programs, one object: `{"sha256": …, "record": …}`, the checksum being that
//! of the record's bytes. It names every file of every table with its size, rows and SHA-256; for a file that the
//! version changed also where its new bytes are staged and which version of the file it replaces. The ledger says which
//! input files went in, and what became of their records.
//!
//! Invariant: a [`CommitRecord`] that was read names nothing outside the tables' folders and its own stage, so replaying a
//! forged one writes nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::checkpoint::{Checkpoint, Manifest, STATE, StateFile};

/// The format of what lies in `_etl`; a newer one is not touched.
pub const FORMAT: u64 = 1;

/// Below a stage: the tables' new files, each in its place.
pub(super) const TABLES: &str = "tables";

/// A version of the lake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// [`FORMAT`].
    pub format: u64,
    /// Counts up from 1.
    pub version: u64,
    /// The run that made it; random enough to tell this record from another that a second run wrote.
    pub run: String,
    /// The version of the package.
    pub package: String,
    /// RFC 3339, UTC.
    pub committed_at: String,
    /// The options that shape rows and files, as text.
    pub options: BTreeMap<String, String>,
    /// Whether the store was seen to honour conditions on writes and on deletes.
    pub conditional: Conditional,
    /// The tables, by their folder below the lake's root.
    pub tables: BTreeMap<String, TableRecord>,
    /// What the tables were made from, the newest last; each table is in at most one of them.
    #[serde(rename = "bases")]
    pub checkpoints: Vec<Checkpoint>,
}

/// Which conditions the store honours. A local disk needs none: one run at a time holds the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditional {
    /// `If-None-Match` and `If-Match` on PUT.
    pub put: bool,
    /// `If-Match` on DELETE.
    pub delete: bool,
}

/// A table at a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Its plain name.
    pub table: String,
    /// All its files, by path below the folder.
    pub files: BTreeMap<String, FileRecord>,
    /// What this version takes away, with the stamp it had.
    pub removed: BTreeMap<String, String>,
    /// Whether `_SUCCESS` was in place before.
    pub marked: bool,
}

/// A file of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
    /// What the store calls this version of it: the `ETag`, or the time of modification on a local disk. Absent while
    /// only the marker of the published version knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
    /// Where its new bytes are staged, when this version changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The stamp of what it replaces; absent when there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Of the bytes that it replaces, as `sha256`; absent when there was nothing that a version knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
}

/// New bytes of a file, staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `pack-NNNNN.bin` of the stage; absent for a file that is staged by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<u32>,
    /// Where in the pack.
    pub offset: u64,
}

/// The marker that a version is published: the stamps of the files that it changed, where the record has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The version.
    pub version: u64,
    /// By the table's folder, by path.
    pub stamps: BTreeMap<String, BTreeMap<String, String>>,
}

impl CommitRecord {
    /// The bytes to store.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let body = serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "a commit record cannot be written").cause(error.to_string())
        })?;
        let mut bytes = format!("{OPENING}{}{BETWEEN}", sha256(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(b"}\n");
        Ok(bytes)
    }

    /// Reads a record; `shown` names it in errors.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when it is damaged, of a newer format, not of `version`, or names a place where no table
    /// can lie.
    pub fn from_bytes(bytes: &[u8], version: u64, shown: &str) -> Result<Self> {
        let refuse = |cause: String| {
            Error::new(ErrorKind::Protocol, format!("{shown} is not a commit record that this version can use"))
                .cause(cause)
                .hint("nothing was changed; restore the file, or write to another output")
                .context("path", shown)
        };
        let body = split(bytes).ok_or_else(|| refuse("it is cut short, or something else".to_owned()))?;
        if sha256(body.1) != body.0 {
            return Err(refuse("its checksum is wrong".to_owned()));
        }
        let record: Self = serde_json::from_slice(body.1).map_err(|error| refuse(error.to_string()))?;
        if record.format > FORMAT {
            return Err(refuse(format!("it is of format {}: upgrade sparkify-lake", record.format)));
        }
        if record.version != version {
            return Err(refuse(format!("it says that it is version {}", record.version)));
        }
        record.check().map_err(refuse)?;
        Ok(record)
    }

    /// Where the run's staged bytes lie, below the lake's root.
    #[must_use]
    pub fn stage(&self) -> String {
        stage_of(&self.run)
    }

    /// Everything that is staged for this version, below the lake's root.
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

    /// The newest ledger of a content.
    #[must_use]
    pub fn manifest(&self, content: &str) -> Option<&Manifest> {
        self.checkpoints.iter().rev().find_map(|checkpoint| checkpoint.input.get(content))
    }

    /// The base of tables that were made together, by their folders.
    #[must_use]
    pub fn checkpoint(&self, folders: &BTreeSet<String>) -> Option<&Checkpoint> {
        self.checkpoints.iter().find(|checkpoint| folders.is_subset(&checkpoint.tables))
    }

    /// All files of the state.
    pub fn state_files(&self) -> impl Iterator<Item = &StateFile> {
        self.checkpoints.iter().flat_map(|checkpoint| checkpoint.state.files())
    }

    /// Whether the version changes any file.
    #[must_use]
    pub fn changes_tables(&self) -> bool {
        self.tables
            .values()
            .any(|table| !table.removed.is_empty() || table.files.values().any(|file| file.image.is_some()))
    }

    /// Fills in the stamps that only the marker knows.
    pub fn learn(&mut self, done: &Done) {
        for (folder, stamps) in &done.stamps {
            let Some(table) = self.tables.get_mut(folder) else { continue };
            for (path, stamp) in stamps {
                if let Some(file) = table.files.get_mut(path) {
                    file.stamp = Some(stamp.clone());
                }
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.run.is_empty() || !self.run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(format!("{:?} is not the name of a run", self.run));
        }
        for (folder, table) in &self.tables {
            if !is_folder(folder) {
                return Err(format!("{folder:?} is not the folder of a table"));
            }
            if let Some(path) = table.files.keys().chain(table.removed.keys()).find(|path| !is_inside(path)) {
                return Err(format!("{path:?} is not a file of a table"));
            }
        }
        match self.state_files().find(|file| !is_inside(&file.name) || file.name.contains('/')) {
            Some(file) => Err(format!("{:?} is not a file of the state", file.name)),
            None => Ok(()),
        }
    }
}

/// Where a run stages, below the lake's root.
#[must_use]
pub fn stage_of(run: &str) -> String {
    format!("_etl/stage/{run}")
}

/// The name of a pack in its stage.
#[must_use]
pub fn pack_name(pack: u32) -> String {
    format!("pack-{pack:05}.bin")
}

/// Where a file of the state lies, below the lake's root.
#[must_use]
pub fn state_path(name: &str) -> String {
    format!("{STATE}/{name}")
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const OPENING: &str = "{\"sha256\":\"";
const BETWEEN: &str = "\",\"record\":";

/// Checksum and body of a stored record.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(OPENING.as_bytes())?;
    let (checksum, rest) = rest.split_at_checked(64)?;
    let body = rest.strip_prefix(BETWEEN.as_bytes())?.trim_ascii_end().strip_suffix(b"}")?;
    Some((str::from_utf8(checksum).ok()?, body))
}

/// One component that readers take for a table and never for ours.
fn is_folder(name: &str) -> bool {
    is_inside(name) && !name.contains('/') && !name.starts_with(['_', '.'])
}

/// A relative path that stays below its root.
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
        };
        let table = TableRecord {
            table: "songs".to_owned(),
            files: BTreeMap::from([("year=0/artist_id=A/part-00000.parquet".to_owned(), file)]),
            removed: BTreeMap::new(),
            marked: false,
        };
        CommitRecord {
            format: FORMAT,
            version: 3,
            run: "20260102T030405Z-0badcafe".to_owned(),
            package: "0".to_owned(),
            committed_at: "2026-01-02T03:04:05Z".to_owned(),
            options: BTreeMap::new(),
            conditional: Conditional { put: true, delete: true },
            tables: BTreeMap::from([("songs_table".to_owned(), table)]),
            checkpoints: vec![Checkpoint::default()],
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
    fn any_damage_is_seen() {
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
            // With a checksum that fits, it may be another record, but none that leads out of the tables.
            let mut body = serde_json::to_vec(&record).unwrap();
            random.damage(&mut body, &tokens);
            let forged = [OPENING.as_bytes(), sha256(&body).as_bytes(), BETWEEN.as_bytes(), &body, b"}\n"].concat();
            if let Ok(read) = CommitRecord::from_bytes(&forged, 3, "x") {
                assert_eq!(read.check(), Ok(()));
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
        for folder in ["..", "_etl", "a/b", "", ".hidden"] {
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
