//! A lake in a bucket.
//!
//! No lock, no rename: the log's next record is written only where there is none, and every file that a version changes
//! is put on the condition that it is still what the version replaces. So a run that was paused, overtaken and woken
//! can change nothing that a later version made. A condition that does not hold is looked at: the file may be ours
//! already (another run helped), the version may be overtaken, or a stranger wrote there.
//!
//! Invariant: no key outside the lake's prefix is ever written or deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::NaiveDate;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::ground::{Entry, Ground, StageGround, Stamps};
use super::log::record_path;
use super::record::{Conditional, FileRecord, Record, TableRecord, pack_name, sha256, stage_of};
use super::spool::Spool;
use super::{SUCCESS, in_publishing_order};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::store::bucket::{Bucket, Put, Tag, Written};

/// Files on their way at the same time; the bucket's own limiter decides how many requests that makes.
const IN_FLIGHT: usize = 512;

/// Files larger than this are on their way one by one.
const LARGE: u64 = 4 << 20;

/// A writer that has not looked at the log for so long looks again before it changes the next file: it may have been
/// paused, and overtaken.
const FRESH: Duration = Duration::from_secs(5);

/// A prefix of keys.
#[derive(Debug)]
pub(super) struct Remote {
    bucket: Bucket,
    /// Without slashes at its ends; may be ''.
    prefix: String,
}

impl Remote {
    pub(super) fn new(bucket: Bucket, prefix: &str) -> Self {
        Self { bucket, prefix: prefix.to_owned() }
    }

    fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }

    /// The new bytes of every changed file of a table.
    fn images<'r>(
        &'r self,
        record: &'r Record,
        folder: &'r str,
        table: &'r TableRecord,
        stage: Option<&'r dyn StageGround>,
    ) -> impl Iterator<Item = Result<(&'r str, &'r FileRecord, Bytes)>> + 'r {
        let mut files: Vec<(&str, &FileRecord)> = table
            .files
            .iter()
            .filter(|(_, file)| file.image.is_some())
            .map(|(path, file)| (path.as_str(), file))
            .collect();
        files.sort_by_key(|(_, file)| file.image.and_then(|image| image.pack));
        let mut pack: Option<(u32, Bytes)> = None;
        files.into_iter().map(move |(path, file)| {
            let Some(image) = file.image else { return Ok((path, file, Bytes::new())) };
            let whole = format!("{folder}/{path}");
            if let Some(stage) = stage {
                return Ok((path, file, Bytes::from(stage.read(&whole, image, file.size)?)));
            }
            let get = |name: &str| {
                self.bucket.wait(self.bucket.get(&self.key(&format!("{}/{name}", record.stage())), None, None))
            };
            let Some(number) = image.pack else { return Ok((path, file, get(&format!("tables/{whole}"))?)) };
            let bytes = match &pack {
                Some((loaded, bytes)) if *loaded == number => bytes.clone(),
                _ => pack.insert((number, get(&pack_name(number))?)).1.clone(),
            };
            let span = usize::try_from(image.offset).ok().zip(usize::try_from(image.offset + file.size).ok());
            let Some((start, end)) = span.filter(|(_, end)| *end <= bytes.len()) else {
                return Err(damaged(&self.shown(&record.stage())));
            };
            let image = bytes.slice(start..end);
            if sha256(&image) != file.sha256 {
                return Err(damaged(&self.shown(&record.stage())));
            }
            Ok((path, file, image))
        })
    }

    fn publish_table(
        &self,
        record: &Record,
        (folder, table): (&str, &TableRecord),
        stage: Option<&dyn StageGround>,
        writer: &Arc<Writer>,
    ) -> Result<Vec<(String, String)>> {
        let mut stamps = Vec::new();
        let mut images = self.images(record, folder, table, stage).peekable();
        while images.peek().is_some() {
            // A batch holds many small files or one large one.
            let mut batch = Vec::new();
            let mut bytes = 0;
            while batch.len() < 8 * IN_FLIGHT && bytes < LARGE {
                let Some(image) = images.next() else { break };
                let (path, file, body) = image?;
                bytes += body.len() as u64;
                let change = Change {
                    path: path.to_owned(),
                    key: self.key(&format!("{folder}/{path}")),
                    sha256: file.sha256.clone(),
                    replaces: file.replaces.as_deref().map(|stamp| Tag(stamp.into())),
                    body,
                };
                let writer = Arc::clone(writer);
                batch.push(async move { writer.bucket.clone().spawn(writer.put(change)).await });
            }
            let done =
                stream::iter(batch).buffer_unordered(IN_FLIGHT).map(|joined| joined.unwrap_or_else(|_| Err(ended())));
            stamps.extend(self.bucket.wait(done.try_collect::<Vec<_>>())?);
        }
        let removals: Vec<_> = table
            .removed
            .iter()
            .map(|(path, stamp)| {
                let (key, tag) = (self.key(&format!("{folder}/{path}")), Tag(stamp.as_str().into()));
                let writer = Arc::clone(writer);
                async move { writer.bucket.clone().spawn(writer.delete(key, tag)).await }
            })
            .collect();
        let done =
            stream::iter(removals).buffer_unordered(IN_FLIGHT).map(|joined| joined.unwrap_or_else(|_| Err(ended())));
        self.bucket.wait(done.try_collect::<Vec<()>>())?;
        if !table.marked {
            let marker = self.key(&format!("{folder}/{SUCCESS}"));
            self.bucket.wait(self.bucket.put(&marker, Bytes::new(), Put::Always))?;
        }
        Ok(stamps)
    }
}

impl Ground for Remote {
    fn shown(&self, path: &str) -> String {
        self.bucket.shown(self.key(path).trim_end_matches('/'))
    }

    fn find(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.bucket.wait(self.bucket.find(&self.key(path)))?.map(|(bytes, _)| bytes.to_vec()))
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let body = Bytes::copy_from_slice(bytes);
        Ok(self.bucket.wait(self.bucket.put(&self.key(path), body, Put::Create))? != Written::Refused)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.bucket.wait(self.bucket.put(&self.key(path), Bytes::copy_from_slice(bytes), Put::Always)).map(drop)
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        entries(&self.bucket, &self.key(folder))
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

    fn stage(&self, run: &str) -> Result<Box<dyn StageGround>> {
        Ok(Box::new(Spool::new(&self.bucket, self.key(&stage_of(run)))?))
    }

    fn replay(&self, record: &Record, stage: Option<&dyn StageGround>, cancel: &Cancel) -> Result<Stamps> {
        let writer = Arc::new(Writer {
            bucket: self.bucket.clone(),
            conditional: record.conditional,
            next_record: self.key(&record_path(record.version + 1)),
            started: Instant::now(),
            looked: AtomicU64::new(0),
        });
        let mut stamps = Stamps::new();
        for (folder, table) in in_publishing_order(record) {
            cancel.check()?;
            let changed = self.publish_table(record, (folder, table), stage, &writer)?;
            if !changed.is_empty() {
                stamps.insert(folder.to_owned(), changed.into_iter().collect());
            }
        }
        Ok(stamps)
    }

    fn remove(&self, paths: &[String]) -> Result<()> {
        let removals = paths.iter().map(|path| {
            let key = self.key(path);
            async move { self.bucket.delete(&key, None).await.map(drop) }
        });
        self.bucket.wait(stream::iter(removals).buffer_unordered(IN_FLIGHT).try_collect())
    }

    fn forget_stage(&self, record: &Record) -> Result<()> {
        self.remove(&record.staged())
    }

    /// Another run may be at work, so only what is two days older than this run goes.
    fn forget_stages(&self, run: &str) -> Result<()> {
        let Some(today) = day_of(run) else { return Ok(()) };
        let stages = self.list("_etl/stage")?;
        let is_old = |run: &str| day_of(run).is_some_and(|day| today - day > chrono::TimeDelta::days(1));
        let old = stages.iter().filter(|entry| entry.path.split('/').next().is_some_and(is_old));
        self.remove(&old.map(|entry| format!("_etl/stage/{}", entry.path)).collect::<Vec<String>>())
    }
}

/// The day on which a run began: its name says so.
fn day_of(run: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(run.get(..8)?, "%Y%m%d").ok()
}

/// Everything below a key that is a folder.
pub(super) fn entries(bucket: &Bucket, key: &str) -> Result<Vec<Entry>> {
    let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
    let mut entries = Vec::new();
    let mut token = None;
    loop {
        let page = bucket.wait(bucket.list(&prefix, false, None, token.as_deref()))?;
        entries.extend(page.objects.into_iter().filter(|object| !object.key.ends_with('/')).map(|object| Entry {
            path: object.key.get(prefix.len()..).unwrap_or_default().to_owned(),
            size: object.size,
            stamp: object.tag.0.into_string(),
        }));
        token = page.next;
        if token.is_none() {
            return Ok(entries);
        }
    }
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
    started: Instant,
    /// When the log was last looked at, in milliseconds since the start.
    looked: AtomicU64,
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
        match self.bucket.find(&key).await? {
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
        match self.bucket.find(&key).await? {
            None => Ok(()),
            Some(_) => Err(self.displaced(&key).await),
        }
    }

    async fn stay_fresh(&self) -> Result<()> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        if Duration::from_millis(now.saturating_sub(looked)) < FRESH {
            return Ok(());
        }
        if self.bucket.find(&self.next_record).await?.is_some() {
            return Err(overtaken());
        }
        self.looked.fetch_max(now, Ordering::Relaxed);
        Ok(())
    }

    /// Why a file is not what this version replaces.
    async fn displaced(&self, key: &str) -> Error {
        match self.bucket.find(&self.next_record).await {
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

fn ended() -> Error {
    Error::new(ErrorKind::Internal, "a task ended without a result")
}
