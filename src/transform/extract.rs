//! Extracts partial tables from files on all threads: reads chunks, decodes them, and adds the records.
//!
//! Each worker has its own partials until all files are read. The meaning of a record is decided in [`crate::tables`].
//!
//! Invariant: a worker's buffers are bounded by the chunk size and the memory limit, regardless of the size of the
//! input.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::{Config, OnBadFile};
use crate::decode::{Decoded, Decoder, Limits};
use crate::error::Result;
use crate::input::list::SelectedFiles;
use crate::input::read::{Chunk, Fetched, FileFeed, Listed, Reader, Reading};
use crate::quality::read_stats::ReadStats;
use crate::runtime::context::Context;
use crate::runtime::progress::Level;
use crate::runtime::threads::for_tasks;
use crate::schema::Table;
use crate::tables::artists::ArtistsPartial;
use crate::tables::file_months::FileMonths;
use crate::tables::plays::{LocalDictionary, PlaysPartial};
use crate::tables::song_index::SongIndex;
use crate::tables::song_record::SongRecord;
use crate::tables::songs::SongsPartial;
use crate::tables::time::Month;
use crate::transform::external_sort::{PLAY_BYTES, RunBuffer};

/// Lower bound, in bytes, for the objects that may be in transfer or waiting for a worker at the same time.
const MIN_READ_AHEAD_BYTES: u64 = 32 << 20;

/// The size of a short event in bytes; used only to estimate how many plays there may be.
const MIN_EVENT_BYTES: usize = 256;

/// Lower bound for the number of plays that a worker collects before it sorts them.
const MIN_PLAYS_PER_RUN: usize = 1 << 14;

/// The content of song files.
#[derive(Debug, Default)]
pub struct SongsRead {
    /// The rows of the songs table so far.
    pub songs: SongsPartial,
    /// The rows of the artists table so far.
    pub artists: ArtistsPartial,
    /// Every song record, if later runs need them.
    pub records: Vec<SongRecord>,
}

impl SongsRead {
    /// Merges the content that another worker has read.
    pub fn merge(&mut self, other: Self) {
        self.songs.merge(other.songs);
        self.artists.merge(other.artists);
        self.records.extend(other.records);
    }

    /// Adds a song record that an earlier run or another worker has read.
    pub fn add(&mut self, record: SongRecord) {
        self.songs.add(&record.song());
        self.artists.add(&record.song());
        self.records.push(record);
    }
}

/// The content of log files, except the plays.
#[derive(Debug, Default)]
pub struct LogsRead {
    /// The users and tracks of each worker's plays.
    pub dictionaries: Vec<LocalDictionary>,
    /// The months of each file's plays, by the file's number in the listing.
    pub months: BTreeSet<(usize, Month)>,
    /// Counts of the records, and the rejects.
    pub stats: ReadStats,
    /// The number of shards of log files that were read.
    pub shards: usize,
}

/// Reads selected files on all threads.
#[derive(Clone, Copy, Debug)]
pub struct Extractor<'e> {
    /// The options of the run.
    pub config: &'e Config,
    /// A folder for rejects that do not fit in memory. Without it, neither rejects nor song records are retained.
    pub scratch: Option<&'e Path>,
    /// Cancellation and progress.
    pub context: &'e Context<'e>,
}

/// The destination of plays.
#[derive(Clone, Copy, Debug)]
pub struct PlayTarget<'t> {
    /// The songs that plays are matched with.
    pub songs: &'t SongIndex,
    /// The buffer that collects the sorted runs.
    pub runs: &'t RunBuffer,
    /// The months whose plays are wanted; `None` means all months.
    pub months: Option<&'t BTreeSet<Month>>,
}

impl Extractor<'_> {
    /// Reads song files into the songs and the artists.
    ///
    /// # Errors
    /// Those of [`crate::input::read`], and [`crate::error::ErrorKind::DataRefused`] for a file that is not JSON.
    pub fn songs(&self, files: SelectedFiles<'_>) -> Result<(SongsRead, ReadStats)> {
        let begin =
            |_| SongExtract { read: SongsRead::default(), text: String::new(), needs_records: self.scratch.is_some() };
        let parts = self.each_chunk(files, begin)?;
        let (mut read, mut stats) = (SongsRead::default(), ReadStats::default());
        for (part, part_stats) in parts {
            read.merge(part.read);
            stats.merge(part_stats);
        }
        Ok((read, stats))
    }

    /// Reads log files into sorted runs of plays, and adds the rest of their content, with its fingerprints, to `read`.
    ///
    /// # Errors
    /// Those of [`Self::songs`], and [`crate::error::ErrorKind::Storage`] when a run cannot be written to disk.
    pub fn plays(&self, files: SelectedFiles<'_>, target: PlayTarget<'_>, read: &mut LogsRead) -> Result<()> {
        let run_length = plays_per_run(self.config);
        // A buffer is checked after each chunk, so it can hold one chunk more than a run.
        let max_events = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX) / MIN_EVENT_BYTES;
        let capacity =
            max_events(files.listing.bytes_of(files.selection)).min(run_length + max_events(self.config.chunk_size));
        // A play refers to the dictionary of its worker, and workers of earlier calls keep their numbers.
        let first = read.dictionaries.len();
        let begin = |worker| PlayExtract {
            worker: first + worker,
            plays: PlaysPartial::new(target.songs, capacity),
            file_months: FileMonths::default(),
            run_length,
            target,
            context: self.context,
        };
        for (part, part_stats) in self.each_chunk(files, begin)? {
            read.dictionaries.push(part.plays.into_dictionary());
            read.months.extend(part.file_months.months);
            read.stats.merge(part_stats);
        }
        Ok(())
    }

    /// Reads log files to find the months of each file's plays, by the file's number in the listing.
    ///
    /// # Errors
    /// Those of [`Self::songs`].
    pub fn months(&self, files: SelectedFiles<'_>) -> Result<BTreeSet<(usize, Month)>> {
        let parts = self.each_chunk(files, |_| MonthExtract::default())?;
        Ok(parts.into_iter().flat_map(|(part, _)| part.0.months).collect())
    }

    /// Passes every chunk of every file to one of the workers; returns the workers' partials and statistics.
    fn each_chunk<P: Extract>(
        &self,
        files: SelectedFiles<'_>,
        begin: impl Fn(usize) -> P + Sync,
    ) -> Result<Vec<(P, ReadStats)>> {
        let Self { config, scratch, context } = *self;
        let skips_bad_files = config.on_bad_file == OnBadFile::Quarantine;
        let feed = FileFeed::new(files, reading(config))?;
        let max_artist_id = Limits::artist_id_in(config.columns.get(Table::Songs, "artist_id"));
        let all_pages = config.reads_all_pages();
        let limits = || Limits { ts_window: config.ts_window.clone(), all_pages, max_artist_id, ..Limits::default() };
        let parts = for_tasks(
            config.threads,
            feed.tasks(),
            &context.cancel,
            |thread| {
                let decoder = Decoder::new(limits());
                let stats = ReadStats::new(scratch.map(Path::to_owned));
                (begin(thread), decoder, stats, Reader::default())
            },
            |(partial, decoder, stats, reader), task| {
                feed.read(reader, task, &context.cancel, &mut |fetched| match fetched {
                    Fetched::Chunk(chunk) => {
                        context.cancel.check()?;
                        if P::HAS_FINGERPRINTS {
                            stats.parts.add(&chunk);
                        }
                        partial.add(&chunk, decoder, stats)?;
                        context.add(chunk.bytes.len() as u64);
                        Ok(())
                    }
                    Fetched::Bad { file, code } if skips_bad_files => {
                        stats.bad_files.push((file, code.into()));
                        Ok(())
                    }
                    Fetched::Bad { file, code } => Err(Listed::new(files.listing, file)?.refusal(code)),
                })
            },
            |(partial, _, stats, _)| {
                stats.finish()?;
                partial.finish()
            },
        )?;
        Ok(parts.into_iter().map(|(partial, _, stats, _)| (partial, stats)).collect())
    }
}

/// The partial result of one worker.
trait Extract: Send {
    /// Whether the fingerprints of the files are needed.
    const HAS_FINGERPRINTS: bool;

    /// Adds the records of a chunk.
    fn add(&mut self, chunk: &Chunk<'_>, decoder: &mut Decoder, stats: &mut ReadStats) -> Result<()>;

    /// Ends the partial, after the worker's last chunk.
    fn finish(&mut self) -> Result<()>;
}

/// The songs that one worker has read.
struct SongExtract {
    read: SongsRead,
    /// Buffer for unescaping strings.
    text: String,
    needs_records: bool,
}

impl Extract for SongExtract {
    // Two copies of a song file are one song.
    const HAS_FINGERPRINTS: bool = false;

    fn add(&mut self, chunk: &Chunk<'_>, decoder: &mut Decoder, stats: &mut ReadStats) -> Result<()> {
        let Self { read, text, needs_records } = self;
        let counts = decoder.songs(chunk.bytes, chunk.framing, &mut |decoded| match decoded {
            Decoded::Row(song) => {
                read.songs.add(song);
                read.artists.add(song);
                if *needs_records {
                    read.records.push(SongRecord::new(chunk.file, chunk.offset, song, text));
                }
            }
            Decoded::Reject(reject) => stats.reject(chunk, &reject),
        });
        stats.end(chunk, &counts)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The months of the plays that one worker has read.
#[derive(Default)]
struct MonthExtract(FileMonths);

impl Extract for MonthExtract {
    const HAS_FINGERPRINTS: bool = false;

    fn add(&mut self, chunk: &Chunk<'_>, decoder: &mut Decoder, stats: &mut ReadStats) -> Result<()> {
        let counts = decoder.events(chunk.bytes, chunk.framing, &mut |decoded| {
            if let Decoded::Row(event) = decoded {
                self.0.note(chunk.file, event.ts, None);
            }
        });
        stats.end(chunk, &counts)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The plays that one worker has read since its last run.
struct PlayExtract<'p> {
    worker: usize,
    plays: PlaysPartial<'p>,
    file_months: FileMonths,
    run_length: usize,
    target: PlayTarget<'p>,
    context: &'p Context<'p>,
}

impl Extract for PlayExtract<'_> {
    const HAS_FINGERPRINTS: bool = true;

    fn add(&mut self, chunk: &Chunk<'_>, decoder: &mut Decoder, stats: &mut ReadStats) -> Result<()> {
        let Self { worker, plays, file_months, run_length, target, context } = self;
        let counts = decoder.events(chunk.bytes, chunk.framing, &mut |decoded| match decoded {
            Decoded::Row(event) => {
                if file_months.note(chunk.file, event.ts, target.months) {
                    plays.add(event);
                }
            }
            Decoded::Reject(reject) => stats.reject(chunk, &reject),
        });
        stats.end(chunk, &counts)?;
        if plays.buffered() < *run_length {
            return Ok(());
        }
        context.note(Level::Debug, || format!("worker {worker} sorts {} plays", plays.buffered()));
        target.runs.add(*worker, plays.take_run())
    }

    fn finish(&mut self) -> Result<()> {
        self.target.runs.add(self.worker, self.plays.take_run())
    }
}

/// The memory for finished runs in bytes: one eighth of the memory limit.
#[must_use]
pub(crate) fn runs_budget(config: &Config) -> usize {
    usize::try_from(config.memory_limit / 8).unwrap_or(usize::MAX)
}

/// The number of plays that a worker collects before it sorts them: one sixteenth of the memory limit for all workers.
fn plays_per_run(config: &Config) -> usize {
    let bytes = usize::try_from(config.memory_limit / 16).unwrap_or(usize::MAX) / config.threads.max(1);
    (bytes / PLAY_BYTES).max(MIN_PLAYS_PER_RUN)
}

/// The way in which input files are read.
#[must_use]
pub(crate) fn reading(config: &Config) -> Reading {
    Reading {
        chunk_size: config.chunk_size,
        verify_first: config.on_bad_file == OnBadFile::Quarantine,
        in_order: false,
        threads: config.threads,
        ahead: (config.memory_limit / 8).max(MIN_READ_AHEAD_BYTES),
    }
}
