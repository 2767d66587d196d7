//! What the newest version of a lake is, from its log alone: cheap enough to be asked every minute.
//!
//! Invariant: asking changes nothing, takes no lock, and looks at no table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::check::head;
use crate::error::Result;
use crate::store::Location;
use crate::store::stores::Stores;

/// The newest version of a lake.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
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

/// Looks at the newest version of a lake.
///
/// # Errors
/// As [`super::check`].
pub fn status(location: &Location, stores: &Stores) -> Result<Status> {
    let (ground, head) = head(location, stores)?;
    let record = head.record;
    let rows = |table: &super::record::TableRecord| table.files.values().map(|file| file.rows).sum();
    Ok(Status {
        location: ground.shown(""),
        version: record.version,
        is_published: head.is_published,
        rows: record.tables.values().map(|table| (table.table.clone(), rows(table))).collect(),
        run: record.run,
        committed_at: record.committed_at,
    })
}
