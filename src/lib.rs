//! Sparkify's JSON to a star schema of Parquet.
//!
//! ```text
//!  config ── plan ── discover ── fetch ── decode ──┬── tables::songs, artists ── tables::catalogue
//!  (said)   (will)   (files)    (chunks) (records) └── tables::plays ── runs      (songs by name)
//!                                                        (sorted, spilled)   │         │
//!                      report ── commit ── write ── partition ── tables::songplays, time, users
//!                              (publish) (Parquet)  (folders)     (slices of time)
//! ```
//!
//! One idea carries the engine: a part of the input becomes a *partial*, and partials merge in any order. Threads,
//! chunks and files are only different ways to divide the input, so none of them can change a table.
//!
//! On a cluster the same two steps are done by workers: reading logs into sorted plays, and making months of them
//! ([`shards`]); what decides and commits stays where it is.
//!
//! Who may know whom: `ffi` knows [`run`]; `run` knows the stages in their order; [`ingest`] and [`emit`] join
//! neighbouring stages on all threads; a stage knows [`schema`], [`config`], [`error`], [`cancel`], [`progress`] and
//! the data it takes. Python is known to `ffi` alone, data frames to its conversion alone, deleting and publishing to
//! [`commit`] alone.

pub mod account;
pub mod archive;
pub mod arrivals;
pub mod cancel;
pub mod commit;
pub mod compression;
pub mod config;
pub mod costs;
pub mod dates;
pub mod decode;
pub mod delta;
pub mod discover;
pub mod doctor;
pub mod duplicates;
pub mod emit;
pub mod error;
pub mod executor;
pub mod fetch;
#[cfg(feature = "python")]
mod ffi;
#[cfg(test)]
mod fuzz;
pub mod increment;
pub mod ingest;
pub mod judge;
pub mod ledger;
pub mod load;
pub mod lookup;
pub mod outcome;
pub mod outlook;
pub mod partition;
pub mod plan;
pub mod preview;
pub mod progress;
pub mod quarantine;
pub mod read;
pub mod report;
pub mod run;
pub mod runs;
pub mod sample;
pub mod schema;
pub mod shards;
pub mod star;
pub mod state;
pub mod store;
pub mod tables;
pub mod threads;
pub mod write;

/// One allocator for the whole library: many small allocations on several threads are the job's profile.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
