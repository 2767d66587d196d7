//! Data quality: what became of every record, the rejects, and whether the input is good enough to be published.

pub mod gate;
pub mod input_stats;
pub mod quarantine;
pub mod read_stats;
