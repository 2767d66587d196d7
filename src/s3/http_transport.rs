//! One HTTP exchange: a request goes out once, and either the whole of a good answer comes back or a
//! [`RequestFailure`].
//!
//! Everything passes here, the library's requests and our own, so everything is counted here and waits no longer than
//! here. It follows no redirect (a signature holds for one host) and tries nothing again.
//!
//! Invariant: an answer that leaves is a 2xx with all the bytes that its head promised.

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
use crate::s3::failure::{RequestFailure, Trouble, ahead};
use crate::s3::request_metrics::RequestMetrics;
use crate::s3::settings::StoreSettings;

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long no byte may come.
const SILENCE: Duration = Duration::from_secs(20);
/// How long one may be quiet however little patience there is.
const QUIET: Duration = Duration::from_secs(1);
/// Bytes a millisecond that an upload must manage on average (64 KB/s).
const SLOWEST: u64 = 64;

/// The most that is set aside for a body because its head promises it.
const LARGEST: usize = 64 << 20;

/// The HTTP client of one call.
#[derive(Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
    /// How long no byte may come: no longer than everything together may take.
    silence: Duration,
    meter: Arc<RequestMetrics>,
    reach: Arc<Reachability>,
}

/// Whether anything has answered yet, and what its clock said.
#[derive(Debug, Default)]
pub struct Reachability {
    answered: AtomicBool,
    ahead: OnceLock<Option<i64>>,
}

impl Reachability {
    /// Whether anything has answered.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Seconds by which this machine's clock was ahead at the first answer, where that told the time.
    #[must_use]
    pub fn ahead(&self) -> Option<i64> {
        self.ahead.get().copied().flatten()
    }
}

impl HttpTransport {
    /// A client for the endpoint that `settings` name.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when the CA file or the system's certificates cannot be used.
    pub fn new(settings: &StoreSettings, meter: Arc<RequestMetrics>, reach: Arc<Reachability>) -> Result<Self> {
        let refuse = |message: String, cause: String| Error::new(ErrorKind::Configuration, message).cause(cause);
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(CONNECTING)
            .pool_idle_timeout(Duration::from_secs(15))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("sparkify-lake/", env!("CARGO_PKG_VERSION")));
        let plain = settings.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http://"));
        if let Some(path) = &settings.ca_file {
            let pem = std::fs::read(path)
                .map_err(|error| Error::io(ErrorKind::Configuration, "read the CA file", path, &error))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|found| !found.is_empty());
            let certificates = certificates.ok_or_else(|| {
                refuse("the CA file holds no certificate".to_owned(), crate::error::shown(path))
                    .hint("--ca-file takes certificates in PEM form")
            })?;
            builder = builder.tls_certs_merge(certificates);
        } else if plain {
            // Nothing will be encrypted: the system's certificates need not even exist.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            refuse("the certificates for encrypted connections cannot be used".to_owned(), cause)
                .hint("install the system's CA certificates, or name some with --ca-file")
        })?;
        Ok(Self { client, silence: settings.patience.clamp(QUIET, SILENCE), meter, reach })
    }

    async fn exchange(&self, request: HttpRequest) -> std::result::Result<HttpResponse, RequestFailure> {
        let length = request.body().content_length() as u64;
        self.meter.attempt(request.method(), request.uri().query().unwrap_or_default(), length);
        let is_data = request.method() == http::Method::GET && request.uri().query().is_none();
        let patience = self.silence + Duration::from_millis(length / SLOWEST);
        let silent = |patience: Duration| {
            RequestFailure::Network(Trouble::Silence, format!("nothing came for {} s", patience.as_secs()))
        };
        let answer = tokio::time::timeout(patience, HttpService::call(&self.client, request)).await;
        let answer = answer.map_err(|_| silent(patience))?.map_err(|error| RequestFailure::of_http(&error))?;
        let (mut head, body) = answer.into_parts();
        self.reach.ahead.get_or_init(|| ahead(&head.headers));
        self.reach.answered.store(true, Ordering::Relaxed);
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let mut whole = BytesMut::with_capacity(length.unwrap_or(0).min(LARGEST));
        let mut stream = body.bytes_stream();
        while let Some(chunk) =
            tokio::time::timeout(self.silence, stream.next()).await.map_err(|_| silent(self.silence))?
        {
            let chunk = chunk.map_err(|error| match RequestFailure::of_http(&error) {
                RequestFailure::Network(Trouble::Broken, words) => RequestFailure::Garbled(words),
                other => other,
            })?;
            self.meter.received(chunk.len() as u64);
            whole.extend_from_slice(&chunk);
        }
        let body = whole.freeze();
        if !head.status.is_success() {
            return Err(RequestFailure::answer(head.status.as_u16(), &head.headers, &body));
        }
        // S3 may say 200, keep the connection busy and only then fail.
        if !is_data && memchr::memmem::find(&body, b"<Error>").is_some() {
            return Err(RequestFailure::answer(head.status.as_u16(), &head.headers, &body));
        }
        // The library wants a length even where chunks told it.
        if !head.headers.contains_key(CONTENT_LENGTH) {
            head.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

#[async_trait]
impl HttpService for HttpTransport {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        // `Unknown` is what the library leaves alone.
        self.exchange(request).await.map_err(|failure| HttpError::new(HttpErrorKind::Unknown, failure))
    }
}

/// Gives the library our client.
#[derive(Debug)]
pub struct Connector(pub HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}
