//! Turns chunks of bytes into finished tables, on all cores.

pub mod extract;
pub mod in_memory;
mod month_files;
pub mod sorted_runs;
pub mod write_tables;
