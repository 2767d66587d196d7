//! Compares the Iceberg tables with the commit log.

use crate::error::Result;
use crate::lake::check::{CheckedLake, LakeCheck, Problem};
use crate::lake::iceberg::request::request;
use crate::lake::iceberg::{IcebergTables, PublishedTable, TableMetadata, commit_path, published, url_of};
use crate::lake::storage::LakeStorage;
use crate::location::Location;
use crate::runtime::iceberg_writer::IcebergWriter;

/// Adds to the result of a check what is wrong with the Iceberg tables; returns whether there are any.
///
/// # Errors
/// Any storage error, and those of the writer.
pub(crate) fn add_problems(
    check: &mut LakeCheck,
    CheckedLake { storage, head }: &CheckedLake,
    location: &Location,
    writer: Option<&dyn IcebergWriter>,
) -> Result<bool> {
    let storage = &**storage;
    let tables = published(&head.record);
    if !head.is_published || tables.is_empty() {
        return Ok(false);
    }
    let known = IcebergTables::read(storage, url_of(location)?)?;
    let nothing = TableMetadata::default();
    let mut found = Vec::new();
    for table in tables.values() {
        let metadata = known.tables.get(&table.table).unwrap_or(&nothing);
        if let Some(what) = problem(storage, table, metadata, &known.url, writer)? {
            found.push(Problem { path: commit_path(table.table, metadata.commit), what });
        }
    }
    if found.is_empty() {
        return Ok(true);
    }
    let way = if found.iter().all(|problem| matches!(problem.what, "missing" | "outdated")) {
        format!("run again, or run `sparkify-lake recover {}`, to publish the Iceberg tables", check.location)
    } else {
        "move the folders of these tables in _etl/iceberg away and run again, which begins new tables".to_owned()
    };
    check.add_problems(found, &way);
    Ok(true)
}

fn problem(
    storage: &dyn LakeStorage,
    table: &PublishedTable<'_>,
    metadata: &TableMetadata,
    url: &str,
    writer: Option<&dyn IcebergWriter>,
) -> Result<Option<&'static str>> {
    if metadata.commit == 0 {
        return Ok(Some("missing"));
    }
    if metadata.head.is_none() {
        return Ok(Some("changed"));
    }
    if !metadata.is_ours() {
        return Ok(Some("foreign"));
    }
    if !metadata.is_current(table, url) {
        return Ok(Some("outdated"));
    }
    let read = |paths: &[String]| storage.read_many(paths);
    let is_same = match writer {
        Some(writer) => writer.matches(&request(table, metadata, url, false)?, &read)?,
        None => true,
    };
    Ok((!is_same).then_some("changed"))
}
