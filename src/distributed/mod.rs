//! Runs in shards, on Spark, Ray or local processes.
//!
//! The leader splits the work into shards, an executor passes each shard to a worker, and the leader merges the results
//! and commits.

pub(crate) mod check_workers;
pub(crate) mod leader;
pub mod protocol;
pub mod shuffle;
pub mod split;
pub mod worker;
