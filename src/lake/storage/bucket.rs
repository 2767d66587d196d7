//! A lake in a bucket.
//!
//! No lock, no rename: the log's next record is written only where there is none, and every file that a version changes
//! is put on the condition that it is still what the version replaces. So a run that was paused, overtaken and woken
//! can change nothing that a later version made. A condition that does not hold is looked at: the file may be ours
//! already (another run helped), the version may be overtaken, or a stranger wrote there.
//!
//! Invariant: no key outside the lake's prefix is ever written or deleted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{NaiveDate, TimeDelta};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_log::record_path;
use crate::lake::commit_record::{
    CommitRecord, Conditional, FileRecord, Image, TableRecord, pack_name, sha256, stage_of,
};
use crate::lake::storage::pack_writer::Spool;
use crate::lake::storage::{Entry, LakeStorage, StageStorage, Stamps};
use crate::lake::{SUCCESS, in_publishing_order};
use crate::runtime::cancel::Cancel;
use crate::s3::bucket::Bucket;
use crate::s3::list_parallel;
use crate::s3::object::{Put, Tag, Written};

/// Files on their way at the same time; the bucket's own limiter decides how many requests that makes.
const IN_FLIGHT: usize = 512;

/// Bytes on their way at the same time, but for a file that is larger by itself.
const LARGE: usize = 8 << 20;

/// A writer that has not looked at the log for so long looks again before it changes the next file: it may have been
/// paused, and overtaken.
const FRESH: Duration = Duration::from_millis(500);

/// A prefix of keys.
#[derive(Debug)]
pub(in crate::lake) struct Remote {
    bucket: Bucket,
    /// Without slashes at its ends; may be ''.
    prefix: String,
}

impl Remote {
    pub(in crate::lake) fn new(bucket: Bucket, prefix: &str) -> Self {
        Self { bucket, prefix: prefix.to_owned() }
    }

    fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }

    /// The new bytes of every changed file of these tables.
    fn images<'r>(
        &'r self,
        record: &'r CommitRecord,
        tables: &[(&'r str, &'r TableRecord)],
        stage: Option<&'r dyn StageStorage>,
    ) -> impl Iterator<Item = Result<Change>> + 'r {
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
            // What another run staged, or a worker, is believed only when it is what the record says.
            if (stage.is_none() || image.pack.is_none()) && sha256(&body) != file.sha256 {
                return Err(damaged(&self.shown(&record.stage())));
            }
            let replaces = file.replaces.as_deref().map(|stamp| Tag(stamp.into()));
            Ok(Change { key: self.key(&path), path, sha256: file.sha256.clone(), replaces, body })
        })
    }

    /// Puts the new files of tables in place, side by side; returns their paths and stamps.
    fn put_in_place(
        &self,
        record: &CommitRecord,
        tables: &[(&str, &TableRecord)],
        stage: Option<&dyn StageStorage>,
        writer: &Arc<Writer>,
    ) -> Result<Vec<(String, String)>> {
        let mut stamps = Vec::new();
        let mut images = self.images(record, tables, stage).peekable();
        while images.peek().is_some() {
            // A batch holds many small files or one large one.
            let mut batch = Vec::new();
            let mut bytes = 0;
            while batch.len() < 16 * IN_FLIGHT && bytes < LARGE {
                let Some(change) = images.next() else { break };
                let change = change?;
                bytes += change.body.len();
                batch.push(change);
            }
            stamps.extend(self.all(batch.into_iter().map(|change| Arc::clone(writer).put(change)))?);
        }
        Ok(stamps)
    }

    /// Takes away what the version has no more, then marks the tables that are new as whole.
    fn clear_and_mark(&self, tables: &[(&str, &TableRecord)], writer: &Arc<Writer>) -> Result<()> {
        let removals = tables.iter().flat_map(|(folder, table)| {
            let removed = table.removed.iter();
            removed.map(move |(path, stamp)| (self.key(&format!("{folder}/{path}")), Tag(stamp.as_str().into())))
        });
        self.all(removals.map(|(key, tag)| Arc::clone(writer).delete(key, tag)))?;
        let unmarked = tables.iter().filter(|(_, table)| !table.marked);
        let markers = unmarked.map(|(folder, _)| {
            let (bucket, key) = (self.bucket.clone(), self.key(&format!("{folder}/{SUCCESS}")));
            async move { bucket.put(&key, Bytes::new(), Put::Always).await }
        });
        self.all(markers).map(drop)
    }

    /// Does all of it on the runtime's threads, many at a time; the first error ends it. A task takes kilobytes, so each
    /// is made when its turn comes.
    fn all<T: Send + 'static>(
        &self,
        tasks: impl Iterator<Item = impl Future<Output = Result<T>> + Send + 'static>,
    ) -> Result<Vec<T>> {
        let started = tasks.map(|task| {
            let started = self.bucket.spawn(task);
            async move { started.await.unwrap_or_else(|error| Err(ended(&error))) }
        });
        self.bucket.wait(stream::iter(started).buffer_unordered(IN_FLIGHT).try_collect())
    }
}

impl LakeStorage for Remote {
    fn shown(&self, path: &str) -> String {
        self.bucket.shown(self.key(path).trim_end_matches('/'))
    }

    fn read_optional(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.bucket.wait(self.bucket.get_optional(&self.key(path)))?.map(|(bytes, _)| bytes.to_vec()))
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let body = Bytes::copy_from_slice(bytes);
        Ok(self.bucket.wait(self.bucket.put(&self.key(path), body, Put::Create))? != Written::Refused)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.bucket.wait(self.bucket.put(&self.key(path), Bytes::copy_from_slice(bytes), Put::Always)).map(drop)
    }

    fn keep(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.write(path, bytes)
    }

    fn list_many(&self, folders: &[&str]) -> Result<Vec<Vec<Entry>>> {
        let listings = folders.iter().map(|folder| {
            let (bucket, key) = (self.bucket.clone(), self.key(folder));
            async move { entries(&bucket, &key).await }
        });
        self.bucket.wait(try_join_all(listings))
    }

    fn conditional(&self, path: &str, bytes: &[u8]) -> Result<Conditional> {
        let put = !self.create(path, bytes)?;
        let key = self.key(path);
        let delete = !self.bucket.wait(self.bucket.delete(&key, Some(&Tag("\"0\"".into()))))?;
        if !delete {
            self.write(path, bytes)?;
        }
        Ok(Conditional { put, delete })
    }

    fn stale_writer_window(&self) -> Option<Duration> {
        Some(2 * FRESH)
    }

    fn folds_case(&self) -> bool {
        false
    }

    fn stage(&self, run: &str) -> Result<Box<dyn StageStorage>> {
        // Who may not delete learns it before any work: a version that is committed could never be published as a whole.
        let nothing = self.key(&format!("{}/nothing", stage_of(run)));
        self.bucket.wait(self.bucket.delete(&nothing, None))?;
        Ok(Box::new(Spool::new(&self.bucket, self.key(&stage_of(run)))?))
    }

    fn replay(&self, record: &CommitRecord, stage: Option<&dyn StageStorage>, cancel: &Cancel) -> Result<Stamps> {
        let writer = Arc::new(Writer {
            bucket: self.bucket.clone(),
            conditional: record.conditional,
            next_record: self.key(&record_path(record.version + 1)),
            looked: Mutex::new(Instant::now()),
        });
        let mut stamps = Stamps::new();
        // Dimensions before facts: a play never speaks of a song that is not there yet.
        let tables = in_publishing_order(record);
        let (dimensions, facts): (Vec<_>, Vec<_>) =
            tables.iter().partition(|(_, table)| !matches!(table.table.as_str(), "time" | "songplays"));
        for tables in [dimensions, facts] {
            cancel.check()?;
            for (path, stamp) in self.put_in_place(record, &tables, stage, &writer)? {
                let Some((folder, path)) = path.split_once('/') else { continue };
                stamps.entry(folder.to_owned()).or_default().insert(path.to_owned(), stamp);
            }
        }
        self.clear_and_mark(&tables, &writer)?;
        Ok(stamps)
    }

    fn remove(&self, paths: &[String]) -> Result<()> {
        let removals = paths.iter().map(|path| {
            let (bucket, key) = (self.bucket.clone(), self.key(path));
            async move { bucket.delete(&key, None).await }
        });
        self.all(removals).map(drop)
    }

    fn forget_stage(&self, record: &CommitRecord) -> Result<()> {
        self.remove(&record.staged())
    }

    fn make_room(&self, _: &str, _: &HashSet<String>) -> Result<()> {
        Ok(())
    }

    /// Another run may be at work, so only what is two days older than this run goes. What does not succeed is left to
    /// the next run.
    fn clean_up(&self, run: &str, kept: &HashSet<String>) -> Result<()> {
        let Some(today) = day_of(run) else { return Ok(()) };
        let is_old = |run: &str| day_of(run).is_some_and(|day| today - day > TimeDelta::days(1));
        // Both folders begin alike, and nothing else does.
        let control = self.key("_etl/sta");
        let found = self.bucket.wait(list_parallel::objects(&self.bucket, &control)).unwrap_or_default();
        let is_left = |key: &str| {
            let below = key.get(control.len()..)?;
            let (folder, name) = below.split_once('/')?;
            match folder {
                "ge" => Some(is_old(name)),
                "te" => Some(is_old(name) && !kept.contains(name)),
                _ => None,
            }
        };
        let left = found.iter().map(|object| object.key.clone()).filter(|key| is_left(key) == Some(true));
        drop(self.all(left.map(|key| {
            let bucket = self.bucket.clone();
            async move { bucket.delete(&key, None).await }
        })));
        Ok(())
    }
}

/// The day on which a run began: its name says so.
fn day_of(run: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(run.get(..8)?, "%Y%m%d").ok()
}

/// Everything below a key that is a folder.
pub(in crate::lake) async fn entries(bucket: &Bucket, key: &str) -> Result<Vec<Entry>> {
    let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
    let objects = list_parallel::objects(bucket, &prefix).await?;
    let files = objects.into_iter().filter(|object| !object.key.ends_with('/'));
    Ok(files
        .map(|object| Entry {
            path: object.key.get(prefix.len()..).unwrap_or_default().to_owned(),
            size: object.size,
            stamp: object.tag.0.into_string(),
        })
        .collect())
}

/// A file to put in place.
struct Change {
    path: String,
    key: String,
    sha256: String,
    replaces: Option<Tag>,
    body: Bytes,
}

/// Changes files of one version, as long as it is the newest.
struct Writer {
    bucket: Bucket,
    conditional: Conditional,
    /// The record that would overtake this version.
    next_record: String,
    /// When the log was last looked at. Whoever looks again holds it, and the others wait for what that one sees.
    looked: Mutex<Instant>,
}

impl Writer {
    /// Puts a file in place; returns its path and its stamp.
    async fn put(self: Arc<Self>, change: Change) -> Result<(String, String)> {
        self.stay_fresh().await?;
        let Change { path, key, sha256: expected, replaces, body } = change;
        let put = match &replaces {
            _ if !self.conditional.put => Put::Always,
            Some(tag) => Put::Replace(tag),
            None => Put::Create,
        };
        if let Written::Done(Tag(tag)) = self.bucket.put(&key, body, put).await? {
            return Ok((path, tag.into_string()));
        }
        match self.bucket.get_optional(&key).await? {
            // Another run published the same version, or this one did before it was stopped.
            Some((bytes, Tag(tag))) if sha256(&bytes) == expected => Ok((path, tag.into_string())),
            _ => Err(self.displaced(&key).await),
        }
    }

    async fn delete(self: Arc<Self>, key: String, tag: Tag) -> Result<()> {
        self.stay_fresh().await?;
        let condition = self.conditional.delete.then_some(&tag);
        if self.bucket.delete(&key, condition).await? {
            return Ok(());
        }
        match self.bucket.get_optional(&key).await? {
            None => Ok(()),
            Some(_) => Err(self.displaced(&key).await),
        }
    }

    async fn stay_fresh(&self) -> Result<()> {
        let mut looked = self.looked.lock().await;
        if looked.elapsed() < FRESH {
            return Ok(());
        }
        let now = Instant::now();
        if self.bucket.get_optional(&self.next_record).await?.is_some() {
            return Err(overtaken());
        }
        *looked = now;
        Ok(())
    }

    /// Why a file is not what this version replaces.
    async fn displaced(&self, key: &str) -> Error {
        match self.bucket.get_optional(&self.next_record).await {
            Ok(Some(_)) => overtaken(),
            Ok(None) => {
                let shown = self.bucket.shown(key);
                Error::new(ErrorKind::Protocol, format!("another program wrote {shown} while it was being published"))
                    .hint("only sparkify-lake may write to the tables' folders; --adopt takes over what is there")
                    .context("path", shown)
            }
            Err(error) => error,
        }
    }
}

fn overtaken() -> Error {
    Error::new(ErrorKind::Retry, "a later run has taken over from this one")
        .hint("nothing is lost: that run published this version too before its own")
}

fn damaged(stage: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("what is staged in {stage} is not what the commit record says"))
        .hint("somebody wrote there; --adopt builds the tables anew")
}

fn ended(error: &tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a request ended without a result").cause(error.to_string())
}

/// A part of a pack; empty, and so not what was expected, when the pack is shorter.
fn slice(pack: &Bytes, offset: u64, size: u64) -> Bytes {
    let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(size)).ok());
    match range {
        Some((start, end)) if start <= end && end <= pack.len() => pack.slice(start..end),
        _ => Bytes::new(),
    }
}
