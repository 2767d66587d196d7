//! The context of a call: the cancel flag, the progress counters, the executor, and the writer of metadata.

use crate::runtime::cancel::Cancel;
use crate::runtime::executor::Executor;
use crate::runtime::iceberg_writer::IcebergWriter;
use crate::runtime::progress::{Level, Phase, Progress};

/// The context that every phase gets.
#[derive(Clone, Debug, Default)]
pub struct Context<'c> {
    /// The flag that stops the run.
    pub cancel: Cancel,
    /// The progress counters, if the caller shows progress.
    pub progress: Option<&'c Progress>,
    /// The executor that processes shards; `None` for the threads of this process.
    pub executor: Option<&'c dyn Executor>,
    /// The writer of Iceberg metadata; `None` if it is not installed.
    pub iceberg: Option<&'c dyn IcebergWriter>,
}

impl Context<'_> {
    /// Begins a phase with `total` units of work (0: unknown).
    pub fn begin(&self, phase: Phase, total: u64) {
        if let Some(progress) = self.progress {
            progress.begin(phase, total);
        }
    }

    /// Adds completed units of work.
    pub fn add(&self, units: u64) {
        if let Some(progress) = self.progress {
            progress.add(units);
        }
    }

    /// Adds a note for the log. The text is only computed if there are progress counters to keep it.
    pub fn note(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some(progress) = self.progress {
            progress.note(level, text());
        }
    }
}
