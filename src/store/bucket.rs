//! One bucket: list, get, put, delete.
//!
//! Invariant: an operation has either happened as a whole, or not, or its error says that this is not known.

use std::ops::Range;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};

/// The `ETag` as the store spells it, quotes included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub Box<str>);

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The version that was listed.
    pub tag: Tag,
    /// Milliseconds since 1970.
    pub modified: i64,
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects, by key.
    pub objects: Vec<Object>,
    /// What lies one level below, when a delimiter was asked for; each ends in `/`.
    pub prefixes: Vec<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// On which condition an object is written.
#[derive(Clone, Copy, Debug)]
pub enum Put<'t> {
    /// Whatever is there.
    Always,
    /// Only where nothing is.
    Create,
    /// Only over this version.
    Replace(&'t Tag),
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It happened; the version it made.
    Done(Tag),
    /// The condition did not hold.
    Refused,
}

/// An opened bucket; clones share everything.
#[derive(Clone, Debug)]
pub struct Bucket {
    name: String,
}

impl Bucket {
    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A key for people.
    #[must_use]
    pub fn shown(&self, key: &str) -> String {
        format!("s3://{}/{}", self.name, key)
    }

    /// One page of the keys that begin with `prefix`.
    ///
    /// # Errors
    /// The store's, once retries are used up.
    pub async fn list(
        &self,
        prefix: &str,
        _delimiter: bool,
        _after: Option<&str>,
        _token: Option<&str>,
    ) -> Result<Page> {
        self.unfinished(prefix).await
    }

    /// A whole object or a range of it; `tag` must still be its version.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it is gone or another version, the store's otherwise.
    pub async fn get(&self, key: &str, _range: Option<Range<u64>>, _tag: Option<&Tag>) -> Result<Bytes> {
        self.unfinished(key).await
    }

    /// A small object and its version; `None` when there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, key: &str) -> Result<Option<(Bytes, Tag)>> {
        self.unfinished(key).await
    }

    /// Writes an object.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, key: &str, _body: Bytes, _put: Put<'_>) -> Result<Written> {
        self.unfinished(key).await
    }

    /// Deletes an object, if it is still the version `tag`; says whether the condition held. What is absent is deleted.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, key: &str, _tag: Option<&Tag>) -> Result<bool> {
        self.unfinished(key).await
    }

    /// Waits for `future` on a thread that is not the runtime's.
    ///
    /// # Errors
    /// Its error, or [`ErrorKind::Interrupted`] soon after a stop was asked for.
    pub fn wait<T>(&self, _future: impl Future<Output = Result<T>>) -> Result<T> {
        Err(Error::new(ErrorKind::Internal, format!("not built yet: {}", self.name)))
    }

    /// Starts `future` on the runtime.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        tokio::spawn(future)
    }

    async fn unfinished<T>(&self, key: &str) -> Result<T> {
        tokio::task::yield_now().await;
        Err(Error::new(ErrorKind::Internal, format!("not built yet: {}", self.shown(key))))
    }
}
