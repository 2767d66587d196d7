//! The input: locations to files, what identifies a file, and the contents of files in chunks of bytes.

pub mod decompress;
pub(crate) mod file_identity;
pub(crate) mod fingerprint;
pub(crate) mod input_files;
pub mod list;
pub(crate) mod path_dates;
pub mod read;
pub mod sources;
