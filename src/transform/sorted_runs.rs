//! Sorted runs of plays: in memory while they fit, on disk beyond.
//!
//! Plays cannot be numbered before all of them are known, and all of them may be more than fits. So each worker sorts
//! what it has, leaves it here as a run, and later every slice of time is read from all runs. It knows nothing of
//! tables beyond the order of plays.
//!
//! Invariant: the runs together hold every play once; memory holds at most the budget, the rest is in unnamed
//! temporary files that vanish with the process.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::tables::plays::Play;
use crate::tables::songplays::Histogram;

/// Bytes of a play, in memory and on disk.
pub const PLAY_BYTES: usize = 32;

/// Plays from one entry of a disk run's index to the next.
const STRIDE: usize = 1024;

/// Where workers leave their runs; shared between threads.
#[derive(Debug)]
pub struct RunBuffer {
    budget: usize,
    scratch: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    in_memory: usize,
    runs: Vec<SortedRun>,
    histogram: Histogram,
}

/// All plays of all runs, ready to be read by time.
#[derive(Debug)]
pub struct SortedRuns {
    /// Each run with the worker whose ids its plays carry.
    pub runs: Vec<SortedRun>,
    /// How many plays there are in each span of time.
    pub histogram: Histogram,
}

/// One sorted run.
#[derive(Debug)]
pub struct SortedRun {
    /// The worker whose ids the plays carry.
    pub worker: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<Play>),
    Disk { file: Arc<File>, start: u64, plays: usize, index: Vec<i64> },
}

impl RunBuffer {
    /// Keeps up to `budget` bytes in memory and the rest in files of the folder `scratch`.
    #[must_use]
    pub fn new(budget: usize, scratch: PathBuf) -> Self {
        Self { budget, scratch, kept: Mutex::new(Kept::default()) }
    }

    /// Takes in a run, sorted by [`Play::key`].
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when it has to go to disk and cannot.
    pub fn add(&self, worker: usize, plays: Vec<Play>) -> Result<()> {
        if plays.is_empty() {
            return Ok(());
        }
        let mut histogram = Histogram::default();
        histogram.add(&plays);
        let bytes = plays.len() * PLAY_BYTES;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.histogram.merge(&histogram);
        let fits = kept.in_memory + bytes <= self.budget;
        if fits {
            kept.in_memory += bytes;
            kept.runs.push(SortedRun { worker, place: Place::Memory(plays) });
            return Ok(());
        }
        drop(kept);
        let run = self.spill(worker, &plays)?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).runs.push(run);
        Ok(())
    }

    /// Ends collecting.
    #[must_use]
    pub fn finish(self) -> SortedRuns {
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        SortedRuns { runs: kept.runs, histogram: kept.histogram }
    }

    fn spill(&self, worker: usize, plays: &[Play]) -> Result<SortedRun> {
        let failed =
            |error: std::io::Error| Error::io(ErrorKind::Storage, "write scratch files in", &self.scratch, &error);
        let file = tempfile::tempfile_in(&self.scratch).map_err(failed)?;
        let mut writer = BufWriter::with_capacity(1 << 18, &file);
        for play in plays {
            writer.write_all(&to_bytes(play)).map_err(failed)?;
        }
        writer.flush().map_err(failed)?;
        drop(writer);
        let index = index_of(plays);
        Ok(SortedRun::on_disk(worker, Arc::new(file), 0, plays.len(), index))
    }
}

/// The times of every so-and-so-many-th play of a run: what finds a span of time on disk.
#[must_use]
pub fn index_of(plays: &[Play]) -> Vec<i64> {
    plays.iter().step_by(STRIDE).map(Play::ts).collect()
}

impl SortedRun {
    /// A run that lies in a file from `start` on, written with [`to_bytes`]; `index` is that of [`index_of`].
    #[must_use]
    pub fn on_disk(worker: usize, file: Arc<File>, start: u64, plays: usize, index: Vec<i64>) -> Self {
        Self { worker, place: Place::Disk { file, start, plays, index } }
    }

    /// Appends the plays of a span of time (milliseconds) to `found`, in order.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the scratch file cannot be read.
    pub fn read(&self, span: &Range<i64>, found: &mut Vec<Play>) -> Result<()> {
        match &self.place {
            Place::Memory(plays) => {
                let start = plays.partition_point(|play| play.ts() < span.start);
                let end = plays.partition_point(|play| play.ts() < span.end);
                found.extend_from_slice(plays.get(start..end).unwrap_or_default());
            }
            Place::Disk { file, start, plays, index } => {
                // The stride before the first entry inside the span may hold its first plays.
                let first = index.partition_point(|ts| *ts < span.start).saturating_sub(1) * STRIDE;
                let last = (index.partition_point(|ts| *ts < span.end) * STRIDE).min(*plays);
                let mut bytes = vec![0; last.saturating_sub(first) * PLAY_BYTES];
                file.read_exact_at(&mut bytes, start + (first * PLAY_BYTES) as u64).map_err(|error| {
                    Error::new(ErrorKind::Storage, "a scratch file could not be read back").cause(error.to_string())
                })?;
                let (records, _) = bytes.as_chunks::<PLAY_BYTES>();
                found.extend(records.iter().map(from_bytes).filter(|play| span.contains(&play.ts())));
            }
        }
        Ok(())
    }
}

/// A play as it lies in a file.
#[must_use]
pub fn to_bytes(play: &Play) -> [u8; PLAY_BYTES] {
    let mut bytes = [0; PLAY_BYTES];
    let (words, _) = bytes.as_chunks_mut::<8>();
    for (word, value) in words.iter_mut().zip(play.to_words()) {
        *word = value.to_le_bytes();
    }
    bytes
}

/// The play that [`to_bytes`] gave.
#[must_use]
pub fn from_bytes(bytes: &[u8; PLAY_BYTES]) -> Play {
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
            assert_eq!(matches!(run.place, Place::Disk { .. }), budget == 0);
            for span in [0..2000, 0..0, 341..342, 342..1000, 1666..1667, 1700..1800, -5..1] {
                let mut found = Vec::new();
                run.read(&span, &mut found).unwrap();
                let expected: Vec<Play> = plays.iter().copied().filter(|play| span.contains(&play.ts())).collect();
                assert_eq!(found, expected, "{span:?} with budget {budget}");
            }
        }
    }
}
