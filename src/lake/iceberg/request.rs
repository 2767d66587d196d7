//! The request to the writer of Iceberg metadata: a table with its files, divided into manifests.
//!
//! The files are divided by a hash of their folders. The name of a manifest begins with a digest of the paths in it, so
//! the writer finds the manifests to keep without reading them, and one changed file means one new manifest.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{names_of_columns, sha256};
use crate::lake::iceberg::{PublishedTable, TableMetadata, home};
use crate::lake::table_record::FileRecord;
use crate::tables::partition_path;

/// Files per manifest. Fewer mean more manifests to read, more mean a slower commit.
const FILES_PER_MANIFEST: usize = 500;

/// The number of manifests of a table with `files` files.
pub(super) fn count_of_manifests(files: usize) -> u64 {
    files.div_ceil(FILES_PER_MANIFEST).max(1).next_power_of_two() as u64
}

/// The number of the manifest of a file in the folder `partition`, if the table has `files` files.
pub(super) fn manifest_of(partition: &str, files: usize) -> u64 {
    let hash = sha256(partition.as_bytes());
    hash.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
        % count_of_manifests(files)
}

/// The request for the next commit. With `begins_again`, no earlier snapshot stays.
pub(super) fn request(
    table: &PublishedTable<'_>,
    known: &TableMetadata,
    url: &str,
    begins_again: bool,
) -> Result<Value> {
    let columns = names_of_columns(table.options)?;
    let name = |column: &'static str| columns.get(table.table, column).to_owned();
    let fields = table.table.fields().iter().map(|field| (name(field.name), field.kind.name()));
    let files = &table.record.files;
    Ok(json!({
        "location": format!("{url}/{}", home(table.table)),
        "data": format!("{url}/{}/", table.folder),
        "columns": fields.collect::<Vec<_>>(),
        "partition_columns": table.table.partition_columns().iter().map(|column| name(column)).collect::<Vec<_>>(),
        "commit": known.commit + 1,
        "version": table.changed_at,
        "lake_version": table.lake_version,
        "retain": table.retain,
        "head": known.head,
        "begins_again": begins_again,
        "files": files.len(),
        "rows": files.values().map(|file| file.rows).sum::<u64>(),
        "bytes": files.values().map(|file| file.size).sum::<u64>(),
        "manifests": manifests(files)?,
        "retained": table.record.retained.iter().map(|(path, file)| (path, file.left_at)).collect::<BTreeMap<_, _>>(),
    }))
}

/// The files of each manifest as the text of a JSON array, by the digest of their paths. The writer parses only those
/// that it needs.
fn manifests(files: &BTreeMap<String, FileRecord>) -> Result<BTreeMap<String, String>> {
    let mut groups: BTreeMap<u64, Vec<(&String, &FileRecord)>> = BTreeMap::new();
    for (path, file) in files {
        let partition = path.rsplit_once('/').map_or("", |(partition, _)| partition);
        groups.entry(manifest_of(partition, files.len())).or_default().push((path, file));
    }
    let manifest = |group: &Vec<(&String, &FileRecord)>| {
        let paths: Vec<&str> = group.iter().map(|(path, _)| path.as_str()).collect();
        let mut digest = sha256(paths.join("\n").as_bytes());
        digest.truncate(32);
        let files: Vec<Value> = group.iter().map(|(path, file)| described(path, file)).collect();
        let text = serde_json::to_string(&files).map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot serialize the files of a table").cause(error.to_string())
        })?;
        Ok((digest, text))
    };
    groups.values().map(manifest).collect()
}

/// A file: its path below the folder of the table, the values of the partition columns as text, size, rows and bounds.
fn described(path: &str, file: &FileRecord) -> Value {
    let folders = path.split('/').filter_map(|folder| folder.split_once('='));
    let partition: Vec<Option<String>> = folders.map(|(_, value)| partition_path::unescape(value)).collect();
    json!({"path": path, "partition": partition, "size": file.size, "rows": file.rows, "stats": file.stats})
}
