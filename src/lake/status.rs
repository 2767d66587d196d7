//! What the newest version of a lake is, from its log alone: cheap enough to be asked every minute.
//!
//! Invariant: asking changes nothing, takes no lock, and looks at no table.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::Result;
use crate::lake::check::{ground_of, head};
use crate::lake::commit_record::CommitRecord;
use crate::lake::staging::owner;
use crate::lake::{SUCCESS, commit_log};
use crate::location::Location;
use crate::s3::stores::Stores;

/// The newest version of a lake.
#[derive(Clone, Debug, Serialize)]
pub struct LakeVersion {
    /// The lake.
    pub location: String,
    /// Its newest version.
    pub version: u64,
    /// The run that made it.
    pub run: String,
    /// When that run began; RFC 3339, UTC.
    pub committed_at: String,
    /// Whether it is published in full.
    pub is_published: bool,
    /// Rows of each table, by its plain name.
    pub rows: BTreeMap<String, u64>,
}

/// Looks at the newest version of a lake; returns its record as well.
///
/// # Errors
/// As [`crate::lake::check`].
pub fn status(location: &Location, stores: &Stores) -> Result<(LakeVersion, CommitRecord)> {
    let (storage, head) = head(location, stores)?;
    let record = head.record;
    let rows = |table: &crate::lake::commit_record::TableRecord| table.files.values().map(|file| file.rows).sum();
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

/// What a run over some tables will find.
#[derive(Debug)]
pub struct Survey {
    /// The newest version, if there is one.
    pub record: Option<CommitRecord>,
    /// Whether every table is what it says.
    pub is_intact: bool,
    /// How many files lie in each of the folders.
    pub files: Vec<u64>,
}

/// Looks at a lake, and at the folders of some of its tables, as a run does before it reads.
///
/// # Errors
/// The place's; a lake that is not there is none.
pub fn survey(location: &Location, stores: &Stores, folders: &[&str]) -> Result<Survey> {
    let storage = ground_of(location, stores)?;
    let head = if commit_log::has_format(&*storage)? { commit_log::head(&*storage)? } else { None };
    let mut is_intact = head.as_ref().is_some_and(|head| head.is_published);
    let record = head.map(|head| head.record);
    let mut files = Vec::new();
    let known = |folder: &str| record.as_ref().and_then(|record| record.tables.get(folder));
    let tables: Vec<_> = folders.iter().map(|folder| (*folder, known(folder))).collect();
    for (folder, entries) in folders.iter().zip(storage.tables(&tables)?) {
        files.push(entries.len() as u64);
        let known = known(folder);
        is_intact &= known.is_some_and(|known| entries.len() == known.files.len() + 1);
        for entry in &entries {
            is_intact = is_intact && (entry.path == SUCCESS || owner(&*storage, folder, entry, known)?.is_some());
        }
    }
    Ok(Survey { record, is_intact, files })
}
