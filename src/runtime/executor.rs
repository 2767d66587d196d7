//! Where shards of the work are done, when it is not on the threads of this process: a cluster, as the engine sees it.
//!
//! A shard is bytes, and so is what comes back; what they mean is [`crate::distributed::leader`]' business, how they travel that of
//! whoever implements this.
//!
//! Invariant: an executor gives back each shard's result as it is, in whatever order, and may do a shard more than once.

use std::fmt;

use crate::error::Result;

/// Does shards somewhere.
pub trait Executor: fmt::Debug + Sync {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// How many shards it does at the same time.
    fn slots(&self) -> usize;

    /// How many threads a shard has to itself.
    fn threads(&self) -> usize;

    /// Does every shard once at least, and hands each result to `take` with the shard's number.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Retry`] when it could not, and `take`'s.
    fn map(&self, shards: Vec<Vec<u8>>, take: &mut dyn FnMut(usize, &[u8]) -> Result<()>) -> Result<()>;
}
