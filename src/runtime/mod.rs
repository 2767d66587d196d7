//! What every stage is handed: cancellation, progress, threads, the clock, and the executor, joined in a [`context::Context`].

pub mod cancel;
pub mod clock;
pub mod context;
pub mod executor;
pub mod progress;
#[cfg(test)]
pub mod random_damage;
pub mod threads;
