//! Every record accounted for: how many were read, what became of them, and where the bad ones are.
//!
//! It counts what the decoder reports; it judges nothing.
//!
//! Invariant: merging accounts in any order gives the same account, the list of first rejects included.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::decode::{ChunkCounts, Reject, UnknownKeys};
use crate::error::Result;
use crate::input::duplicate_files::FileHead;
use crate::input::read::Chunk;
use crate::quality::quarantine::Quarantine;

/// How many rejects are kept with their place.
const LOCATED: usize = 20;

/// How many different reasons are told apart; keys are part of a reason.
const REASONS: usize = 1000;

/// Where a rejected record lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Located {
    /// Which file of the listing.
    pub file: usize,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
    /// The offset of the chunk that it lies in.
    chunk: u64,
    /// Line breaks before it, as far as its chunk knows.
    breaks: u64,
    /// Reason code.
    pub reason: Cow<'static, str>,
    /// The key it is about.
    pub key: Option<String>,
}

/// What became of the records of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Values taken over from another JSON type without loss.
    pub coerced: u64,
}

/// What is worth saying of a file, where there is anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remarks {
    /// Quarantined records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Keys that no rule knows.
    pub unknown_keys: UnknownKeys,
}

impl FileCount {
    /// Whether every record of the file is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.read == self.loaded + self.filtered + self.quarantined
    }

    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.loaded += other.loaded;
        self.filtered += other.filtered;
        self.quarantined += other.quarantined;
        self.coerced += other.coerced;
    }
}

/// The accounting of one content's files, or of a part of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReadStats {
    /// The counts.
    pub tally: ChunkCounts,
    /// The same by file, in the order of the listing once merged; files without a record may be missing.
    pub files: Vec<FileCount>,
    /// What there is to say of some files.
    pub remarks: BTreeMap<usize, Remarks>,
    /// Quarantined records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first rejects in the order of the listing.
    pub first: Vec<Located>,
    /// Files left out as a whole, with the reason.
    pub bad_files: Vec<(usize, Cow<'static, str>)>,
    /// Beginnings of files whose size another one has as well.
    pub heads: Vec<FileHead>,
    /// Whether rejects have been written already, by a worker on its own.
    pub has_written: bool,
    /// The rejects themselves.
    #[serde(skip)]
    kept: Quarantine,
    #[serde(skip)]
    lines: Lines,
}

impl ReadStats {
    /// An account of nothing yet, which keeps rejects in scratch files in `scratch`, if that is given.
    #[must_use]
    pub fn new(scratch: Option<PathBuf>) -> Self {
        Self { kept: Quarantine::new(scratch), ..Self::default() }
    }

    /// Takes in the counts of a chunk, after its rejects.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] when a reject could not be kept.
    pub fn end(&mut self, chunk: &Chunk<'_>, tally: &ChunkCounts) -> Result<()> {
        if chunk.lines_before.is_none() {
            self.lines.parts.push((chunk.file, chunk.offset, tally.newlines));
        }
        self.count(chunk.file, tally);
        self.kept.end(chunk)
    }

    /// Ends a worker's account.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] when a reject could not be kept.
    pub fn finish(&mut self) -> Result<()> {
        self.kept.finish()
    }

    /// The line of a reject, from 1; only a whole account knows it.
    #[must_use]
    pub fn line(&self, located: &Located) -> u64 {
        self.lines.before(located.file, located.chunk) + located.breaks + 1
    }

    /// Hands out all rejects and the files left out, as JSON lines in the order of the listing, to files whose names
    /// begin with `name`; says whether there were any. Only a whole account knows them all.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] when they cannot be read back, and `put`'s.
    pub fn write_rejects(
        &self,
        name: &str,
        shown: &dyn Fn(usize) -> String,
        put: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        if self.has_written {
            return Ok(true);
        }
        self.kept.write(name, &self.bad_files, shown, &|file, chunk| self.lines.before(file, chunk), put)
    }

    /// The account as others can take it in, once all files of it are read and its rejects are written: lines are
    /// counted through, and files have the numbers that `number` gives them.
    #[must_use]
    pub fn closed(mut self, number: impl Fn(usize) -> usize) -> Self {
        for located in &mut self.first {
            located.breaks += self.lines.before(located.file, located.chunk);
            located.file = number(located.file);
        }
        self.files.iter_mut().for_each(|count| count.file = number(count.file));
        self.remarks = std::mem::take(&mut self.remarks).into_iter().map(|(file, said)| (number(file), said)).collect();
        self.bad_files.iter_mut().for_each(|(file, _)| *file = number(*file));
        self.heads.iter_mut().for_each(|head| head.renumber(&number));
        (self.kept, self.lines) = (Quarantine::default(), Lines::default());
        self
    }

    /// Takes in the counts of a chunk of the file number `file`.
    fn count(&mut self, file: usize, tally: &ChunkCounts) {
        self.tally.merge(tally);
        let &ChunkCounts { read, rows: loaded, filtered, quarantined, coerced, .. } = tally;
        let count = FileCount { file, read, loaded, filtered, quarantined, coerced };
        if !tally.unknown_keys.is_empty() {
            let remarks = self.remarks.entry(file).or_default();
            tally.unknown_keys.iter().for_each(|(key, count)| remarks.unknown_keys.add(key, count));
        }
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
        *self.remarks.entry(chunk.file).or_default().reasons.entry(name.clone()).or_default() += 1;
        *self.reasons.entry(name).or_default() += 1;
        // The key in the wrong case that stands where the right one is missing.
        let key = match (key, reject.variant) {
            (Some(key), Some(variant)) => Some(format!("{key} (found {variant:?})")),
            (key, _) => key,
        };
        let breaks = chunk.lines_before.unwrap_or_default() + reject.line;
        let offset = chunk.offset + reject.offset;
        self.locate(Located { file: chunk.file, offset, chunk: chunk.offset, breaks, reason: reason.into(), key });
        self.kept.add(chunk, reject);
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
        for (file, remarks) in other.remarks {
            let ours = self.remarks.entry(file).or_default();
            remarks.unknown_keys.iter().for_each(|(key, count)| ours.unknown_keys.add(key, count));
            for (reason, count) in remarks.reasons {
                *ours.reasons.entry(reason).or_default() += count;
            }
        }
        for located in other.first {
            self.locate(located);
        }
        self.bad_files.extend(other.bad_files);
        self.bad_files.sort_unstable();
        self.heads.extend(other.heads);
        self.has_written |= other.has_written;
        self.kept.merge(other.kept);
        self.lines.merge(other.lines);
    }

    fn locate(&mut self, located: Located) {
        let position = self.first.partition_point(|known| *known < located);
        if position < LOCATED {
            self.first.insert(position, located);
            self.first.truncate(LOCATED);
        }
    }
}

/// Line breaks in the parts of files that are read in parts: file, offset and number of breaks of each, sorted in a
/// whole account.
#[derive(Debug, Default)]
struct Lines {
    parts: Vec<(usize, u64, u64)>,
}

impl Lines {
    fn merge(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.parts.sort_unstable();
    }

    /// How many lie in front of the part that begins at `offset`; 0 in a file that was read from its beginning.
    fn before(&self, file: usize, offset: u64) -> u64 {
        let first = self.parts.partition_point(|part| *part < (file, 0, 0));
        let parts = self.parts.get(first..).unwrap_or_default();
        parts.iter().take_while(|part| (part.0, part.1) < (file, offset)).map(|part| part.2).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_whoever_reads_them() {
        let tally = |read, rows| ChunkCounts { read, rows, quarantined: read - rows, ..ChunkCounts::default() };
        let chunks = [(3, tally(5, 5)), (1, tally(2, 1)), (3, tally(7, 4)), (3, tally(1, 1)), (0, tally(4, 0))];
        let expected = [(0, 4, 0, 4), (1, 2, 1, 1), (3, 13, 10, 3)];
        for workers in 1..=3 {
            let mut parts: Vec<ReadStats> = (0..workers).map(|_| ReadStats::default()).collect();
            for (number, (file, tally)) in chunks.iter().enumerate() {
                parts[number % workers].count(*file, tally);
            }
            let mut whole = ReadStats::default();
            parts.into_iter().rev().for_each(|part| whole.merge(part));
            let found: Vec<_> =
                whole.files.iter().map(|count| (count.file, count.read, count.loaded, count.quarantined)).collect();
            assert_eq!(found, expected, "{workers} workers");
            assert_eq!(whole.tally.read, 19);
        }
    }
}
