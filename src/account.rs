//! Every record accounted for: how many were read, what became of them, and where the bad ones are.
//!
//! It counts what the decoder reports; it judges nothing.
//!
//! Invariant: merging accounts in any order gives the same account, the list of first rejects included.

use std::collections::BTreeMap;

use crate::decode::{Reject, Tally};
use crate::fetch::Chunk;

/// How many rejects are kept with their place.
const LOCATED: usize = 20;

/// How many different reasons are told apart; keys are part of a reason.
const REASONS: usize = 1000;

/// Where a rejected record lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// Which file of the listing.
    pub file: usize,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
    /// Line breaks before it; `None` when that takes reading the file once more.
    pub lines_before: Option<u64>,
    /// Reason code.
    pub reason: &'static str,
    /// The key it is about.
    pub key: Option<String>,
}

/// What became of the records of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCount {
    /// Which file of the listing.
    pub file: usize,
    /// Records found.
    pub read: u64,
    /// Records that went into tables.
    pub loaded: u64,
    /// Records left out by a named rule.
    pub filtered: u64,
    /// Records that are not what they should be.
    pub quarantined: u64,
}

impl FileCount {
    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.loaded += other.loaded;
        self.filtered += other.filtered;
        self.quarantined += other.quarantined;
    }
}

/// The accounting of one content's files, or of a part of them.
#[derive(Debug, Default)]
pub struct Account {
    /// The counts.
    pub tally: Tally,
    /// The same by file, in the order of the listing once merged; files without a record may be missing.
    pub files: Vec<FileCount>,
    /// Quarantined records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first rejects in the order of the listing.
    pub first: Vec<Located>,
    /// Files left out as a whole, with the reason.
    pub bad_files: Vec<(usize, &'static str)>,
}

impl Account {
    /// Takes in the counts of a chunk of the file number `file`.
    pub fn count(&mut self, file: usize, tally: &Tally) {
        self.tally.merge(tally);
        let &Tally { read, rows: loaded, filtered, quarantined, .. } = tally;
        let count = FileCount { file, read, loaded, filtered, quarantined };
        // A worker reads a file's chunks one after the other, if not all of them.
        match self.files.last_mut().filter(|last| last.file == file) {
            Some(last) => last.add(count),
            None => self.files.push(count),
        }
    }

    /// Takes in one reject of a chunk.
    pub fn reject(&mut self, chunk: &Chunk<'_>, reject: &Reject<'_>) {
        let reason = reject.reason.as_str();
        let key = reject.key.map(str::to_owned);
        let name = key.as_ref().map_or_else(|| reason.to_owned(), |key| format!("{reason}:{key}"));
        let name =
            if self.reasons.len() < REASONS || self.reasons.contains_key(&name) { name } else { reason.to_owned() };
        *self.reasons.entry(name).or_default() += 1;
        // The key in the wrong case that stands where the right one is missing.
        let key = match (key, reject.variant) {
            (Some(key), Some(variant)) => Some(format!("{key} (found {variant:?})")),
            (key, _) => key,
        };
        let lines_before = chunk.lines_before.map(|lines| lines + reject.line);
        self.locate(Located { file: chunk.file, offset: chunk.offset + reject.offset, lines_before, reason, key });
    }

    /// Takes in the account of another part.
    pub fn merge(&mut self, other: Self) {
        self.tally.merge(&other.tally);
        self.files.extend(other.files);
        // What was sorted before is found to be so.
        self.files.sort_by_key(|count| count.file);
        self.files.dedup_by(|next, count| {
            let is_same = next.file == count.file;
            if is_same {
                count.add(*next);
            }
            is_same
        });
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for located in other.first {
            self.locate(located);
        }
        self.bad_files.extend(other.bad_files);
        self.bad_files.sort_unstable();
    }

    fn locate(&mut self, located: Located) {
        let position = self.first.partition_point(|known| *known < located);
        if position < LOCATED {
            self.first.insert(position, located);
            self.first.truncate(LOCATED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_whoever_reads_them() {
        let tally = |read, rows| Tally { read, rows, quarantined: read - rows, ..Tally::default() };
        let chunks = [(3, tally(5, 5)), (1, tally(2, 1)), (3, tally(7, 4)), (3, tally(1, 1)), (0, tally(4, 0))];
        let expected = [(0, 4, 0, 4), (1, 2, 1, 1), (3, 13, 10, 3)];
        for workers in 1..=3 {
            let mut parts: Vec<Account> = (0..workers).map(|_| Account::default()).collect();
            for (number, (file, tally)) in chunks.iter().enumerate() {
                parts[number % workers].count(*file, tally);
            }
            let mut whole = Account::default();
            parts.into_iter().rev().for_each(|part| whole.merge(part));
            let found: Vec<_> =
                whole.files.iter().map(|count| (count.file, count.read, count.loaded, count.quarantined)).collect();
            assert_eq!(found, expected, "{workers} workers");
            assert_eq!(whole.tally.read, 19);
        }
    }
}
