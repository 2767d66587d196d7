//! The retries of one operation: until it succeeds, cannot succeed, or `--store-patience` has passed.
//!
//! The [`Remedy`] of a failure decides whether and how to retry.
//!
//! Invariant: every attempt holds a permit of the concurrency limit; a pause between two attempts holds none.

use std::time::{Duration, Instant};

use crate::s3::client::SharedClient;
use crate::s3::failure::{Remedy, RequestFailure};

/// The first pause. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The limit of a pause.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// The limit of attempts while no server has responded in this call.
const MAX_CONNECT_ATTEMPTS: u32 = 3;

/// The attempts of one operation.
#[derive(Debug)]
pub struct RetryLoop<'s> {
    shared: &'s SharedClient,
    started: Instant,
    /// The number of attempts so far.
    pub attempts: u32,
    /// Whether the store may have executed an attempt that failed.
    pub may_have_succeeded: bool,
    renewed_credentials: bool,
    /// The generation of the credentials of the last attempt.
    generation: u64,
}

impl<'s> RetryLoop<'s> {
    /// Starts an operation.
    #[must_use]
    pub fn new(shared: &'s SharedClient) -> Self {
        Self {
            shared,
            started: Instant::now(),
            attempts: 0,
            may_have_succeeded: false,
            renewed_credentials: false,
            generation: 0,
        }
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// The failure of the attempt.
    pub async fn attempt<T>(
        &mut self,
        request: impl Future<Output = Result<T, RequestFailure>>,
    ) -> Result<T, RequestFailure> {
        self.attempts += 1;
        let permit = self.shared.concurrency.permit().await;
        self.generation = self.shared.provider.as_ref().map_or(0, |provider| provider.generation());
        let result = request.await;
        match result.as_ref().map_err(RequestFailure::remedy) {
            Ok(_) => self.shared.concurrency.succeeded(),
            Err(Remedy::SlowDown) => {
                self.shared.metrics.throttled();
                self.shared.concurrency.throttled();
            }
            Err(_) => {}
        }
        drop(permit);
        result
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The failure itself, if there should be no further attempt.
    pub async fn pause_or_fail(&mut self, failure: RequestFailure) -> Result<(), RequestFailure> {
        match failure.remedy() {
            Remedy::None => return Err(failure),
            Remedy::RenewCredentials => {
                let provider = self.shared.provider.as_ref().filter(|_| !self.renewed_credentials);
                self.renewed_credentials = true;
                match provider {
                    Some(provider) if provider.renew(self.generation).await => {}
                    _ => return Err(failure),
                }
            }
            Remedy::Retry | Remedy::SlowDown => {
                let has_responded = self.shared.reachability.has_responded();
                let pause = self.next_pause();
                let is_too_late = self.started.elapsed() + pause > self.shared.patience;
                let is_wrong_host = failure.is_unreachable() && !has_responded && self.attempts >= MAX_CONNECT_ATTEMPTS;
                if is_too_late || self.shared.cancel.is_cancelled() || is_wrong_host {
                    return Err(failure);
                }
                tokio::time::sleep(pause).await;
            }
        }
        self.may_have_succeeded |= failure.may_have_succeeded();
        self.shared.metrics.retried();
        Ok(())
    }

    /// The time since the first attempt.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A random time between half of the doubling pause and all of it, so that requests that failed at the same time do
    /// not retry at the same time.
    fn next_pause(&self) -> Duration {
        let mut random = [0];
        let jitter = if aws_lc_rs::rand::fill(&mut random).is_ok() { u32::from(random[0]) } else { 255 };
        let longest = FIRST_PAUSE.saturating_mul(1 << self.attempts.saturating_sub(1).min(10)).min(MAX_PAUSE);
        longest / 2 + longest / 2 * jitter / 255
    }
}
