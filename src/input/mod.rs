//! The input: locations to files, what identifies a file, and the contents of files in chunks of bytes.

pub mod decompress;
pub mod duplicate_files;
pub mod file_identity;
pub mod input_files;
pub mod list;
pub mod path_dates;
pub mod read;
pub mod sources;
