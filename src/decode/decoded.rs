//! The output of decoding: a row, or a reject with its reason and location.

use crate::decode::reject_reason::Reason;

/// A record that was not filtered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decoded<'r, T> {
    /// A typed row; rows are large, so they are not copied.
    Row(&'r T),
    /// A rejected record.
    Reject(Reject<'r>),
}

/// A rejected record and its location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject<'r> {
    /// The reason for rejecting the record.
    pub reason: Reason,
    /// The faulty key, if tables use it.
    pub key: Option<&'r str>,
    /// For a missing key: the same key in another case, if the record has it.
    pub variant: Option<&'r str>,
    /// The position of the record in the chunk, in bytes.
    pub offset: u64,
    /// The number of line feeds between the start of the chunk and the record.
    pub line: u64,
    /// The bytes of the record in the input, without trailing white space.
    pub bytes: &'r [u8],
}

/// The reason code with its key, and the variant if there is one: `missing_required:ts (found "TS")`.
impl std::fmt::Display for Reject<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.reason)?;
        if let Some(key) = self.key {
            write!(formatter, ":{key}")?;
        }
        if let Some(variant) = self.variant {
            write!(formatter, " (found {variant:?})")?;
        }
        Ok(())
    }
}
