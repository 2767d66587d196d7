//! The object stores of one call: runtime, credentials and buckets, opened when first needed.
//!
//! Invariant: a call that names no bucket starts no runtime, looks for no credentials and opens no connection.

use crate::s3::client::SharedClient;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::client::{HttpClient, HttpRequest};
use object_store::{BackoffConfig, RetryConfig};
use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Handle, Runtime};

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::cancel::Cancel;
use crate::s3::adaptive_concurrency::ConcurrencyLimit;
use crate::s3::bucket::Bucket;
use crate::s3::connection::BucketConnection;
use crate::s3::credentials::{Provider, ambient_region};
use crate::s3::failure::RequestFailure;
use crate::s3::http_transport::{Connector, HttpTransport, Reachability};
use crate::s3::request_metrics::RequestMetrics;
use crate::s3::request_metrics::Usage;
use crate::s3::settings::StoreSettings;

/// How long the end of a call waits for what is still under way.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(100);
/// Threads that wait for sockets; more would take turns.
const WORKERS: usize = 4;
/// Where a custom store is, as far as signatures go, and AWS when nothing says otherwise.
const DEFAULT_REGION: &str = "us-east-1";

#[derive(Debug, Default)]
struct State {
    runtime: Option<Runtime>,
    shared: Option<Arc<SharedClient>>,
    buckets: BTreeMap<String, Bucket>,
}

/// Everything remote that a call may touch. Dropping it ends all that is still under way, and its buckets' use.
#[derive(Debug)]
pub struct Stores {
    settings: StoreSettings,
    cancel: Cancel,
    meter: Arc<RequestMetrics>,
    state: Mutex<State>,
}

impl Stores {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(settings: &StoreSettings, cancel: &Cancel) -> Self {
        Self { settings: settings.clone(), cancel: cancel.clone(), meter: Arc::default(), state: Mutex::default() }
    }

    /// Opens a bucket; the same one for the same name.
    ///
    /// # Errors
    /// [`ErrorKind::Access`] without credentials, [`ErrorKind::Configuration`] when region or endpoint do not fit.
    pub fn open(&self, bucket: &str) -> Result<Bucket> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = state.buckets.get(bucket) {
            return Ok(opened.clone());
        }
        let fits = bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !fits || bucket.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, format!("{bucket:?} is no bucket's name"))
                .hint("a bucket's name has letters, digits, - and . only"));
        }
        let endpoint = self.endpoint()?;
        if state.runtime.is_none() {
            state.runtime = Some(runtime()?);
        }
        let shared = match (&state.shared, &state.runtime) {
            (Some(shared), _) => Arc::clone(shared),
            (None, Some(runtime)) => Arc::new(self.share(runtime.handle())?),
            (None, None) => return Err(Error::new(ErrorKind::Internal, "the runtime is gone")),
        };
        state.shared = Some(Arc::clone(&shared));
        let region = shared.wait(self.region(bucket, &shared))?;
        let url = match endpoint {
            Some(endpoint) => format!("{endpoint}/{bucket}"),
            None => aws_url(bucket, &region),
        };
        let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&region)
            // Ours is the bucket's own URL already.
            .with_endpoint(&url)
            .with_virtual_hosted_style_request(true)
            .with_checksum_algorithm(Checksum::SHA256)
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
        let library = builder.build().map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("bucket {bucket} cannot be opened"))
                .cause(RequestFailure::of(&error).to_string())
        })?;
        let opened = Bucket::new(BucketConnection { name: bucket.to_owned(), url, host, region, library, shared });
        state.buckets.insert(bucket.to_owned(), opened.clone());
        Ok(opened)
    }

    /// What was asked so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }

    /// Where the credentials came from; `None` while none were needed.
    #[must_use]
    pub fn credentials(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shared.as_ref().map(|shared| shared.origin().to_owned())
    }

    /// The endpoint without a slash at its end; plain HTTP only where it was allowed.
    fn endpoint(&self) -> Result<Option<&str>> {
        let Some(endpoint) = self.settings.endpoint_url.as_deref() else { return Ok(None) };
        if endpoint.starts_with("http://") && !self.settings.allow_http {
            return Err(Error::new(
                ErrorKind::Configuration,
                "endpoint_url is plain HTTP: everybody on the way could read along",
            )
            .hint("use https://, or add --allow-http for a store on this machine or network"));
        }
        Ok(Some(endpoint.trim_end_matches('/')))
    }

    fn share(&self, runtime: &Handle) -> Result<SharedClient> {
        let reach = Arc::new(Reachability::default());
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let wire = HttpTransport::new(&self.settings, Arc::clone(&self.meter), Arc::clone(&reach))?;
        let mut shared = SharedClient {
            runtime: runtime.clone(),
            cancel: self.cancel.clone(),
            patience: self.settings.patience,
            meter: Arc::clone(&self.meter),
            reach,
            limiter: ConcurrencyLimit::new(usize::try_from(files).unwrap_or(usize::MAX)),
            http: HttpClient::new(wire),
            provider: None,
            gone: AtomicBool::new(false),
        };
        if !self.settings.anonymous {
            shared.provider = Some(Arc::new(shared.wait(Provider::find(&self.settings))?));
        }
        Ok(shared)
    }

    /// The region to sign for: what was said, else the bucket's own, else what the surroundings say.
    async fn region(&self, bucket: &str, shared: &SharedClient) -> Result<String> {
        if let Some(region) = &self.settings.region {
            return Ok(region.clone());
        }
        if self.settings.endpoint_url.is_some() {
            return Ok(DEFAULT_REGION.to_owned());
        }
        let own = own_region(bucket, shared).await;
        let ambient = ambient_region(self.settings.profile.as_deref());
        match own {
            Some(region) => Ok(region),
            None => Ok(ambient.await.unwrap_or_else(|| DEFAULT_REGION.to_owned())),
        }
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = &state.shared {
            shared.gone.store(true, Ordering::Relaxed);
        }
        if let Some(runtime) = state.runtime.take() {
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        }
    }
}

fn runtime() -> Result<Runtime> {
    let workers = crate::runtime::threads::available().min(WORKERS);
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("sparkify-store")
        .enable_all()
        .build();
    built.map_err(|error| Error::io_unnamed(ErrorKind::Storage, "start the threads for the network", &error))
}

/// What S3 says to everybody, whatever they may read: the bucket's region.
async fn own_region(bucket: &str, shared: &SharedClient) -> Option<String> {
    let mut request = HttpRequest::new(Bytes::new().into());
    *request.method_mut() = Method::HEAD;
    *request.uri_mut() = format!("https://s3.amazonaws.com/{bucket}").parse().ok()?;
    match shared.http.execute(request).await {
        Ok(answer) => answer.headers().get("x-amz-bucket-region")?.to_str().ok().map(str::to_owned),
        Err(error) => RequestFailure::of_http(&error).region(),
    }
}

/// The bucket's URL in AWS: its own host, except where a dot in the name would break the certificate.
fn aws_url(bucket: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    if bucket.contains('.') {
        format!("https://s3.{region}.{domain}/{bucket}")
    } else {
        format!("https://{bucket}.s3.{region}.{domain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_aws() {
        assert_eq!(aws_url("b", "eu-west-1"), "https://b.s3.eu-west-1.amazonaws.com");
        assert_eq!(aws_url("a.b", "us-east-1"), "https://s3.us-east-1.amazonaws.com/a.b");
        assert_eq!(aws_url("b", "cn-north-1"), "https://b.s3.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn nothing_starts_before_a_bucket_is_named() {
        let stores = Stores::new(&StoreSettings::default(), &Cancel::default());
        assert_eq!(stores.credentials(), None);
        assert_eq!(stores.usage(), Usage::default());
        assert!(stores.state.lock().unwrap().runtime.is_none());
    }

    #[test]
    fn plain_http_wants_a_word() {
        let settings =
            StoreSettings { endpoint_url: Some("http://127.0.0.1:9".to_owned()), ..StoreSettings::default() };
        let error = Stores::new(&settings, &Cancel::default()).open("b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
