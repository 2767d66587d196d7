//! Limits on the size and the values of one record. The defaults are documented in `docs/bad_input.md`.

use std::ops::Range;

/// Limits that keep a malicious record from using too much memory or time, the range of plausible times, and the events
/// that are wanted.
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
    /// Whether events of other pages than `NextSong` are rows too, if they can be read like plays.
    pub all_pages: bool,
    /// The longest escaped `artist_id`, in bytes: with the name of its column and `=`, it is the name of a folder.
    pub max_artist_id: usize,
}

/// The length limit of file systems for the name of a folder.
const MAX_FOLDER_NAME_BYTES: usize = 255;

impl Limits {
    /// [`Self::max_artist_id`] for the name of the column.
    #[must_use]
    pub const fn artist_id_in(column: &str) -> usize {
        MAX_FOLDER_NAME_BYTES - 1 - column.len()
    }
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
            all_pages: false,
            max_artist_id: Self::artist_id_in("artist_id"),
        }
    }
}
