//! What all buckets of a call share: the runtime, the HTTP client, credentials, and limits.

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

/// How often a waiting thread looks whether it should stop.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What all buckets of a call share.
#[derive(Debug)]
pub struct SharedClient {
    /// RunBuffer what waits for the network.
    pub runtime: Handle,
    /// Stops the call.
    pub cancel: Cancel,
    /// How long one operation is tried.
    pub patience: Duration,
    /// Counts requests.
    pub meter: Arc<RequestMetrics>,
    /// Whether anything has answered yet.
    pub reach: Arc<Reachability>,
    /// How many requests may be under way.
    pub limiter: ConcurrencyLimit,
    /// Sends requests.
    pub http: HttpClient,
    /// Signs them; `None` for anonymous access.
    pub provider: Option<Arc<Provider>>,
    /// Whether the runtime has ended.
    pub gone: AtomicBool,
}

impl SharedClient {
    /// Where the credentials come from.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.provider.as_ref().map_or("anonymous", |provider| provider.origin())
    }

    /// Waits for `future`, and no longer than somebody wants it.
    ///
    /// # Errors
    /// Its error, or [`ErrorKind::Interrupted`] soon after a stop was asked for.
    pub fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        if self.gone.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Internal, "a bucket was used after its call had ended"));
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
