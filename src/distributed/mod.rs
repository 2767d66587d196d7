//! A run in shards, on Spark, on Ray or on local processes.

pub mod check_workers;
pub mod leader;
pub mod protocol;
pub mod shuffle;
pub mod split;
pub mod worker;
