//! Multipart uploads: a large object is sent in parts and becomes visible when the upload is completed.
//!
//! The store checks the condition of the write when it completes the upload. A store that ignores the condition there
//! is detected by `doctor`.
//!
//! Invariant: a failed upload is aborted, unless the store is unreachable or the call was stopped.

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::Method;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::s3::connection::BucketConnection;
use crate::s3::fence::Fence;
use crate::s3::object::{Put, Tag};
use crate::s3::retry::RetryLoop;
use crate::s3::signed_request::{self, Request};

/// The size of a part; the last one may be smaller.
const PART_BYTES: usize = 16 << 20;
/// The limit of parts that are sent at the same time.
const MAX_PARTS_IN_FLIGHT: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateResult {
    upload_id: String,
}

#[derive(Deserialize)]
struct CompleteResult {
    #[serde(rename = "ETag")]
    tag: String,
}

#[derive(Serialize)]
#[serde(rename = "CompleteMultipartUpload")]
struct Complete {
    #[serde(rename = "Part")]
    parts: Vec<Part>,
}

#[derive(Clone, Serialize)]
struct Part {
    #[serde(rename = "PartNumber")]
    number: usize,
    #[serde(rename = "ETag")]
    tag: String,
    #[serde(rename = "ChecksumSHA256")]
    checksum: String,
}

/// The result of an upload.
#[derive(Debug)]
pub enum UploadEnd {
    /// The object was written.
    Done(Tag),
    /// The condition was not met.
    Refused,
    /// A response was lost, so the result is unknown.
    Unknown,
}

/// Sends `body` in parts; `message` is the message of an error.
///
/// # Errors
/// Any error of the store.
pub async fn upload(
    connection: &BucketConnection,
    fence: Option<&Fence>,
    key: &str,
    body: &Bytes,
    put: Put<'_>,
    message: &str,
) -> Result<UploadEnd> {
    let create = || {
        let request = Request::new(Method::POST, key).query("uploads", "");
        request.header("x-amz-checksum-algorithm", "SHA256").creating(connection)
    };
    let (_, response) = signed_request::send_with_retries(connection, message, create).await?;
    let created: CreateResult = quick_xml::de::from_reader(&*response)
        .map_err(|_| connection.invalid_response(message, "the response to the start of an upload has no upload ID"))?;
    let upload = Upload { connection, fence, key, id: &created.upload_id, message };
    let ended = match upload.send_parts(body).await {
        Ok(parts) => upload.complete(parts, put).await,
        Err(error) => Err(error),
    };
    if !matches!(ended, Ok(UploadEnd::Done(_) | UploadEnd::Unknown)) {
        upload.abort().await;
    }
    ended
}

/// A multipart upload that was started.
struct Upload<'u> {
    connection: &'u BucketConnection,
    /// The fence that the completion has to pass; parts are not visible.
    fence: Option<&'u Fence>,
    key: &'u str,
    id: &'u str,
    message: &'u str,
}

impl Upload<'_> {
    async fn send_parts(&self, body: &Bytes) -> Result<Vec<Part>> {
        let parts = (0..body.len().div_ceil(PART_BYTES)).map(|index| {
            let part = body.slice(index * PART_BYTES..((index + 1) * PART_BYTES).min(body.len()));
            self.send_part(index + 1, part)
        });
        futures_util::stream::iter(parts).buffered(MAX_PARTS_IN_FLIGHT).try_collect().await
    }

    async fn send_part(&self, number: usize, part: Bytes) -> Result<Part> {
        let part_number = number.to_string();
        let checksum = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, &part));
        let send = || {
            let request = Request::new(Method::PUT, self.key);
            let request = request.query("partNumber", &part_number).query("uploadId", self.id);
            request.header("x-amz-checksum-sha256", &checksum).body(part.clone())
        };
        let (headers, _) = signed_request::send_with_retries(self.connection, self.message, send).await?;
        let tag = headers.get(http::header::ETAG).and_then(|tag| tag.to_str().ok());
        let tag = tag.ok_or_else(|| self.invalid_response("the response to a part has no ETag"))?.to_owned();
        Ok(Part { number, tag, checksum })
    }

    async fn complete(&self, parts: Vec<Part>, put: Put<'_>) -> Result<UploadEnd> {
        let xml = quick_xml::se::to_string(&Complete { parts });
        let xml = Bytes::from(xml.map_err(|_| self.invalid_response("an ETag of a part cannot be written as XML"))?);
        let mut retry = RetryLoop::new(&self.connection.shared);
        loop {
            let request = Request::new(Method::POST, self.key).query("uploadId", self.id).body(xml.clone());
            let request = match put {
                Put::Always => request,
                Put::Create => request.header("if-none-match", "*"),
                Put::Replace(tag) => request.header("if-match", &tag.0),
            };
            let attempt = async {
                if let Some(fence) = self.fence {
                    fence.pass(self.connection).await?;
                }
                request.send(self.connection).await
            };
            let failure = match retry.attempt(attempt).await {
                Ok((_, response)) => {
                    let completed: Result<CompleteResult, _> = quick_xml::de::from_reader(&*response);
                    return Ok(completed.map_or(UploadEnd::Unknown, |ended| UploadEnd::Done(Tag::spelled(&ended.tag))));
                }
                Err(failure) => failure,
            };
            if retry.may_have_succeeded && (failure.is_missing_upload() || failure.is_failed_condition()) {
                return Ok(UploadEnd::Unknown);
            }
            let is_replaced_object_missing =
                matches!(put, Put::Replace(_)) && failure.is_missing_object() && !failure.is_missing_upload();
            if failure.is_failed_condition() || is_replaced_object_missing {
                return Ok(UploadEnd::Refused);
            }
            let failed = retry.pause_or_fail(failure).await;
            failed.map_err(|failure| self.connection.explain(&failure, self.message, &retry))?;
        }
    }

    async fn abort(&self) {
        let abort = || Request::new(Method::DELETE, self.key).query("uploadId", self.id);
        // The result does not matter: the upload has already failed.
        let _ = signed_request::send_with_retries(self.connection, self.message, abort).await;
    }

    fn invalid_response(&self, cause: &str) -> Error {
        self.connection.invalid_response(self.message, cause)
    }
}
