//! Requests that the library has no function for: listings page by page with raw keys, deleting on a condition,
//! multipart uploads that end on a condition.
//!
//! They are signed by the library and go through the same wire.
//!
//! Invariant: a request is signed just before it is sent, so a late retry carries a fresh date.

use crate::error::Result as EngineResult;
use crate::s3::retry::RetryLoop;
use aws_lc_rs::digest;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use object_store::CredentialProvider;
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::s3::connection::BucketConnection;
use crate::s3::failure::RequestFailure;

/// What AWS leaves as it is: letters, digits and `-._~`.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same with `/`.
const PATH: &AsciiSet = &STRICT.remove(b'/');

/// A request to a bucket or to a key in it.
#[derive(Debug)]
pub struct Request<'r> {
    method: Method,
    key: &'r str,
    query: Vec<(&'r str, &'r str)>,
    headers: HeaderMap,
    body: Bytes,
}

impl<'r> Request<'r> {
    /// A request; '' is the bucket itself.
    #[must_use]
    pub fn new(method: Method, key: &'r str) -> Self {
        Self { method, key, query: Vec::new(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn query(mut self, name: &'r str, value: &'r str) -> Self {
        self.query.push((name, value));
        self
    }

    /// Adds a header, where the value can stand in one.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Signs and sends it, once.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn send(self, opened: &BucketConnection) -> Result<(HeaderMap, Bytes), RequestFailure> {
        let mut url = opened.url.clone();
        if !self.key.is_empty() {
            url.push('/');
            url.extend(utf8_percent_encode(self.key, PATH));
        }
        for (index, (name, value)) in self.query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.extend(utf8_percent_encode(name, STRICT));
            url.push('=');
            url.extend(utf8_percent_encode(value, STRICT));
        }
        let length = self.body.len();
        let hash = (length > 0).then(|| digest::digest(&digest::SHA256, &self.body));
        let unfit = |_| RequestFailure::Key("there is no URL for this key".to_owned());
        let mut request = HttpRequest::new(self.body.into());
        *request.method_mut() = self.method;
        *request.uri_mut() = url.parse().map_err(unfit)?;
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
        if let Some(provider) = &opened.shared.provider {
            let credential = provider.get_credential().await.map_err(|error| RequestFailure::of(&error))?;
            let authorizer = AwsAuthorizer::new(&credential, "s3", &opened.region);
            let signed = authorizer.try_authorize(&mut request, hash.as_ref().map(AsRef::as_ref));
            signed.map_err(|error| RequestFailure::of(&error))?;
        }
        let answer = opened.shared.http.execute(request).await.map_err(|error| RequestFailure::of_http(&error))?;
        let (head, body) = answer.into_parts();
        let body = body.bytes().await.map_err(|error| RequestFailure::of_http(&error))?;
        Ok((head.headers, body))
    }
}

/// Sends a request until it succeeds or nothing helps.
///
/// # Errors
/// The store's; `doing` is what could not be done.
pub async fn ask<'r>(
    opened: &BucketConnection,
    doing: &str,
    request: impl Fn() -> Request<'r>,
) -> EngineResult<(HeaderMap, Bytes)> {
    let mut effort = RetryLoop::new(&opened.shared);
    loop {
        match effort.attempt(request().send(opened)).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => {
                effort.again(failure).await.map_err(|failure| opened.explain(&failure, doing, &effort))?;
            }
        }
    }
}
