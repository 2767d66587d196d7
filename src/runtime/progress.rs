//! The progress of a run and its notes for the log. Another thread can read both at any time.
//!
//! The engine writes counters and notes; the caller reads them. Display, time and logging are the caller's.
//!
//! Invariant: `done` only grows within a phase, and the `total` of a phase is set before its first unit is done.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The names of the phases in the order of [`Phase`]; the report and the progress line use them.
pub const PHASES: [&str; 7] = ["discover", "songs", "logs", "write", "commit", "sample", "done"];

/// A phase of a run.
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
    /// Committing and publishing the staged files.
    Commit,
    /// Writing the sample data set (a separate call).
    Sample,
    /// The run has ended.
    Done,
}

/// The counters of one run.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicUsize,
    done: AtomicU64,
    total: AtomicU64,
    notes: Mutex<Vec<Note>>,
}

/// A sentence for the log. It contains file names and counts, never values of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The log level.
    pub level: Level,
    /// The sentence.
    pub text: String,
}

/// The log level of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For finding faults.
    Debug,
    /// For following the run.
    Info,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// The name of the phase, one of [`PHASES`].
    pub stage: &'static str,
    /// Units done in this phase.
    pub done: u64,
    /// Units of this phase in total; 0 if unknown.
    pub total: u64,
    /// The unit: `bytes` of input or `files` of output.
    pub unit: &'static str,
}

impl Progress {
    /// Begins a phase with `total` units of work (0: unknown).
    pub fn begin(&self, phase: Phase, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.phase.store(phase as usize, Ordering::Relaxed);
    }

    /// Adds `units` to the units done.
    pub fn add(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }

    /// Raises the units done to `units`; a smaller number has no effect.
    pub fn reach(&self, units: u64) {
        self.done.fetch_max(units, Ordering::Relaxed);
    }

    /// Adds a note.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(Note { level, text: text.into() });
    }

    /// Removes and returns the notes since the last call, in order.
    pub fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let phase = PHASES.get(self.phase.load(Ordering::Relaxed)).copied().unwrap_or("done");
        let unit = if matches!(phase, "songs" | "logs" | "sample") { "bytes" } else { "files" };
        Snapshot {
            stage: phase,
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            unit,
        }
    }
}
