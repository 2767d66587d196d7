//! How far a run is, readable from another thread at any time.
//!
//! Plain counters: the engine counts, whoever waits for it reads. It knows no terminal and no clock.
//!
//! Invariant: `done` only grows within a stage, and a stage's `total` is known before its first unit is done.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The stages of a run in their order; the report and the progress line use the same words.
pub const STAGES: [&str; 7] = ["discover", "songs", "logs", "write", "commit", "sample", "done"];

/// A stage of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// Listing the input.
    Discover,
    /// Reading and decoding song files.
    Songs,
    /// Reading and decoding logs.
    Logs,
    /// Encoding and staging the tables.
    Write,
    /// Making the staged files visible.
    Commit,
    /// Making the sample data set; a call of its own.
    Sample,
    /// Nothing left.
    Done,
}

/// The counters of one run.
#[derive(Debug, Default)]
pub struct Progress {
    stage: AtomicUsize,
    done: AtomicU64,
    total: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// The stage's name, one of [`STAGES`].
    pub stage: &'static str,
    /// Units done in this stage.
    pub done: u64,
    /// Units in this stage; 0 when not known.
    pub total: u64,
    /// What is counted: `bytes` of input or `files` of output.
    pub unit: &'static str,
}

impl Progress {
    /// Begins a stage with `total` units of work (0: not known).
    pub fn begin(&self, stage: Stage, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.stage.store(stage as usize, Ordering::Relaxed);
    }

    /// Counts `units` more.
    pub fn add(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }

    /// Counts up to `units` in all; a smaller number than before changes nothing.
    pub fn reach(&self, units: u64) {
        self.done.fetch_max(units, Ordering::Relaxed);
    }

    /// Reads the counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let stage = STAGES.get(self.stage.load(Ordering::Relaxed)).copied().unwrap_or("done");
        let unit = if matches!(stage, "songs" | "logs" | "sample") { "bytes" } else { "files" };
        Snapshot { stage, done: self.done.load(Ordering::Relaxed), total: self.total.load(Ordering::Relaxed), unit }
    }
}
