//! The request counters of a call: every attempt, and every byte of a body.
//!
//! Invariant: a counter only grows, and an attempt is counted before it is made.

use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;

/// The counts of requests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// LIST requests.
    pub list: u64,
    /// GET requests.
    pub get: u64,
    /// PUT requests, parts of large objects included.
    pub put: u64,
    /// DELETE requests.
    pub delete: u64,
    /// HEAD, POST and all other requests.
    pub other: u64,
    /// Bytes of received bodies.
    pub bytes_in: u64,
    /// Bytes of sent bodies.
    pub bytes_out: u64,
    /// Attempts after the first attempt of an operation.
    pub retries: u64,
    /// Responses that asked to slow down.
    pub throttled: u64,
}

/// The counters for [`Usage`].
#[derive(Debug, Default)]
pub struct RequestMetrics {
    list: AtomicU64,
    get: AtomicU64,
    put: AtomicU64,
    delete: AtomicU64,
    other: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    retries: AtomicU64,
    throttled: AtomicU64,
}

impl RequestMetrics {
    /// Counts an attempt that sends `bytes` in its body.
    pub fn attempt(&self, method: &Method, query: &str, bytes: u64) {
        let counter = match method.as_str() {
            "GET" if query.contains("list-type=2") => &self.list,
            "GET" => &self.get,
            "PUT" => &self.put,
            "DELETE" => &self.delete,
            _ => &self.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts received bytes of a body.
    pub fn received(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a retry.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a response that asked to slow down.
    pub fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            list: count(&self.list),
            get: count(&self.get),
            put: count(&self.put),
            delete: count(&self.delete),
            other: count(&self.other),
            bytes_in: count(&self.bytes_in),
            bytes_out: count(&self.bytes_out),
            retries: count(&self.retries),
            throttled: count(&self.throttled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_kind() {
        let metrics = RequestMetrics::default();
        for (method, query) in [(Method::GET, "list-type=2&prefix=x"), (Method::GET, ""), (Method::HEAD, "")] {
            metrics.attempt(&method, query, 0);
        }
        metrics.attempt(&Method::PUT, "partNumber=1", 7);
        let Usage { list, get, put, other, bytes_out, .. } = metrics.usage();
        assert_eq!((list, get, put, other, bytes_out), (1, 1, 1, 1, 7));
    }
}
