//! One bucket: list, get, put, delete.
//!
//! Every operation tries again by itself while that makes sense. A conditional write whose answer was lost is read back,
//! so that nobody is told that somebody else wrote what they wrote themselves.
//!
//! Invariant: an operation has either happened as a whole, or not, or its error says that this is not known.

use crate::s3::object::{Page, Put, Tag, Written};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, PutMode, PutOptions, PutPayload, UpdateVersion};

use crate::error::{Error, ErrorKind, Result};
use crate::s3::connection::BucketConnection;
use crate::s3::failure::RequestFailure;
use crate::s3::multipart::End;
use crate::s3::retry::RetryLoop;
use crate::s3::signed_request::Request;
use crate::s3::{list_xml, multipart};

/// Objects above this size are sent in parts.
pub const MULTIPART_THRESHOLD: usize = 64 << 20;

/// An opened bucket; clones share everything. It is of use as long as the [`crate::s3::stores::Stores`] it is from.
#[derive(Clone, Debug)]
pub struct Bucket(Arc<BucketConnection>);

impl Bucket {
    /// The bucket as opened.
    #[must_use]
    pub fn new(opened: BucketConnection) -> Self {
        Self(Arc::new(opened))
    }

    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The region that requests are signed for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// The host that is asked.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Whether anything has answered yet.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.0.shared.reach.answered()
    }

    /// Seconds by which this machine's clock is ahead of the store's, where that is known.
    #[must_use]
    pub fn ahead(&self) -> Option<i64> {
        self.0.shared.reach.ahead()
    }

    /// A key for people.
    #[must_use]
    pub fn shown(&self, key: &str) -> String {
        let key = if key.chars().any(char::is_control) { key.escape_debug().to_string() } else { key.to_owned() };
        format!("s3://{}/{key}", self.0.name)
    }

    /// One page of the keys that begin with `prefix`, after the key `after`; `token` continues an earlier page.
    ///
    /// # Errors
    /// The store's, once retries are used up.
    pub async fn list(&self, prefix: &str, delimiter: bool, after: Option<&str>, token: Option<&str>) -> Result<Page> {
        let opened = &*self.0;
        let mut effort = RetryLoop::new(&opened.shared);
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
            let page = async { list_xml::parse(&request.send(opened).await?.1) };
            match effort.attempt(page).await {
                Ok(page) => return Ok(page),
                Err(failure) => effort.again(failure).await.map_err(|failure| {
                    let error = opened.explain(&failure, &format!("cannot list {}", self.shown(prefix)), &effort);
                    error.context("key", prefix)
                })?,
            }
        }
    }

    /// A whole object or a range of it; `tag` must still be its version.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it is gone or another version, [`ErrorKind::NoInput`] when it is absent and no version
    /// was asked for, the store's otherwise.
    pub async fn get(&self, key: &str, range: Option<Range<u64>>, tag: Option<&Tag>) -> Result<Bytes> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Bytes::new());
        }
        let doing = || format!("cannot read {}", self.shown(key));
        let changed = |now: &str| {
            Error::new(ErrorKind::Retry, format!("{} has changed since it was listed", self.shown(key)))
                .cause(now)
                .hint("run again once nothing writes there")
                .context("key", key)
        };
        let mut effort = RetryLoop::new(&self.0.shared);
        loop {
            match effort.attempt(self.get_once(key, range.clone(), tag)).await {
                Ok((bytes, _)) => return Ok(bytes),
                Err(failure) if tag.is_some() && failure.is_refused() => {
                    return Err(changed("it is another version now"));
                }
                Err(failure) if tag.is_some() && failure.is_absent() => return Err(changed("it is gone")),
                Err(failure) if failure.is_out_of_range() => return Err(changed("it is shorter now")),
                Err(failure) => effort
                    .again(failure)
                    .await
                    .map_err(|failure| self.0.explain(&failure, &doing(), &effort).context("key", key))?,
            }
        }
    }

    /// A small object and its version; `None` when there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        let mut effort = RetryLoop::new(&self.0.shared);
        loop {
            match effort.attempt(self.get_once(key, None, None)).await {
                Ok(found) => return Ok(Some(found)),
                Err(failure) if failure.is_absent() => return Ok(None),
                Err(failure) => effort.again(failure).await.map_err(|failure| {
                    let doing = format!("cannot read {}", self.shown(key));
                    self.0.explain(&failure, &doing, &effort).context("key", key)
                })?,
            }
        }
    }

    /// Writes an object; more than [`MULTIPART_THRESHOLD`] in parts.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, key: &str, body: Bytes, put: Put<'_>) -> Result<Written> {
        if body.len() > MULTIPART_THRESHOLD {
            return self.put_in_parts(key, body, put).await;
        }
        let doing = format!("cannot write {}", self.shown(key));
        let ended = self.put_whole(key, &body, put, &doing).await;
        self.settled(key, &body, put, ended, doing).await
    }

    /// Writes an object in parts, whatever its size: one part at least, none without bytes.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_in_parts(&self, key: &str, body: Bytes, put: Put<'_>) -> Result<Written> {
        let doing = format!("cannot write {}", self.shown(key));
        path(key).map_err(|failure| self.0.explain(&failure, &doing, &RetryLoop::new(&self.0.shared)))?;
        let ended = multipart::upload(&self.0, key, &body, put, &doing).await;
        self.settled(key, &body, put, ended, doing).await
    }

    /// What became of a write; one whose answer was lost is read back.
    async fn settled(
        &self,
        key: &str,
        body: &Bytes,
        put: Put<'_>,
        ended: Result<End>,
        doing: String,
    ) -> Result<Written> {
        match ended.map_err(|error| error.context("key", key))? {
            End::Done(tag) => Ok(Written::Done(tag)),
            End::Refused => Ok(Written::Refused),
            End::Unclear => match (self.find(key).await?, put) {
                (Some((there, tag)), _) if there == *body => Ok(Written::Done(tag)),
                (_, Put::Create | Put::Replace(_)) => Ok(Written::Refused),
                (_, Put::Always) => Err(Error::new(ErrorKind::Retry, doing)
                    .cause("an answer was lost, and the object is not what was sent")
                    .hint("try again")
                    .context("key", key)),
            },
        }
    }

    /// Deletes an object, if it is still the version `tag`; says whether the condition held. What is absent is deleted.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, key: &str, tag: Option<&Tag>) -> Result<bool> {
        let doing = || format!("cannot delete {}", self.shown(key));
        let opened = &*self.0;
        let mut effort = RetryLoop::new(&opened.shared);
        loop {
            let attempt = async {
                path(key)?;
                let request = Request::new(Method::DELETE, key);
                let request = if let Some(tag) = tag { request.header("if-match", &tag.0) } else { request };
                request.send(opened).await
            };
            match effort.attempt(attempt).await {
                Ok(_) => return Ok(true),
                Err(failure) if failure.is_absent() => return Ok(true),
                // Some stores say so of what is absent, too.
                Err(failure) if failure.is_refused() => return Ok(self.find(key).await?.is_none()),
                Err(failure) => effort
                    .again(failure)
                    .await
                    .map_err(|failure| opened.explain(&failure, &doing(), &effort).context("key", key))?,
            }
        }
    }

    /// Waits for `future` on a thread that is not the runtime's.
    ///
    /// # Errors
    /// Its error, or [`ErrorKind::Interrupted`] soon after a stop was asked for.
    pub fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.0.shared.wait(future)
    }

    /// Starts `future` on the runtime; it ends with the [`crate::s3::stores::Stores`] at the latest.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.0.shared.runtime.spawn(future)
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
        let answer = self.0.library.get_opts(&path(key)?, options).await.map_err(|error| RequestFailure::of(&error))?;
        let found = Tag::spelled(answer.meta.e_tag.as_deref().unwrap_or_default());
        if tag.is_some_and(|tag| *tag != found) {
            return Err(RequestFailure::Garbled(
                "the store sent another version than the one it was asked for".to_owned(),
            ));
        }
        if range.as_ref().is_some_and(|range| range.end > answer.meta.size) {
            return Err(RequestFailure::out_of_range());
        }
        let expected = range.map_or(answer.meta.size, |range| range.end - range.start);
        let bytes = answer.bytes().await.map_err(|error| RequestFailure::of(&error))?;
        if bytes.len() as u64 != expected {
            return Err(RequestFailure::Garbled(format!("{} bytes instead of {expected}", bytes.len())));
        }
        Ok((bytes, found))
    }

    async fn put_whole(&self, key: &str, body: &Bytes, put: Put<'_>, doing: &str) -> Result<End> {
        let mut effort = RetryLoop::new(&self.0.shared);
        loop {
            let attempt = async {
                let mode = match put {
                    Put::Always => PutMode::Overwrite,
                    Put::Create => PutMode::Create,
                    Put::Replace(tag) => {
                        PutMode::Update(UpdateVersion { e_tag: Some(tag.0.to_string()), version: None })
                    }
                };
                let payload = PutPayload::from_bytes(body.clone());
                let options = PutOptions { mode, ..PutOptions::default() };
                let written = self.0.library.put_opts(&path(key)?, payload, options).await;
                written.map_err(|error| RequestFailure::of(&error))
            };
            match effort.attempt(attempt).await {
                Ok(written) => {
                    return Ok(written.e_tag.map_or(End::Unclear, |tag| End::Done(Tag::spelled(&tag))));
                }
                Err(failure) if failure.is_refused() => {
                    return Ok(if effort.unclear { End::Unclear } else { End::Refused });
                }
                // What was to be replaced is gone.
                Err(failure) if failure.is_absent() && matches!(put, Put::Replace(_)) => return Ok(End::Refused),
                Err(failure) => {
                    effort.again(failure).await.map_err(|failure| self.0.explain(&failure, doing, &effort))?;
                }
            }
        }
    }
}

/// The key as the library takes it; one that it would turn into another is refused.
fn path(key: &str) -> Result<Path, RequestFailure> {
    match Path::parse(key) {
        Ok(path) if path.as_ref() == key && !key.is_empty() => Ok(path),
        _ => Err(RequestFailure::Key("the key cannot be addressed".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_stay_themselves_are_addressed() {
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
