//! Writes and reads Parquet. No other folder uses the `parquet` crate.

pub mod reader;
pub mod writer;
