//! From staged to seen: the commit as a chain of types.
//!
//! Invariant: a [`Committed`] can only be made by writing the record of [`Staged`] files, and only it can be published.

use std::collections::BTreeMap;

use super::lake::committed;
use super::log;
use super::record::{Done, FORMAT, Ledger, Record, TableRecord};
use super::stage::{Stage, TableState};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::schema::Table;

/// What a run says about itself in its record.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// RFC 3339, UTC.
    pub committed_at: String,
    /// The options that shape rows and files.
    pub options: BTreeMap<String, String>,
    /// What went in, by content.
    pub input: BTreeMap<String, Ledger>,
    /// What reading it told, by the options that decide about it.
    pub outcome: (String, Outcome),
}

/// Complete tables that nobody can see yet.
#[derive(Debug)]
pub struct Staged {
    stage: Stage,
    tables: BTreeMap<String, TableRecord>,
    states: BTreeMap<Table, TableState>,
}

/// Tables that will be seen, whatever happens.
#[derive(Debug)]
pub struct Committed {
    stage: Stage,
    /// `None` when the newest version says all of it already.
    record: Option<Record>,
    states: BTreeMap<Table, TableState>,
}

/// Tables that are seen.
#[derive(Debug)]
pub struct Published {
    /// What became of each table.
    pub tables: BTreeMap<Table, TableState>,
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
        states: BTreeMap<Table, TableState>,
    ) -> Self {
        Self { stage, tables, states }
    }

    /// Writes the record. From here on the version stands.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] when another run was faster; nothing is changed then.
    pub fn commit(self, statement: Statement, cancel: &Cancel) -> Result<Committed> {
        let Self { stage, tables, states } = self;
        cancel.check()?;
        let head = stage.lake.head.as_ref();
        let mut record = Record {
            format: FORMAT,
            version: head.map_or(1, |head| head.version + 1),
            run: stage.run.clone(),
            package: env!("CARGO_PKG_VERSION").to_owned(),
            committed_at: statement.committed_at,
            options: statement.options,
            conditional: stage.lake.conditional,
            tables,
            input: statement.input,
            outcomes: BTreeMap::from([statement.outcome]),
        };
        if let Some(head) = head {
            inherit(&mut record, head);
            if says_the_same(&record, head) {
                return Ok(Committed { stage, record: None, states });
            }
        }
        if let Err(error) = log::commit(&*stage.lake.ground, &record) {
            return Err(uncommitted(&stage, &record, error));
        }
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
        let ground = &*stage.lake.ground;
        let Some(record) = record else {
            let version = stage.lake.head.as_ref().map_or(0, |head| head.version);
            return Ok(Published { tables: states, version, is_new: false, was_idle: false, warnings });
        };
        let version = record.version;
        let finish = || {
            let stamps = ground.replay(&record, Some(&*stage.ground), cancel)?;
            log::finish(ground, &Done { version, stamps })?;
            ground.forget_stage(&record)
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
fn uncommitted(stage: &Stage, record: &Record, error: Error) -> Error {
    let ground = &*stage.lake.ground;
    match (ground.find(&log::record_path(record.version)), record.to_bytes()) {
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
fn inherit(record: &mut Record, head: &Record) {
    for (folder, table) in &head.tables {
        if record.tables.contains_key(folder) {
            continue;
        }
        let mut table = table.clone();
        table.removed.clear();
        table.marked = true;
        for file in table.files.values_mut() {
            (file.image, file.replaces) = (None, None);
        }
        record.tables.insert(folder.clone(), table);
    }
    for (content, ledger) in &head.input {
        record.input.entry(content.clone()).or_insert_with(|| ledger.clone());
    }
    // What other runs said of the same files, for other tables say, is as true as before.
    let is_same = |content: &String| record.input.get(content) == head.input.get(content);
    if record.options == head.options && record.package == head.package {
        for (options, known) in head.outcomes.iter().filter(|(_, known)| known.records.keys().all(is_same)) {
            let outcome = record.outcomes.entry(options.clone()).or_insert_with(|| known.clone());
            // The same rejects lie in two places now; the first stays the one that is told.
            outcome.quarantine.clone_from(&known.quarantine);
        }
    }
}

/// Whether a new version would tell readers and later runs nothing new.
fn says_the_same(record: &Record, head: &Record) -> bool {
    let all_marked = record.tables.values().all(|table| table.marked);
    let is_known = record.input == head.input && record.options == head.options && record.outcomes == head.outcomes;
    !record.changes_tables() && all_marked && is_known
}
