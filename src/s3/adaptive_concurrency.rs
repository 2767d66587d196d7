//! How many requests may be under way at once: what the store bears, found by trying.
//!
//! It begins at 64, doubles with every round of successes, halves when the store asks to slow down, and from then on
//! grows by an eighth a round. A round is as many answers as there are permits, so that the many refusals of one
//! overload count once.
//!
//! Invariant: the permits in existence are the limit plus the debt; a permit that comes back pays debt first.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const INITIAL_CONCURRENCY: usize = 64;
const MIN_CONCURRENCY: usize = 4;
const MAX_CONCURRENCY: usize = 512;

#[derive(Debug)]
struct State {
    limit: usize,
    most: usize,
    /// Permits that are out and must not come back.
    debt: usize,
    /// Answers since the limit last changed.
    answers: usize,
    /// Whether the store has asked to slow down.
    cut: bool,
}

/// The limiter; clones share it.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    semaphore: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

impl ConcurrencyLimit {
    /// A limiter for a process that may have `files` open at once: half of them may be connections.
    #[must_use]
    pub fn new(files: usize) -> Self {
        let most = (files / 2).clamp(MIN_CONCURRENCY, MAX_CONCURRENCY);
        let limit = INITIAL_CONCURRENCY.min(most);
        let state = State { limit, most, debt: 0, answers: 0, cut: false };
        Self { semaphore: Arc::new(Semaphore::new(limit)), state: Arc::new(Mutex::new(state)) }
    }

    /// Waits until a request may be made.
    pub async fn permit(&self) -> Permit {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
        Permit { permit, limiter: self.clone() }
    }

    /// A request succeeded.
    pub fn succeeded(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.answers += 1;
        if state.answers < state.limit {
            return;
        }
        state.answers = 0;
        let step = if state.cut { (state.limit / 8).max(1) } else { state.limit };
        let grown = (state.limit + step).min(state.most);
        let more = grown - state.limit;
        state.limit = grown;
        let forgiven = more.min(state.debt);
        state.debt -= forgiven;
        self.semaphore.add_permits(more - forgiven);
    }

    /// The store asked to slow down.
    pub fn throttled(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.cut && state.answers < state.limit {
            state.answers += 1;
            return;
        }
        state.cut = true;
        state.answers = 0;
        let halved = (state.limit / 2).max(MIN_CONCURRENCY).min(state.limit);
        let fewer = state.limit - halved;
        state.limit = halved;
        state.debt += fewer - self.semaphore.forget_permits(fewer);
    }

    /// The permits that there are at most.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).limit
    }
}

/// The right to have one request under way.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    limiter: ConcurrencyLimit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(permit), true) = (self.permit.take(), state.debt > 0) {
            state.debt -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(limiter: &ConcurrencyLimit) -> usize {
        limiter.semaphore.available_permits()
    }

    #[test]
    fn grows_by_rounds_up_to_half_the_files() {
        let limiter = ConcurrencyLimit::new(600);
        (0..64).for_each(|_| limiter.succeeded());
        assert_eq!(limiter.limit(), 128);
        (0..10_000).for_each(|_| limiter.succeeded());
        assert_eq!((limiter.limit(), free(&limiter)), (300, 300));
        assert_eq!(ConcurrencyLimit::new(20).limit(), 10);
    }

    #[tokio::test]
    async fn halves_once_a_round_and_takes_back_what_is_out() {
        let limiter = ConcurrencyLimit::new(10_000);
        let mut out = Vec::new();
        for _ in 0..64 {
            out.push(limiter.permit().await);
        }
        limiter.throttled();
        limiter.throttled();
        assert_eq!(limiter.limit(), 32, "two refusals of one overload");
        out.truncate(32);
        assert_eq!(free(&limiter), 0, "the first half that comes back is gone");
        out.clear();
        assert_eq!(free(&limiter), 32);
        for _ in 0..1_000 {
            limiter.throttled();
        }
        assert_eq!((limiter.limit(), free(&limiter)), (MIN_CONCURRENCY, MIN_CONCURRENCY));
        (0..MIN_CONCURRENCY).for_each(|_| limiter.succeeded());
        assert_eq!(limiter.limit(), MIN_CONCURRENCY + 1, "carefully from now on");
    }
}
