//! Incremental runs: what has changed since an earlier run, which months have to be rebuilt, and the state that makes
//! this possible.
//!
//! [`plan::choose`] decides between a full and an incremental run, [`diff`] compares the input with the manifest, and
//! [`state`] loads and saves what a run uses in place of the input.

pub(crate) mod diff;
pub(crate) mod known_input;
pub(crate) mod manifest;
pub(crate) mod plan;
pub(crate) mod retained_input;
pub(crate) mod song_changes;
pub(crate) mod state;
pub(crate) mod state_error;
pub(crate) mod state_files;
pub(crate) mod time_range;
