//! Writes and reads Parquet. No other folder uses the `parquet` crate.

pub mod delta_checkpoint;
pub mod file_stats;
pub mod reader;
mod text_column;
pub mod writer;
