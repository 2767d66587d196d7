//! Brings the Iceberg tables to a published version of the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit::without_iceberg;
use crate::lake::commit_record::{CommitRecord, TableRecord};
use crate::lake::iceberg::request::request;
use crate::lake::iceberg::{
    IcebergTables, PublishedTable, TableMetadata, commit_of, commit_path, folder_of, foreign, hint_path,
};
use crate::lake::iceberg::{published, required, url_of};
use crate::lake::open::Lake;
use crate::lake::storage::LakeStorage;
use crate::location::Location;
use crate::runtime::iceberg_writer::IcebergWriter;
use crate::schema::Table;

/// Upper bound for the attempts to commit while other runs do.
const MAX_ATTEMPTS: u32 = 5;

/// The end of the names of manifests and manifest lists.
const MANIFEST_SUFFIX: &str = ".avro";

/// Earlier commits that stay for programs that have read the version hint.
pub(super) const KEPT_COMMITS: u64 = 20;

impl Lake {
    /// Reads the Iceberg tables, if there are some or a run publishes some, and makes up for what a stopped run has left
    /// out.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when another program has changed a table, [`ErrorKind::Configuration`] when Iceberg tables
    /// cannot be published here; otherwise any storage error, and those of the writer.
    pub(crate) fn open_iceberg(
        &self,
        location: &Location,
        publishes: bool,
        writer: Option<&dyn IcebergWriter>,
    ) -> Result<Option<IcebergTables>> {
        let has = |is_published: fn(&TableRecord) -> bool| {
            self.head.as_ref().is_some_and(|head| head.tables.values().any(is_published))
        };
        if !publishes && !has(|table| table.iceberg.is_some()) {
            return Ok(None);
        }
        let storage = &*self.storage;
        let mut tables = IcebergTables::read(storage, url_of(location)?)?;
        if publishes {
            required(writer)?;
            tables.must_be_ours(storage)?;
        }
        // A run that ends the publication removes the tables when its own version is published.
        if let Some(head) = self.head.as_ref().filter(|_| publishes || !has(|table| table.iceberg_version().is_some()))
        {
            tables.publish(storage, head, writer).map_err(|error| without_iceberg(&error, head.version))?;
        }
        Ok(Some(tables))
    }

    /// Brings the Iceberg tables to the newest version.
    ///
    /// # Errors
    /// The same as [`Self::open_iceberg`].
    pub fn recover_iceberg(&self, location: &Location, writer: Option<&dyn IcebergWriter>) -> Result<()> {
        let publishes = self.head.as_ref().is_some_and(|head| !published(head).is_empty());
        self.open_iceberg(location, publishes, writer).map(drop)
    }
}

impl IcebergTables {
    /// Brings the tables to a published version; removes the metadata of tables that are not published anymore.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when another program has changed a table, [`ErrorKind::Retry`] when other runs make
    /// commits all the time; otherwise any storage error, and those of the writer.
    pub(in crate::lake) fn publish(
        &mut self,
        storage: &dyn LakeStorage,
        record: &CommitRecord,
        writer: Option<&dyn IcebergWriter>,
    ) -> Result<()> {
        let published = published(record);
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                *self = Self::read(storage, take(&mut self.url))?;
            }
            let mut is_done = true;
            for table in published.values() {
                let known = self.tables.entry(table.table).or_default();
                // If files of the newest commit are missing each time, no other run removes them: they are lost.
                is_done &= publish_table(storage, table, known, &self.url, writer, attempt > 1)?;
            }
            if is_done {
                // Catalogs drop a table before its files are removed.
                writer.map_or(Ok(()), |writer| writer.published(&self.described(&published)))?;
                let (kept, outdated): (_, BTreeMap<_, _>) =
                    take(&mut self.tables).into_iter().partition(|(table, _)| published.contains_key(table));
                self.tables = kept;
                return outdated.into_values().try_for_each(|known| remove_table(storage, known));
            }
        }
        Err(Error::new(ErrorKind::Retry, "the Iceberg tables could not be published, because other runs publish them")
            .hint("run again; the other tables are published"))
    }

    /// The tables after their newest commits, for catalogs.
    fn described(&self, published: &BTreeMap<Table, PublishedTable<'_>>) -> Value {
        let described = |(table, known): (&Table, &TableMetadata)| {
            let location = format!("{}/{}", self.url, commit_path(*table, known.commit));
            (table.name(), json!({"location": location, "metadata": known.head}))
        };
        let tables = self.tables.iter().filter(|(table, _)| published.contains_key(table)).map(described);
        let removed = Table::ALL.iter().filter(|table| !published.contains_key(table)).map(|table| table.name());
        json!({
            "url": self.url,
            "tables": tables.collect::<BTreeMap<_, _>>(),
            "removed": removed.collect::<Vec<_>>(),
        })
    }
}

/// Brings one table up to date; returns false if `known` is outdated, because another run is faster.
fn publish_table(
    storage: &dyn LakeStorage,
    table: &PublishedTable<'_>,
    known: &mut TableMetadata,
    url: &str,
    writer: Option<&dyn IcebergWriter>,
    begins_again: bool,
) -> Result<bool> {
    if !known.is_ours() {
        return Err(foreign(storage, table.table, known.commit));
    }
    // A run that was stopped while it created a file on a local disk.
    let temporary: Vec<String> = known.paths.extract_if(.., |path| name_of(path).starts_with(".tmp")).collect();
    storage.remove(&temporary)?;
    if known.version() > table.lake_version {
        return Ok(true); // another run has published a later version
    }
    if known.is_current(table, url) {
        if known.hint.as_deref() != Some(&known.commit.to_string()) {
            write_hint(storage, table.table, known)?;
        }
        return Ok(true);
    }
    let request = request(table, known, url, begins_again)?;
    let read = |paths: &[String]| storage.read_many(paths);
    let Some(commit) = required(writer)?.commit(&request, &read)? else { return Ok(false) };
    for (path, bytes) in &commit.files {
        check_path(table.table, path)?;
        if !storage.create_without_lock(path, bytes)? && storage.read_optional(path)?.as_ref() != Some(bytes) {
            return Ok(false);
        }
    }
    known.commit += 1;
    known.head = commit.files.last().and_then(|(_, bytes)| serde_json::from_slice(bytes).ok());
    write_hint(storage, table.table, known)?;

    let needed: Option<BTreeSet<String>> = commit.needed.map(|needed| needed.into_iter().collect());
    let is_outdated = |path: &str| {
        let name = name_of(path);
        let is_lost = name.ends_with(MANIFEST_SUFFIX) && needed.as_ref().is_some_and(|needed| !needed.contains(path));
        is_lost || commit_of(name).is_some_and(|number| number + KEPT_COMMITS <= known.commit)
    };
    let outdated: Vec<String> = known.paths.extract_if(.., |path| is_outdated(path)).collect();
    storage.remove(&outdated)?;
    known.paths.extend(commit.files.into_iter().map(|(path, _)| path));
    Ok(true)
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn write_hint(storage: &dyn LakeStorage, table: Table, known: &mut TableMetadata) -> Result<()> {
    let number = known.commit.to_string();
    storage.write(&hint_path(table), number.as_bytes())?;
    known.paths.retain(|path| *path != hint_path(table));
    known.paths.push(hint_path(table));
    known.hint = Some(number);
    Ok(())
}

/// Removes the metadata of a table: first the hint, so that no reader begins with files that are being removed.
fn remove_table(storage: &dyn LakeStorage, known: TableMetadata) -> Result<()> {
    let (hint, others): (Vec<String>, Vec<String>) =
        known.paths.into_iter().partition(|path| path.ends_with(super::HINT));
    storage.remove(&hint)?;
    storage.remove(&others)
}

fn check_path(table: Table, path: &str) -> Result<()> {
    let name = path.strip_prefix(&folder_of(table)).and_then(|name| name.strip_prefix('/'));
    if name.is_some_and(|name| !name.is_empty() && !name.contains('/') && !name.starts_with('.')) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, format!("{path:?} is not a path of Iceberg metadata")))
}
