//! The Iceberg metadata of a lake: where it is, and what the commit log says about its tables.
//!
//! ```text
//! _etl/iceberg/songs/metadata/v7.metadata.json     the table after commit 7, created once: this is the commit
//! _etl/iceberg/songs/metadata/version-hint.text    the number of the newest commit
//! _etl/iceberg/songs/metadata/*.avro               manifests and manifest lists
//! ```
//!
//! The Python part writes the content with `PyIceberg`, after a version of the lake is published. Because it is made
//! from the commit log, a later run or a recovery makes up for a commit that a stopped run has left out.
//!
//! Invariant: nothing outside of `_etl/iceberg` is written or removed, and no commit is replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::check::{open_newest, read_only_storage};
use crate::lake::commit_log;
use crate::lake::commit_record::{CommitRecord, FileRecord};
use crate::location::Location;
use crate::parquet_io::file_stats::ColumnStats;
use crate::s3::stores::Stores;
use crate::schema::Table;
use crate::tables::partition_path;

const FOLDER: &str = "_etl/iceberg";
const HINT: &str = "version-hint.text";
const SUFFIX: &str = ".metadata.json";

/// The newest published version of a lake, and its Iceberg metadata.
#[derive(Clone, Debug, Serialize)]
pub struct IcebergState {
    /// The number of the version.
    pub version: u64,
    /// The number of earlier versions whose files stay.
    pub retain: u64,
    /// The options that decide rows and bytes, as text; `column_names` is absent if no column is renamed.
    pub options: BTreeMap<String, String>,
    /// The tables by plain name: those that are published as Iceberg tables, and those that have metadata.
    pub tables: BTreeMap<String, IcebergTable>,
}

/// A table of a lake, and its Iceberg metadata.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IcebergTable {
    /// The folder of its files, below the root of the lake.
    pub folder: String,
    /// The version of the lake that last changed the table; `None` if it is not published as an Iceberg table.
    pub changed_at: Option<u64>,
    /// The number of the newest commit; 0 if there is none.
    pub commit: u64,
    /// The content of this commit.
    pub metadata: Option<String>,
    /// The version hint.
    pub hint: Option<String>,
    /// The paths of all files of the metadata, below the root of the lake.
    pub paths: Vec<String>,
}

/// A file of a table.
#[derive(Clone, Debug, Serialize)]
pub struct IcebergFile {
    /// The path below the folder of the table.
    pub path: String,
    /// The values of the partition columns, as text; `None` for NULL.
    pub partition: Vec<Option<String>>,
    /// Size in bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// The columns' statistics, in the order of the file.
    pub stats: Option<Vec<ColumnStats>>,
}

/// The Iceberg tables of a lake, at its newest published version.
///
/// # Errors
/// The same as [`crate::lake::check`].
pub fn state(location: &Location, stores: &Stores) -> Result<IcebergState> {
    let (storage, head) = open_newest(location, stores)?;
    let published = match head.record {
        record if head.is_published => Some(record),
        record => commit_log::record(&*storage, record.version.saturating_sub(1))?,
    };
    let record = published.unwrap_or_default();
    let mut tables: BTreeMap<String, IcebergTable> = BTreeMap::new();
    for (folder, table) in &record.tables {
        let known = tables.get(&table.table).and_then(|known| known.changed_at);
        // Of two folders with the same table, the one that was changed last.
        if table.iceberg > known {
            let found = IcebergTable { folder: folder.clone(), changed_at: table.iceberg, ..IcebergTable::default() };
            tables.insert(table.table.clone(), found);
        }
    }
    for file in storage.list_many(&[FOLDER])?.concat() {
        let Some((name, file)) = file.path.split_once("/metadata/") else { continue };
        let table = tables.entry(name.to_owned()).or_default();
        table.commit = table.commit.max(commit_of(file).unwrap_or_default());
        table.paths.push(format!("{FOLDER}/{name}/metadata/{file}"));
    }
    for (name, table) in &mut tables {
        let folder = format!("{FOLDER}/{name}/metadata");
        let text = |name: &str| {
            let bytes = storage.read_optional(&format!("{folder}/{name}"))?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        if table.commit > 0 {
            table.metadata = text(&format!("v{}{SUFFIX}", table.commit))?;
            table.hint = text(HINT)?;
        }
    }
    Ok(IcebergState { version: record.version, retain: record.retain, options: record.options, tables })
}

/// The files of a table at a version of the lake, and the files of earlier versions that stay in place, each with the
/// version that no longer has it.
///
/// # Errors
/// [`ErrorKind::Retry`] when the commit log no longer has the version; otherwise any storage error.
pub fn files(
    location: &Location,
    stores: &Stores,
    version: u64,
    folder: &str,
) -> Result<(Vec<IcebergFile>, BTreeMap<String, u64>)> {
    let storage = read_only_storage(location, stores)?;
    let mut record: CommitRecord = commit_log::record(&*storage, version)?.ok_or_else(|| {
        Error::new(ErrorKind::Retry, format!("the commit log no longer has version {version}"))
            .hint("try again; another run is writing to this lake")
    })?;
    let table = record.tables.remove(folder).unwrap_or_default();
    let file = |(path, FileRecord { size, rows, stats, .. }): (String, _)| {
        let folders = path.split('/').filter_map(|folder| folder.split_once('='));
        let partition = folders.map(|(_, value)| partition_path::unescape(value)).collect();
        IcebergFile { path, partition, size, rows, stats }
    };
    let retained = table.retained.into_iter().map(|(path, file)| (path, file.left_at));
    Ok((table.files.into_iter().map(file).collect(), retained.collect()))
}

/// Reads a file of the metadata.
///
/// # Errors
/// [`ErrorKind::Internal`] when the path is not one of the metadata; otherwise any storage error.
pub fn read(location: &Location, stores: &Stores, path: &str) -> Result<Option<Vec<u8>>> {
    check_path(path)?;
    read_only_storage(location, stores)?.read_optional(path)
}

/// Writes the files of a commit, of which the last one is its `vN.metadata.json`, then the version hint. Returns false
/// if another program has made commit N.
///
/// # Errors
/// [`ErrorKind::Internal`] when a path is not one of the metadata; otherwise any storage error.
pub fn commit(location: &Location, stores: &Stores, files: &[(String, Vec<u8>)]) -> Result<bool> {
    files.iter().try_for_each(|(path, _)| check_path(path))?;
    let storage = read_only_storage(location, stores)?;
    for (path, bytes) in files {
        if !storage.create_without_lock(path, bytes)? && storage.read_optional(path)?.as_ref() != Some(bytes) {
            return Ok(false);
        }
    }
    let newest = files.last().and_then(|(path, _)| path.rsplit_once('/'));
    if let Some((folder, name)) = newest
        && let Some(number) = commit_of(name)
    {
        storage.write(&format!("{folder}/{HINT}"), number.to_string().as_bytes())?;
    }
    Ok(true)
}

/// Removes files of the metadata.
///
/// # Errors
/// [`ErrorKind::Internal`] when a path is not one of the metadata; otherwise any storage error.
pub fn remove(location: &Location, stores: &Stores, paths: &[String]) -> Result<()> {
    paths.iter().try_for_each(|path| check_path(path))?;
    read_only_storage(location, stores)?.remove(paths)
}

/// Whether a table of a local lake is published as an Iceberg table.
pub(super) fn is_published(root: &Path, table: Table) -> bool {
    root.join(FOLDER).join(table.name()).join("metadata").join(HINT).exists()
}

/// The number in the name of a commit.
fn commit_of(name: &str) -> Option<u64> {
    name.strip_prefix('v')?.strip_suffix(SUFFIX)?.parse().ok()
}

fn check_path(path: &str) -> Result<()> {
    let parts: BTreeSet<&str> = path.split('/').collect();
    if path.starts_with(&format!("{FOLDER}/")) && !parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, format!("{path:?} is not a path of Iceberg metadata")))
}
