//! Shuffle files: they pass plays from the workers that read them to the workers that write the months.
//!
//! A file has the plays of one shard: sorted runs of plays, grouped by month; then the users and tracks that they refer
//! to; then a footer with all offsets. It is read in parts: the plays of a month stay on disk until their slice of time
//! is written, like runs that were spilled.
//!
//! Invariant: the files of all shards together contain every play once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::Blob;
use crate::tables::interner::Interner;
use crate::tables::plays::{LocalDictionary, NO_SONG, Play};
use crate::tables::song_index::SongIndex;
use crate::tables::songplays::Histogram;
use crate::tables::time::Month;
use crate::transform::external_sort::{
    PLAY_BYTES, SortedRun, SortedRuns, play_from_bytes, play_to_bytes, sparse_index,
};

/// The last bytes of every file.
const MAGIC: [u8; 8] = *b"plays 1\n";

/// The number of bytes after the footer: its length, and [`MAGIC`].
const TAIL_BYTES: u64 = 16;

/// The number of bytes that are read from a disk, or written, at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// A shuffle file in the stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShuffleFile {
    /// The name of the file below the stage.
    pub name: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// The number of plays of each month; months as `2018-11`.
    pub months: BTreeMap<String, u64>,
}

/// The offsets of everything in a file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Footer {
    /// For each thread that read: the offsets of its profiles, of its tracks, and of the end of its tracks.
    #[serde(rename = "people")]
    dictionaries: Vec<[u64; 3]>,
    runs: Vec<RunEntry>,
}

/// The plays of a month in one run.
#[derive(Debug, Serialize, Deserialize)]
struct RunEntry {
    month: String,
    worker: usize,
    start: u64,
    plays: usize,
    index: Vec<i64>,
}

/// Writes plays, and the users and tracks that they refer to, to a file. Returns the number of plays of each month.
///
/// # Errors
/// [`ErrorKind::Storage`], for example when the disk is full.
pub(crate) fn write(runs: &SortedRuns, dictionaries: &[LocalDictionary], file: &File) -> Result<BTreeMap<String, u64>> {
    let mut spans: BTreeMap<Month, Range<i64>> = BTreeMap::new();
    for slice in runs.histogram.slices() {
        spans.entry(slice.month).or_insert_with(|| slice.span.clone()).end = slice.span.end;
    }
    let mut out = CountingWriter { writer: BufWriter::with_capacity(BUFFER_BYTES, file), written: 0 };
    let (mut footer, mut months, mut plays) = (Footer::default(), BTreeMap::new(), Vec::new());
    for (month, span) in spans {
        for run in &runs.runs {
            plays.clear();
            run.read(&span, &mut plays)?;
            if plays.is_empty() {
                continue;
            }
            *months.entry(month.to_string()).or_default() += plays.len() as u64;
            footer.runs.push(RunEntry {
                month: month.to_string(),
                worker: run.worker,
                start: out.written,
                plays: plays.len(),
                index: sparse_index(&plays),
            });
            plays.iter().try_for_each(|play| out.add(&play_to_bytes(play)))?;
        }
    }
    for dictionary in dictionaries {
        let profiles_start = out.written;
        out.add(&dictionary.profiles.to_bytes())?;
        let tracks_start = out.written;
        out.add(&dictionary.tracks.to_bytes())?;
        footer.dictionaries.push([profiles_start, tracks_start, out.written]);
    }
    let footer = serde_json::to_vec(&footer).map_err(|error| {
        Error::new(ErrorKind::Internal, "the footer of a shuffle file cannot be encoded").cause(error.to_string())
    })?;
    out.add(&footer)?;
    out.add(&(footer.len() as u64).to_le_bytes())?;
    out.add(&MAGIC)?;
    out.writer.flush().map_err(failed)?;
    Ok(months)
}

/// A writer that counts the bytes that it has written.
struct CountingWriter<'f> {
    writer: BufWriter<&'f File>,
    written: u64,
}

impl CountingWriter<'_> {
    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.writer.write_all(bytes).map_err(failed)
    }
}

/// The plays of a month from several shuffle files.
#[derive(Debug, Default)]
pub(crate) struct MonthPlays {
    /// The users and tracks that the plays refer to.
    dictionaries: Vec<LocalDictionary>,
    runs: Vec<SortedRun>,
    histogram: Histogram,
}

impl MonthPlays {
    /// Opens the plays of a month in a shuffle file. Plays in a bucket are copied to the folder `scratch`.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it is not a shuffle file, and storage errors.
    pub(crate) fn open(blob: &Blob, size: u64, month: Month, songs: &SongIndex, scratch: &Path) -> Result<Self> {
        let footer = read_footer(blob, size)?;
        let (mut opened, mut numbers) = (Self::default(), BTreeMap::new());
        let month = month.to_string();
        for entry in footer.runs.into_iter().filter(|entry| entry.month == month) {
            let worker = if let Some(known) = numbers.get(&entry.worker) {
                *known
            } else {
                let offsets = footer.dictionaries.get(entry.worker).ok_or_else(mismatch)?;
                opened.dictionaries.push(read_dictionary(blob, *offsets, songs)?);
                *numbers.entry(entry.worker).or_insert(opened.dictionaries.len() - 1)
            };
            let (file, start) = opened.scan_run(blob, &entry, scratch)?;
            opened.runs.push(SortedRun::on_disk(worker, file, start, entry.plays, entry.index));
        }
        Ok(opened)
    }

    /// Adds the plays of a run to the histogram. Returns the local file with the run, and its offset in it.
    fn scan_run(&mut self, blob: &Blob, entry: &RunEntry, scratch: &Path) -> Result<(Arc<File>, u64)> {
        let copy = match blob {
            Blob::File(_) => None,
            Blob::Object(..) => Some(tempfile::tempfile_in(scratch).map_err(failed)?),
        };
        // Larger reads in a bucket mean fewer requests.
        let step = (if copy.is_some() { 16 * BUFFER_BYTES } else { BUFFER_BYTES }) as u64;
        let end = entry.start + (entry.plays * PLAY_BYTES) as u64;
        let (mut at, mut plays) = (entry.start, Vec::new());
        while at < end {
            let bytes = blob.read(at..end.min(at + step))?;
            let (records, _) = bytes.as_chunks::<PLAY_BYTES>();
            plays.clear();
            plays.extend(records.iter().map(play_from_bytes));
            if !plays.is_sorted_by_key(Play::key) || records.is_empty() {
                return Err(mismatch());
            }
            self.histogram.add(&plays);
            if let Some(mut copy) = copy.as_ref() {
                copy.write_all(&bytes).map_err(failed)?;
            }
            at += bytes.len() as u64;
        }
        match (copy, blob) {
            (Some(copy), _) => Ok((Arc::new(copy), 0)),
            (None, Blob::File(file)) => Ok((Arc::clone(file), entry.start)),
            (None, Blob::Object(..)) => Err(mismatch()),
        }
    }

    /// Merges the plays from other files.
    pub(crate) fn merge(&mut self, other: Self) {
        let before = self.dictionaries.len();
        self.dictionaries.extend(other.dictionaries);
        self.runs.extend(other.runs.into_iter().map(|mut run| {
            run.worker += before;
            run
        }));
        self.histogram.merge(&other.histogram);
    }

    /// Returns all plays, ready to be read by time, and the users and tracks that they refer to.
    pub(crate) fn finish(self) -> (SortedRuns, Vec<LocalDictionary>) {
        (SortedRuns { runs: self.runs, histogram: self.histogram }, self.dictionaries)
    }
}

fn read_footer(blob: &Blob, size: u64) -> Result<Footer> {
    let tail = blob.read(size.checked_sub(TAIL_BYTES).ok_or_else(mismatch)?..size)?;
    let (length, magic) = tail.split_first_chunk::<8>().ok_or_else(mismatch)?;
    let start = (size - TAIL_BYTES).checked_sub(u64::from_le_bytes(*length));
    match start {
        Some(start) if magic == MAGIC => {
            serde_json::from_slice(&blob.read(start..size - TAIL_BYTES)?).map_err(|_| mismatch())
        }
        _ => Err(mismatch()),
    }
}

/// Reads the users and tracks of a thread, and matches the tracks with songs.
fn read_dictionary(blob: &Blob, [start, tracks_start, end]: [u64; 3], index: &SongIndex) -> Result<LocalDictionary> {
    let bytes: Bytes = blob.read(start..end)?;
    let profiles_length = usize::try_from(tracks_start.saturating_sub(start)).unwrap_or(usize::MAX);
    let (profiles, tracks) = bytes.split_at_checked(profiles_length).ok_or_else(mismatch)?;
    let profiles = Interner::from_bytes(profiles).ok_or_else(mismatch)?;
    let tracks: Interner<2> = Interner::from_bytes(tracks).ok_or_else(mismatch)?;
    let (mut title, mut artist) = (String::new(), String::new());
    let songs = (0..u32::try_from(tracks.len()).unwrap_or(u32::MAX)).map(|track| {
        let (title, artist) = (tracks.text(track, 0, &mut title), tracks.text(track, 1, &mut artist));
        index.find(title, artist, tracks.number(track)).unwrap_or(NO_SONG)
    });
    let songs = songs.collect();
    Ok(LocalDictionary { profiles, latest: Vec::new(), tracks, songs })
}

fn mismatch() -> Error {
    Error::new(ErrorKind::Retry, "a file of plays in the stage is not the one that a worker wrote")
        .hint("check that no other program writes below _etl/stage; no table was changed, run again")
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn failed(error: std::io::Error) -> Error {
    Error::io_unnamed(ErrorKind::Storage, "write a file of plays", &error).hint("free some space, or set TMPDIR")
}
