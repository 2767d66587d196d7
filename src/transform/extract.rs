//! Files to partial tables, on all threads: fetch, decode, take in.
//!
//! It joins the stages that touch input bytes and keeps each worker's partials apart until all is read; what a record
//! means is decided in [`crate::tables`].
//!
//! Invariant: a worker's buffers are bounded by the chunk size and the budget for plays, whatever the input's size.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::{Config, OnBadFile};
use crate::decode::{Decoded, Decoder, Limits};
use crate::error::Result;
use crate::input::duplicate_files::SameSized;
use crate::input::list::SelectedFiles;
use crate::input::read::{Chunk, Fetched, FileFeed, Listed, Reader, Reading};
use crate::quality::read_stats::ReadStats;
use crate::runtime::context::Context;
use crate::runtime::progress::Level;
use crate::runtime::threads::for_tasks;
use crate::tables::artists::ArtistsPartial;
use crate::tables::file_months::FileMonths;
use crate::tables::plays::{LocalDictionary, PlaysPartial};
use crate::tables::song_index::SongIndex;
use crate::tables::song_record::SongRecord;
use crate::tables::songs::SongsPartial;
use crate::tables::time::Month;
use crate::transform::sorted_runs::{PLAY_BYTES, RunBuffer};

/// Bytes of objects that may be on their way or wait for a worker, however little memory there is.
const MIN_READ_AHEAD: u64 = 32 << 20;

/// Bytes of a short event. It only helps to guess how many plays there may be.
const MIN_EVENT_BYTES: usize = 256;

/// What song files say.
#[derive(Debug, Default)]
pub struct SongsRead {
    /// The songs.
    pub songs: SongsPartial,
    /// The artists.
    pub artists: ArtistsPartial,
    /// Every song object, if they are to be kept for later runs.
    pub records: Vec<SongRecord>,
}

impl SongsRead {
    /// Takes in what another worker has read.
    pub fn merge(&mut self, other: Self) {
        self.songs.merge(other.songs);
        self.artists.merge(other.artists);
        self.records.extend(other.records);
    }

    /// Takes in a song that an earlier run has read.
    pub fn add(&mut self, record: SongRecord) {
        self.songs.add(&record.song());
        self.artists.add(&record.song());
        self.records.push(record);
    }
}

/// What log files say, apart from the plays themselves.
#[derive(Debug, Default)]
pub struct LogsRead {
    /// Who and what each worker's plays speak of.
    pub people: Vec<LocalDictionary>,
    /// The months of each file's plays, by its number.
    pub months: BTreeSet<(usize, Month)>,
    /// What became of the records.
    pub stats: ReadStats,
    /// How many shards of log files were read.
    pub shards: usize,
}

/// Reads selected files on all threads.
#[derive(Clone, Copy, Debug)]
pub struct Extractor<'e> {
    /// The options.
    pub config: &'e Config,
    /// A folder for rejects that do not fit in memory; without it neither rejects nor song records are kept.
    pub scratch: Option<&'e Path>,
    /// Whether to stop, and where to count.
    pub context: &'e Context<'e>,
}

/// Where plays go.
#[derive(Clone, Copy, Debug)]
pub struct PlayTarget<'t> {
    /// The songs that plays are matched with.
    pub songs: &'t SongIndex,
    /// Takes the sorted runs.
    pub runs: &'t RunBuffer,
    /// The months whose plays are wanted; `None` means all.
    pub months: Option<&'t BTreeSet<Month>>,
}

impl Extractor<'_> {
    /// Reads song files into the songs and the artists.
    ///
    /// # Errors
    /// Those of [`crate::input::read`], and [`crate::error::ErrorKind::DataRefused`] for a file that is not JSON.
    pub fn songs(&self, files: SelectedFiles<'_>) -> Result<(SongsRead, ReadStats)> {
        let begin = |_| (SongsRead::default(), String::new());
        let take = |(read, text): &mut (SongsRead, String), chunk: &Chunk<'_>, worker: &mut Worker| {
            let Worker { decoder, stats } = worker;
            let counts = decoder.songs(chunk.bytes, chunk.framing, &mut |decoded| match decoded {
                Decoded::Row(song) => {
                    read.songs.add(&song);
                    read.artists.add(&song);
                    if self.scratch.is_some() {
                        read.records.push(SongRecord::new(chunk.file, chunk.offset, &song, text));
                    }
                }
                Decoded::Reject(reject) => stats.reject(chunk, &reject),
            });
            stats.end(chunk, &counts)
        };
        let parts = self.each_chunk(files, None, begin, take, |_| Ok(()))?;
        let mut whole = (SongsRead::default(), ReadStats::default());
        for ((read, _), stats) in parts {
            whole.0.merge(read);
            whole.1.merge(stats);
        }
        Ok(whole)
    }

    /// Reads log files into sorted runs of plays, and adds what they refer to to `read`. The beginnings of files that
    /// `same_sized` names are remembered, to find duplicates.
    ///
    /// # Errors
    /// Those of [`Self::songs`], and [`crate::error::ErrorKind::Storage`] when a run cannot be written to disk.
    pub fn plays(
        &self,
        files: SelectedFiles<'_>,
        target: PlayTarget<'_>,
        same_sized: Option<SameSized>,
        read: &mut LogsRead,
    ) -> Result<()> {
        let PlayTarget { songs, runs, months } = target;
        let full = plays_per_run(self.config);
        // A buffer is checked after each chunk, so it holds up to a chunk more than a run.
        let events = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX) / MIN_EVENT_BYTES;
        let room = events(files.listing.bytes_of(files.selection)).min(full + events(self.config.chunk_size));
        // The ids of a play belong to its worker, and workers of an earlier call keep their numbers.
        let first = read.people.len();
        let begin = |worker| (first + worker, PlaysPartial::new(songs, room), FileMonths::default());
        let take = |(worker, plays, feeds): &mut (usize, PlaysPartial<'_>, FileMonths),
                    chunk: &Chunk<'_>,
                    state: &mut Worker| {
            let Worker { decoder, stats } = state;
            let counts = decoder.events(chunk.bytes, chunk.framing, &mut |decoded| match decoded {
                Decoded::Row(event) => {
                    if feeds.note(chunk.file, event.ts, months) {
                        plays.add(&event);
                    }
                }
                Decoded::Reject(reject) => stats.reject(chunk, &reject),
            });
            stats.end(chunk, &counts)?;
            if plays.buffered() < full {
                return Ok(());
            }
            self.context.note(Level::Debug, || format!("worker {worker} sorts {} plays", plays.buffered()));
            runs.add(*worker, plays.take_run())
        };
        let end = |(worker, plays, _): &mut (usize, PlaysPartial<'_>, FileMonths)| runs.add(*worker, plays.take_run());
        for ((_, plays, feeds), stats) in self.each_chunk(files, same_sized, begin, take, end)? {
            read.people.push(plays.into_dictionary());
            read.months.extend(feeds.months);
            read.stats.merge(stats);
        }
        Ok(())
    }

    /// Gives every chunk of every file to some worker.
    fn each_chunk<P: Send>(
        &self,
        files: SelectedFiles<'_>,
        same_sized: Option<SameSized>,
        begin: impl Fn(usize) -> P + Sync,
        take: impl Fn(&mut P, &Chunk<'_>, &mut Worker) -> Result<()> + Sync,
        end: impl Fn(&mut P) -> Result<()> + Sync,
    ) -> Result<Vec<(P, ReadStats)>> {
        let Self { config, scratch, context } = *self;
        let verify_first = config.on_bad_file == OnBadFile::Quarantine;
        let feed = FileFeed::new(files, reading(config))?;
        let limits = || Limits { ts_window: config.ts_window.clone(), ..Limits::default() };
        let parts = for_tasks(
            config.threads,
            feed.tasks(),
            &context.cancel,
            |thread| {
                let stats = ReadStats::new(scratch.map(Path::to_owned));
                (begin(thread), Worker { decoder: Decoder::new(limits()), stats }, Reader::default())
            },
            |(partial, worker, reader), task| {
                feed.read(reader, task, &context.cancel, &mut |fetched| match fetched {
                    Fetched::Chunk(chunk) => {
                        context.cancel.check()?;
                        worker.stats.heads.extend(same_sized.as_ref().and_then(|same_sized| same_sized.head(&chunk)));
                        take(partial, &chunk, worker)?;
                        context.add(chunk.bytes.len() as u64);
                        Ok(())
                    }
                    Fetched::Bad { file, code } if verify_first => {
                        worker.stats.bad_files.push((file, code.into()));
                        Ok(())
                    }
                    Fetched::Bad { file, code } => Err(Listed::new(files.listing, file)?.refusal(code)),
                })
            },
            |(partial, worker, _)| {
                worker.stats.finish()?;
                end(partial)
            },
        )?;
        Ok(parts.into_iter().map(|(partial, worker, _)| (partial, worker.stats)).collect())
    }
}

/// Bytes of finished runs that stay in memory: an eighth of the limit.
#[must_use]
pub fn runs_budget(config: &Config) -> usize {
    usize::try_from(config.memory_limit / 8).unwrap_or(usize::MAX)
}

/// Plays that a worker collects before it sorts them: all workers together a sixteenth of the limit.
fn plays_per_run(config: &Config) -> usize {
    let bytes = usize::try_from(config.memory_limit / 16).unwrap_or(usize::MAX) / config.threads.max(1);
    (bytes / PLAY_BYTES).max(1 << 14)
}

/// How files are read.
#[must_use]
pub fn reading(config: &Config) -> Reading {
    Reading {
        chunk_size: config.chunk_size,
        verify_first: config.on_bad_file == OnBadFile::Quarantine,
        in_order: false,
        threads: config.threads,
        ahead: (config.memory_limit / 8).max(MIN_READ_AHEAD),
    }
}

/// What a worker reads with.
struct Worker {
    decoder: Decoder,
    stats: ReadStats,
}
