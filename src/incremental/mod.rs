//! Incremental runs: what an earlier run read, what has changed since, and what has to be made again.

pub mod diff;
pub mod manifest;
pub mod plan;
pub mod retained_input;
pub mod state_error;
pub mod state_files;
