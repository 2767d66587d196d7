//! Turns chunks of bytes into finished tables, on all cores.

pub mod external_sort;
pub mod extract;
pub mod finished_tables;
pub mod in_memory;
mod month_files;
pub mod write_tables;
