//! The connection to one bucket, and the errors of its requests.
//!
//! Invariant: every error about a bucket names the bucket and its host.

use std::sync::Arc;

use object_store::aws::AmazonS3;

use crate::error::{Error, ErrorKind};
use crate::s3::client::SharedClient;
use crate::s3::error_messages::FailureContext;
use crate::s3::failure::RequestFailure;
use crate::s3::object_settings::ObjectSettings;
use crate::s3::retry::RetryLoop;

/// The connection to a bucket.
#[derive(Debug)]
pub struct BucketConnection {
    /// The name of the bucket.
    pub name: String,
    /// The URL of the bucket, without a trailing slash.
    pub url: String,
    /// The host in the URL, with the port.
    pub host: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The settings for requests and for the objects that a run writes.
    pub objects: ObjectSettings,
    /// The client of `object_store` for this bucket.
    pub object_store: AmazonS3,
    /// The state that all buckets of a call share.
    pub shared: Arc<SharedClient>,
}

impl BucketConnection {
    /// The error for a failure.
    #[must_use]
    pub fn explain(&self, failure: &RequestFailure, message: &str, retry: &RetryLoop<'_>) -> Error {
        let context = FailureContext {
            message: message.to_owned(),
            bucket: &self.name,
            host: &self.host,
            region: &self.region,
            credentials_source: self.shared.credentials_source(),
            is_reachable: self.shared.reachability.has_responded(),
            attempts: retry.attempts,
            elapsed: retry.elapsed(),
        };
        context.explain(failure)
    }

    /// The error for a response that S3 does not define.
    #[must_use]
    pub fn invalid_response(&self, message: &str, cause: &str) -> Error {
        Error::new(ErrorKind::Protocol, message)
            .cause(format!("{}: {cause}", self.host))
            .hint("check that the store is compatible with S3")
            .context("bucket", self.name.clone())
    }
}
