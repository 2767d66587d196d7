//! Sorted runs of plays, kept in memory up to a budget and spilled to disk above it.
//!
//! Plays can only be numbered when all of them are known, and all of them may not fit into memory. So each worker sorts
//! the plays it has and adds them here as a run. Later, every slice of time is read from all runs. The only fact about
//! tables that this module uses is the order of plays.
//!
//! Invariant: the runs together contain every play once. Memory holds at most the budget; the rest is in unnamed
//! temporary files, which disappear with the process.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::tables::plays::Play;
use crate::tables::songplays::Histogram;

/// The size of a play in bytes, in memory and on disk.
pub const PLAY_BYTES: usize = 32;

/// The number of plays per entry of a disk run's index.
const INDEX_STRIDE: usize = 1024;

/// Collects the runs of all workers; shared between threads.
#[derive(Debug)]
pub struct RunBuffer {
    budget: usize,
    scratch: PathBuf,
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    bytes_in_memory: usize,
    runs: Vec<SortedRun>,
    histogram: Histogram,
}

/// All runs, ready to be read by time.
#[derive(Debug)]
pub struct SortedRuns {
    /// The runs, in no particular order.
    pub runs: Vec<SortedRun>,
    /// The number of plays in each span of time.
    pub histogram: Histogram,
}

/// One sorted run.
#[derive(Debug)]
pub struct SortedRun {
    /// The worker whose dictionary the plays refer to.
    pub worker: usize,
    data: RunData,
}

#[derive(Debug)]
enum RunData {
    Memory(Vec<Play>),
    Disk { file: Arc<File>, start: u64, plays: usize, index: Vec<i64> },
}

impl RunBuffer {
    /// Creates a buffer that keeps up to `budget` bytes in memory and the rest in files of the folder `scratch`.
    #[must_use]
    pub fn new(budget: usize, scratch: PathBuf) -> Self {
        Self { budget, scratch, contents: Mutex::new(Contents::default()) }
    }

    /// Adds a run that is sorted by [`Play::key`].
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the run has to be written to disk and this fails.
    pub fn add(&self, worker: usize, plays: Vec<Play>) -> Result<()> {
        if plays.is_empty() {
            return Ok(());
        }
        let mut histogram = Histogram::default();
        histogram.add(&plays);
        let bytes = plays.len() * PLAY_BYTES;
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.histogram.merge(&histogram);
        let fits = contents.bytes_in_memory + bytes <= self.budget;
        if fits {
            contents.bytes_in_memory += bytes;
            contents.runs.push(SortedRun { worker, data: RunData::Memory(plays) });
            return Ok(());
        }
        drop(contents);
        let run = self.spill(worker, &plays)?;
        self.contents.lock().unwrap_or_else(PoisonError::into_inner).runs.push(run);
        Ok(())
    }

    /// Returns all runs.
    #[must_use]
    pub fn finish(self) -> SortedRuns {
        let contents = self.contents.into_inner().unwrap_or_else(PoisonError::into_inner);
        SortedRuns { runs: contents.runs, histogram: contents.histogram }
    }

    fn spill(&self, worker: usize, plays: &[Play]) -> Result<SortedRun> {
        let failed =
            |error: std::io::Error| Error::io(ErrorKind::Storage, "write scratch files in", &self.scratch, &error);
        let file = tempfile::tempfile_in(&self.scratch).map_err(failed)?;
        let mut writer = BufWriter::with_capacity(1 << 18, &file);
        for play in plays {
            writer.write_all(&play_to_bytes(play)).map_err(failed)?;
        }
        writer.flush().map_err(failed)?;
        drop(writer);
        let index = sparse_index(plays);
        Ok(SortedRun::on_disk(worker, Arc::new(file), 0, plays.len(), index))
    }
}

/// Returns the time of every [`INDEX_STRIDE`]-th play of a run, which is enough to find a span of time on disk.
#[must_use]
pub(crate) fn sparse_index(plays: &[Play]) -> Vec<i64> {
    plays.iter().step_by(INDEX_STRIDE).map(Play::ts).collect()
}

impl SortedRun {
    /// A run that is stored in a file from the offset `start`, written with [`play_to_bytes`]; `index` comes from
    /// [`sparse_index`].
    #[must_use]
    pub(crate) fn on_disk(worker: usize, file: Arc<File>, start: u64, plays: usize, index: Vec<i64>) -> Self {
        Self { worker, data: RunData::Disk { file, start, plays, index } }
    }

    /// Appends the plays of a span of time (milliseconds) to `found`, in order.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the scratch file cannot be read.
    pub fn read(&self, span: &Range<i64>, found: &mut Vec<Play>) -> Result<()> {
        match &self.data {
            RunData::Memory(plays) => {
                let start = plays.partition_point(|play| play.ts() < span.start);
                let end = plays.partition_point(|play| play.ts() < span.end);
                found.extend_from_slice(plays.get(start..end).unwrap_or_default());
            }
            RunData::Disk { file, start, plays, index } => {
                // The first plays of the span may come before the first index entry inside it.
                let first = index.partition_point(|ts| *ts < span.start).saturating_sub(1) * INDEX_STRIDE;
                let last = (index.partition_point(|ts| *ts < span.end) * INDEX_STRIDE).min(*plays);
                let mut bytes = vec![0; last.saturating_sub(first) * PLAY_BYTES];
                file.read_exact_at(&mut bytes, start + (first * PLAY_BYTES) as u64).map_err(|error| {
                    Error::new(ErrorKind::Storage, "a scratch file cannot be read back").cause(error.to_string())
                })?;
                let (records, _) = bytes.as_chunks::<PLAY_BYTES>();
                found.extend(records.iter().map(play_from_bytes).filter(|play| span.contains(&play.ts())));
            }
        }
        Ok(())
    }
}

/// Encodes a play for a file.
#[must_use]
pub(crate) fn play_to_bytes(play: &Play) -> [u8; PLAY_BYTES] {
    let mut bytes = [0; PLAY_BYTES];
    let (words, _) = bytes.as_chunks_mut::<8>();
    for (word, value) in words.iter_mut().zip(play.to_words()) {
        *word = value.to_le_bytes();
    }
    bytes
}

/// Decodes a play that [`play_to_bytes`] encoded.
#[must_use]
pub(crate) fn play_from_bytes(bytes: &[u8; PLAY_BYTES]) -> Play {
    let (words, _) = bytes.as_chunks::<8>();
    let word = |position: usize| words.get(position).map_or(0, |word| i64::from_le_bytes(*word));
    Play::from_words([word(0), word(1), word(2), word(3)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reads_the_same_from_memory_and_from_disk() {
        let plays: Vec<Play> = (0..5000_i64)
            .zip(0_u32..)
            .map(|(n, track)| Play::new((n / 3, Some(-n), (n % 2 == 0).then_some(i64::MIN)), u32::MAX, track))
            .collect();
        let dir = tempfile::tempdir().unwrap();
        for budget in [0, 1 << 20] {
            let runs = RunBuffer::new(budget, dir.path().to_owned());
            runs.add(7, plays.clone()).unwrap();
            let sorted = runs.finish();
            let run = &sorted.runs[0];
            assert_eq!(run.worker, 7);
            assert_eq!(matches!(run.data, RunData::Disk { .. }), budget == 0);
            for span in [0..2000, 0..0, 341..342, 342..1000, 1666..1667, 1700..1800, -5..1] {
                let mut found = Vec::new();
                run.read(&span, &mut found).unwrap();
                let expected: Vec<Play> = plays.iter().copied().filter(|play| span.contains(&play.ts())).collect();
                assert_eq!(found, expected, "{span:?} with budget {budget}");
            }
        }
    }
}
