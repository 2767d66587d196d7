//! Data quality: the outcome of every record, the rejected records, and the check before publishing.

pub(crate) mod expectations;
pub(crate) mod gate;
mod input_hints;
pub(crate) mod input_stats;
mod quarantine;
pub(crate) mod read_stats;
