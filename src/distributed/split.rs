//! Splits files into shards: parts of the listing in its order, with about the same weight.
//!
//! Paths with dates are sorted by date, so a shard contains few months, and a month comes from few shards.
//!
//! Invariant: every selected file is in exactly one shard. The shards depend only on the names and sizes of the files,
//! the number of slots, and `--shard-size`.

use crate::input::list::InputFile;
use crate::input::path_dates;

/// The cost of opening a file, or of the request for it, expressed in bytes.
const FILE_OVERHEAD_BYTES: u64 = 16 << 10;

/// Upper bound for the default weight of a shard.
const MAX_SHARD_BYTES: u64 = 512 << 20;

/// Lower bound for the default weight of a shard: below it, starting a task costs more than its work.
const MIN_SHARD_BYTES: u64 = 32 << 20;

/// Returns the weight of files, in bytes.
#[must_use]
pub fn weight<'f>(files: impl Iterator<Item = &'f InputFile>) -> u64 {
    files.map(weight_of).sum()
}

fn weight_of(file: &InputFile) -> u64 {
    file.size + FILE_OVERHEAD_BYTES
}

/// Returns the target weight of a shard, if work of the weight `total` runs on `slots` slots. `shard_size` is the user's
/// choice.
#[must_use]
pub fn target(total: u64, slots: usize, shard_size: Option<u64>) -> u64 {
    if let Some(shard_size) = shard_size {
        return shard_size.max(1);
    }
    let slots = slots.max(1) as u64;
    // The number of shards is a multiple of the slots, so that all slots are busy until the end.
    let shards = total.div_ceil(MAX_SHARD_BYTES).next_multiple_of(slots).max(slots);
    total.div_ceil(shards).max(MIN_SHARD_BYTES)
}

/// Splits the selected files: a shard ends when it has reached the weight `target`, or when the month changes and it has
/// reached half of it.
#[must_use]
pub fn divide(files: &[InputFile], selection: &[usize], target: u64) -> Vec<Vec<usize>> {
    let mut shards: Vec<Vec<usize>> = Vec::new();
    let (mut shard, mut weight, mut month) = (Vec::new(), 0, None);
    for index in selection {
        let Some(file) = files.get(*index) else { continue };
        let file_month = path_dates::span(&file.path.to_string_lossy()).map(|span| path_dates::month_of(span.start));
        let is_full = weight >= target || (file_month != month && weight >= target / 2);
        if is_full && !shard.is_empty() {
            shards.push(std::mem::take(&mut shard));
            weight = 0;
        }
        shard.push(*index);
        (weight, month) = (weight + weight_of(file), file_month);
    }
    if !shard.is_empty() {
        shards.push(shard);
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::list::Version;

    fn files(names: &[(&str, u64)]) -> Vec<InputFile> {
        let file = |(path, size): &(&str, u64)| InputFile {
            path: path.into(),
            size: *size,
            version: Version::Modified(0),
            is_missing: false,
        };
        names.iter().map(file).collect()
    }

    #[test]
    fn shards_are_even_and_end_with_months() {
        let size = 3 * FILE_OVERHEAD_BYTES;
        let days: Vec<String> = (1..=9).map(|day| format!("2018-1{}-0{day}.json", day / 5)).collect();
        let days: Vec<(&str, u64)> = days.iter().map(|name| (name.as_str(), size)).collect();
        let files = files(&days);
        let all: Vec<usize> = (0..files.len()).collect();
        let weight = size + FILE_OVERHEAD_BYTES;
        assert_eq!(divide(&files, &all, 3 * weight), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8]]);
        assert_eq!(divide(&files, &all, 6 * weight), [vec![0, 1, 2, 3], vec![4, 5, 6, 7, 8]], "with the month");
        assert_eq!(divide(&files, &[1, 3, 8], 1), [[1], [3], [8]]);
        assert_eq!(divide(&files, &[], 1), [[0_usize; 0]; 0]);
    }

    #[test]
    fn every_slot_has_work_and_no_shard_is_tiny() {
        let mib = 1 << 20;
        for (total, slots, shards) in [(1, 4, 1), (100 * mib, 2, 2), (2500 * mib, 2, 6), (2500 * mib, 4, 8)] {
            assert_eq!(u64::div_ceil(total, target(total, slots, None)), shards, "{total} on {slots}");
        }
        assert_eq!(target(1 << 40, 2, Some(7)), 7);
    }
}
