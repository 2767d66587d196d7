//! Limits on the size and the values of one record. The defaults are documented in `docs/bad_input.md`.

use std::ops::Range;

/// Limits that keep a malicious record from using too much memory or time, and the range of plausible times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest size of a record in bytes.
    pub max_record: usize,
    /// The deepest nesting of arrays and objects, including the record itself. At most 128.
    pub max_depth: u32,
    /// The largest number of members of a record.
    pub max_keys: usize,
    /// The longest text in a column, in bytes.
    pub max_string: usize,
    /// The plausible times of an event, in milliseconds since 1970; the end is exclusive.
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
