//! Cancellation, progress, threads, clock, executor and writer of metadata. [`context::Context`] passes them to every
//! phase of a run.

pub mod cancel;
pub mod clock;
pub mod context;
pub mod executor;
pub mod iceberg_writer;
pub mod progress;
#[cfg(test)]
pub(crate) mod random_damage;
pub mod threads;
