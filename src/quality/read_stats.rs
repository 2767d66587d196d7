//! Statistics of reading: how many records were read, their outcome, and where the bad ones are.
//!
//! The counts are those of the decoder. Whether they are good enough is the decision of [`crate::quality::gate`].
//!
//! Invariant: merging statistics in any order gives the same result, including the list of the first rejects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::decode::{ChunkCounts, Reject, UnknownKeys};
use crate::error::Result;
use crate::input::fingerprint::FileParts;
use crate::input::read::Chunk;
use crate::lake::checkpoint::RejectExample;
use crate::quality::quarantine::Quarantine;

/// How many rejects of a file are kept with their location.
const MAX_LOCATED_REJECTS: usize = 20;

/// How many files with rejects keep the location of some.
const MAX_LOCATED_FILES: usize = 500;

/// How many different reasons are counted with their key; further ones are counted without it.
const MAX_REASONS: usize = 1000;

/// The location of a rejected record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RejectLocation {
    /// The file's number in the listing.
    pub file: usize,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
    /// Byte offset of its chunk in the file.
    chunk: u64,
    /// Line breaks before it: in the file if its chunk knows them, otherwise in the chunk.
    breaks: u64,
    /// Reason code of `docs/bad_input.md`.
    pub reason: Cow<'static, str>,
    /// The JSON key at fault, with the key that was found instead.
    pub key: Option<String>,
}

/// The outcome of the records of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCount {
    /// The file's number in the listing.
    pub file: usize,
    /// Records in the file.
    pub read: u64,
    /// Records that were loaded into tables.
    pub loaded: u64,
    /// Records that a rule excludes: events of other pages than `NextSong`.
    pub filtered: u64,
    /// Records that were rejected.
    pub quarantined: u64,
    /// Values that were converted from another JSON type without loss.
    pub coerced: u64,
}

/// Remarks on one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remarks {
    /// Quarantined records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Keys that are not part of the format, with their counts.
    pub unknown_keys: UnknownKeys,
}

impl FileCount {
    /// Returns true if every record of the file was loaded, filtered or rejected.
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

/// Statistics of the files of one content, or of a part of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReadStats {
    /// Counts of all files.
    #[serde(rename = "tally")]
    pub counts: ChunkCounts,
    /// Counts per file, in the order of the listing after a merge; files without a record may be missing.
    pub files: Vec<FileCount>,
    /// Remarks by the file's number in the listing.
    pub remarks: BTreeMap<usize, Remarks>,
    /// Quarantined records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first rejects of the first files with rejects, by the file's number in the listing.
    pub first: BTreeMap<usize, Vec<RejectLocation>>,
    /// Files that were skipped as a whole (numbers in the listing), with the reason.
    pub bad_files: Vec<(usize, Cow<'static, str>)>,
    /// The contents of the files; only of event logs.
    pub parts: FileParts,
    /// Whether a worker of a distributed run has written rejects already.
    pub has_written: bool,
    #[serde(skip)]
    quarantine: Quarantine,
    #[serde(skip)]
    line_breaks: LineBreaks,
}

impl ReadStats {
    /// Empty statistics. Rejects are kept in temporary files in the folder `scratch`, or not at all.
    #[must_use]
    pub fn new(scratch: Option<PathBuf>) -> Self {
        Self { quarantine: Quarantine::new(scratch), ..Self::default() }
    }

    /// Adds the counts of a chunk. Its rejects must be added before.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] if a reject could not be kept.
    pub fn end(&mut self, chunk: &Chunk<'_>, counts: &ChunkCounts) -> Result<()> {
        if chunk.lines_before.is_none() {
            let part = Part { file: chunk.file, offset: chunk.offset, newlines: counts.newlines };
            self.line_breaks.parts.push(part);
        }
        self.count(chunk.file, counts);
        self.quarantine.end(chunk)
    }

    /// Completes the statistics of a worker.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] if a reject could not be kept.
    pub fn finish(&mut self) -> Result<()> {
        self.quarantine.finish()
    }

    /// The first rejects of a file.
    pub fn first_rejects(&self, file: usize) -> impl Iterator<Item = &RejectLocation> {
        self.first.get(&file).into_iter().flatten()
    }

    /// A reject for the manifest. Correct only after all parts are merged.
    #[must_use]
    pub fn example(&self, reject: &RejectLocation) -> RejectExample {
        let RejectLocation { offset, reason, key, .. } = reject.clone();
        RejectExample { line: self.line(reject), offset, reason: reason.to_string(), key }
    }

    /// The line of a reject, counted from 1. Correct only after all parts are merged.
    #[must_use]
    pub fn line(&self, reject: &RejectLocation) -> u64 {
        self.line_breaks.before(reject.file, reject.chunk) + reject.breaks + 1
    }

    /// Writes all rejects and skipped files as JSON lines, in the order of the listing, with `put` to files whose names
    /// begin with `name`. Returns true if there were any. Complete only after all parts are merged.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Storage`] if the rejects cannot be read back, and any error of `put`.
    pub fn write_rejects(
        &self,
        name: &str,
        shown: &dyn Fn(usize) -> String,
        put: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        if self.has_written {
            return Ok(true);
        }
        self.quarantine.write(name, &self.bad_files, shown, &|file, chunk| self.line_breaks.before(file, chunk), put)
    }

    /// Prepares the statistics for a merge outside of this process, after all files are read and the rejects are
    /// written: line breaks count from the beginning of each file, and `number` translates the file numbers.
    #[must_use]
    pub fn closed(mut self, number: impl Fn(usize) -> usize) -> Self {
        for reject in std::mem::take(&mut self.first).into_values().flatten() {
            let breaks = reject.breaks + self.line_breaks.before(reject.file, reject.chunk);
            let file = number(reject.file);
            self.first.entry(file).or_default().push(RejectLocation { file, breaks, ..reject });
        }
        self.files.iter_mut().for_each(|count| count.file = number(count.file));
        self.remarks =
            std::mem::take(&mut self.remarks).into_iter().map(|(file, remarks)| (number(file), remarks)).collect();
        self.bad_files.iter_mut().for_each(|(file, _)| *file = number(*file));
        self.parts.renumber(&number);
        (self.quarantine, self.line_breaks) = (Quarantine::default(), LineBreaks::default());
        self
    }

    /// Adds the counts of a chunk of a file.
    fn count(&mut self, file: usize, counts: &ChunkCounts) {
        self.counts.merge(counts);
        let &ChunkCounts { read, rows: loaded, filtered, quarantined, coerced, .. } = counts;
        let count = FileCount { file, read, loaded, filtered, quarantined, coerced };
        if !counts.unknown_keys.is_empty() {
            let remarks = self.remarks.entry(file).or_default();
            counts.unknown_keys.iter().for_each(|(key, count)| remarks.unknown_keys.add(key, count));
        }
        // A worker reads its chunks of a file in sequence.
        match self.files.last_mut().filter(|last| last.file == file) {
            Some(last) => last.add(count),
            None => self.files.push(count),
        }
    }

    /// Adds one reject of a chunk.
    pub fn reject(&mut self, chunk: &Chunk<'_>, reject: &Reject<'_>) {
        let reason = reject.reason.as_str();
        let key = reject.key.map(str::to_owned);
        let name = key.as_ref().map_or_else(|| reason.to_owned(), |key| format!("{reason}:{key}"));
        let name =
            if self.reasons.len() < MAX_REASONS || self.reasons.contains_key(&name) { name } else { reason.to_owned() };
        *self.remarks.entry(chunk.file).or_default().reasons.entry(name.clone()).or_default() += 1;
        *self.reasons.entry(name).or_default() += 1;
        // The key in the wrong case that was found instead of the missing one.
        let key = match (key, reject.variant) {
            (Some(key), Some(variant)) => Some(format!("{key} (found {variant:?})")),
            (key, _) => key,
        };
        let breaks = chunk.lines_before.unwrap_or_default() + reject.line;
        let offset = chunk.offset + reject.offset;
        self.locate(RejectLocation {
            file: chunk.file,
            offset,
            chunk: chunk.offset,
            breaks,
            reason: reason.into(),
            key,
        });
        self.quarantine.add(chunk, reject);
    }

    /// Merges the statistics of another part.
    pub fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
        self.files.extend(other.files);
        // A stable sort detects what is sorted already.
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
        for reject in other.first.into_values().flatten() {
            self.locate(reject);
        }
        self.bad_files.extend(other.bad_files);
        self.bad_files.sort_unstable();
        self.parts.merge(other.parts);
        self.has_written |= other.has_written;
        self.quarantine.merge(other.quarantine);
        self.line_breaks.merge(other.line_breaks);
    }

    /// Keeps a reject if it is among the first ones.
    fn locate(&mut self, reject: RejectLocation) {
        let rejects = self.first.entry(reject.file).or_default();
        let position = rejects.partition_point(|known| *known < reject);
        if position < MAX_LOCATED_REJECTS {
            rejects.insert(position, reject);
            rejects.truncate(MAX_LOCATED_REJECTS);
        }
        if self.first.len() > MAX_LOCATED_FILES {
            self.first.pop_last();
        }
    }
}

/// Line breaks of files that several workers read in parts; the parts are sorted after a merge.
#[derive(Debug, Default)]
struct LineBreaks {
    parts: Vec<Part>,
}

/// A part of a file and its line breaks.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    file: usize,
    offset: u64,
    newlines: u64,
}

impl LineBreaks {
    fn merge(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.parts.sort_unstable();
    }

    /// The line breaks before the part that begins at `offset`; 0 in a file that was read in sequence.
    fn before(&self, file: usize, offset: u64) -> u64 {
        let first = self.parts.partition_point(|part| part.file < file);
        let parts = self.parts.get(first..).unwrap_or_default();
        parts.iter().take_while(|part| (part.file, part.offset) < (file, offset)).map(|part| part.newlines).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_per_file_do_not_depend_on_workers() {
        let counts = |read, rows| ChunkCounts { read, rows, quarantined: read - rows, ..ChunkCounts::default() };
        let chunks = [(3, counts(5, 5)), (1, counts(2, 1)), (3, counts(7, 4)), (3, counts(1, 1)), (0, counts(4, 0))];
        let expected = [(0, 4, 0, 4), (1, 2, 1, 1), (3, 13, 10, 3)];
        for workers in 1..=3 {
            let mut parts: Vec<ReadStats> = (0..workers).map(|_| ReadStats::default()).collect();
            for (number, (file, counts)) in chunks.iter().enumerate() {
                parts[number % workers].count(*file, counts);
            }
            let mut whole = ReadStats::default();
            parts.into_iter().rev().for_each(|part| whole.merge(part));
            let found: Vec<_> =
                whole.files.iter().map(|count| (count.file, count.read, count.loaded, count.quarantined)).collect();
            assert_eq!(found, expected, "{workers} workers");
            assert_eq!(whole.counts.read, 19);
        }
    }
}
