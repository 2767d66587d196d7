//! Parquet, written and read: the only users of the `parquet` crate.

pub mod reader;
pub mod writer;
