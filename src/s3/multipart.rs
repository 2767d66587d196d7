//! A large object, sent in parts, of which nothing is seen before the last step.
//!
//! The condition holds at that last step, where S3 checks it. A store that ignores it there is found out by the doctor,
//! not here.
//!
//! Invariant: an upload that fails is aborted, unless the store is out of reach or the call was stopped.

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::Method;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::s3::connection::BucketConnection;
use crate::s3::object::{Put, Tag};
use crate::s3::retry::RetryLoop;
use crate::s3::signed_request::{self, Request};

/// Bytes of a part.
const PART: usize = 16 << 20;
/// Parts under way at once.
const AT_ONCE: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Begun {
    upload_id: String,
}

#[derive(Deserialize)]
struct Ended {
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

/// What became of the last step.
#[derive(Debug)]
pub enum End {
    /// The object is there.
    Done(Tag),
    /// The condition did not hold.
    Refused,
    /// The upload is over, and an answer was lost on the way.
    Unclear,
}

/// Sends `body` in parts; `doing` is what errors say could not be done.
///
/// # Errors
/// The store's.
pub async fn upload(opened: &BucketConnection, key: &str, body: &Bytes, put: Put<'_>, doing: &str) -> Result<End> {
    let first = || Request::new(Method::POST, key).query("uploads", "").header("x-amz-checksum-algorithm", "SHA256");
    let (_, answer) = signed_request::ask(opened, doing, first).await?;
    let begun: Begun =
        quick_xml::de::from_reader(&*answer).map_err(|_| opened.senseless(doing, "an upload has no id"))?;
    let id = begun.upload_id.as_str();
    let ended = match send_parts(opened, key, id, body, doing).await {
        Ok(parts) => end(opened, key, id, parts, put, doing).await,
        Err(error) => Err(error),
    };
    if !matches!(ended, Ok(End::Done(_) | End::Unclear)) {
        // Whether this works or not: what counts has failed already.
        let _ = signed_request::ask(opened, doing, || Request::new(Method::DELETE, key).query("uploadId", id)).await;
    }
    ended
}

async fn send_parts(opened: &BucketConnection, key: &str, id: &str, body: &Bytes, doing: &str) -> Result<Vec<Part>> {
    let parts = (0..body.len().div_ceil(PART)).map(|index| {
        let part = body.slice(index * PART..((index + 1) * PART).min(body.len()));
        async move {
            let number = (index + 1).to_string();
            let checksum = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, &part));
            let send = || {
                let request = Request::new(Method::PUT, key).query("partNumber", &number).query("uploadId", id);
                request.header("x-amz-checksum-sha256", &checksum).body(part.clone())
            };
            let (headers, _) = signed_request::ask(opened, doing, send).await?;
            let tag = headers.get(http::header::ETAG).and_then(|tag| tag.to_str().ok());
            let tag = tag.ok_or_else(|| opened.senseless(doing, "a part has no ETag"))?.to_owned();
            Ok(Part { number: index + 1, tag, checksum })
        }
    });
    futures_util::stream::iter(parts).buffered(AT_ONCE).try_collect().await
}

async fn end(
    opened: &BucketConnection,
    key: &str,
    id: &str,
    parts: Vec<Part>,
    put: Put<'_>,
    doing: &str,
) -> Result<End> {
    let xml = quick_xml::se::to_string(&Complete { parts });
    let xml = Bytes::from(xml.map_err(|_| opened.senseless(doing, "the list of parts cannot be written"))?);
    let mut effort = RetryLoop::new(&opened.shared);
    loop {
        let request = Request::new(Method::POST, key).query("uploadId", id).body(xml.clone());
        let request = match put {
            Put::Always => request,
            Put::Create => request.header("if-none-match", "*"),
            Put::Replace(tag) => request.header("if-match", &tag.0),
        };
        match effort.attempt(request.send(opened)).await {
            Ok((_, answer)) => {
                let ended: Result<Ended, _> = quick_xml::de::from_reader(&*answer);
                return ended.map(|ended| End::Done(Tag::spelled(&ended.tag))).or(Ok(End::Unclear));
            }
            Err(failure) if effort.unclear && (failure.is_over() || failure.is_refused()) => return Ok(End::Unclear),
            Err(failure) if failure.is_refused() => return Ok(End::Refused),
            // What was to be replaced is gone.
            Err(failure) if failure.is_absent() && !failure.is_over() && matches!(put, Put::Replace(_)) => {
                return Ok(End::Refused);
            }
            Err(failure) => effort.again(failure).await.map_err(|failure| opened.explain(&failure, doing, &effort))?,
        }
    }
}
