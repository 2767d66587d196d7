//! The log of a table as a Delta Lake table: one commit per version of the lake that changes the table.
//!
//! ```text
//! songs_table/_delta_log/00000000000000000007.json                 commit 7 of this table, written once
//! songs_table/_delta_log/00000000000000000010.checkpoint.parquet   all files as of commit 10
//! songs_table/_delta_log/_last_checkpoint                          the number of the newest checkpoint
//! ```
//!
//! A commit follows from the commit record of the lake alone, so the run that committed the version, a run that helps it
//! and a recovery write the same bytes. It is created after the new files are in place and before the old ones are
//! removed. Because the names of files contain their checksums, a reader that has planned a query on an earlier commit
//! reads exactly its files, or fails if they are removed already.
//!
//! Invariant: a log has the commits 0 to [`DeltaLog::version`] without gaps, each made by one version of the lake.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{CommitRecord, names_of_columns, sha256};
use crate::lake::table_record::{DeltaLog, FileRecord, TableRecord};
use crate::parquet_io::delta_checkpoint;
use crate::parquet_io::file_stats::ColumnStats;
use crate::schema::{ColumnNames, Field, Table, Type};
use crate::tables::partition_path;

/// The folder of the log in the folder of a table.
pub(super) const FOLDER: &str = "_delta_log/";

/// A checkpoint is written for every tenth commit, which is the default of Delta Lake.
const COMMITS_PER_CHECKPOINT: u64 = 10;

/// Everything but the characters that are the same in a URI.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'=');

impl DeltaLog {
    /// The log of a table whose files at version `lake_version` of the lake are `files`; `before` is the table at the
    /// version before, if its log continues.
    #[must_use]
    pub fn next(
        (run, folder): (&str, &str),
        lake_version: u64,
        (table, columns): (Table, &ColumnNames),
        files: &BTreeMap<String, FileRecord>,
        before: Option<&TableRecord>,
    ) -> Self {
        let schema = sha256(metadata(table, columns, "").to_string().as_bytes());
        let Some((before, log)) = before.and_then(|before| Some((before, before.delta.as_ref()?))) else {
            let id = uuid(&format!("{run}/{folder}"));
            return Self { id, lake_version, schema, has_new_schema: true, ..Self::default() };
        };
        let has_new_schema = schema != log.schema;
        // The name of a file follows from its bytes.
        let added: Vec<String> = files.keys().filter(|path| !before.files.contains_key(*path)).cloned().collect();
        let removed: Vec<String> = before.files.keys().filter(|path| !files.contains_key(*path)).cloned().collect();
        if added.is_empty() && removed.is_empty() && !has_new_schema {
            return log.without_changes();
        }
        Self { id: log.id.clone(), version: log.version + 1, lake_version, added, removed, schema, has_new_schema }
    }

    /// The number of files that the next commit writes.
    pub(crate) const fn files_of_next_commit(&self) -> u64 {
        if is_checkpoint(self.version + 1) { 3 } else { 1 }
    }

    /// The log at a later version of the lake that does not change the table.
    #[must_use]
    pub fn without_changes(&self) -> Self {
        Self { added: Vec::new(), removed: Vec::new(), ..self.clone() }
    }
}

/// A file of a log.
#[derive(Debug)]
pub(super) struct LogFile {
    /// The path below the lake's root.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether it is only created, never replaced.
    pub is_commit: bool,
}

/// Returns true for the path, below the folder of its table, of a file of the log.
pub(super) fn is_log_file(path: &str) -> bool {
    path.starts_with(FOLDER)
}

/// The files of a table's log that this version of the lake writes, in this order.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the record is of an unknown table or has unknown column names.
pub(super) fn files_to_write(record: &CommitRecord, folder: &str, table: &TableRecord) -> Result<Vec<LogFile>> {
    let Some(log) = table.delta.as_ref().filter(|log| log.lake_version == record.version) else {
        return Ok(Vec::new());
    };
    let columns = names_of_columns(&record.options)?;
    let kind = Table::from_name(&table.table)
        .ok_or_else(|| Error::new(ErrorKind::Protocol, format!("a commit record has a table {:?}", table.table)))?;
    let time = DateTime::parse_from_rfc3339(&record.committed_at).map_or(0, |time| time.timestamp_millis());
    let add = |path: &str, is_change: bool| -> Option<Value> {
        Some(added_file((kind, &columns), path, table.files.get(path)?, time, is_change))
    };
    let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
    let metadata = metadata(kind, &columns, &log.id);
    let transaction = json!({"txn": {"appId": log.id, "version": record.version, "lastUpdated": time}});

    let mut commit = vec![json!({"commitInfo": {
        "timestamp": time,
        "operation": "WRITE",
        "operationParameters": {"mode": if log.version == 0 { "Overwrite" } else { "Append" }},
        "engineInfo": format!("sparkify-lake/{}", record.package),
        "sparkifyLake": {"version": record.version, "run": record.run},
    }})];
    if log.version == 0 {
        commit.push(protocol.clone());
    }
    if log.has_new_schema {
        commit.push(metadata.clone());
    }
    commit.push(transaction.clone());
    commit.extend(
        log.removed
            .iter()
            .map(|path| json!({"remove": {"path": encoded(path), "deletionTimestamp": time, "dataChange": true}})),
    );
    let all: Vec<&String> = table.files.keys().collect();
    let added = if log.version == 0 { all.clone() } else { log.added.iter().collect() };
    commit.extend(added.into_iter().filter_map(|path| add(path, true)));
    let lines: Vec<String> = commit.iter().map(|action| format!("{action}\n")).collect();
    let mut files =
        vec![LogFile { path: commit_path(folder, log.version), bytes: lines.concat().into_bytes(), is_commit: true }];
    if is_checkpoint(log.version) {
        let mut state = vec![protocol, metadata, transaction];
        state.extend(all.into_iter().filter_map(|path| add(path, false)));
        let pointer = json!({"version": log.version, "size": state.len()});
        let bytes = delta_checkpoint::encode(&state)?;
        files.push(LogFile { path: format!("{folder}/{}", checkpoint_name(log.version)), bytes, is_commit: false });
        let (path, bytes) = (format!("{folder}/{FOLDER}_last_checkpoint"), pointer.to_string().into_bytes());
        files.push(LogFile { path, bytes, is_commit: false });
    }
    Ok(files)
}

/// The problems of the files of a log, each as a path below the table's folder and a problem of
/// [`crate::lake::Problem`]. Nothing is read.
pub(super) fn problems<'n>(log: &DeltaLog, names: impl Iterator<Item = &'n str>) -> Vec<(String, &'static str)> {
    let names: BTreeSet<&str> = names.collect();
    let mut expected: BTreeSet<String> = (0..=log.version).map(commit_name).collect();
    expected.extend((0..=log.version).filter(|version| is_checkpoint(*version)).map(checkpoint_name));
    let missing = expected.iter().filter(|name| !names.contains(name.as_str())).map(|name| (name.clone(), "missing"));
    // Checksums (`.crc`) and pointers are not part of the log.
    let is_log = |name: &str| {
        let name = name.strip_prefix(FOLDER).unwrap_or(name);
        name.starts_with(|first: char| first.is_ascii_digit())
            && name.rsplit_once('.').is_none_or(|(_, suffix)| suffix != "crc")
    };
    let foreign = names.iter().filter(|name| is_log(name) && !expected.contains(**name));
    missing.chain(foreign.map(|name| ((*name).to_owned(), "foreign"))).collect()
}

/// Whether the log says that the table has exactly the files of the record: it is read from its newest checkpoint on.
///
/// # Errors
/// Those of `read`, which returns the content of a file below the lake's root.
pub(super) fn matches(
    read: impl Fn(&str) -> Result<Option<Vec<u8>>>,
    folder: &str,
    log: &DeltaLog,
    table: &TableRecord,
) -> Result<bool> {
    let start = log.version - log.version % COMMITS_PER_CHECKPOINT;
    let mut actions = Vec::new();
    if is_checkpoint(start) {
        let Some(bytes) = read(&format!("{folder}/{}", checkpoint_name(start)))? else {
            return Ok(false);
        };
        let Ok(state) = delta_checkpoint::decode(bytes) else { return Ok(false) };
        actions.extend(state);
    }
    let first = if is_checkpoint(start) { start + 1 } else { start };
    for version in first..=log.version {
        let Some(bytes) = read(&commit_path(folder, version))? else { return Ok(false) };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(action) = serde_json::from_slice::<Value>(line) else { return Ok(false) };
            actions.push(action);
        }
    }
    let mut files: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for action in &actions {
        let value = |kind: &str, name: &str| action.get(kind)?.get(name).cloned();
        if let Some(Value::String(path)) = value("remove", "path") {
            files.remove(&path);
        }
        if let Some(Value::String(path)) = value("add", "path") {
            files.insert(path, value("add", "size").and_then(|size| size.as_u64()));
        }
    }
    let expected = table.files.iter().map(|(path, file)| (encoded(path), Some(file.size))).collect();
    Ok(files == expected)
}

/// The error for a log that another program has written to, or that lacks commits.
pub(super) fn damaged(shown: &str, what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("cannot continue the Delta log {shown}"))
        .cause(what)
        .hint(
            "only sparkify-lake may write to it: stop the other program, then move the folder away and run again, which \
             begins a new log",
        )
        .context("path", shown)
}

const fn is_checkpoint(version: u64) -> bool {
    version > 0 && version.is_multiple_of(COMMITS_PER_CHECKPOINT)
}

pub(super) fn commit_name(version: u64) -> String {
    format!("{FOLDER}{version:020}.json")
}

pub(super) fn commit_path(folder: &str, version: u64) -> String {
    format!("{folder}/{}", commit_name(version))
}

fn checkpoint_name(version: u64) -> String {
    format!("{FOLDER}{version:020}.checkpoint.parquet")
}

/// The path of a file in an action: the names of partition folders are escaped already, and encoded once more.
fn encoded(path: &str) -> String {
    utf8_percent_encode(path, ENCODED).to_string()
}

/// The action that adds a file.
fn added_file(
    (table, columns): (Table, &ColumnNames),
    path: &str,
    file: &FileRecord,
    time: i64,
    is_change: bool,
) -> Value {
    let folders = path.split('/').filter_map(|folder| folder.split_once('='));
    let values: Map<String, Value> = folders
        .map(|(name, value)| (name.to_owned(), partition_path::unescape(value).map_or(Value::Null, Value::from)))
        .collect();
    json!({"add": {
        "path": encoded(path),
        "partitionValues": values,
        "size": file.size,
        "modificationTime": time,
        "dataChange": is_change,
        "stats": stats(table, columns, file).to_string(),
    }})
}

/// The statistics of a file, in the form of the Delta protocol.
fn stats(table: Table, columns: &ColumnNames, file: &FileRecord) -> Value {
    let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (field, ColumnStats(low, high, count)) in table.file_fields().zip(file.stats.iter().flatten()) {
        let name = columns.get(table, field.name);
        min.extend(bound(field, low, i64::div_euclid).map(|value| (name.to_owned(), value)));
        max.extend(bound(field, high, div_ceil).map(|value| (name.to_owned(), value)));
        nulls.insert(name.to_owned(), (*count).into());
    }
    json!({"numRecords": file.rows, "minValues": min, "maxValues": max, "nullCount": nulls})
}

/// A bound in the form of the Delta protocol: times have milliseconds.
fn bound(field: &Field, value: &Value, to_milliseconds: impl Fn(i64, i64) -> i64) -> Option<Value> {
    if field.kind != Type::Timestamp {
        return Some(value).filter(|value| !value.is_null()).cloned();
    }
    let time = DateTime::from_timestamp_millis(to_milliseconds(value.as_i64()?, 1000))?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true).into())
}

fn div_ceil(number: i64, divisor: i64) -> i64 {
    -(-number).div_euclid(divisor)
}

/// The action that declares the table's schema.
fn metadata(table: Table, columns: &ColumnNames, id: &str) -> Value {
    let partitions = table.partition_columns();
    let in_folders = partitions.iter().filter_map(|name| table.fields().iter().find(|field| field.name == *name));
    let fields = table.file_fields().chain(in_folders).map(|field| {
        let kind = match field.kind {
            Type::Int32 => "integer",
            Type::Int64 => "long",
            Type::Float64 => "double",
            Type::Boolean => "boolean",
            Type::Text => "string",
            Type::Timestamp => "timestamp",
        };
        json!({"name": columns.get(table, field.name), "type": kind, "nullable": true, "metadata": {}})
    });
    let schema = json!({"type": "struct", "fields": fields.collect::<Vec<_>>()});
    let partitions: Vec<&str> = partitions.iter().map(|name| columns.get(table, name)).collect();
    json!({"metaData": {
        "id": id,
        "name": table.name(),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_string(),
        "partitionColumns": partitions,
        "configuration": {},
    }})
}

/// A UUID (version 8, custom) that follows from a text.
fn uuid(text: &str) -> String {
    let digits = sha256(text.as_bytes());
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
