//! From staged to seen: the commit as a chain of types.
//!
//! Invariant: a [`Committed`] can only be made by writing the record of [`Staged`] files, and only it can be published.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::lake::checkpoint::{Checkpoint, IncrementalState, Manifest};
use crate::lake::commit_record::{CommitRecord, Done, FORMAT, TableRecord, state_path};
use crate::lake::open::committed;
use crate::lake::staging::{Stage, TableChanges};
use crate::lake::{commit_log, write_fence};
use crate::runtime::cancel::Cancel;
use crate::schema::Table;

/// What a run says about itself in its record.
#[derive(Clone, Debug, Default)]
pub struct CommitInfo {
    /// RFC 3339, UTC.
    pub committed_at: String,
    /// The options that shape rows and files.
    pub options: BTreeMap<String, String>,
    /// What the tables were made from; which tables, the stage knows.
    pub checkpoint: Checkpoint,
}

/// Complete tables that nobody can see yet.
#[derive(Debug)]
pub struct Staged {
    stage: Stage,
    tables: BTreeMap<String, TableRecord>,
    states: BTreeMap<Table, TableChanges>,
}

/// Tables that will be seen, whatever happens.
#[derive(Debug)]
pub struct Committed {
    stage: Stage,
    /// `None` when the newest version says all of it already.
    record: Option<CommitRecord>,
    states: BTreeMap<Table, TableChanges>,
}

/// Tables that are seen.
#[derive(Debug)]
pub struct Published {
    /// What became of each table.
    pub tables: BTreeMap<Table, TableChanges>,
    /// The lake's newest version.
    pub version: u64,
    /// Whether this run made it.
    pub is_new: bool,
    /// Whether nothing had to be read to know that all is as it should be.
    pub was_idle: bool,
    /// What deserves a look.
    pub warnings: Vec<String>,
}

impl Staged {
    pub(super) fn new(
        stage: Stage,
        tables: BTreeMap<String, TableRecord>,
        states: BTreeMap<Table, TableChanges>,
    ) -> Self {
        Self { stage, tables, states }
    }

    /// Writes the record. From here on the version stands.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] when another run was faster; nothing is changed then.
    pub fn commit(self, info: CommitInfo, cancel: &Cancel) -> Result<Committed> {
        let Self { stage, tables, states } = self;
        cancel.check()?;
        let head = stage.lake.head.as_ref();
        let mut record = CommitRecord {
            format: FORMAT,
            version: head.map_or(1, |head| head.version + 1),
            run: stage.run.clone(),
            package: env!("CARGO_PKG_VERSION").to_owned(),
            committed_at: info.committed_at,
            options: info.options,
            conditional: stage.lake.conditional,
            checkpoints: vec![Checkpoint { tables: tables.keys().cloned().collect(), ..info.checkpoint }],
            tables,
        };
        if let Some(head) = head {
            inherit(&mut record, head);
            if says_the_same(&record, head) {
                return Ok(Committed { stage, record: None, states });
            }
        }
        if let Err(error) = commit_log::commit(&*stage.lake.storage, &record) {
            return Err(uncommitted(&stage, &record, error));
        }
        stage.keep_state();
        Ok(Committed { stage, record: Some(record), states })
    }
}

impl Committed {
    /// Makes the version visible, dimensions before facts.
    ///
    /// # Errors
    /// Whatever stopped it; the version stands, every file is whole, and any later run finishes it.
    pub fn publish(self, cancel: &Cancel) -> Result<Published> {
        let Self { stage, record, states } = self;
        let warnings = stage.lake.warnings();
        let storage = &*stage.lake.storage;
        let Some(record) = record else {
            let version = stage.lake.head.as_ref().map_or(0, |head| head.version);
            return Ok(Published { tables: states, version, is_new: false, was_idle: false, warnings });
        };
        let version = record.version;
        let finish = || {
            write_fence::outwait(storage, &record, stage.lake.head.as_ref(), cancel)?;
            let stamps = storage.replay(&record, Some(&*stage.storage), cancel)?;
            commit_log::finish(storage, &Done { version, stamps })?;
            storage.remove(&outdated_state(&record, stage.lake.head.as_ref()))?;
            storage.forget_stage(&record)?;
            storage.clean_up(&record.run, &record.state_files().map(|file| file.name.clone()).collect())
        };
        match finish() {
            Ok(()) => Ok(Published { tables: states, version, is_new: true, was_idle: false, warnings }),
            Err(error) => {
                // What is staged is what a later run publishes.
                stage.leave();
                Err(committed(&error, version))
            }
        }
    }
}

/// What to say when the record could not be written. An error does not mean that it is not there: a disk may refuse to
/// confirm what it has, an answer may be lost. Then the version stands, and the stage is what a later run publishes.
fn uncommitted(stage: &Stage, record: &CommitRecord, error: Error) -> Error {
    let storage = &*stage.lake.storage;
    match (storage.read_optional(&commit_log::record_path(record.version)), record.to_bytes()) {
        (Ok(None), _) => error,
        (Ok(Some(found)), Ok(ours)) if found != ours => error,
        (Ok(Some(_)), _) => {
            stage.leave();
            committed(&error, record.version)
        }
        // Nobody knows; if it is not there, the next run forgets the stage.
        (Err(_), _) => {
            stage.leave();
            error
        }
    }
}

/// Takes over the tables and inputs that this run had nothing to do with.
fn inherit(record: &mut CommitRecord, head: &CommitRecord) {
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
        record.tables.insert(folder.clone(), table);
    }
    if record.options == head.options
        && record.package == head.package
        && let Some(ours) = record.checkpoints.pop()
    {
        let table = |folder: &str| record.tables.get(folder).and_then(|table| Table::from_name(&table.table));
        record.checkpoints = merge_checkpoints(ours, &head.checkpoints, &table);
    }
    carry_over_retained_input(record, &head.checkpoints);
}

/// RetainedFiles of input files are for good: a ledger that has some stays, also where nothing can be built upon it any more,
/// until another takes its place.
fn carry_over_retained_input(record: &mut CommitRecord, older: &[Checkpoint]) {
    for base in older.iter().rev() {
        let has_copies = |ledger: &Manifest| ledger.files.values().any(|file| file.copy.is_some());
        let is_left = |content: &str, ledger: &Manifest| record.manifest(content).is_none() && has_copies(ledger);
        let left = base.input.iter().filter(|(content, ledger)| is_left(content, ledger));
        let input: BTreeMap<String, Manifest> =
            left.map(|(content, ledger)| (content.clone(), ledger.clone())).collect();
        if !input.is_empty() {
            let state = IncrementalState { packs: base.state.packs.clone(), ..IncrementalState::default() };
            record
                .checkpoints
                .insert(0, Checkpoint { listed_at: base.listed_at.clone(), input, state, ..Checkpoint::default() });
        }
    }
}

/// The bases of the new version: that of its run, and what is left of older ones.
fn merge_checkpoints(
    mut ours: Checkpoint,
    older: &[Checkpoint],
    table: &dyn Fn(&str) -> Option<Table>,
) -> Vec<Checkpoint> {
    let mut bases = Vec::new();
    for base in older {
        let is_same =
            base.input.iter().all(|(content, ledger)| ours.input.get(content).is_none_or(|our| our == ledger));
        let covers = ours.tables.is_subset(&base.tables);
        if is_same && (covers || base.tables.is_subset(&ours.tables)) {
            // The same files, read once more, or for other tables: what was known of them is as true as before.
            for (options, known) in &base.summaries {
                let outcome = ours.summaries.entry(options.clone()).or_insert_with(|| known.clone());
                // The same rejects lie in two places now; the first stays the one that is told.
                outcome.quarantine.clone_from(&known.quarantine);
            }
            if covers {
                // A run for some of the tables leaves less of a state.
                if ours.tables != base.tables {
                    ours.state.clone_from(&base.state);
                }
                ours.tables.clone_from(&base.tables);
                ours.listed_at.clone_from(&base.listed_at);
                for (content, ledger) in &base.input {
                    ours.input.entry(content.clone()).or_insert_with(|| ledger.clone());
                }
            }
            continue;
        }
        let mut base = base.clone();
        if !base.tables.is_disjoint(&ours.tables) {
            base.tables.retain(|table| !ours.tables.contains(table));
            base.summaries.clear();
            // What the tables that are left do not come from, a newer base knows better.
            let left: Vec<Table> = base.tables.iter().filter_map(|folder| table(folder)).collect();
            base.input.retain(|content, _| left.iter().any(|table| table.is_made_from(content)));
        }
        if !base.tables.is_empty() {
            bases.push(base);
        }
    }
    bases.push(ours);
    bases
}

/// The files of the state that the newest version needs no more.
fn outdated_state(record: &CommitRecord, head: Option<&CommitRecord>) -> Vec<String> {
    let kept: BTreeSet<&str> = record.state_files().map(|file| file.name.as_str()).collect();
    let known = head.into_iter().flat_map(CommitRecord::state_files).map(|file| file.name.as_str());
    let outdated: BTreeSet<&str> = known.filter(|name| !kept.contains(name)).collect();
    outdated.into_iter().map(state_path).collect()
}

/// Whether a new version would tell readers and later runs nothing new.
fn says_the_same(record: &CommitRecord, head: &CommitRecord) -> bool {
    let all_marked = record.tables.values().all(|table| table.marked);
    let is_known = record.options == head.options && record.checkpoints == head.checkpoints;
    !record.changes_tables() && all_marked && is_known
}
