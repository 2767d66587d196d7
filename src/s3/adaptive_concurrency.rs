//! The limit of concurrent requests, adapted to the store.
//!
//! The limit begins at 64 and doubles after every round of successful requests. When the store asks to slow down, the
//! limit is halved, and from then on it grows by one eighth per round. A round has as many responses as the limit has
//! permits, so that the many rejected requests of one overload halve the limit once.
//!
//! Invariant: the number of existing permits is the limit plus the excess; a returned permit reduces the excess first.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const INITIAL_CONCURRENCY: usize = 64;
const MIN_CONCURRENCY: usize = 4;
const MAX_CONCURRENCY: usize = 512;

#[derive(Debug)]
struct State {
    limit: usize,
    max_limit: usize,
    /// Permits in use that are destroyed when they are returned.
    excess: usize,
    /// Responses since the limit last changed.
    responses: usize,
    /// Whether the store has asked to slow down.
    was_throttled: bool,
}

/// The limit of concurrent requests; clones share it.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    semaphore: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

impl ConcurrencyLimit {
    /// The limit for a process that may open `max_files` files: at most half of them are connections.
    #[must_use]
    pub fn new(max_files: usize) -> Self {
        let max_limit = (max_files / 2).clamp(MIN_CONCURRENCY, MAX_CONCURRENCY);
        let limit = INITIAL_CONCURRENCY.min(max_limit);
        let state = State { limit, max_limit, excess: 0, responses: 0, was_throttled: false };
        Self { semaphore: Arc::new(Semaphore::new(limit)), state: Arc::new(Mutex::new(state)) }
    }

    /// Waits until a request may be sent.
    pub async fn permit(&self) -> Permit {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
        Permit { permit, concurrency: self.clone() }
    }

    /// Records a successful request.
    pub fn succeeded(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.responses += 1;
        if state.responses < state.limit {
            return;
        }
        state.responses = 0;
        let step = if state.was_throttled { (state.limit / 8).max(1) } else { state.limit };
        let grown = (state.limit + step).min(state.max_limit);
        let added = grown - state.limit;
        state.limit = grown;
        let kept = added.min(state.excess);
        state.excess -= kept;
        self.semaphore.add_permits(added - kept);
    }

    /// Records a response that asked to slow down.
    pub fn throttled(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.was_throttled && state.responses < state.limit {
            state.responses += 1;
            return;
        }
        state.was_throttled = true;
        state.responses = 0;
        let halved = (state.limit / 2).max(MIN_CONCURRENCY).min(state.limit);
        let removed = state.limit - halved;
        state.limit = halved;
        state.excess += removed - self.semaphore.forget_permits(removed);
    }
}

/// The permission for one request. Dropping it returns it.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    concurrency: ConcurrencyLimit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.concurrency.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(permit), true) = (self.permit.take(), state.excess > 0) {
            state.excess -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limiter: &ConcurrencyLimit) -> usize {
        limiter.state.lock().unwrap().limit
    }

    fn free(limiter: &ConcurrencyLimit) -> usize {
        limiter.semaphore.available_permits()
    }

    #[test]
    fn grows_by_rounds_up_to_half_the_files() {
        let limiter = ConcurrencyLimit::new(600);
        (0..64).for_each(|_| limiter.succeeded());
        assert_eq!(limit(&limiter), 128);
        (0..10_000).for_each(|_| limiter.succeeded());
        assert_eq!((limit(&limiter), free(&limiter)), (300, 300));
        assert_eq!(limit(&ConcurrencyLimit::new(20)), 10);
    }

    #[tokio::test]
    async fn the_limit_is_halved_once_per_round_and_applies_to_permits_in_use() {
        let limiter = ConcurrencyLimit::new(10_000);
        let mut out = Vec::new();
        for _ in 0..64 {
            out.push(limiter.permit().await);
        }
        limiter.throttled();
        limiter.throttled();
        assert_eq!(limit(&limiter), 32, "two rejected requests of one overload");
        out.truncate(32);
        assert_eq!(free(&limiter), 0, "the first half of the returned permits is destroyed");
        out.clear();
        assert_eq!(free(&limiter), 32);
        for _ in 0..1_000 {
            limiter.throttled();
        }
        assert_eq!((limit(&limiter), free(&limiter)), (MIN_CONCURRENCY, MIN_CONCURRENCY));
        (0..MIN_CONCURRENCY).for_each(|_| limiter.succeeded());
        assert_eq!(limit(&limiter), MIN_CONCURRENCY + 1, "slower growth from now on");
    }
}
