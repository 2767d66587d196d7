//! Requests that `object_store` has no function for: listings with unmodified keys, conditional deletes, and multipart
//! uploads with a condition.
//!
//! `object_store` signs them, and they use the same [`crate::s3::http_transport`].
//!
//! Invariant: a request is signed just before it is sent, so a late retry has a new date.

use aws_lc_rs::digest;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use object_store::CredentialProvider;
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::Result as EngineResult;
use crate::s3::connection::BucketConnection;
use crate::s3::failure::RequestFailure;
use crate::s3::retry::RetryLoop;

/// The characters that AWS percent-encodes in a query: all except letters, digits and `-._~`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The characters that AWS percent-encodes in a path: the same, except `/`.
const PATH: &AsciiSet = &QUERY.remove(b'/');

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
    /// A request for a key; the empty key is the bucket itself.
    #[must_use]
    pub fn new(method: Method, key: &'r str) -> Self {
        Self { method, key, query: Vec::new(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn query(mut self, name: &'r str, value: &'r str) -> Self {
        self.query.push((name, value));
        self
    }

    /// Adds a header. A value that is not allowed in a header is ignored.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Adds the headers of a request that creates an object: its encryption, storage class and access control.
    #[must_use]
    pub fn creating(mut self, connection: &BucketConnection) -> Self {
        for (name, value) in connection.objects.headers() {
            self = self.header(name, value);
        }
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Signs the request and sends it once.
    ///
    /// # Errors
    /// The failure of the attempt.
    pub async fn send(self, connection: &BucketConnection) -> Result<(HeaderMap, Bytes), RequestFailure> {
        let mut url = connection.url.clone();
        if !self.key.is_empty() {
            url.push('/');
            url.extend(utf8_percent_encode(self.key, PATH));
        }
        for (index, (name, value)) in self.query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.extend(utf8_percent_encode(name, QUERY));
            url.push('=');
            url.extend(utf8_percent_encode(value, QUERY));
        }
        let length = self.body.len();
        let hash = (length > 0).then(|| digest::digest(&digest::SHA256, &self.body));
        let unsupported = |_| RequestFailure::UnsupportedKey("the key cannot be written as a URL".to_owned());
        let mut request = HttpRequest::new(self.body.into());
        *request.method_mut() = self.method;
        *request.uri_mut() = url.parse().map_err(unsupported)?;
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
        if connection.objects.requester_pays {
            request.headers_mut().insert("x-amz-request-payer", HeaderValue::from_static("requester"));
        }
        if let Some(provider) = &connection.shared.provider {
            let credential =
                provider.get_credential().await.map_err(|error| RequestFailure::from_object_store(&error))?;
            let authorizer = AwsAuthorizer::new(&credential, "s3", &connection.region);
            let signed = authorizer.try_authorize(&mut request, hash.as_ref().map(AsRef::as_ref));
            signed.map_err(|error| RequestFailure::from_object_store(&error))?;
        }
        let response =
            connection.shared.http.execute(request).await.map_err(|error| RequestFailure::from_http(&error))?;
        let (head, body) = response.into_parts();
        let body = body.bytes().await.map_err(|error| RequestFailure::from_http(&error))?;
        Ok((head.headers, body))
    }
}

/// Sends a request, with retries; `message` is the message of an error.
///
/// # Errors
/// Any error of the store.
pub async fn send_with_retries<'r>(
    connection: &BucketConnection,
    message: &str,
    request: impl Fn() -> Request<'r>,
) -> EngineResult<(HeaderMap, Bytes)> {
    let mut retry = RetryLoop::new(&connection.shared);
    loop {
        match retry.attempt(request().send(connection)).await {
            Ok(response) => return Ok(response),
            Err(failure) => {
                retry.pause_or_fail(failure).await.map_err(|failure| connection.explain(&failure, message, &retry))?;
            }
        }
    }
}
