//! The status of a lake: its newest version, from the commit log alone, at the cost of a few requests. Also the survey
//! of a lake for the dry run, which lists the tables as well.
//!
//! Invariant: neither changes anything or takes a lock.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::error::Result;
use crate::lake::check::{open_newest, read_only_storage};
use crate::lake::checkpoint::StateFile;
use crate::lake::commit_record::{CommitRecord, TableRecord, must_be_apart};
use crate::lake::iceberg::IcebergTables;
use crate::lake::staged_table::known_checksum;
use crate::lake::state_damage::{LostCopies, damaged_state, lost_copies, packs_of};
use crate::lake::state_reader::StateReader;
use crate::lake::storage::LakeStorage;
use crate::lake::storage::ListedFile;
use crate::lake::{SUCCESS, commit_log, delta_log, is_ignored_by_readers};
use crate::location::Location;
use crate::runtime::cancel::Cancel;
use crate::s3::stores::Stores;

/// The newest version of a lake.
#[derive(Clone, Debug, Serialize)]
pub struct LakeVersion {
    /// The location of the lake.
    pub location: String,
    /// The number of the version.
    pub version: u64,
    /// The id of the run that committed it.
    pub run: String,
    /// When that run began; RFC 3339, UTC.
    pub committed_at: String,
    /// Whether it is published in full.
    pub is_published: bool,
    /// Number of rows of each table, by the plain name of the table.
    pub rows: BTreeMap<String, u64>,
}

/// Reads the newest version of a lake; also returns its commit record.
///
/// # Errors
/// The same as [`crate::lake::check`].
pub fn status(location: &Location, stores: &Stores) -> Result<(LakeVersion, CommitRecord)> {
    let (storage, head) = open_newest(location, stores)?;
    let record = head.record;
    let rows = |table: &TableRecord| table.files.values().map(|file| file.rows).sum();
    let status = LakeVersion {
        location: storage.shown(""),
        version: record.version,
        run: record.run.clone(),
        committed_at: record.committed_at.clone(),
        is_published: head.is_published,
        rows: record.tables.values().map(|table| (table.table.clone(), rows(table))).collect(),
    };
    Ok((status, record))
}

/// The tables of a lake at its newest version, as other engines need them for their definitions.
#[derive(Clone, Debug, Serialize)]
pub struct LakeTables {
    /// The options that decide rows and bytes, as text; `column_names` is absent if no column is renamed.
    pub options: BTreeMap<String, String>,
    /// The tables, by folder.
    pub tables: Vec<LakeTable>,
}

/// A table of a lake.
#[derive(Clone, Debug, Serialize)]
pub struct LakeTable {
    /// The plain name of the table.
    pub table: String,
    /// Its folder below the root of the lake.
    pub folder: String,
    /// The folders below it that have files; an empty name for a table without partitions that has a file.
    pub partitions: BTreeSet<String>,
    /// The version hint of the table's Iceberg metadata, if there is one.
    pub iceberg_hint: Option<String>,
}

/// Returns the tables of a lake, from its newest commit record; reads no file of a table.
///
/// # Errors
/// The same as [`crate::lake::check`].
pub fn tables(location: &Location, stores: &Stores) -> Result<LakeTables> {
    let (storage, head) = open_newest(location, stores)?;
    let tables = head.record.tables.iter().map(|(folder, TableRecord { table, files, .. })| {
        let hint = storage.read_optional(&format!("_etl/iceberg/{table}/metadata/version-hint.text"))?;
        Ok(LakeTable {
            table: table.clone(),
            folder: folder.clone(),
            partitions: files
                .keys()
                .map(|file| file.rsplit_once('/').map_or("", |(above, _)| above).to_owned())
                .collect(),
            iceberg_hint: hint.map(|hint| String::from_utf8_lossy(&hint).trim().to_owned()),
        })
    });
    Ok(LakeTables { tables: tables.collect::<Result<_>>()?, options: head.record.options.clone() })
}

/// Finds the input files, of those that `is_needed` accepts by content and name, whose retained copies are missing or
/// damaged. On a local disk, the copies are read; in a bucket, their sizes are compared.
///
/// # Errors
/// Any storage error.
pub fn damaged_copies(
    location: &Location,
    stores: &Stores,
    record: &CommitRecord,
    is_needed: impl Fn(&str, &str) -> bool,
    cancel: &Cancel,
) -> Result<LostCopies> {
    let packs = packs_of(record, &is_needed);
    let storage = read_only_storage(location, stores)?;
    let is_checked = |file: &StateFile| packs.contains(&file.name);
    let damaged = damaged_state(&*storage, record, is_checked, location.local().is_some(), cancel)?;
    Ok(lost_copies(record, &damaged, is_needed))
}

/// The state of a lake and of some of its tables before a run.
#[derive(Debug)]
pub struct Survey {
    /// The commit record of the newest version, if there is one.
    pub record: Option<CommitRecord>,
    /// Whether the files of every table match that version.
    pub is_intact: bool,
    /// Number of data files in each of the folders.
    pub files: Vec<u64>,
    storage: Box<dyn LakeStorage>,
}

impl Survey {
    /// A reader of the newest version's state files.
    pub(crate) fn state(&self) -> StateReader<'_> {
        StateReader { storage: &*self.storage }
    }

    /// Reads the Iceberg tables as a run does that publishes them, or does not.
    ///
    /// # Errors
    /// Any storage error, and [`crate::error::ErrorKind::Configuration`] if Iceberg tables cannot be published here.
    pub(crate) fn iceberg(&self, location: &Location, publishes: bool) -> Result<Option<IcebergTables>> {
        let tables = self.record.iter().flat_map(|record| record.tables.values());
        let is_read = publishes || tables.into_iter().any(|table| table.iceberg.is_some());
        is_read.then(|| IcebergTables::survey(&*self.storage, location)).transpose()
    }
}

/// Reads the newest version of a lake and lists the folders of some tables, as a run does before it reads its input.
///
/// # Errors
/// Any storage error. A lake that does not exist is not an error. [`crate::error::ErrorKind::Configuration`] if a folder
/// is inside the folder of another table of the lake.
pub fn survey(location: &Location, stores: &Stores, folders: &[&str], threads: usize) -> Result<Survey> {
    let storage = read_only_storage(location, stores)?;
    commit_log::has_format(&*storage)?;
    let head = commit_log::head(&*storage)?;
    let mut is_intact = head.as_ref().is_some_and(|head| head.is_published);
    let record = head.map(|head| head.record);
    must_be_apart(record.as_ref(), folders.iter().copied())?;
    let mut files = Vec::new();
    let known = |folder: &str| record.as_ref().and_then(|record| record.tables.get(folder));
    let tables: Vec<_> = folders.iter().map(|folder| (*folder, known(folder))).collect();
    for (folder, entries) in folders.iter().zip(storage.list_tables(&tables, threads)?) {
        let known = known(folder);
        let is_named = |path: &str| path == SUCCESS || known.is_some_and(|known| known.file(path).is_some());
        let log = known.and_then(|known| known.delta.as_ref());
        let (log_files, entries): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| log.is_some() && delta_log::is_log_file(&entry.path));
        // A run begins a missing log again, and refuses a damaged one.
        is_intact &=
            log.is_none_or(|log| delta_log::problems(log, log_files.iter().map(|file| &*file.path)).is_empty());
        let entries: Vec<ListedFile> =
            entries.into_iter().filter(|entry| is_named(&entry.path) || !is_ignored_by_readers(&entry.path)).collect();
        files.push(entries.iter().filter(|entry| entry.path != SUCCESS).count() as u64);
        is_intact &= known.is_some_and(|known| entries.len() == known.files.len() + known.retained.len() + 1);
        for entry in &entries {
            let known = known.and_then(|known| known.file(&entry.path));
            is_intact =
                is_intact && (entry.path == SUCCESS || known_checksum(&*storage, folder, entry, known)?.is_some());
        }
    }
    Ok(Survey { record, is_intact, files, storage })
}
