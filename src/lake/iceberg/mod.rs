//! The tables as Iceberg tables: metadata of the same files, below `_etl/iceberg`.
//!
//! ```text
//! _etl/iceberg/songs/metadata/v7.metadata.json     the table after commit 7, created once: this is the commit
//! _etl/iceberg/songs/metadata/version-hint.text    the number of the newest commit
//! _etl/iceberg/songs/metadata/*.avro               manifests and manifest lists
//! ```
//!
//! A commit follows from the commit record of a published version. A run first makes up for a commit that a stopped run
//! has left out, and adds the one of the new version at the end, so each version is in each table once, and in order.
//! An [`IcebergWriter`] makes the content, and this module reads and writes the files.
//!
//! Invariant: nothing outside of `_etl/iceberg` is written or removed, and no commit is replaced.

mod check;
mod estimate;
mod publish;
mod request;

pub(crate) use check::add_problems;
pub(crate) use estimate::max_files_of_commit;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{CommitRecord, TableRecord};
use crate::lake::storage::LakeStorage;
use crate::location::Location;
use crate::runtime::iceberg_writer::IcebergWriter;
use crate::schema::Table;

pub(super) const FOLDER: &str = "_etl/iceberg";
const HINT: &str = "version-hint.text";
const SUFFIX: &str = ".metadata.json";

/// The property of a table with the number of its newest commit. A commit of another program copies it from the commit
/// before, and is recognized by that.
const COMMIT: &str = "sparkify-lake.commit";
/// The version of the lake that a snapshot shows.
const VERSION: &str = "sparkify-lake.version";
/// The first version of the lake that no longer has a file of the snapshot before.
const LEFT_AT: &str = "sparkify-lake.left-at";

/// The Iceberg metadata of a lake, as it is stored.
#[derive(Debug)]
pub(crate) struct IcebergTables {
    /// The URL of the lake.
    url: String,
    /// By plain name; only tables that have metadata.
    tables: BTreeMap<Table, TableMetadata>,
}

/// The metadata of a table.
#[derive(Debug, Default)]
struct TableMetadata {
    /// The number of the newest commit; 0 if there is none.
    commit: u64,
    /// The content of this commit; `None` if there is none, or it is damaged.
    head: Option<Value>,
    /// The version hint.
    hint: Option<String>,
    /// The paths of all files, below the root of the lake.
    paths: Vec<String>,
}

impl IcebergTables {
    /// Reads the newest commits.
    pub(super) fn read(storage: &dyn LakeStorage, url: String) -> Result<Self> {
        let mut tables: BTreeMap<Table, TableMetadata> = BTreeMap::new();
        for file in storage.list_many(&[FOLDER])?.concat() {
            let Some((name, file)) = file.path.split_once("/metadata/") else { continue };
            let Some(table) = Table::from_name(name) else { continue };
            let known = tables.entry(table).or_default();
            known.commit = known.commit.max(commit_of(file).unwrap_or_default());
            known.paths.push(format!("{}/{file}", folder_of(table)));
        }
        let heads: Vec<String> =
            tables.iter().flat_map(|(table, known)| [commit_path(*table, known.commit), hint_path(*table)]).collect();
        let mut contents = storage.read_many(&heads)?.into_iter();
        for known in tables.values_mut() {
            let head = contents.next().flatten();
            known.head = head.and_then(|bytes| serde_json::from_slice(&bytes).ok()).filter(Value::is_object);
            known.hint = contents.next().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(Self { url, tables })
    }

    /// Refuses tables that another program has changed.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when a newest commit is not one of this program.
    pub(super) fn must_be_ours(&self, storage: &dyn LakeStorage) -> Result<()> {
        match self.tables.iter().find(|(_, known)| !known.is_ours()) {
            Some((table, known)) => Err(foreign(storage, *table, known.commit)),
            None => Ok(()),
        }
    }
}

impl TableMetadata {
    fn is_ours(&self) -> bool {
        let number = self.head.as_ref().and_then(|head| head.get("properties")?.get(COMMIT)?.as_str());
        self.commit == 0 || number == Some(&self.commit.to_string())
    }

    /// The versions of the lake that the snapshots show, the oldest first, each with its [`LEFT_AT`].
    fn versions(&self) -> Vec<(u64, i64)> {
        let snapshots = self.head.as_ref().and_then(|head| head.get("snapshots")?.as_array());
        let number = |snapshot: &Value, key: &str| snapshot.get("summary")?.get(key)?.as_str()?.parse::<i64>().ok();
        let versions = |snapshot: &Value| {
            let version = number(snapshot, VERSION).and_then(|version| u64::try_from(version).ok());
            (version.unwrap_or_default(), number(snapshot, LEFT_AT).unwrap_or_default())
        };
        snapshots.into_iter().flatten().map(versions).collect()
    }

    /// The version of the lake that the newest snapshot shows.
    fn version(&self) -> u64 {
        self.versions().iter().map(|(version, _)| *version).max().unwrap_or_default()
    }

    /// Whether the newest commit shows what a new one would show.
    fn is_current(&self, table: &PublishedTable<'_>, url: &str) -> bool {
        let Some(head) = &self.head else { return false };
        // A snapshot has expired when a later one shows that a file of it is removed.
        let (retain, version) = (i64::try_from(table.retain), i64::try_from(table.lake_version));
        let limit = version.unwrap_or(i64::MAX).saturating_sub(retain.unwrap_or_default());
        let has_expired = self.versions().iter().skip(1).any(|(_, left_at)| *left_at <= limit);
        self.version() == table.changed_at
            && head.get("location").and_then(Value::as_str) == Some(&format!("{url}/{}", home(table.table)))
            && !has_expired
    }
}

/// A table that a version of the lake publishes as an Iceberg table.
#[derive(Clone, Copy, Debug)]
struct PublishedTable<'r> {
    table: Table,
    /// The folder of its files below the root of the lake.
    folder: &'r str,
    record: &'r TableRecord,
    /// The version of the lake that last changed it.
    changed_at: u64,
    lake_version: u64,
    retain: u64,
    /// The options that decide rows and bytes.
    options: &'r BTreeMap<String, String>,
}

/// The Iceberg tables of a version. Of two folders with the same table, it has the one that was changed last.
fn published(record: &CommitRecord) -> BTreeMap<Table, PublishedTable<'_>> {
    let mut tables: BTreeMap<Table, PublishedTable<'_>> = BTreeMap::new();
    for (folder, known) in &record.tables {
        let (Some(table), Some(changed_at)) = (Table::from_name(&known.table), known.iceberg_version()) else {
            continue;
        };
        if tables.get(&table).is_none_or(|other| changed_at > other.changed_at) {
            let (lake_version, retain, options) = (record.version, record.retain, &record.options);
            let found = PublishedTable { table, folder, record: known, changed_at, lake_version, retain, options };
            tables.insert(table, found);
        }
    }
    tables
}

/// The URL of a lake, for the metadata.
///
/// # Errors
/// [`ErrorKind::Configuration`] when it has a character that ends the path of a URL.
pub(crate) fn url_of(location: &Location) -> Result<String> {
    let url = match location {
        Location::Local(path) => {
            let absolute = std::fs::canonicalize(path);
            let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "find", path, &error);
            format!("file://{}", absolute.map_err(failed)?.display())
        }
        Location::Object(path) => path.to_string(),
    };
    must_be_in_url(&url)?;
    Ok(url)
}

/// Refuses a location with a character that ends the path of a URL.
fn must_be_in_url(location: &str) -> Result<()> {
    if !location.contains(['#', '?']) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, "Iceberg tables cannot be published at this location")
        .cause("in a URL, # and ? end the path")
        .hint("use --formats delta; or write the lake to a location without # and ?")
        .context("path", location))
}

/// Refuses a run that cannot publish Iceberg tables, before it writes anything.
///
/// # Errors
/// [`ErrorKind::Configuration`] when there is no writer, or the location cannot be in a URL.
pub(crate) fn must_be_possible(location: &Location, writer: Option<&dyn IcebergWriter>) -> Result<()> {
    required(writer)?;
    must_be_in_url(&location.to_string())
}

/// Whether a table of a local lake is published as an Iceberg table.
pub(super) fn is_published(root: &Path, table: Table) -> bool {
    root.join(hint_path(table)).exists()
}

/// The writer, which must be there.
///
/// # Errors
/// [`ErrorKind::Configuration`] when there is none.
fn required(writer: Option<&dyn IcebergWriter>) -> Result<&dyn IcebergWriter> {
    writer.ok_or_else(|| {
        Error::new(ErrorKind::Configuration, "the table format iceberg needs the package pyiceberg")
            .cause("it is not installed")
            .hint(
                "install it: pip install 'sparkify-lake[iceberg]'; or choose other formats, such as --formats parquet",
            )
    })
}

/// The error for a table that another program has changed.
fn foreign(storage: &dyn LakeStorage, table: Table, commit: u64) -> Error {
    let folder = storage.shown(&home(table));
    Error::new(ErrorKind::Protocol, format!("cannot continue the Iceberg table {folder}"))
        .cause(format!("v{commit}{SUFFIX} is not a commit of sparkify-lake"))
        .hint(
            "only sparkify-lake may write to it: stop the other program, then move the folder away and run again, which \
             begins a new table",
        )
        .context("path", folder)
}

fn home(table: Table) -> String {
    format!("{FOLDER}/{}", table.name())
}

fn folder_of(table: Table) -> String {
    format!("{}/metadata", home(table))
}

fn commit_path(table: Table, commit: u64) -> String {
    format!("{}/v{commit}{SUFFIX}", folder_of(table))
}

fn hint_path(table: Table) -> String {
    format!("{}/{HINT}", folder_of(table))
}

/// The number in the name of a commit.
fn commit_of(name: &str) -> Option<u64> {
    name.strip_prefix('v')?.strip_suffix(SUFFIX)?.parse().ok()
}
