//! How files become shards: parts of the listing in its order, of about the same weight.
//!
//! Paths that tell a date lie in its order, so such shards hold few months each, and few shards feed a month.
//!
//! Invariant: every selected file is in one shard, and the shards follow from the files' names and sizes, the number of
//! slots and the size that was asked for.

use crate::input::list::InputFile;
use crate::input::path_dates;

/// A file costs as much as so many bytes, however small it is: opening it, or a request.
const FILE: u64 = 16 << 10;

/// Where nothing else is said, a shard is of about this size at most…
const LARGEST: u64 = 512 << 20;

/// …and at least: below it, starting a task costs more than its work.
const SMALLEST: u64 = 32 << 20;

/// What files weigh.
#[must_use]
pub fn weight<'f>(files: impl Iterator<Item = &'f InputFile>) -> u64 {
    files.map(of).sum()
}

fn of(file: &InputFile) -> u64 {
    file.size + FILE
}

/// The weight that a shard should have when `total` is to be done on `slots` at a time, as evenly as it can be.
#[must_use]
pub fn target(total: u64, slots: usize, asked: Option<u64>) -> u64 {
    if let Some(asked) = asked {
        return asked.max(1);
    }
    let slots = slots.max(1) as u64;
    // All slots are busy in every round but for what does not come out even.
    let shards = total.div_ceil(LARGEST).next_multiple_of(slots).max(slots);
    total.div_ceil(shards).max(SMALLEST)
}

/// Divides the selected files: a shard ends when it has reached `target`, or where the month changes and it has half.
#[must_use]
pub fn divide(files: &[InputFile], selection: &[usize], target: u64) -> Vec<Vec<usize>> {
    let mut shards: Vec<Vec<usize>> = Vec::new();
    let (mut shard, mut weight, mut month) = (Vec::new(), 0, None);
    for index in selection {
        let Some(file) = files.get(*index) else { continue };
        let its = path_dates::span(&file.path.to_string_lossy()).map(|span| path_dates::month_of(span.start));
        let is_full = weight >= target || (its != month && weight >= target / 2);
        if is_full && !shard.is_empty() {
            shards.push(std::mem::take(&mut shard));
            weight = 0;
        }
        shard.push(*index);
        (weight, month) = (weight + of(file), its);
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
        let size = 3 * FILE;
        let days: Vec<String> = (1..=9).map(|day| format!("2018-1{}-0{day}.json", day / 5)).collect();
        let days: Vec<(&str, u64)> = days.iter().map(|name| (name.as_str(), size)).collect();
        let files = files(&days);
        let all: Vec<usize> = (0..files.len()).collect();
        let weight = size + FILE;
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
