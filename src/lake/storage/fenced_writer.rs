//! Changes the files of one version in a bucket, as long as it is the newest version.
//!
//! Every request passes the fence of the bucket and has a condition: the file is still the one that the version
//! replaces. If a condition fails, the file is read. It may have the new bytes already (another run publishes the same
//! version), or those of an older version (a late request of an overtaken writer; it is replaced all the same), or
//! those of another program, which is an error.
//!
//! Invariant: only files that a version of the lake wrote are replaced or deleted.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_log::record_path;
use crate::lake::commit_record::{CommitRecord, ConditionalSupport, sha256};
use crate::lake::older_versions::{OlderVersions, kept_versions};
use crate::s3::bucket::Bucket;
use crate::s3::object::{Put, Tag, Written};

/// The limit of attempts to change a file that other writers change at the same time.
const MAX_ATTEMPTS: u32 = 4;

/// The change of one file.
pub(super) struct FileChange {
    /// The path below the lake's root.
    pub path: String,
    pub sha256: String,
    pub replaces: Option<Tag>,
    pub body: Bytes,
}

/// Changes files of one version.
pub(super) struct FencedWriter {
    /// The bucket with the fence of this version.
    bucket: Bucket,
    /// The prefix of the lake's keys: empty, or with a trailing slash.
    prefix: String,
    version: u64,
    conditional: ConditionalSupport,
    /// The records in the commit log, once they are needed.
    older: OnceCell<OlderVersions>,
}

impl FencedWriter {
    pub fn new(bucket: Bucket, prefix: String, record: &CommitRecord) -> Self {
        Self { bucket, prefix, version: record.version, conditional: record.conditional, older: OnceCell::new() }
    }

    /// Writes a file to its final key; returns its path and its stamp.
    pub async fn put(self: Arc<Self>, change: FileChange) -> Result<(String, String)> {
        let FileChange { path, sha256: expected, replaces, body } = change;
        let key = self.key(&path);
        let mut current = replaces;
        let mut is_unconditional = !self.conditional.put;
        for _ in 0..MAX_ATTEMPTS {
            let condition = match &current {
                _ if is_unconditional => Put::Always,
                Some(tag) => Put::Replace(tag),
                None => Put::Create,
            };
            if let Written::Done(Tag(tag)) = self.bucket.put(&key, body.clone(), condition).await? {
                return Ok((path, tag.into_string()));
            }
            match self.bucket.get_optional(&key).await? {
                Some((bytes, Tag(tag))) if sha256(&bytes) == expected => return Ok((path, tag.into_string())),
                Some((bytes, tag)) if self.is_ours(&path, &bytes).await? => current = Some(tag),
                Some(_) => break,
                // The store refused to create a key that does not exist: some do that if the key was deleted in a
                // bucket with versioning. The object is written without a condition, or never.
                None if current.is_none() => is_unconditional = true,
                None => current = None,
            }
        }
        Err(self.conflict(&key))
    }

    /// Deletes a file.
    pub async fn delete(self: Arc<Self>, path: String, tag: Tag) -> Result<()> {
        let key = self.key(&path);
        let mut current = tag;
        for _ in 0..MAX_ATTEMPTS {
            let condition = self.conditional.delete.then_some(&current);
            if self.bucket.delete(&key, condition).await? {
                return Ok(());
            }
            match self.bucket.get_optional(&key).await? {
                None => return Ok(()),
                Some((bytes, tag)) if self.is_ours(&path, &bytes).await? => current = tag,
                Some(_) => break,
            }
        }
        Err(self.conflict(&key))
    }

    /// Writes a file that every run writes with the same content.
    pub async fn write(self: Arc<Self>, path: String, body: Bytes) -> Result<()> {
        self.bucket.put(&self.key(&path), body, Put::Always).await.map(drop)
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Returns true if a version of the lake had these bytes at this path.
    async fn is_ours(&self, path: &str, bytes: &[u8]) -> Result<bool> {
        let read = || async {
            let mut stored = Vec::new();
            for version in kept_versions(self.version) {
                let found = self.bucket.get_optional(&self.key(&record_path(version))).await?;
                stored.push((version, found.map(|(bytes, _)| bytes)));
            }
            Ok(OlderVersions::new(stored))
        };
        let older = self.older.get_or_try_init(read).await?;
        // The folder of a table may be nested.
        let splits = path.match_indices('/').filter_map(|(at, _)| Some((path.get(..at)?, path.get(at + 1..)?)));
        let sha256 = sha256(bytes);
        Ok(splits.into_iter().any(|(folder, path)| older.have(folder, path, &sha256)))
    }

    /// The error for a file of another program.
    fn conflict(&self, key: &str) -> Error {
        let shown = self.bucket.shown(key);
        Error::new(ErrorKind::Protocol, format!("another program wrote {shown} while it was being published"))
            .hint("stop the other program: only sparkify-lake may write here; --adopt replaces its files")
            .context("path", shown)
    }
}
