//! The object stores of one call: the runtime, the credentials and the buckets, opened when they are first needed.
//!
//! Invariant: a call without a bucket starts no runtime, looks up no credentials and opens no connection.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpRequest};
use object_store::{BackoffConfig, RetryConfig};
use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Handle, Runtime};

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::cancel::Cancel;
use crate::s3::adaptive_concurrency::ConcurrencyLimit;
use crate::s3::aws_settings::AwsEnvironment;
use crate::s3::bucket::Bucket;
use crate::s3::bucket_url::{aws_endpoint, bucket_url};
use crate::s3::client::SharedClient;
use crate::s3::connection::BucketConnection;
use crate::s3::credentials::Provider;
use crate::s3::failure::RequestFailure;
use crate::s3::http_transport::{Connector, HttpTransport, Reachability};
use crate::s3::request_metrics::{RequestMetrics, Usage};
use crate::s3::settings::StoreSettings;

/// How long the end of a call waits for unfinished requests.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(100);
/// How long an idle thread that looks up names is kept: longer than any call.
const BLOCKING_THREAD_KEEP_ALIVE: Duration = Duration::from_secs(30 * 86_400);
/// The limit of threads that send and receive.
const MAX_WORKER_THREADS: usize = 4;
/// The region that requests to another store than AWS are signed for, and to AWS if no other region is known.
const DEFAULT_REGION: &str = "us-east-1";

#[derive(Debug, Default)]
struct State {
    runtime: Option<Runtime>,
    shared: Option<Arc<SharedClient>>,
    buckets: BTreeMap<String, Bucket>,
}

/// The object stores of a call. After it is dropped, unfinished requests are canceled and its buckets cannot be used.
#[derive(Debug)]
pub struct Stores {
    settings: StoreSettings,
    cancel: Cancel,
    metrics: Arc<RequestMetrics>,
    state: Mutex<State>,
}

impl Stores {
    /// The stores of a call; none is opened yet.
    #[must_use]
    pub fn new(settings: &StoreSettings, cancel: &Cancel) -> Self {
        Self { settings: settings.clone(), cancel: cancel.clone(), metrics: Arc::default(), state: Mutex::default() }
    }

    /// Opens a bucket, or returns the one that was opened with this name.
    ///
    /// # Errors
    /// [`ErrorKind::Access`] without credentials, [`ErrorKind::Configuration`] if the region or the endpoint is wrong.
    pub fn open(&self, bucket: &str) -> Result<Bucket> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = state.buckets.get(bucket) {
            return Ok(opened.clone());
        }
        let is_allowed = bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !is_allowed || bucket.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, format!("{bucket:?} is not a valid bucket name"))
                .hint("write s3://bucket/folder; a bucket name has only letters, digits, - and ."));
        }
        self.check_endpoint()?;
        if state.runtime.is_none() {
            state.runtime = Some(runtime()?);
        }
        let shared = match (&state.shared, &state.runtime) {
            (Some(shared), _) => Arc::clone(shared),
            (None, Some(runtime)) => Arc::new(self.connect(runtime.handle())?),
            (None, None) => return Err(Error::new(ErrorKind::Internal, "the runtime of the store client is missing")),
        };
        state.shared = Some(Arc::clone(&shared));
        let region = shared.wait(self.region(bucket, &shared))?;
        let url = bucket_url(&self.settings, bucket, &region);
        let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&region)
            // The URL already contains the bucket.
            .with_endpoint(&url)
            .with_virtual_hosted_style_request(true)
            .with_request_payer(self.settings.objects.requester_pays)
            .with_http_connector(Connector(shared.http.clone()))
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 0,
                retry_timeout: Duration::ZERO,
            });
        builder = match &shared.provider {
            Some(provider) => builder.with_credentials(Arc::clone(provider) as _),
            None => builder.with_skip_signature(true),
        };
        let object_store = builder.build().map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("bucket {bucket} cannot be opened"))
                .cause(RequestFailure::from_object_store(&error).to_string())
                .hint("check the bucket's name, --region and --endpoint-url")
        })?;
        let opened = Bucket::new(BucketConnection {
            name: bucket.to_owned(),
            url,
            host,
            region,
            objects: self.settings.objects.clone(),
            object_store,
            shared,
        });
        state.buckets.insert(bucket.to_owned(), opened.clone());
        Ok(opened)
    }

    /// The request counts so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.metrics.usage()
    }

    /// The source of the credentials; `None` if none have been needed yet.
    #[must_use]
    pub fn credentials(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shared.as_ref().map(|shared| shared.credentials_source().to_owned())
    }

    /// Refuses an endpoint with `http://` unless it is allowed.
    fn check_endpoint(&self) -> Result<()> {
        let is_plain = self.settings.endpoint_url.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        if is_plain && !self.settings.allow_http {
            return Err(Error::new(ErrorKind::Configuration, "endpoint_url is http://, which is not allowed")
                .cause("requests and data would be sent without encryption")
                .hint("use https://, or set --allow-http for a store on this machine or in a trusted network"));
        }
        Ok(())
    }

    fn connect(&self, runtime: &Handle) -> Result<SharedClient> {
        let reachability = Arc::new(Reachability::default());
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let transport = HttpTransport::new(&self.settings, Arc::clone(&self.metrics), Arc::clone(&reachability))?;
        let mut shared = SharedClient {
            runtime: runtime.clone(),
            cancel: self.cancel.clone(),
            patience: self.settings.patience,
            metrics: Arc::clone(&self.metrics),
            reachability,
            concurrency: ConcurrencyLimit::new(usize::try_from(files).unwrap_or(usize::MAX)),
            http: HttpClient::new(transport),
            provider: None,
            is_shut_down: AtomicBool::new(false),
        };
        if !self.settings.anonymous {
            shared.provider = Some(Arc::new(shared.wait(Provider::look_up(&self.settings))?));
        }
        Ok(shared)
    }

    /// The region to sign for: that of the settings, the bucket's own, or that of the environment or the profile.
    async fn region(&self, bucket: &str, shared: &SharedClient) -> Result<String> {
        if let Some(region) = &self.settings.region {
            return Ok(region.clone());
        }
        if self.settings.endpoint_url.is_none()
            && let Some(region) = self.region_of(bucket, shared).await
        {
            return Ok(region);
        }
        let configured = AwsEnvironment::load(self.settings.profile.as_deref()).await.region();
        Ok(configured.unwrap_or_else(|| DEFAULT_REGION.to_owned()))
    }

    /// The bucket's region, which S3 reports to every client, with or without permissions.
    async fn region_of(&self, bucket: &str, shared: &SharedClient) -> Option<String> {
        let mut request = HttpRequest::new(Bytes::new().into());
        *request.method_mut() = Method::HEAD;
        let endpoint = aws_endpoint(&self.settings, DEFAULT_REGION);
        *request.uri_mut() = format!("{endpoint}/{bucket}").parse().ok()?;
        match shared.http.execute(request).await {
            Ok(response) => response.headers().get("x-amz-bucket-region")?.to_str().ok().map(str::to_owned),
            Err(error) => RequestFailure::from_http(&error).region(),
        }
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = &state.shared {
            shared.is_shut_down.store(true, Ordering::Relaxed);
        }
        if let Some(runtime) = state.runtime.take() {
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        }
    }
}

fn runtime() -> Result<Runtime> {
    let threads = crate::runtime::threads::available().min(MAX_WORKER_THREADS);
    // One more for looking up the host's name.
    crate::runtime::threads::must_be_available(threads + 1)?;
    let built = crate::runtime::threads::start_library(move || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("sparkify-store")
            .thread_keep_alive(BLOCKING_THREAD_KEEP_ALIVE)
            .enable_all()
            .build()
    })?;
    let failed = |error| Error::io_unnamed(ErrorKind::Storage, "start the threads for network requests", &error);
    let runtime = built.map_err(failed)?;
    // Tokio panics if it cannot start the first of the threads that look up names, but not if it cannot start more. So
    // the first one is started here, and kept.
    if catch_unwind(AssertUnwindSafe(|| drop(runtime.spawn_blocking(|| ())))).is_err() {
        // Dropping it would wait for the thread that does not exist.
        runtime.shutdown_background();
        return Err(failed(std::io::ErrorKind::WouldBlock.into()));
    }
    Ok(runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_starts_before_a_bucket_is_named() {
        let stores = Stores::new(&StoreSettings::default(), &Cancel::default());
        assert_eq!(stores.credentials(), None);
        assert_eq!(stores.usage(), Usage::default());
        assert!(stores.state.lock().unwrap().runtime.is_none());
    }

    #[test]
    fn plain_http_must_be_allowed() {
        let settings =
            StoreSettings { endpoint_url: Some("http://127.0.0.1:9".to_owned()), ..StoreSettings::default() };
        let error = Stores::new(&settings, &Cancel::default()).open("b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
