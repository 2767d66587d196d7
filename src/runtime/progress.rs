//! How far a run is and what it has to say, readable from another thread at any time.
//!
//! Plain counters and a list of notes: the engine counts and notes, whoever waits for it reads. It knows no terminal,
//! no clock and no logging.
//!
//! Invariant: `done` only grows within a stage, and a stage's `total` is known before its first unit is done.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The stages of a run in their order; the report and the progress line use the same words.
pub const PHASES: [&str; 7] = ["discover", "songs", "logs", "write", "commit", "sample", "done"];

/// A stage of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Phase {
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
    notes: Mutex<Vec<Note>>,
}

/// A sentence for the log. It names files and counts, never what a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How loud.
    pub level: Level,
    /// The sentence.
    pub text: String,
}

/// How loud a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// For whoever follows the run.
    Info,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// The stage's name, one of [`PHASES`].
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
    pub fn begin(&self, stage: Phase, total: u64) {
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

    /// Leaves a note.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(Note { level, text: text.into() });
    }

    /// Takes the notes since the last call, in order.
    pub fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let stage = PHASES.get(self.stage.load(Ordering::Relaxed)).copied().unwrap_or("done");
        let unit = if matches!(stage, "songs" | "logs" | "sample") { "bytes" } else { "files" };
        Snapshot { stage, done: self.done.load(Ordering::Relaxed), total: self.total.load(Ordering::Relaxed), unit }
    }
}
