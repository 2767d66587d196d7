//! A lake, opened for one run: its newest version known, and published.
//!
//! Invariant: the version that a [`Lake`] calls its newest is published in full, by this run if need be.

use std::collections::HashSet;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::checkpoint::StateFile;
use crate::lake::commit_log::Head;
use crate::lake::commit_record::{CommitRecord, Conditional, Done, sha256, state_path};
use crate::lake::storage::LakeStorage;
use crate::lake::storage::bucket::Remote;
use crate::lake::storage::local::Local;
use crate::lake::{commit_log, write_fence};
use crate::location::Location;
use crate::runtime::cancel::Cancel;
use crate::s3::stores::Stores;

/// A lake that a run may write to.
#[derive(Debug)]
pub struct Lake {
    pub(super) storage: Box<dyn LakeStorage>,
    pub(super) head: Option<CommitRecord>,
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
        let storage: Box<dyn LakeStorage> = match location {
            Location::Local(path) => Box::new(Local::lock(path)?),
            Location::Object(path) => Box::new(Remote::new(stores.open(&path.bucket)?, &path.key)),
        };
        let has_format = commit_log::has_format(&*storage)?;
        let mut head = if has_format { commit_log::head(&*storage)? } else { None };
        let conditional = match &head {
            Some(head) => head.record.conditional,
            None => commit_log::claim(&*storage, !has_format)?,
        };
        let mut recovered = None;
        while let Some(Head { record, is_published: false }) = head {
            let version = record.version;
            head = match recover(&*storage, record, cancel) {
                Ok(record) => {
                    recovered = Some(version);
                    Some(Head { record, is_published: true })
                }
                // Its own run may have brought it to its end, and tidied up, while this one was helping.
                Err(error) => match commit_log::head(&*storage)? {
                    Some(now) if now.is_published || now.record.version > version => Some(now),
                    _ => return Err(error),
                },
            };
        }
        Ok(Self { storage, head: head.map(|head| head.record), conditional, recovered })
    }

    /// The newest version; `None` before the first.
    #[must_use]
    pub fn record(&self) -> Option<&CommitRecord> {
        self.head.as_ref()
    }

    /// The state files that the newest version names.
    pub(super) fn state_files(&self) -> HashSet<String> {
        self.head.iter().flat_map(CommitRecord::state_files).map(|file| file.name.clone()).collect()
    }

    /// The bytes of a state file; `None` when it is not what the version says.
    ///
    /// # Errors
    /// The place's.
    pub fn read_state(&self, file: &StateFile) -> Result<Option<Bytes>> {
        let found = self.storage.read_optional(&state_path(&file.name))?;
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
        if commit_log::newest(&*self.storage)? == self.head.as_ref().map(|head| head.version) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Retry, format!("another run is writing to {}", self.shown("")))
            .hint("try again when it has ended; nothing was changed by this one"))
    }

    /// A path below the lake for people.
    #[must_use]
    pub fn shown(&self, path: &str) -> String {
        self.storage.shown(path)
    }
}

/// Publishes what is committed, from the stage of the run that committed it.
fn recover(storage: &dyn LakeStorage, mut record: CommitRecord, cancel: &Cancel) -> Result<CommitRecord> {
    let before = if storage.stale_writer_window().is_some() {
        commit_log::record(storage, record.version.saturating_sub(1))?
    } else {
        None
    };
    let replay = || {
        write_fence::outwait(storage, &record, before.as_ref(), cancel)?;
        storage.replay(&record, None, cancel)
    };
    let stamps = replay().map_err(|error| committed(&error, record.version))?;
    let done = Done { version: record.version, stamps };
    let finish = || commit_log::finish(storage, &done).and_then(|()| storage.forget_stage(&record));
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
