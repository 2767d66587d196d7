//! From chunks of bytes to finished tables, on all cores.

pub mod extract;
pub mod in_memory;
pub mod sorted_runs;
pub mod write_tables;
