//! One operation, tried until it succeeds, cannot succeed, or patience ends.
//!
//! It knows what a failure asks for ([`crate::s3::failure`]), not what the operation is.
//!
//! Invariant: an attempt is made with a permit, and no permit is held while waiting for the next.

use std::time::{Duration, Instant};

use crate::s3::client::SharedClient;
use crate::s3::failure::{Remedy, RequestFailure};

/// The first pause; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(10);
/// Attempts at an endpoint that nothing has ever answered at.
const MAX_CONNECT_ATTEMPTS: u32 = 3;

/// The course of one operation.
#[derive(Debug)]
pub struct RetryLoop<'s> {
    shared: &'s SharedClient,
    begun: Instant,
    /// Attempts so far.
    pub tries: u32,
    /// Whether one of them may have had its effect although it failed.
    pub unclear: bool,
    renewed: bool,
    /// The credentials of the last attempt.
    generation: u64,
}

impl<'s> RetryLoop<'s> {
    /// Begins an operation.
    #[must_use]
    pub fn new(shared: &'s SharedClient) -> Self {
        Self { shared, begun: Instant::now(), tries: 0, unclear: false, renewed: false, generation: 0 }
    }

    /// One attempt.
    ///
    /// # Errors
    /// What it failed with.
    pub async fn attempt<T>(
        &mut self,
        work: impl Future<Output = Result<T, RequestFailure>>,
    ) -> Result<T, RequestFailure> {
        self.tries += 1;
        let permit = self.shared.limiter.permit().await;
        self.generation = self.shared.provider.as_ref().map_or(0, |provider| provider.generation());
        let result = work.await;
        match result.as_ref().map_err(RequestFailure::remedy) {
            Ok(_) => self.shared.limiter.succeeded(),
            Err(Remedy::Slower) => {
                self.shared.meter.throttled();
                self.shared.limiter.throttled();
            }
            Err(_) => {}
        }
        drop(permit);
        result
    }

    /// Waits until the next attempt is due.
    ///
    /// # Errors
    /// The failure itself, when there should be none.
    pub async fn again(&mut self, failure: RequestFailure) -> Result<(), RequestFailure> {
        match failure.remedy() {
            Remedy::None => return Err(failure),
            Remedy::Renew => {
                let provider = self.shared.provider.as_ref().filter(|_| !self.renewed);
                self.renewed = true;
                match provider {
                    Some(provider) if provider.renew(self.generation).await => {}
                    _ => return Err(failure),
                }
            }
            Remedy::Again | Remedy::Slower => {
                let reached = self.shared.reach.answered();
                let pause = self.pause();
                let late = self.begun.elapsed() + pause > self.shared.patience;
                if late
                    || self.shared.cancel.is_cancelled()
                    || failure.is_nobody() && !reached && self.tries >= MAX_CONNECT_ATTEMPTS
                {
                    return Err(failure);
                }
                tokio::time::sleep(pause).await;
            }
        }
        self.unclear |= failure.is_unclear();
        self.shared.meter.retried();
        Ok(())
    }

    /// The time since the first attempt.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Between half and the whole of a doubling pause: those who failed together do not come back together.
    fn pause(&self) -> Duration {
        let mut chance = [0];
        let part = if aws_lc_rs::rand::fill(&mut chance).is_ok() { u32::from(chance[0]) } else { 255 };
        let whole = PAUSE.saturating_mul(1 << self.tries.saturating_sub(1).min(10)).min(LONGEST);
        whole / 2 + whole / 2 * part / 255
    }
}
