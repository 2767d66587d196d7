//! What decoding yields: a row, or a reject with its reason and its place.

use crate::decode::reject_reason::Reason;

/// What became of one record that is not filtered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decoded<'r, T> {
    /// A row.
    Row(T),
    /// Turned away.
    Reject(Reject<'r>),
}

/// A record that was turned away, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject<'r> {
    /// Why.
    pub reason: Reason,
    /// The key at fault, if it is one that tables use.
    pub key: Option<&'r str>,
    /// For a missing key: the same key in another case, which the record does have.
    pub variant: Option<&'r str>,
    /// Bytes from the start of the chunk.
    pub offset: u64,
    /// Line feeds between the start of the chunk and the record.
    pub line: u64,
    /// The record as it stands in the input, without white space at its end.
    pub bytes: &'r [u8],
}

/// The code with its key, and the variant if there is one: `missing_required:ts (found "TS")`.
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
