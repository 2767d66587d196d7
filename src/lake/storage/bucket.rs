//! A lake in a bucket.
//!
//! A bucket has neither locks nor renames, so requests are conditional. The next commit record is created only if it
//! does not exist, and every changed file is written only if it is still the file that the version replaces, and if the
//! commit log had no later version a moment ago. So a run that was paused and overtaken cannot change files of a later
//! version; `docs/format.md` states the limit, and who repairs the files beyond it.
//!
//! Invariant: no key outside the lake's prefix is ever written or deleted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_log::{self, LOG, record_path};
use crate::lake::commit_record::{
    CommitRecord, ConditionalSupport, FileRecord, Image, TableRecord, pack_name, sha256, stage_of,
};
use crate::lake::delta_log;
use crate::lake::storage::fenced_writer::{FencedWriter, FileChange};
use crate::lake::storage::pack_writer::PackWriter;
use crate::lake::storage::{LakeStorage, ListedFile, StageStorage, Stamps};
use crate::lake::{SUCCESS, in_publishing_order};
use crate::runtime::cancel::Cancel;
use crate::runtime::clock::Moment;
use crate::s3::bucket::Bucket;
use crate::s3::conditions;
use crate::s3::fence::Fence;
use crate::s3::list_parallel;
use crate::s3::object::{Put, Tag, Written};
use crate::schema::Table;

/// Files in transfer at the same time; the bucket's own limit decides how many requests that makes.
const MAX_IN_FLIGHT: usize = 512;

/// A batch of files in transfer gets no further file once it has this many bytes.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// A writer that has not checked the commit log for this long checks it again before it sends the next request that
/// changes a table, because it may have been paused and overtaken.
const MAX_LOG_CHECK_AGE: Duration = Duration::from_millis(500);

/// Rounds of competing writes before the first version of a lake. `doctor` makes more.
const PROBE_ROUNDS: usize = 1;

/// A lake below a prefix of keys.
#[derive(Debug)]
pub(in crate::lake) struct BucketStorage {
    bucket: Bucket,
    /// Without leading and trailing slashes; may be ''.
    prefix: String,
}

impl BucketStorage {
    pub(in crate::lake) fn new(bucket: Bucket, prefix: &str) -> Self {
        Self { bucket, prefix: prefix.to_owned() }
    }

    fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }

    /// The new bytes of every changed file of these tables, in the order of the packs.
    fn images<'r>(
        &'r self,
        record: &'r CommitRecord,
        tables: &[(&'r str, &'r TableRecord)],
        stage: Option<&'r dyn StageStorage>,
    ) -> impl Iterator<Item = Result<FileChange>> + 'r {
        let mut files: Vec<(String, &FileRecord, Image)> = Vec::new();
        for (folder, table) in tables {
            let changed = table.files.iter().filter_map(|(path, file)| Some((path, file, file.image?)));
            files.extend(changed.map(|(path, file, image)| (format!("{folder}/{path}"), file, image)));
        }
        files.sort_by_key(|(_, _, image)| image.pack);
        let get = |name: &str| {
            self.bucket.wait(self.bucket.get(&self.key(&format!("{}/{name}", record.stage())), None, None))
        };
        let mut pack: Option<(u32, Bytes)> = None;
        files.into_iter().map(move |(path, file, image)| {
            let body = match (stage, image.pack) {
                (Some(stage), _) => Bytes::from(stage.read(&path, image, file.size)?),
                (None, None) => get(&format!("tables/{path}"))?,
                (None, Some(number)) => {
                    let bytes = match &pack {
                        Some((loaded, bytes)) if *loaded == number => bytes.clone(),
                        _ => pack.insert((number, get(&pack_name(number))?)).1.clone(),
                    };
                    slice(&bytes, image.offset, file.size)
                }
            };
            // Files that another run or a worker staged must match the record.
            if (stage.is_none() || image.pack.is_none()) && sha256(&body) != file.sha256 {
                return Err(damaged_stage(&self.shown(&record.stage())));
            }
            let replaces = file.replaces.as_deref().map(|stamp| Tag(stamp.into()));
            Ok(FileChange { path, sha256: file.sha256.clone(), replaces, body })
        })
    }

    /// Writes the changed files of tables to their final keys, in parallel; returns their paths and stamps.
    fn put_in_place(
        &self,
        record: &CommitRecord,
        tables: &[(&str, &TableRecord)],
        stage: Option<&dyn StageStorage>,
        writer: &Arc<FencedWriter>,
    ) -> Result<Vec<(String, String)>> {
        let mut stamps = Vec::new();
        let mut images = self.images(record, tables, stage).peekable();
        while images.peek().is_some() {
            // A batch has many small files or one large file.
            let mut batch = Vec::new();
            let mut bytes = 0;
            while batch.len() < 16 * MAX_IN_FLIGHT && bytes < MAX_BATCH_BYTES {
                let Some(change) = images.next() else { break };
                let change = change?;
                bytes += change.body.len();
                batch.push(change);
            }
            stamps.extend(self.run_all(batch.into_iter().map(|change| Arc::clone(writer).put(change)))?);
        }
        Ok(stamps)
    }

    /// Publishes a version, as long as it is the newest one.
    fn publish(
        &self,
        record: &CommitRecord,
        stage: Option<&dyn StageStorage>,
        looked: Moment,
        cancel: &Cancel,
    ) -> Result<Stamps> {
        let own = self.key(&record_path(record.version));
        let fence = Fence::new(self.key(&format!("{LOG}/")), own, MAX_LOG_CHECK_AGE, Some(looked));
        let writer = Arc::new(FencedWriter::new(self.bucket.with_fence(fence), self.key(""), record));
        let mut stamps = Stamps::new();
        // Dimensions before facts, so that a play never refers to a song that is not visible yet.
        let tables = in_publishing_order(record);
        let is_fact =
            |table: &TableRecord| matches!(Table::from_name(&table.table), Some(Table::Time | Table::Songplays));
        let (facts, dimensions): (Vec<_>, Vec<_>) = tables.iter().partition(|(_, table)| is_fact(table));
        for tables in [dimensions, facts] {
            cancel.check()?;
            for (path, stamp) in self.put_in_place(record, &tables, stage, &writer)? {
                let below = |folder: &str| path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
                let Some((folder, path)) = tables.iter().find_map(|(folder, _)| Some((*folder, below(folder)?))) else {
                    continue;
                };
                stamps.entry(folder.to_owned()).or_default().insert(path, stamp);
            }
            self.write_logs(record, &tables, &writer)?;
        }
        self.clear_and_mark(&tables, &writer)?;
        Ok(stamps)
    }

    /// Writes the Delta logs of tables: first the commits, then the checkpoints.
    fn write_logs(
        &self,
        record: &CommitRecord,
        tables: &[(&str, &TableRecord)],
        writer: &Arc<FencedWriter>,
    ) -> Result<()> {
        let mut files = Vec::new();
        for (folder, table) in tables {
            files.extend(delta_log::files_to_write(record, folder, table)?);
        }
        let (commits, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.is_commit);
        self.run_all(commits.into_iter().map(|file| {
            let change =
                FileChange { sha256: sha256(&file.bytes), path: file.path, replaces: None, body: file.bytes.into() };
            Arc::clone(writer).put(change)
        }))?;
        self.run_all(others.into_iter().map(|file| Arc::clone(writer).write(file.path, file.bytes.into()))).map(drop)
    }

    /// Removes the files that the version no longer has, then creates the missing `_SUCCESS` markers.
    fn clear_and_mark(&self, tables: &[(&str, &TableRecord)], writer: &Arc<FencedWriter>) -> Result<()> {
        let removals = tables.iter().flat_map(|(folder, table)| {
            let removed = table.removed.iter();
            removed.map(move |(path, stamp)| (format!("{folder}/{path}"), Tag(stamp.as_str().into())))
        });
        self.run_all(removals.map(|(path, tag)| Arc::clone(writer).delete(path, tag)))?;
        let unmarked = tables.iter().filter(|(_, table)| !table.marked);
        self.run_all(unmarked.map(|(folder, _)| Arc::clone(writer).write(format!("{folder}/{SUCCESS}"), Bytes::new())))
            .map(drop)
    }

    /// Runs all tasks on the runtime's threads, many at a time, until the first error. A task takes kilobytes, so each
    /// is created only when it starts.
    fn run_all<T: Send + 'static>(
        &self,
        tasks: impl Iterator<Item = impl Future<Output = Result<T>> + Send + 'static>,
    ) -> Result<Vec<T>> {
        let started = tasks.map(|task| {
            let started = self.bucket.spawn(task);
            async move { started.await.unwrap_or_else(|error| Err(task_error(&error))) }
        });
        self.bucket.wait(stream::iter(started).buffer_unordered(MAX_IN_FLIGHT).try_collect())
    }
}

impl LakeStorage for BucketStorage {
    fn shown(&self, path: &str) -> String {
        self.bucket.shown(self.key(path).trim_end_matches('/'))
    }

    fn stamps_prove_bytes(&self) -> bool {
        true
    }

    fn read_optional(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.bucket.wait(self.bucket.get_optional(&self.key(path)))?.map(|(bytes, _)| bytes.to_vec()))
    }

    fn read_many(&self, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        let reads = paths.iter().map(|path| {
            let (bucket, key) = (self.bucket.clone(), self.key(path));
            async move { Ok(bucket.get_optional(&key).await?.map(|(bytes, _)| bytes.to_vec())) }
        });
        self.bucket.wait(try_join_all(reads))
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let body = Bytes::copy_from_slice(bytes);
        match self.bucket.wait(self.bucket.put(&self.key(path), body, Put::Create)) {
            Ok(written) => Ok(written != Written::Refused),
            // Such a store does not keep overlapping runs apart, and every report has a warning.
            Err(error) if conditions::is_not_supported(&error) => {
                let is_new = self.read_optional(path)?.is_none();
                if is_new {
                    self.write(path, bytes)?;
                }
                Ok(is_new)
            }
            Err(error) => Err(error),
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.bucket.wait(self.bucket.put(&self.key(path), Bytes::copy_from_slice(bytes), Put::Always)).map(drop)
    }

    fn write_private(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.write(path, bytes)
    }

    fn list_many(&self, folders: &[&str]) -> Result<Vec<Vec<ListedFile>>> {
        let listings = folders.iter().map(|folder| {
            let (bucket, key) = (self.bucket.clone(), self.key(folder));
            async move { entries(&bucket, &key).await }
        });
        self.bucket.wait(try_join_all(listings))
    }

    fn probe_conditional_support(&self) -> Result<ConditionalSupport> {
        // In a staging area, so that a later run removes what a killed run left.
        let now = DateTime::<Utc>::from(SystemTime::now()).format("%Y%m%dT%H%M%SZ");
        let name = conditions::random_name()?;
        let prefix = self.key(&stage_of(&format!("{now}-{}", name.get(..8).unwrap_or_default())));
        let found = self.bucket.wait(conditions::probe(&self.bucket, &prefix, PROBE_ROUNDS))?;
        Ok(ConditionalSupport { put: found.create && found.replace, delete: found.delete, atomic: found.atomic })
    }

    fn stale_writer_window(&self) -> Option<Duration> {
        Some(2 * MAX_LOG_CHECK_AGE)
    }

    fn folds_case(&self) -> bool {
        false
    }

    fn stage(&self, run: &str) -> Result<Box<dyn StageStorage>> {
        // Without permission to delete, a committed version could never be published in full, so the run fails here.
        let nothing = self.key(&format!("{}/nothing", stage_of(run)));
        self.bucket.wait(self.bucket.delete(&nothing, None))?;
        Ok(Box::new(PackWriter::new(&self.bucket, self.key(&stage_of(run)))?))
    }

    fn replay(
        &self,
        record: &CommitRecord,
        stage: Option<&dyn StageStorage>,
        looked: Moment,
        cancel: &Cancel,
    ) -> Result<Stamps> {
        let error = match self.publish(record, stage, looked, cancel) {
            Err(error) if error.kind() != ErrorKind::Interrupted => error,
            ended => return ended,
        };
        // Another run may be the reason.
        match commit_log::newest(self) {
            Ok(Some(newest)) if newest > record.version => Err(commit_log::replaced_by_newer(record.version, newest)),
            _ => Err(error),
        }
    }

    fn remove(&self, paths: &[String]) -> Result<()> {
        let removals = paths.iter().map(|path| {
            let (bucket, key) = (self.bucket.clone(), self.key(path));
            async move { bucket.delete(&key, None).await }
        });
        self.run_all(removals).map(drop)
    }

    fn remove_stage(&self, record: &CommitRecord) -> Result<()> {
        self.remove(&record.staged())
    }

    fn clean_up_before(&self, _: &str, _: &HashSet<String>) -> Result<()> {
        Ok(())
    }

    /// Other runs may be active, so only files of runs that began two or more days before this one are removed. A later
    /// run removes files that could not be removed now.
    fn clean_up_after(&self, run: &str, state_files: &HashSet<String>) -> Result<()> {
        let Some(today) = day_of(run) else { return Ok(()) };
        let is_old = |run: &str| day_of(run).is_some_and(|day| today - day > TimeDelta::days(1));
        // The common prefix of `_etl/stage` and `_etl/state`, so that one listing finds both.
        let control = self.key("_etl/sta");
        let found = self.bucket.wait(list_parallel::objects(&self.bucket, &control)).unwrap_or_default();
        let is_outdated = |key: &str| {
            let below = key.get(control.len()..)?;
            let (folder, name) = below.split_once('/')?;
            match folder {
                "ge" => Some(is_old(name)),
                "te" => Some(is_old(name) && !state_files.contains(name)),
                _ => None,
            }
        };
        let outdated = found.iter().map(|object| object.key.clone()).filter(|key| is_outdated(key) == Some(true));
        drop(self.run_all(outdated.map(|key| {
            let bucket = self.bucket.clone();
            async move { bucket.delete(&key, None).await }
        })));
        Ok(())
    }
}

/// The day on which a run began, from its id.
fn day_of(run: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(run.get(..8)?, "%Y%m%d").ok()
}

/// All files below a folder.
pub(in crate::lake) async fn entries(bucket: &Bucket, key: &str) -> Result<Vec<ListedFile>> {
    let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
    let objects = list_parallel::objects(bucket, &prefix).await?;
    let files = objects.into_iter().filter(|object| !object.key.ends_with('/'));
    Ok(files
        .map(|object| ListedFile {
            path: object.key.get(prefix.len()..).unwrap_or_default().to_owned(),
            size: object.size,
            stamp: object.tag.0.into_string(),
        })
        .collect())
}

fn damaged_stage(stage: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the staged files in {stage} do not match the commit record"))
        .hint("restore them, or move _etl away and run with --adopt to rebuild the tables")
}

fn task_error(error: &tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a request ended without a result").cause(error.to_string())
}

/// A part of a pack; empty if the pack is too short, which then fails the comparison of the checksum.
fn slice(pack: &Bytes, offset: u64, size: u64) -> Bytes {
    let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(size)).ok());
    match range {
        Some((start, end)) if start <= end && end <= pack.len() => pack.slice(start..end),
        _ => Bytes::new(),
    }
}
