//! A lake, opened for one run: its newest version known, and published.
//!
//! Invariant: the version that a [`Lake`] calls its newest is published in full, by this run if need be.

use std::collections::HashSet;

use bytes::Bytes;

use super::base::StateFile;
use super::ground::Ground;
use super::local::Local;
use super::log::{self, Head};
use super::record::{Conditional, Done, Record, sha256, state_path};
use super::remote::Remote;
use super::revert;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Location;
use crate::store::stores::Stores;

/// A lake that a run may write to.
#[derive(Debug)]
pub struct Lake {
    pub(super) ground: Box<dyn Ground>,
    pub(super) head: Option<Record>,
    pub(super) conditional: Conditional,
    recovered: Option<u64>,
}

impl Lake {
    /// Opens a lake, proves that it can be written to, and brings what an earlier run committed to its end.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] or [`ErrorKind::Access`] when the place cannot be written to, [`ErrorKind::Retry`] when
    /// another run holds it, [`ErrorKind::Protocol`] when it is not a lake that this version can use.
    pub fn open(location: &Location, stores: &Stores, cancel: &Cancel) -> Result<Self> {
        let ground: Box<dyn Ground> = match location {
            Location::Local(path) => Box::new(Local::lock(path)?),
            Location::Object(path) => Box::new(Remote::new(stores.open(&path.bucket)?, &path.key)),
        };
        let has_format = log::has_format(&*ground)?;
        let mut head = if has_format { log::head(&*ground)? } else { None };
        let conditional = match &head {
            Some(head) => head.record.conditional,
            None => log::claim(&*ground, !has_format)?,
        };
        let mut recovered = None;
        while let Some(Head { record, is_published: false }) = head {
            let version = record.version;
            head = match recover(&*ground, record, cancel) {
                Ok(record) => {
                    recovered = Some(version);
                    Some(Head { record, is_published: true })
                }
                // Its own run may have brought it to its end, and tidied up, while this one was helping.
                Err(error) => match log::head(&*ground)? {
                    Some(now) if now.is_published || now.record.version > version => Some(now),
                    _ => return Err(error),
                },
            };
        }
        Ok(Self { ground, head: head.map(|head| head.record), conditional, recovered })
    }

    /// The newest version; `None` before the first.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.head.as_ref()
    }

    /// The state files that the newest version names.
    pub(super) fn state_files(&self) -> HashSet<String> {
        self.head.iter().flat_map(Record::state_files).map(|file| file.name.clone()).collect()
    }

    /// The bytes of a state file; `None` when it is not what the version says.
    ///
    /// # Errors
    /// The place's.
    pub fn state(&self, file: &StateFile) -> Result<Option<Bytes>> {
        let found = self.ground.find(&state_path(&file.name))?;
        Ok(found.filter(|bytes| sha256(bytes) == file.sha256).map(Bytes::from))
    }

    /// The version that an earlier run committed and this one published.
    #[must_use]
    pub fn recovered(&self) -> Option<u64> {
        self.recovered
    }

    /// What deserves a look.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(version) = self.recovered {
            warnings.push(format!("version {version} was committed by an earlier run and has been published first"));
        }
        if !self.conditional.put {
            let lake = self.shown("");
            warnings.push(format!(
                "the store of {lake} ignores conditions on writes: overlapping runs are not kept apart there"
            ));
        }
        warnings
    }

    /// Sees that no other run has committed since this lake was opened: what is not known may be its work.
    pub(super) fn must_be_newest(&self) -> Result<()> {
        if log::newest(&*self.ground)? == self.head.as_ref().map(|head| head.version) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Retry, format!("another run is writing to {}", self.shown("")))
            .hint("try again when it has ended; nothing was changed by this one"))
    }

    /// A path below the lake for people.
    #[must_use]
    pub fn shown(&self, path: &str) -> String {
        self.ground.shown(path)
    }
}

/// Publishes what is committed, from the stage of the run that committed it.
fn recover(ground: &dyn Ground, mut record: Record, cancel: &Cancel) -> Result<Record> {
    let before = if ground.notices().is_some() { log::record(ground, record.version.saturating_sub(1))? } else { None };
    let replay = || {
        revert::outwait(ground, &record, before.as_ref(), cancel)?;
        ground.replay(&record, None, cancel)
    };
    let stamps = replay().map_err(|error| committed(&error, record.version))?;
    let done = Done { version: record.version, stamps };
    let finish = || log::finish(ground, &done).and_then(|()| ground.forget_stage(&record));
    finish().map_err(|error| committed(&error, record.version))?;
    record.learn(&done);
    Ok(record)
}

/// What to say when publishing stops half-way: the version stands, and any later run brings it to its end.
pub(super) fn committed(error: &Error, version: u64) -> Error {
    let kind = match error.kind() {
        ErrorKind::Protocol | ErrorKind::Interrupted => error.kind(),
        _ => ErrorKind::Retry,
    };
    let cause = if error.kind() == ErrorKind::Interrupted { "it was stopped".to_owned() } else { error.to_string() };
    let hint = match (kind, error.hint_text()) {
        (ErrorKind::Protocol, Some(hint)) => hint.to_owned(),
        _ => "every file is whole, old or new; the next run, or `sparkify-lake recover`, finishes it".to_owned(),
    };
    Error::new(kind, format!("version {version} of the lake is committed but not yet published in full"))
        .cause(cause)
        .hint(hint)
        .context("state", "committed")
        .context("version", version.to_string())
}
