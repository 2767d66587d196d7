//! One bucket: list, get, put, delete.
//!
//! Every operation retries. After a lost response, a conditional write may fail because of the object that its first
//! attempt wrote; the object is then read back and compared, so that the writer recognizes its own object.
//!
//! Invariant: an operation takes effect completely or not at all. If that is unknown, it returns an error with the kind
//! [`ErrorKind::Retry`].

use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Method;
use http::header::ETAG;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use crate::error::{Error, ErrorKind, Result};
use crate::s3::connection::BucketConnection;
use crate::s3::failure::RequestFailure;
use crate::s3::fence::Fence;
use crate::s3::multipart::UploadEnd;
use crate::s3::object::{Object, Page, Put, Tag, Written};
use crate::s3::retry::RetryLoop;
use crate::s3::signed_request::Request;
use crate::s3::{list_xml, multipart};

/// Objects above this size in bytes are sent in parts.
pub const MULTIPART_THRESHOLD: usize = 64 << 20;

/// A write, and the message for its failure.
struct Write<'w> {
    key: &'w str,
    body: &'w Bytes,
    put: Put<'w>,
    message: String,
}

/// An open bucket; clones share its connection. It can be used until its [`crate::s3::stores::Stores`] is dropped.
#[derive(Clone, Debug)]
pub struct Bucket {
    connection: Arc<BucketConnection>,
    /// The fence that writes have to pass.
    fence: Option<Arc<Fence>>,
}

impl Bucket {
    /// The bucket of a connection.
    pub(super) fn new(connection: BucketConnection) -> Self {
        Self { connection: Arc::new(connection), fence: None }
    }

    /// The same bucket, whose objects can be written and deleted only while the fence is open.
    #[must_use]
    pub fn with_fence(&self, fence: Fence) -> Self {
        Self { connection: Arc::clone(&self.connection), fence: Some(Arc::new(fence)) }
    }

    /// The name of the bucket.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.connection.name
    }

    /// The URL of the bucket, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.connection.url
    }

    /// The region that requests are signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.connection.region
    }

    /// The host of the store, with the port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.connection.host
    }

    /// Whether the store has responded in this call.
    #[must_use]
    pub fn has_responded(&self) -> bool {
        self.connection.shared.reachability.has_responded()
    }

    /// Seconds by which this machine's clock is ahead of that of the store, if known.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<i64> {
        self.connection.shared.reachability.clock_ahead()
    }

    /// The URL of a key for display.
    #[must_use]
    pub fn shown(&self, key: &str) -> String {
        let key = if key.chars().any(char::is_control) { key.escape_debug().to_string() } else { key.to_owned() };
        format!("s3://{}/{key}", self.connection.name)
    }

    /// One page of the keys that begin with `prefix` and follow the key `after`; `token` continues an earlier page.
    ///
    /// # Errors
    /// Any error of the store, after the retries.
    pub async fn list(&self, prefix: &str, delimiter: bool, after: Option<&str>, token: Option<&str>) -> Result<Page> {
        let connection = &*self.connection;
        let mut retry = RetryLoop::new(&connection.shared);
        loop {
            let mut request = Request::new(Method::GET, "").query("list-type", "2").query("encoding-type", "url");
            for (name, value) in [
                ("prefix", Some(prefix).filter(|prefix| !prefix.is_empty())),
                ("delimiter", delimiter.then_some("/")),
                ("start-after", after),
                ("continuation-token", token),
            ] {
                if let Some(value) = value {
                    request = request.query(name, value);
                }
            }
            let page = async { list_xml::parse(&request.send(connection).await?.1) };
            match retry.attempt(page).await {
                Ok(page) => {
                    let has_tag = |object: &&Object| object.key.ends_with('/') || !object.tag.0.is_empty();
                    return match page.objects.iter().find(|object| !has_tag(object)) {
                        None => Ok(page),
                        Some(object) => Err(self.without_tag(&object.key)),
                    };
                }
                Err(failure) => retry.pause_or_fail(failure).await.map_err(|failure| {
                    connection.explain(&failure, &self.cannot("list", prefix), &retry).context("key", prefix)
                })?,
            }
        }
    }

    /// An entire object or a range of it. With `tag`, the object must have this version.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] if the object has another version or does not exist anymore, [`ErrorKind::NoInput`] if it
    /// does not exist and `tag` is `None`, and any other error of the store.
    pub async fn get(&self, key: &str, range: Option<Range<u64>>, tag: Option<&Tag>) -> Result<Bytes> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Bytes::new());
        }
        let changed = |cause: &str| {
            Error::new(ErrorKind::Retry, format!("{} has changed since it was listed", self.shown(key)))
                .cause(cause)
                .hint("run again when no other program writes to it")
                .context("key", key)
        };
        let mut retry = RetryLoop::new(&self.connection.shared);
        loop {
            match retry.attempt(self.get_once(key, range.clone(), tag)).await {
                Ok((bytes, _)) => return Ok(bytes),
                Err(failure) if tag.is_some() && failure.is_failed_condition() => {
                    return Err(changed("it has another version now"));
                }
                Err(failure) if tag.is_some() && failure.is_missing_object() => return Err(changed("it was deleted")),
                Err(failure) if failure.is_out_of_range() => return Err(changed("it is shorter now")),
                Err(failure) => retry.pause_or_fail(failure).await.map_err(|failure| {
                    self.connection.explain(&failure, &self.cannot("read", key), &retry).context("key", key)
                })?,
            }
        }
    }

    /// A small object and its version; `None` if it does not exist.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn get_optional(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        let mut retry = RetryLoop::new(&self.connection.shared);
        loop {
            match retry.attempt(self.get_once(key, None, None)).await {
                Ok(found) => return Ok(Some(found)),
                Err(failure) if failure.is_missing_object() => return Ok(None),
                Err(failure) => retry.pause_or_fail(failure).await.map_err(|failure| {
                    self.connection.explain(&failure, &self.cannot("read", key), &retry).context("key", key)
                })?,
            }
        }
    }

    /// Writes an object; one above [`MULTIPART_THRESHOLD`] is sent in parts.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn put(&self, key: &str, body: Bytes, put: Put<'_>) -> Result<Written> {
        if body.len() > MULTIPART_THRESHOLD {
            return self.put_in_parts(key, body, put).await;
        }
        let message = self.cannot("write", key);
        let ended = self.put_once(key, &body, put, &message).await;
        self.resolve(ended, &Write { key, body: &body, put, message }).await
    }

    /// Writes an object of any size above 0 in parts, at least one.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn put_in_parts(&self, key: &str, body: Bytes, put: Put<'_>) -> Result<Written> {
        let message = self.cannot("write", key);
        path(key)
            .map_err(|failure| self.connection.explain(&failure, &message, &RetryLoop::new(&self.connection.shared)))?;
        let ended = multipart::upload(&self.connection, self.fence.as_deref(), key, &body, put, &message).await;
        self.resolve(ended, &Write { key, body: &body, put, message }).await
    }

    fn cannot(&self, verb: &str, key: &str) -> String {
        format!("cannot {verb} {}", self.shown(key))
    }

    fn without_tag(&self, key: &str) -> Error {
        Error::new(ErrorKind::Protocol, format!("{} lists {} without an ETag", self.host(), self.shown(key)))
            .cause("without an ETag, a change of an object cannot be detected")
            .hint("use another store, or a release of this one that lists ETags")
            .context("key", key)
    }

    /// The result of a write. If it is unknown because a response was lost, the object is read back.
    async fn resolve(&self, ended: Result<UploadEnd>, write: &Write<'_>) -> Result<Written> {
        let Write { key, body, put, message } = write;
        match ended.map_err(|error| error.context("key", *key))? {
            UploadEnd::Done(tag) => Ok(Written::Done(tag)),
            UploadEnd::Refused => Ok(Written::Refused),
            UploadEnd::Unknown => match (self.get_optional(key).await?, put) {
                (Some((stored, tag)), _) if stored == **body => Ok(Written::Done(tag)),
                (_, Put::Create | Put::Replace(_)) => Ok(Written::Refused),
                (_, Put::Always) => Err(Error::new(ErrorKind::Retry, message.clone())
                    .cause("a response was lost, and the object is not the one that was sent")
                    .hint("try again when no other program writes to it")
                    .context("key", *key)),
            },
        }
    }

    /// Deletes an object, with `tag` only this version. Returns false if it has another version; a missing object
    /// counts as deleted.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn delete(&self, key: &str, tag: Option<&Tag>) -> Result<bool> {
        let connection = &*self.connection;
        let mut retry = RetryLoop::new(&connection.shared);
        loop {
            let attempt = async {
                path(key)?;
                let request = Request::new(Method::DELETE, key);
                let request = if let Some(tag) = tag { request.header("if-match", &tag.0) } else { request };
                self.pass_fence().await?;
                request.send(connection).await
            };
            match retry.attempt(attempt).await {
                Ok(_) => return Ok(true),
                Err(failure) if failure.is_missing_object() => return Ok(true),
                // Some stores respond with a failed condition if the object does not exist.
                Err(failure) if failure.is_failed_condition() => return Ok(self.get_optional(key).await?.is_none()),
                Err(failure) => retry.pause_or_fail(failure).await.map_err(|failure| {
                    connection.explain(&failure, &self.cannot("delete", key), &retry).context("key", key)
                })?,
            }
        }
    }

    /// Waits for `future`. Only for threads outside of the runtime.
    ///
    /// # Errors
    /// The error of `future`, or [`ErrorKind::Interrupted`] soon after a stop was requested.
    pub fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.connection.shared.wait(future)
    }

    /// Starts `future` on the runtime, which ends when its [`crate::s3::stores::Stores`] is dropped.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.connection.shared.runtime.spawn(future)
    }

    async fn pass_fence(&self) -> Result<(), RequestFailure> {
        match &self.fence {
            Some(fence) => fence.pass(&self.connection).await,
            None => Ok(()),
        }
    }

    async fn get_once(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        tag: Option<&Tag>,
    ) -> Result<(Bytes, Tag), RequestFailure> {
        let options = GetOptions {
            range: range.clone().map(GetRange::Bounded),
            if_match: tag.map(|tag| tag.0.to_string()),
            ..GetOptions::default()
        };
        let response = self
            .connection
            .object_store
            .get_opts(&path(key)?, options)
            .await
            .map_err(|error| RequestFailure::from_object_store(&error))?;
        let found = Tag::spelled(response.meta.e_tag.as_deref().unwrap_or_default());
        if tag.is_some_and(|tag| *tag != found) {
            return Err(RequestFailure::InvalidResponse(
                "the store sent another version than the requested one".to_owned(),
            ));
        }
        if range.as_ref().is_some_and(|range| range.end > response.meta.size) {
            return Err(RequestFailure::out_of_range());
        }
        let expected = range.map_or(response.meta.size, |range| range.end - range.start);
        let bytes = response.bytes().await.map_err(|error| RequestFailure::from_object_store(&error))?;
        if bytes.len() as u64 != expected {
            return Err(RequestFailure::InvalidResponse(format!("it has {} bytes instead of {expected}", bytes.len())));
        }
        Ok((bytes, found))
    }

    async fn put_once(&self, key: &str, body: &Bytes, put: Put<'_>, message: &str) -> Result<UploadEnd> {
        let mut retry = RetryLoop::new(&self.connection.shared);
        loop {
            let attempt = async {
                path(key)?;
                let checksum = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, body));
                let request = Request::new(Method::PUT, key).header("x-amz-checksum-sha256", &checksum);
                let request = match put {
                    Put::Always => request,
                    Put::Create => request.header("if-none-match", "*"),
                    Put::Replace(tag) => request.header("if-match", &tag.0),
                };
                self.pass_fence().await?;
                request.creating(&self.connection).body(body.clone()).send(&self.connection).await
            };
            match retry.attempt(attempt).await {
                Ok((headers, _)) => {
                    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok());
                    return Ok(tag.map_or(UploadEnd::Unknown, |tag| UploadEnd::Done(Tag::spelled(tag))));
                }
                Err(failure) if failure.is_failed_condition() => {
                    return Ok(if retry.may_have_succeeded { UploadEnd::Unknown } else { UploadEnd::Refused });
                }
                // The object to replace does not exist anymore.
                Err(failure) if failure.is_missing_object() && matches!(put, Put::Replace(_)) => {
                    return Ok(UploadEnd::Refused);
                }
                Err(failure) => {
                    retry
                        .pause_or_fail(failure)
                        .await
                        .map_err(|failure| self.connection.explain(&failure, message, &retry))?;
                }
            }
        }
    }
}

/// The path of a key in `object_store`. A key that `object_store` would change is an error.
fn path(key: &str) -> Result<Path, RequestFailure> {
    match Path::parse(key) {
        Ok(path) if path.as_ref() == key && !key.is_empty() => Ok(path),
        _ => Err(RequestFailure::UnsupportedKey("the key is not supported".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unchanged_keys_are_supported() {
        for key in ["a", "a/b=%2F/ü x", "a/.b", "songs/year=0/x.json", "x"] {
            assert_eq!(path(key).unwrap().as_ref(), key);
        }
        for key in ["", "/a", "a/", "a//b", "a/../b", ".", "a\tb"] {
            assert!(path(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn tags_have_one_spelling() {
        assert_eq!(Tag::spelled("0f"), Tag::spelled("\"0f\""));
        assert_eq!(*Tag::spelled("W/\"0f\"").0, *"W/\"0f\"");
    }
}
