//! From locations to bytes: which files there are, what identifies them, and their contents in chunks.

pub mod decompress;
pub mod duplicate_files;
pub mod file_identity;
pub mod input_files;
pub mod list;
pub mod path_dates;
pub mod read;
pub mod sources;
