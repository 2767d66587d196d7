//! Counts of the records in a chunk, by outcome.
//!
//! Invariant: `read == rows + filtered + quarantined`, and merging counts in any order gives the same result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of one chunk, or of several merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkCounts {
    /// All records, valid and invalid.
    pub read: u64,
    /// Records that became rows.
    pub rows: u64,
    /// Well-formed records that no table uses.
    pub filtered: u64,
    /// Rejected records.
    pub quarantined: u64,
    /// Values in rows that were converted from another type or form without loss.
    pub coerced: u64,
    /// Line feeds.
    pub newlines: u64,
    /// Byte order marks between records.
    pub bom: u64,
    /// Values that begin on the line on which the previous value ends.
    pub several_on_a_line: u64,
    /// Top-level arrays that began.
    pub arrays: u64,
    /// Top-level arrays that ended. If there are fewer than `arrays`, the end of the file is missing.
    pub arrays_closed: u64,
    /// Objects with a required key and the same key in another case.
    pub case_variants: u64,
    /// Keys that are not among those that the producer writes.
    pub unknown_keys: UnknownKeys,
}

impl ChunkCounts {
    /// Adds the counts of another chunk.
    pub fn merge(&mut self, other: &Self) {
        self.read += other.read;
        self.rows += other.rows;
        self.filtered += other.filtered;
        self.quarantined += other.quarantined;
        self.coerced += other.coerced;
        self.newlines += other.newlines;
        self.bom += other.bom;
        self.several_on_a_line += other.several_on_a_line;
        self.arrays += other.arrays;
        self.arrays_closed += other.arrays_closed;
        self.case_variants += other.case_variants;
        for (name, count) in other.unknown_keys.iter() {
            self.unknown_keys.add(name, count);
        }
    }
}

/// The number of occurrences of each unknown key. If there are too many names, the smallest ones (by bytes) are kept.
/// So the kept names do not depend on the order of the input, and their counts are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownKeys {
    counts: BTreeMap<Box<str>, u64>,
}

impl UnknownKeys {
    /// The largest number of names that are kept.
    const MAX_NAMES: usize = 1000;
    /// Longer names are truncated to this length.
    const MAX_NAME_BYTES: usize = 256;

    /// Adds `count` occurrences of a name.
    pub fn add(&mut self, name: &str, count: u64) {
        let name = truncate(name, Self::MAX_NAME_BYTES);
        if let Some(known) = self.counts.get_mut(name) {
            *known += count;
            return;
        }
        let full = self.counts.len() >= Self::MAX_NAMES;
        if full && self.counts.last_key_value().is_some_and(|(last, _)| **last < *name) {
            return;
        }
        self.counts.insert(name.into(), count);
        if full {
            self.counts.pop_last();
        }
    }

    /// The names with their counts, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, count)| (&**name, *count))
    }

    /// Returns true if there was no unknown key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The number of occurrences of one key.
    #[cfg(test)]
    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }
}

/// The longest beginning of a text that has at most `max_bytes` and ends between characters.
fn truncate(text: &str, max_bytes: usize) -> &str {
    let longest = (0..=max_bytes).rev().find_map(|length| text.get(..length));
    longest.filter(|_| text.len() > max_bytes).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{ChunkCounts, UnknownKeys};

    #[test]
    fn kept_names_do_not_depend_on_the_order() {
        let names: Vec<String> = (0..3000).map(|number| format!("key{number:04}")).collect();
        let (mut upwards, mut downwards) = (UnknownKeys::default(), UnknownKeys::default());
        for name in &names {
            upwards.add(name, 2);
        }
        for name in names.iter().rev() {
            downwards.add(name, 1);
            downwards.add(name, 1);
        }
        assert_eq!(upwards, downwards);
        assert_eq!(upwards.iter().count(), UnknownKeys::MAX_NAMES);
        assert_eq!(upwards.count("key0999"), 2);
        assert_eq!(upwards.count("key1000"), 0);
    }

    #[test]
    fn long_names_are_truncated_between_characters() {
        let mut keys = UnknownKeys::default();
        keys.add(&"é".repeat(1000), 1);
        keys.add(&format!("x{}", "é".repeat(1000)), 1);
        assert_eq!(keys.iter().map(|(name, _)| name.len()).collect::<Vec<_>>(), [255, 256]);
    }

    #[test]
    fn merging_adds_all_counts() {
        let mut left = ChunkCounts { read: 1, rows: 1, newlines: 2, ..ChunkCounts::default() };
        let mut right = ChunkCounts { read: 2, filtered: 1, quarantined: 1, bom: 1, ..ChunkCounts::default() };
        right.unknown_keys.add("zip", 3);
        left.merge(&right);
        assert_eq!((left.read, left.rows, left.filtered, left.quarantined), (3, 1, 1, 1));
        assert_eq!((left.newlines, left.bom, left.unknown_keys.count("zip")), (2, 1, 3));
    }
}
