//! Opening a lake for a run: lock it (on a local disk), find the newest version, and first publish that version in full
//! if an earlier run did not.
//!
//! Invariant: the newest version of an opened [`Lake`] is published in full.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::checkpoint::StateFile;
use crate::lake::commit_log::Head;
use crate::lake::commit_record::{CommitRecord, ConditionalSupport, PublishedMarker, state_path};
use crate::lake::state_reader::StateReader;
use crate::lake::storage::LakeStorage;
use crate::lake::storage::bucket::BucketStorage;
use crate::lake::storage::local::LocalStorage;
use crate::lake::{commit_log, write_fence};
use crate::location::Location;
use crate::runtime::cancel::Cancel;
use crate::runtime::clock::Moment;
use crate::s3::stores::Stores;

/// A lake that a run may write to.
#[derive(Debug)]
pub struct Lake {
    pub(super) storage: Box<dyn LakeStorage>,
    pub(super) head: Option<CommitRecord>,
    pub(super) conditional: ConditionalSupport,
    recovered: Option<u64>,
    format_was_missing: bool,
}

impl Lake {
    /// Opens a lake, checks that it is writable, and publishes a version that an earlier run committed but did not
    /// publish in full.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] or [`ErrorKind::Access`] when the location is not writable, [`ErrorKind::Retry`] when
    /// another run has locked it, [`ErrorKind::Protocol`] when its commit log is damaged or has a newer format.
    pub fn open(location: &Location, stores: &Stores, cancel: &Cancel) -> Result<Self> {
        let storage: Box<dyn LakeStorage> = match location {
            Location::Local(path) => Box::new(LocalStorage::lock(path)?),
            Location::Object(path) => Box::new(BucketStorage::new(stores.open(&path.bucket)?, &path.key)),
        };
        let has_format = commit_log::has_format(&*storage)?;
        let mut head = commit_log::head(&*storage)?;
        let conditional = match (&head, location) {
            (Some(head), Location::Object(_)) => head.record.conditional,
            // On a local disk, it only says whether this run holds a lock.
            _ => commit_log::initialize(&*storage, !has_format)?,
        };
        let format_was_missing = head.is_some() && !has_format;
        if format_was_missing {
            commit_log::write_format(&*storage)?;
        }
        let mut recovered = None;
        while let Some(Head { record, is_published: false }) = head {
            let version = record.version;
            head = match recover(&*storage, record, cancel) {
                Ok(record) => {
                    recovered = Some(version);
                    Some(Head { record, is_published: true })
                }
                // The run that committed the version may have completed it and cleaned up in the meantime.
                Err(error) => match commit_log::head(&*storage)? {
                    Some(now) if now.is_published || now.record.version > version => Some(now),
                    _ => return Err(error),
                },
            };
        }
        Ok(Self { storage, head: head.map(|head| head.record), conditional, recovered, format_was_missing })
    }

    /// The commit record of the newest version; `None` before the first.
    #[must_use]
    pub fn record(&self) -> Option<&CommitRecord> {
        self.head.as_ref()
    }

    /// The names of the newest version's state files.
    pub(super) fn state_files(&self) -> HashSet<String> {
        self.head.iter().flat_map(CommitRecord::state_files).map(|file| file.name.clone()).collect()
    }

    /// A reader of the newest version's state files.
    #[must_use]
    pub fn state(&self) -> StateReader<'_> {
        StateReader { storage: &*self.storage }
    }

    /// Returns true if a state file exists and its checksum matches.
    ///
    /// # Errors
    /// Any storage error.
    pub fn has_state(&self, file: &StateFile) -> Result<bool> {
        Ok(self.storage.checksum(&state_path(&file.name))?.as_ref() == Some(&file.sha256))
    }

    /// The version that an earlier run committed and this run published while opening the lake.
    #[must_use]
    pub fn recovered(&self) -> Option<u64> {
        self.recovered
    }

    /// Warnings for the report.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(version) = self.recovered {
            warnings.push(format!(
                "published version {version} first: an earlier run had committed it but not published it in full"
            ));
        }
        if self.format_was_missing {
            warnings.push(format!("{} was missing and is there again", self.shown(commit_log::FORMAT_PATH)));
        }
        let lake = self.shown("");
        let ConditionalSupport { put, delete, atomic } = self.conditional;
        if let Some(cause) = self.storage.unguarded() {
            warnings.push(format!("{cause}: overlapping runs can overwrite each other's files"));
            return warnings;
        }
        if !put {
            warnings.push(format!(
                "the store of {lake} ignores conditional writes: overlapping runs can overwrite each other's files"
            ));
        } else if !atomic {
            warnings.push(format!(
                "the store of {lake} does not check conditions atomically: overlapping runs can overwrite each \
                 other's files"
            ));
        }
        if put && !delete {
            warnings.push(format!(
                "the store of {lake} ignores conditional deletes: a paused run can remove a file of a newer version, \
                 which the next run writes again"
            ));
        }
        warnings
    }

    /// Checks that no other run has committed since the lake was opened. If one has, unknown files may be its files.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when there is a newer version; the run may plan again.
    pub fn must_be_newest(&self) -> Result<()> {
        commit_log::must_be_unchanged(&*self.storage, self.head.as_ref().map(|head| head.version))
    }

    /// A path below the lake, for display.
    #[must_use]
    pub fn shown(&self, path: &str) -> String {
        self.storage.shown(path)
    }
}

/// Publishes a committed version from the staging area of the run that committed it.
fn recover(storage: &dyn LakeStorage, mut record: CommitRecord, cancel: &Cancel) -> Result<CommitRecord> {
    let before = if storage.stale_writer_window().is_some() {
        commit_log::record(storage, record.version.saturating_sub(1))?
    } else {
        None
    };
    let replay = || {
        write_fence::wait_out_stale_writers(storage, &record, before.as_ref(), cancel)?;
        let looked = Moment::now();
        commit_log::must_be_newest(storage, record.version)?;
        storage.replay(&record, None, looked, cancel)
    };
    let stamps = replay().map_err(|error| not_published(&error, record.version))?;
    let marker = PublishedMarker::new(&record, stamps);
    let finish = || commit_log::mark_published(storage, &marker).and_then(|()| storage.remove_stage(&record));
    finish().map_err(|error| not_published(&error, record.version))?;
    record.add_stamps(&marker);
    Ok(record)
}

/// The error of a run that fails after its commit: the version is valid, and any later run completes it.
pub(super) fn not_published(error: &Error, version: u64) -> Error {
    let kind = match error.kind() {
        ErrorKind::Protocol | ErrorKind::Interrupted => error.kind(),
        _ => ErrorKind::Retry,
    };
    let cause =
        if error.kind() == ErrorKind::Interrupted { "the run was stopped".to_owned() } else { error.to_string() };
    let hint = match (kind, error.hint_text()) {
        (ErrorKind::Protocol, Some(hint)) => hint.to_owned(),
        _ => "run again, or run `sparkify-lake recover`, to publish the rest; every file is complete, old or new"
            .to_owned(),
    };
    Error::new(kind, format!("version {version} of the lake is committed but not yet published in full"))
        .cause(cause)
        .hint(hint)
        .context("state", "committed")
        .context("version", version.to_string())
}
