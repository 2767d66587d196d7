//! How much of anything one record may have.
//!
//! Not configuration: whoever reads the configuration fills this in. Invariant: the defaults are those of the
//! documentation.

use std::ops::Range;

/// Bounds that keep a hostile record from costing more than its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one record.
    pub max_record: usize,
    /// Arrays and objects inside each other, the record itself included. At most 128.
    pub max_depth: u32,
    /// Members of one record.
    pub max_keys: usize,
    /// Bytes of one text that a table uses.
    pub max_string: usize,
    /// Plausible times of an event, in milliseconds since 1970; the end is outside.
    pub ts_window: Range<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_record: 16 << 20,
            max_depth: 64,
            max_keys: 1 << 16,
            max_string: 1 << 20,
            // 1990-01-01 to 2100-01-01, UTC.
            ts_window: 631_152_000_000..4_102_444_800_000,
        }
    }
}
