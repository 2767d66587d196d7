//! One HTTP exchange: sends a request once, and returns a complete successful response or a [`RequestFailure`].
//!
//! All requests pass through this module, those of `object_store` and our own, so all requests are counted and limited
//! in time here. It follows no redirect, because a signature is valid for one host, and it does not retry.
//!
//! Invariant: a returned response has a 2xx status and a complete body.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::StreamExt;
use http::header::CONTENT_LENGTH;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};

use crate::error::{Error, ErrorKind, Result};
use crate::s3::failure::{NetworkFailure, RequestFailure, clock_ahead};
use crate::s3::request_metrics::RequestMetrics;
use crate::s3::settings::StoreSettings;

/// The time limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for the next byte.
const MAX_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The shortest wait for the next byte, also if `--store-patience` is shorter.
const MIN_READ_TIMEOUT: Duration = Duration::from_secs(1);
/// The slowest upload, in bytes per millisecond (64 KB/s).
const MIN_UPLOAD_BYTES_PER_MS: u64 = 64;

/// The limit of memory that is reserved for a body because of its `Content-Length`.
const MAX_PREALLOCATED_BYTES: usize = 64 << 20;

/// The HTTP client of one call.
#[derive(Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
    /// The wait for the next byte: `--store-patience` within its limits.
    read_timeout: Duration,
    metrics: Arc<RequestMetrics>,
    reachability: Arc<Reachability>,
}

/// Whether the store has responded in this call, and the difference of its clock.
#[derive(Debug, Default)]
pub struct Reachability {
    has_responded: AtomicBool,
    clock_ahead: OnceLock<Option<i64>>,
}

impl Reachability {
    /// Whether the store has responded.
    #[must_use]
    pub fn has_responded(&self) -> bool {
        self.has_responded.load(Ordering::Relaxed)
    }

    /// Seconds by which this machine's clock was ahead at the first response; `None` if it had no `Date` header.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<i64> {
        self.clock_ahead.get().copied().flatten()
    }
}

impl HttpTransport {
    /// A client for the endpoint in `settings`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the CA file or the system's certificates cannot be used.
    pub fn new(
        settings: &StoreSettings,
        metrics: Arc<RequestMetrics>,
        reachability: Arc<Reachability>,
    ) -> Result<Self> {
        let unusable = |message: &str, cause: String| Error::new(ErrorKind::Configuration, message).cause(cause);
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(15))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("sparkify-lake/", env!("CARGO_PKG_VERSION")));
        let is_plain_http = settings.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http://"));
        if let Some(path) = &settings.ca_file {
            let pem = std::fs::read(path)
                .map_err(|error| Error::io(ErrorKind::Configuration, "read the CA file", path, &error))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|found| !found.is_empty());
            let certificates = certificates.ok_or_else(|| {
                unusable("the CA file contains no certificate", crate::error::shown(path))
                    .hint("set --ca-file to a file with certificates in PEM format")
            })?;
            builder = builder.tls_certs_merge(certificates);
        } else if is_plain_http {
            // No connection is encrypted, so the system does not need certificates.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            unusable("the certificates for encrypted connections cannot be used", cause)
                .hint("install the system's CA certificates, or set --ca-file")
        })?;
        Ok(Self {
            client,
            read_timeout: settings.patience.clamp(MIN_READ_TIMEOUT, MAX_READ_TIMEOUT),
            metrics,
            reachability,
        })
    }

    async fn exchange(&self, request: HttpRequest) -> std::result::Result<HttpResponse, RequestFailure> {
        let length = request.body().content_length() as u64;
        self.metrics.attempt(request.method(), request.uri().query().unwrap_or_default(), length);
        let is_object_body = request.method() == http::Method::GET && request.uri().query().is_none();
        let response_timeout = self.read_timeout + Duration::from_millis(length / MIN_UPLOAD_BYTES_PER_MS);
        let timeout = |limit: Duration| {
            RequestFailure::Network(NetworkFailure::Timeout, format!("received nothing for {} s", limit.as_secs()))
        };
        let response = tokio::time::timeout(response_timeout, HttpService::call(&self.client, request)).await;
        let response =
            response.map_err(|_| timeout(response_timeout))?.map_err(|error| RequestFailure::from_http(&error))?;
        let (mut head, body) = response.into_parts();
        self.reachability.clock_ahead.get_or_init(|| clock_ahead(&head.headers));
        self.reachability.has_responded.store(true, Ordering::Relaxed);
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let mut received = BytesMut::with_capacity(length.unwrap_or(0).min(MAX_PREALLOCATED_BYTES));
        let mut stream = body.bytes_stream();
        while let Some(chunk) =
            tokio::time::timeout(self.read_timeout, stream.next()).await.map_err(|_| timeout(self.read_timeout))?
        {
            let chunk = chunk.map_err(|error| match RequestFailure::from_http(&error) {
                RequestFailure::Network(NetworkFailure::Broken, message) => RequestFailure::InvalidResponse(message),
                other => other,
            })?;
            self.metrics.received(chunk.len() as u64);
            received.extend_from_slice(&chunk);
        }
        let body = received.freeze();
        if !head.status.is_success() {
            return Err(RequestFailure::from_response(head.status.as_u16(), &head.headers, &body));
        }
        // S3 may send status 200, keep the connection open, and then report an error in the body.
        if !is_object_body && memchr::memmem::find(&body, b"<Error>").is_some() {
            return Err(RequestFailure::from_response(head.status.as_u16(), &head.headers, &body));
        }
        // `object_store` requires the header, also for a chunked response.
        if !head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

#[async_trait]
impl HttpService for HttpTransport {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        // `object_store` does not retry errors of the kind `Unknown`.
        self.exchange(request).await.map_err(|failure| HttpError::new(HttpErrorKind::Unknown, failure))
    }
}

/// Makes `object_store` use our client.
#[derive(Debug)]
pub struct Connector(pub HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}
