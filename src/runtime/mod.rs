//! Cancellation, progress, threads, clock and executor. [`context::Context`] passes them to every phase of a run.

pub mod cancel;
pub mod clock;
pub mod context;
pub mod executor;
pub mod progress;
#[cfg(test)]
pub(crate) mod random_damage;
pub mod threads;
