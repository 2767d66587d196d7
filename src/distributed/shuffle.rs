//! Plays on their way from the worker that read them to the one that makes their month.
//!
//! A file holds what one shard's events say: sorted runs of plays, month by month; who and what they speak of, once; and
//! at its end where everything lies. It is read in parts: a month's plays are left on the disk until their slice of
//! time is made, like the runs of a process that spilled them.
//!
//! Invariant: the files of all shards together hold every play once.

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
use crate::transform::sorted_runs::{PLAY_BYTES, SortedRun, SortedRuns, from_bytes, index_of, to_bytes};

/// What a file ends with.
const END: [u8; 8] = *b"plays 1\n";

/// Bytes behind the footer: its length, and [`END`].
const TAIL: u64 = 16;

/// Bytes of plays that are looked through at a time.
const WINDOW: usize = 1 << 20;

/// A file of plays in the stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShuffleFile {
    /// Its name below the stage.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// How many plays of each month it holds; months as `2018-11`.
    pub months: BTreeMap<String, u64>,
}

/// Where everything lies in a file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Footer {
    /// Of each thread that read: where its profiles begin, where its tracks begin, and where they end.
    people: Vec<[u64; 3]>,
    runs: Vec<RunAt>,
}

/// The plays of a month in one run.
#[derive(Debug, Serialize, Deserialize)]
struct RunAt {
    month: String,
    worker: usize,
    start: u64,
    plays: usize,
    index: Vec<i64>,
}

/// Writes plays and who they speak of to a file; returns how many there are of each month.
///
/// # Errors
/// [`ErrorKind::Storage`] when the disk is full, among others.
pub fn write(runs: &SortedRuns, people: &[LocalDictionary], file: &File) -> Result<BTreeMap<String, u64>> {
    let mut spans: BTreeMap<Month, Range<i64>> = BTreeMap::new();
    for slice in runs.histogram.slices() {
        spans.entry(slice.month).or_insert_with(|| slice.span.clone()).end = slice.span.end;
    }
    let mut out = Counted { writer: BufWriter::with_capacity(WINDOW, file), written: 0 };
    let (mut footer, mut months, mut found) = (Footer::default(), BTreeMap::new(), Vec::new());
    for (month, span) in spans {
        for run in &runs.runs {
            found.clear();
            run.read(&span, &mut found)?;
            if found.is_empty() {
                continue;
            }
            *months.entry(month.to_string()).or_default() += found.len() as u64;
            footer.runs.push(RunAt {
                month: month.to_string(),
                worker: run.worker,
                start: out.written,
                plays: found.len(),
                index: index_of(&found),
            });
            found.iter().try_for_each(|play| out.add(&to_bytes(play)))?;
        }
    }
    for people in people {
        let start = out.written;
        out.add(&people.profiles.to_bytes())?;
        let middle = out.written;
        out.add(&people.tracks.to_bytes())?;
        footer.people.push([start, middle, out.written]);
    }
    let footer = serde_json::to_vec(&footer)
        .map_err(|error| Error::new(ErrorKind::Internal, "plays cannot be told").cause(error.to_string()))?;
    out.add(&footer)?;
    out.add(&(footer.len() as u64).to_le_bytes())?;
    out.add(&END)?;
    out.writer.flush().map_err(failed)?;
    Ok(months)
}

/// A writer that knows where it is.
struct Counted<'f> {
    writer: BufWriter<&'f File>,
    written: u64,
}

impl Counted<'_> {
    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.writer.write_all(bytes).map_err(failed)
    }
}

/// The plays of a month from some files.
#[derive(Debug, Default)]
pub struct Gathering {
    /// Who and what they speak of.
    pub people: Vec<LocalDictionary>,
    runs: Vec<SortedRun>,
    histogram: Histogram,
}

impl Gathering {
    /// Takes the plays of a month out of a file; what lies in a bucket is copied to `scratch`.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when it is not such a file, the place's errors otherwise.
    pub fn open(blob: &Blob, size: u64, month: Month, catalogue: &SongIndex, scratch: &Path) -> Result<Self> {
        let footer = footer(blob, size)?;
        let (mut gathering, mut numbers) = (Self::default(), BTreeMap::new());
        let month = month.to_string();
        for part in footer.runs.into_iter().filter(|part| part.month == month) {
            let worker = if let Some(known) = numbers.get(&part.worker) {
                *known
            } else {
                let at = footer.people.get(part.worker).ok_or_else(unlike)?;
                gathering.people.push(people(blob, *at, catalogue)?);
                *numbers.entry(part.worker).or_insert(gathering.people.len() - 1)
            };
            let (file, start) = gathering.look_through(blob, &part, scratch)?;
            gathering.runs.push(SortedRun::on_disk(worker, file, start, part.plays, part.index));
        }
        Ok(gathering)
    }

    /// Counts the plays of a run; returns where it can be read again and again.
    fn look_through(&mut self, blob: &Blob, part: &RunAt, scratch: &Path) -> Result<(Arc<File>, u64)> {
        let copy = match blob {
            Blob::File(_) => None,
            Blob::Object(..) => Some(tempfile::tempfile_in(scratch).map_err(failed)?),
        };
        // A disk is read in small pieces, a bucket in few requests.
        let window = (if copy.is_some() { 16 * WINDOW } else { WINDOW }) as u64;
        let end = part.start + (part.plays * PLAY_BYTES) as u64;
        let (mut at, mut plays) = (part.start, Vec::new());
        while at < end {
            let bytes = blob.read(at..end.min(at + window))?;
            let (records, _) = bytes.as_chunks::<PLAY_BYTES>();
            plays.clear();
            plays.extend(records.iter().map(from_bytes));
            if !plays.is_sorted_by_key(Play::key) || records.is_empty() {
                return Err(unlike());
            }
            self.histogram.add(&plays);
            if let Some(mut copy) = copy.as_ref() {
                copy.write_all(&bytes).map_err(failed)?;
            }
            at += bytes.len() as u64;
        }
        match (copy, blob) {
            (Some(copy), _) => Ok((Arc::new(copy), 0)),
            (None, Blob::File(file)) => Ok((Arc::clone(file), part.start)),
            (None, Blob::Object(..)) => Err(unlike()),
        }
    }

    /// Takes in what others have gathered.
    pub fn merge(&mut self, other: Self) {
        let before = self.people.len();
        self.people.extend(other.people);
        self.runs.extend(other.runs.into_iter().map(|mut run| {
            run.worker += before;
            run
        }));
        self.histogram.merge(&other.histogram);
    }

    /// All plays, ready to be read by time, and who and what they speak of.
    #[must_use]
    pub fn finish(self) -> (SortedRuns, Vec<LocalDictionary>) {
        (SortedRuns { runs: self.runs, histogram: self.histogram }, self.people)
    }
}

fn footer(blob: &Blob, size: u64) -> Result<Footer> {
    let tail = blob.read(size.checked_sub(TAIL).ok_or_else(unlike)?..size)?;
    let (length, end) = tail.split_first_chunk::<8>().ok_or_else(unlike)?;
    let start = (size - TAIL).checked_sub(u64::from_le_bytes(*length));
    match start {
        Some(start) if end == END => serde_json::from_slice(&blob.read(start..size - TAIL)?).map_err(|_| unlike()),
        _ => Err(unlike()),
    }
}

/// Who and what a thread's plays speak of, its tracks matched.
fn people(blob: &Blob, [start, middle, end]: [u64; 3], catalogue: &SongIndex) -> Result<LocalDictionary> {
    let bytes: Bytes = blob.read(start..end)?;
    let middle = usize::try_from(middle.saturating_sub(start)).unwrap_or(usize::MAX);
    let (profiles, tracks) = bytes.split_at_checked(middle).ok_or_else(unlike)?;
    let profiles = Interner::from_bytes(profiles).ok_or_else(unlike)?;
    let tracks: Interner<2> = Interner::from_bytes(tracks).ok_or_else(unlike)?;
    let (mut title, mut artist) = (String::new(), String::new());
    let songs = (0..u32::try_from(tracks.len()).unwrap_or(u32::MAX)).map(|track| {
        let (title, artist) = (tracks.text(track, 0, &mut title), tracks.text(track, 1, &mut artist));
        catalogue.find(title, artist, tracks.number(track)).unwrap_or(NO_SONG)
    });
    let songs = songs.collect();
    Ok(LocalDictionary { profiles, latest: Vec::new(), tracks, songs })
}

fn unlike() -> Error {
    Error::new(ErrorKind::Retry, "a file of plays is not what a worker staged")
        .hint("did another program write below _etl/stage? nothing was changed; run again")
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn failed(error: std::io::Error) -> Error {
    Error::io_unnamed(ErrorKind::Storage, "write a file of plays", &error).hint("free some space, or set TMPDIR")
}
