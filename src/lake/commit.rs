//! Commit and publish: the second half of the transaction, as a chain of types.
//!
//! Invariant: only writing the record of [`Staged`] files makes a [`Committed`], and only a [`Committed`] can be
//! published.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::lake::checkpoint::{Checkpoint, IncrementalState, Manifest};
use crate::lake::commit_record::{CommitRecord, DeltaLog, FORMAT, PublishedMarker, TableRecord, state_path};
use crate::lake::figures::{self, Figure, VersionFigures};
use crate::lake::open::{Lake, not_published};
use crate::lake::staged_table::TableChanges;
use crate::lake::staging::Stage;
use crate::lake::{commit_log, write_fence};
use crate::runtime::cancel::Cancel;
use crate::runtime::clock::Moment;
use crate::runtime::iceberg_writer::IcebergWriter;
use crate::schema::Table;

/// The part of a commit record that comes from the run.
#[derive(Clone, Debug, Default)]
pub struct CommitInfo {
    /// When the run began; RFC 3339, UTC.
    pub committed_at: String,
    /// The options that decide rows and bytes.
    pub options: BTreeMap<String, String>,
    /// The input and the state of the tables. The names of the tables are added from the stage.
    pub checkpoint: Checkpoint,
    /// The figures of the expectations.
    pub figures: BTreeMap<String, Figure>,
}

/// Complete and durable tables that readers cannot see yet.
#[derive(Debug)]
pub struct Staged {
    stage: Stage,
    tables: BTreeMap<String, TableRecord>,
    changes: BTreeMap<Table, TableChanges>,
}

/// Tables of a committed version, which this run or a later one publishes.
#[derive(Debug)]
pub struct Committed {
    stage: Stage,
    /// `None` if the newest version already has the same content.
    record: Option<NewVersion>,
    changes: BTreeMap<Table, TableChanges>,
}

/// A committed version, and when its commit looked for a newer one.
#[derive(Debug)]
struct NewVersion {
    record: CommitRecord,
    looked: Moment,
}

/// Published tables.
#[derive(Debug)]
pub struct Published {
    /// The changes to each table.
    pub tables: BTreeMap<Table, TableChanges>,
    /// The lake's newest version.
    pub version: u64,
    /// Whether this run committed it.
    pub is_new: bool,
    /// Whether the run read no input, because nothing had changed.
    pub was_idle: bool,
    /// Warnings for the report.
    pub warnings: Vec<String>,
}

impl Staged {
    pub(super) fn new(
        stage: Stage,
        tables: BTreeMap<String, TableRecord>,
        changes: BTreeMap<Table, TableChanges>,
    ) -> Self {
        Self { stage, tables, changes }
    }

    /// The tables of the run as they will be, by folder.
    pub fn tables(&self) -> &BTreeMap<String, TableRecord> {
        &self.tables
    }

    /// The lake of the run.
    pub fn lake(&self) -> &Lake {
        &self.stage.lake
    }

    /// Removes the staged files of a refused run. A later run removes what could not be removed.
    pub fn discard(self) {
        let Self { stage, tables, .. } = self;
        let record = CommitRecord { run: stage.run.clone(), tables, ..CommitRecord::default() };
        drop(stage.lake.storage.remove_stage(&record));
    }

    /// Commits the version by writing its record.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] when another run committed this version first; no table was changed.
    pub fn commit(self, info: CommitInfo, cancel: &Cancel) -> Result<Committed> {
        let Self { stage, tables, changes } = self;
        cancel.check()?;
        let head = stage.lake.head.as_ref();
        let version = head.map_or(1, |head| head.version + 1);
        let figures = VersionFigures { version, committed_at: info.committed_at.clone(), values: info.figures };
        let mut record = CommitRecord {
            format: FORMAT,
            version,
            run: stage.run.clone(),
            package: env!("CARGO_PKG_VERSION").to_owned(),
            committed_at: info.committed_at,
            options: info.options,
            conditional: stage.lake.conditional,
            retain: stage.retain(),
            checkpoints: vec![Checkpoint { tables: tables.keys().cloned().collect(), ..info.checkpoint }],
            tables,
            figures: figures::history(head.map_or(&[], |head| &head.figures), figures, commit_log::KEPT_VERSIONS),
        };
        if let Some(head) = head {
            carry_over(&mut record, head);
            if has_same_content(&record, head) {
                return Ok(Committed { stage, record: None, changes });
            }
        }
        let looked = match commit_log::commit(&*stage.lake.storage, &record) {
            Ok(looked) => looked,
            Err(error) => return Err(commit_error(&stage, &record, error)),
        };
        stage.retain_state_files();
        Ok(Committed { stage, record: Some(NewVersion { record, looked }), changes })
    }
}

impl Committed {
    /// Publishes the version, dimensions before facts.
    ///
    /// # Errors
    /// Any storage error, and [`crate::error::ErrorKind::Interrupted`]. The version is committed all the same: every
    /// file is complete, and any later run publishes the rest.
    pub fn publish(self, cancel: &Cancel, iceberg: Option<&dyn IcebergWriter>) -> Result<Published> {
        let Self { mut stage, record, changes } = self;
        let iceberg_tables = stage.iceberg.take();
        let warnings = stage.lake.warnings();
        let storage = &*stage.lake.storage;
        let Some(NewVersion { record, looked }) = record else {
            let version = stage.lake.head.as_ref().map_or(0, |head| head.version);
            stage.lake.must_be_newest()?;
            return Ok(Published { tables: changes, version, is_new: false, was_idle: false, warnings });
        };
        let version = record.version;
        let finish = || {
            write_fence::wait_out_stale_writers(storage, &record, stage.lake.head.as_ref(), cancel)?;
            let stamps = storage.replay(&record, Some(&*stage.storage), looked, cancel)?;
            commit_log::mark_published(storage, &PublishedMarker::new(&record, stamps))?;
            storage.remove(&outdated_state_files(&record, stage.lake.head.as_ref()))?;
            storage.remove_stage(&record)?;
            storage.clean_up_after(&record.run, &record.state_files().map(|file| file.name.clone()).collect())
        };
        match finish() {
            Ok(()) => {
                // After the last request, so that no request of this run is in flight.
                commit_log::must_be_newest(storage, version)?;
                if let Some(mut tables) = iceberg_tables {
                    tables.publish(storage, &record, iceberg).map_err(|error| without_iceberg(&error, version))?;
                }
                Ok(Published { tables: changes, version, is_new: true, was_idle: false, warnings })
            }
            Err(error) => {
                // A later run publishes from this staging area.
                stage.leave_for_recovery();
                if commit_log::was_replaced(&error) { Err(error) } else { Err(not_published(&error, version)) }
            }
        }
    }
}

/// The error of a run that could not publish the Iceberg tables of a version.
pub(super) fn without_iceberg(error: &Error, version: u64) -> Error {
    let again = "run again, or run `sparkify-lake recover`, to publish them";
    Error::new(error.kind(), format!("version {version} of the lake is published, but its Iceberg tables are not"))
        .cause(error.to_string())
        .hint(error.hint_text().unwrap_or(again))
        .context("version", version.to_string())
}

/// The error of a run that could not write its record. The record may exist in spite of the error: a disk may fail to
/// confirm a write, or a response may be lost. Then the version is committed, and a later run publishes it from the
/// staging area.
fn commit_error(stage: &Stage, record: &CommitRecord, error: Error) -> Error {
    let storage = &*stage.lake.storage;
    if commit_log::was_replaced(&error) {
        stage.leave_for_recovery();
        return error;
    }
    match (storage.read_optional(&commit_log::record_path(record.version)), record.to_bytes()) {
        (Ok(None), _) => error,
        (Ok(Some(found)), Ok(ours)) if found != ours => error,
        (Ok(Some(_)), _) => {
            stage.leave_for_recovery();
            not_published(&error, record.version)
        }
        // Unknown. If the record does not exist, a later run removes the staging area.
        (Err(_), _) => {
            stage.leave_for_recovery();
            error
        }
    }
}

/// Adds the tables and checkpoints of the previous version that this run did not process.
fn carry_over(record: &mut CommitRecord, head: &CommitRecord) {
    for (folder, table) in &head.tables {
        if record.tables.contains_key(folder) {
            continue;
        }
        let mut table = table.clone();
        table.removed.clear();
        table.marked = true;
        for file in table.files.values_mut() {
            (file.image, file.replaces, file.replaced) = (None, None, None);
        }
        table.delta = table.delta.as_ref().map(DeltaLog::without_changes);
        table.iceberg = table.iceberg_version();
        record.tables.insert(folder.clone(), table);
    }
    let run = record.checkpoints.last();
    let ours = run.map(|checkpoint| checkpoint.tables.clone()).unwrap_or_default();
    let contents = run.map(|checkpoint| checkpoint.input.keys().cloned().collect()).unwrap_or_default();
    if record.options == head.options
        && record.package == head.package
        && let Some(ours) = record.checkpoints.pop()
    {
        let table = |folder: &str| record.tables.get(folder).and_then(|table| Table::from_name(&table.table));
        record.checkpoints = merge_checkpoints(ours, &head.checkpoints, &table);
    }
    carry_over_retained_input(record, &head.checkpoints, &ours, &contents);
}

/// Retained input is kept forever: a manifest with retained files stays in the record until a run for the same tables
/// has decided about its files, even if later runs can no longer use its state. `ours` are the tables of this run, and
/// `contents` the contents that it has read.
fn carry_over_retained_input(
    record: &mut CommitRecord,
    older: &[Checkpoint],
    ours: &BTreeSet<String>,
    contents: &BTreeSet<String>,
) {
    let our_tables: BTreeSet<&String> = ours.iter().collect();
    for checkpoint in older.iter().rev() {
        let is_decided = |content: &str| contents.contains(content) && checkpoint.is_input_of(&our_tables);
        let has_retained_files = |manifest: &Manifest| manifest.files.values().any(|file| file.copy.is_some());
        let is_in_record = |content: &str, manifest: &Manifest| {
            record.checkpoints.iter().any(|known| known.input.get(content) == Some(manifest))
        };
        let is_needed = |content: &str, manifest: &Manifest| {
            has_retained_files(manifest) && !is_decided(content) && !is_in_record(content, manifest)
        };
        let needed = checkpoint.input.iter().filter(|(content, manifest)| is_needed(content, manifest));
        let input: BTreeMap<String, Manifest> =
            needed.map(|(content, manifest)| (content.clone(), manifest.clone())).collect();
        if !input.is_empty() {
            let state = IncrementalState { packs: checkpoint.state.packs.clone(), ..IncrementalState::default() };
            record.checkpoints.insert(
                0,
                Checkpoint {
                    listed_at: checkpoint.listed_at.clone(),
                    retains_for: checkpoint.tables.union(&checkpoint.retains_for).cloned().collect(),
                    input,
                    state,
                    ..Checkpoint::default()
                },
            );
        }
    }
}

/// The checkpoints of the new version: the one of its run, and the remaining parts of older ones.
fn merge_checkpoints(
    mut ours: Checkpoint,
    older: &[Checkpoint],
    table: &dyn Fn(&str) -> Option<Table>,
) -> Vec<Checkpoint> {
    let mut checkpoints = Vec::new();
    for old in older {
        let is_same =
            old.input.iter().all(|(content, manifest)| ours.input.get(content).is_none_or(|our| our == manifest));
        let covers = ours.tables.is_subset(&old.tables);
        if is_same && (covers || old.tables.is_subset(&ours.tables)) {
            // The same input, read again or for other tables: the summaries of the older checkpoint are still true.
            for (options, known) in &old.summaries {
                let summary = ours.summaries.entry(options.clone()).or_insert_with(|| known.clone());
                // The same rejects are in two quarantine folders now; the report keeps the first one.
                summary.quarantine.clone_from(&known.quarantine);
            }
            if covers {
                // A run for some of the tables makes less state.
                if ours.tables != old.tables {
                    ours.state.clone_from(&old.state);
                }
                ours.tables.clone_from(&old.tables);
                ours.listed_at.clone_from(&old.listed_at);
                for (content, manifest) in &old.input {
                    ours.input.entry(content.clone()).or_insert_with(|| manifest.clone());
                }
            }
            continue;
        }
        let is_ours = |folder: &String| ours.tables.contains(folder);
        if old.tables.iter().all(is_ours) {
            continue;
        }
        let mut old = old.clone();
        if old.tables.iter().any(is_ours) {
            old.tables.retain(|table| !is_ours(table));
            old.summaries.clear();
            // Drop the manifests that the remaining tables are not made from: a newer checkpoint has them.
            let remaining: Vec<Table> = old.tables.iter().filter_map(|folder| table(folder)).collect();
            old.input.retain(|content, _| remaining.iter().any(|table| table.is_made_from(content)));
        }
        checkpoints.push(old);
    }
    checkpoints.push(ours);
    checkpoints
}

/// The paths of state files that the new version no longer needs.
fn outdated_state_files(record: &CommitRecord, head: Option<&CommitRecord>) -> Vec<String> {
    let kept: BTreeSet<&str> = record.state_files().map(|file| file.name.as_str()).collect();
    let known = head.into_iter().flat_map(CommitRecord::state_files).map(|file| file.name.as_str());
    let outdated: BTreeSet<&str> = known.filter(|name| !kept.contains(name)).collect();
    outdated.into_iter().map(state_path).collect()
}

/// Returns true if a new version would have the same content as the newest one, for readers and for later runs.
fn has_same_content(record: &CommitRecord, head: &CommitRecord) -> bool {
    let all_marked = record.tables.values().all(|table| table.marked);
    let is_known = record.options == head.options && record.checkpoints == head.checkpoints;
    !record.changes_tables() && all_marked && is_known && !adds_stats(record, head)
}

/// Returns true if the new version has statistics of a table that the newest one does not have. Later runs need them.
fn adds_stats(record: &CommitRecord, head: &CommitRecord) -> bool {
    let has_stats = |record: &CommitRecord, folder: &str| {
        record.tables.get(folder).is_some_and(|table| table.files.values().all(|file| file.stats.is_some()))
    };
    record.tables.keys().any(|folder| has_stats(record, folder) && !has_stats(head, folder))
}
