//! What requests to one bucket need, and how their failures are told.
//!
//! Invariant: every error about a bucket names it, its host and the region that was signed for.

use std::sync::Arc;

use object_store::aws::AmazonS3;

use crate::error::{Error, ErrorKind};
use crate::s3::client::SharedClient;
use crate::s3::error_messages::FailureContext;
use crate::s3::failure::RequestFailure;
use crate::s3::retry::RetryLoop;

/// A bucket with all that requests to it need.
#[derive(Debug)]
pub struct BucketConnection {
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
    pub shared: Arc<SharedClient>,
}

impl BucketConnection {
    /// A failure as an error.
    #[must_use]
    pub fn explain(&self, failure: &RequestFailure, doing: &str, effort: &RetryLoop<'_>) -> Error {
        let scene = FailureContext {
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
}
