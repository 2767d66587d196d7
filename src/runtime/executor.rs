//! The interface of a cluster: an executor processes shards outside of this process.
//!
//! Shards and their results are bytes. [`crate::distributed`] defines their content; the executor only transports them.
//!
//! Invariant: an executor returns the unchanged result of each shard, in any order, and may process a shard repeatedly.

use std::fmt;

use crate::error::Result;

/// Processes shards.
pub trait Executor: fmt::Debug + Sync {
    /// The name for display.
    fn name(&self) -> &str;

    /// The number of shards that are processed at the same time.
    fn slots(&self) -> usize;

    /// The number of threads per shard.
    fn threads(&self) -> usize;

    /// Processes every shard at least once, and passes each result to `take` with the index of the shard.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] if a shard could not be processed, and any error of `take`.
    fn map(&self, shards: Vec<Vec<u8>>, take: &mut dyn FnMut(usize, &[u8]) -> Result<()>) -> Result<()>;
}
