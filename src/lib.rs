//! Sparkify's JSON to a star schema of Parquet.
//!
//! ```text
//!  config ── input::sources ── input::list ── input::read ── decode ──┬── songs, artists ── song index
//!  (options) (locations)       (files)        (chunks)      (records) │                        │
//!                                                                     └── plays ── sorted runs ┤
//!                                                                         (transform::extract) │
//!  report ── lake::commit ── lake::staging ── parquet_io ── songplays, time, users ────────────┘
//!            (publish)       (new files)      (Parquet)     (transform::write_tables)
//! ```
//!
//! One idea carries the engine: a part of the input becomes a *partial*, and partials merge in any order. Threads,
//! chunks and files are only different ways to divide the input, so none of them can change a table.
//!
//! On a cluster, workers do the same two steps: reading logs into sorted plays, and making months of them
//! ([`distributed`]). The leader decides and commits.
//!
//! # The folders, in the order of the data flow
//!
//! A folder imports only what is listed before it. `tests/rust/architecture.rs` reads this list and checks every file.
//!
//! 1. `error`: the error type
//! 2. `schema`: the star schema as data
//! 3. `location`: a path on a disk, or a place in a bucket
//! 4. `runtime`: cancellation, progress, threads, clock, executor: the context that every stage gets
//! 5. `sample`: the sample maker
//! 6. `decode`: bytes of JSON to records, or to rejects with their place
//! 7. `s3`: the client for buckets: requests, retries, credentials
//! 8. `config`: the options, checked
//! 9. `input`: locations to files to chunks of bytes; what identifies a file
//! 10. `tables`: the rules of the five tables; pure
//! 11. `parquet_io`: Parquet, written and read
//! 12. `lake`: the transaction: staging, commit log, publishing, recovery
//! 13. `quality`: the outcome of every record, and whether it is good enough
//! 14. `transform`: chunks to finished tables, on all cores
//! 15. `incremental`: what has changed since an earlier run, and what has to be rebuilt
//! 16. `report`: what a run did or would do, and what it costs
//! 17. `doctor`: whether a location is fit for a lake
//! 18. `distributed`: the run in shards, on Spark, Ray or local processes
//! 19. `job`: what a user can ask for, one outline per file
//! 20. `python`: the boundary to Python

pub mod config;
pub mod decode;
pub mod distributed;
pub mod doctor;
pub mod error;
pub mod incremental;
pub mod input;
pub mod job;
pub mod lake;
pub mod location;
pub mod parquet_io;
#[cfg(feature = "python")]
mod python;
pub mod quality;
pub mod report;
pub mod runtime;
pub mod s3;
pub mod sample;
pub mod schema;
pub mod tables;
pub mod transform;

/// One allocator for the whole library: many small allocations on several threads are the job's profile.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
