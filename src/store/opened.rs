//! What requests to one bucket need, and how their failures are told.
//!
//! Invariant: every error about a bucket names it, its host and the region that was signed for.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use object_store::aws::AmazonS3;

use crate::error::{Error, ErrorKind, Result};
use crate::store::effort::Effort;
use crate::store::explain::Scene;
use crate::store::failure::Failure;
use crate::store::request::Request;
use crate::store::stores::Shared;

/// A bucket with all that requests to it need.
#[derive(Debug)]
pub struct Opened {
    /// Its name.
    pub name: String,
    /// Its URL, without a slash at the end.
    pub url: String,
    /// The host in it.
    pub host: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The library's view of it.
    pub library: AmazonS3,
    /// What all buckets of a call share.
    pub shared: Arc<Shared>,
}

impl Opened {
    /// A failure as an error.
    #[must_use]
    pub fn explain(&self, failure: &Failure, doing: &str, effort: &Effort<'_>) -> Error {
        let scene = Scene {
            doing: doing.to_owned(),
            bucket: &self.name,
            host: &self.host,
            region: &self.region,
            origin: self.shared.origin(),
            reached: self.shared.reach.answered(),
            tries: effort.tries,
            elapsed: effort.elapsed(),
        };
        scene.explain(failure)
    }

    /// The error for an answer that makes no sense.
    #[must_use]
    pub fn senseless(&self, doing: &str, what: &str) -> Error {
        Error::new(ErrorKind::Protocol, doing)
            .cause(format!("{}: {what}", self.host))
            .context("bucket", self.name.clone())
    }

    /// Sends a request until it succeeds or nothing helps.
    ///
    /// # Errors
    /// The store's; `doing` is what could not be done.
    pub async fn ask<'r>(&self, doing: &str, request: impl Fn() -> Request<'r>) -> Result<(HeaderMap, Bytes)> {
        let mut effort = Effort::new(&self.shared);
        loop {
            match effort.attempt(request().send(self)).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    effort.again(failure).await.map_err(|failure| self.explain(&failure, doing, &effort))?;
                }
            }
        }
    }
}
