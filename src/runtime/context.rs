//! What every stage is handed: whether to stop, where to count, and where shards are processed.

use crate::runtime::cancel::Cancel;
use crate::runtime::executor::Executor;
use crate::runtime::progress::{Level, Phase, Progress};

/// What every stage needs to know of the outside.
#[derive(Clone, Debug, Default)]
pub struct Context<'c> {
    /// Whether to stop.
    pub cancel: Cancel,
    /// Where to count.
    pub progress: Option<&'c Progress>,
    /// Where shards are worked on, if not on this process's threads.
    pub executor: Option<&'c dyn Executor>,
}

impl Context<'_> {
    /// Begins a stage with `total` units of work (0: not known).
    pub fn begin(&self, stage: Phase, total: u64) {
        if let Some(progress) = self.progress {
            progress.begin(stage, total);
        }
    }

    /// Counts work done.
    pub fn add(&self, units: u64) {
        if let Some(progress) = self.progress {
            progress.add(units);
        }
    }

    /// Leaves a note for the log; the text is only made when somebody takes notes.
    pub fn note(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some(progress) = self.progress {
            progress.note(level, text());
        }
    }
}
