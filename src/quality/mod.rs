//! Data quality: the outcome of every record, the rejected records, and the check before publishing.

pub mod gate;
pub mod input_stats;
mod quarantine;
pub mod read_stats;
