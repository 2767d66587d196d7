//! The state that all buckets of a call share: the runtime, the HTTP client, the credentials, and the limits.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use object_store::client::HttpClient;
use tokio::runtime::Handle;

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::cancel::Cancel;
use crate::s3::adaptive_concurrency::ConcurrencyLimit;
use crate::s3::credentials::Provider;
use crate::s3::http_transport::Reachability;
use crate::s3::request_metrics::RequestMetrics;

/// The interval at which a waiting thread checks the cancel flag.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The state that all buckets of a call share.
#[derive(Debug)]
pub struct SharedClient {
    /// Runs the requests.
    pub runtime: Handle,
    /// The flag that stops the call.
    pub cancel: Cancel,
    /// How long to keep retrying an operation.
    pub patience: Duration,
    /// The request counters.
    pub metrics: Arc<RequestMetrics>,
    /// Whether the store has responded yet.
    pub reachability: Arc<Reachability>,
    /// The limit of concurrent requests.
    pub concurrency: ConcurrencyLimit,
    /// The HTTP client.
    pub http: HttpClient,
    /// The credentials for signing; `None` for anonymous access.
    pub provider: Option<Arc<Provider>>,
    /// Whether the runtime was shut down.
    pub is_shut_down: AtomicBool,
}

impl SharedClient {
    /// The source of the credentials.
    #[must_use]
    pub fn credentials_source(&self) -> &str {
        self.provider.as_ref().map_or("anonymous", |provider| provider.source())
    }

    /// Waits for `future`, or until a stop is requested.
    ///
    /// # Errors
    /// The error of `future`, or [`ErrorKind::Interrupted`] within [`POLL_INTERVAL`] after a stop was requested.
    pub fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        if self.is_shut_down.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Internal, "a bucket was used after the end of its call"));
        }
        self.runtime.block_on(async {
            let stopped = async {
                loop {
                    if let Err(error) = self.cancel.check() {
                        return error;
                    }
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            };
            match select(pin!(future), pin!(stopped)).await {
                Either::Left((result, _)) => result,
                Either::Right((error, _)) => Err(error),
            }
        })
    }
}
