//! Files to partial tables, on all threads: fetch, decode, take in.
//!
//! It joins the stages that touch input bytes and keeps each worker's partials apart until all is read; what a record
//! means is decided in [`crate::tables`].
//!
//! Invariant: a worker's buffers are bounded by the chunk size and the budget for plays, whatever the input's size.

use std::collections::BTreeSet;
use std::path::Path;

use crate::account::Account;
use crate::cancel::Cancel;
use crate::config::{Config, OnBadFile};
use crate::decode::{Decoded, Decoder, Limits};
use crate::discover::{Listing, Selection};
use crate::duplicates::SameSized;
use crate::error::Result;
use crate::executor::Executor;
use crate::fetch::{Chunk, Feed, Fetched, Listed, Reader, Reading};
use crate::progress::{Level, Progress, Stage};
use crate::runs::{PLAY_BYTES, Runs};
use crate::tables::artists::ArtistsPartial;
use crate::tables::catalogue::Catalogue;
use crate::tables::feeds::Feeds;
use crate::tables::plays::{People, PlaysPartial};
use crate::tables::records::SongRecord;
use crate::tables::songs::SongsPartial;
use crate::tables::time::Month;
use crate::threads::for_tasks;

/// Bytes of objects that may be on their way or wait for a worker, however little memory there is.
const LEAST_AHEAD: u64 = 32 << 20;

/// Bytes of a short event. It only helps to guess how many plays there may be.
const LEAST_EVENT: usize = 256;

/// What every stage needs to know of the outside.
#[derive(Clone, Debug, Default)]
pub struct Control<'c> {
    /// Whether to stop.
    pub cancel: Cancel,
    /// Where to count.
    pub progress: Option<&'c Progress>,
    /// Where shards are worked on, if not on this process's threads.
    pub executor: Option<&'c dyn Executor>,
}

impl Control<'_> {
    /// Begins a stage with `total` units of work (0: not known).
    pub fn begin(&self, stage: Stage, total: u64) {
        if let Some(progress) = self.progress {
            progress.begin(stage, total);
        }
    }

    /// Counts work done.
    pub fn add(&self, units: u64) {
        if let Some(progress) = self.progress {
            progress.add(units);
        }
    }

    /// Leaves a note for the log; the text is only made when somebody takes notes.
    pub fn note(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some(progress) = self.progress {
            progress.note(level, text());
        }
    }
}

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

/// Reads the selected song files into the songs and the artists. Rejects are kept in scratch files, and the song objects
/// themselves, if there is a place for them.
///
/// # Errors
/// Those of [`crate::fetch`], and [`ErrorKind::DataRefused`] for a file that is not JSON at all.
pub fn songs(
    (listing, selection): (&Listing, &Selection),
    config: &Config,
    scratch: Option<&Path>,
    control: &Control<'_>,
) -> Result<(SongsRead, Account)> {
    let begin = |_| (SongsRead::default(), String::new());
    let take = |(read, text): &mut (SongsRead, String), chunk: &Chunk<'_>, worker: &mut Worker| {
        let Worker { decoder, account } = worker;
        let tally = decoder.songs(chunk.bytes, chunk.framing, &mut |decoded| match decoded {
            Decoded::Row(song) => {
                read.songs.add(&song);
                read.artists.add(&song);
                if scratch.is_some() {
                    read.records.push(SongRecord::new(chunk.file, chunk.offset, &song, text));
                }
            }
            Decoded::Reject(reject) => account.reject(chunk, &reject),
        });
        account.end(chunk, &tally)
    };
    let parts = each_chunk((listing, selection), config, (scratch, None), control, begin, take, |_| Ok(()))?;
    let mut whole = (SongsRead::default(), Account::default());
    for ((read, _), account) in parts {
        whole.0.merge(read);
        whole.1.merge(account);
    }
    Ok(whole)
}

/// What log files say, apart from the plays themselves.
#[derive(Debug, Default)]
pub struct LogsRead {
    /// Who and what each worker's plays speak of.
    pub people: Vec<People>,
    /// The months of each file's plays, by its number.
    pub months: BTreeSet<(usize, Month)>,
    /// What became of the records.
    pub account: Account,
    /// How many shards of log files were read.
    pub shards: usize,
}

/// Reads the selected log files into sorted runs of plays, those of the months `wanted` or all, and adds what they speak
/// of to `read`. Of files that `same_sized` names the beginnings are remembered.
///
/// # Errors
/// Those of [`songs`], and [`ErrorKind::Storage`] when a run has to go to disk and cannot.
pub fn plays(
    (listing, selection): (&Listing, &Selection),
    wanted: Option<&BTreeSet<Month>>,
    config: &Config,
    (catalogue, runs): (&Catalogue, &Runs),
    (scratch, same_sized): (Option<&Path>, Option<SameSized>),
    control: &Control<'_>,
    read: &mut LogsRead,
) -> Result<()> {
    let full = run_plays(config);
    // A buffer is looked at after each chunk, so it holds a chunk more than a run.
    let events = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX) / LEAST_EVENT;
    let room = events(listing.bytes_of(selection)).min(full + events(config.chunk_size));
    // A play's ids belong to its worker, and the workers of an earlier call stay who they are.
    let first = read.people.len();
    let begin = |worker| (first + worker, PlaysPartial::new(catalogue, room), Feeds::default());
    let take =
        |(worker, plays, feeds): &mut (usize, PlaysPartial<'_>, Feeds), chunk: &Chunk<'_>, state: &mut Worker| {
            let Worker { decoder, account } = state;
            let tally = decoder.events(chunk.bytes, chunk.framing, &mut |decoded| match decoded {
                Decoded::Row(event) => {
                    if feeds.note(chunk.file, event.ts, wanted) {
                        plays.add(&event);
                    }
                }
                Decoded::Reject(reject) => account.reject(chunk, &reject),
            });
            account.end(chunk, &tally)?;
            if plays.buffered() < full {
                return Ok(());
            }
            control.note(Level::Debug, || format!("worker {worker} sorts {} plays", plays.buffered()));
            runs.add(*worker, plays.take_run())
        };
    let end = |(worker, plays, _): &mut (usize, PlaysPartial<'_>, Feeds)| runs.add(*worker, plays.take_run());
    for ((_, plays, feeds), account) in
        each_chunk((listing, selection), config, (scratch, same_sized), control, begin, take, end)?
    {
        read.people.push(plays.into_people());
        read.months.extend(feeds.months);
        read.account.merge(account);
    }
    Ok(())
}

/// Bytes of finished runs that stay in memory: an eighth of the limit.
#[must_use]
pub fn runs_budget(config: &Config) -> usize {
    usize::try_from(config.memory_limit / 8).unwrap_or(usize::MAX)
}

/// Plays that a worker collects before it sorts them: all workers together a sixteenth of the limit.
fn run_plays(config: &Config) -> usize {
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
        ahead: (config.memory_limit / 8).max(LEAST_AHEAD),
    }
}

/// A worker's tools.
struct Worker {
    decoder: Decoder,
    account: Account,
}

/// Hands every chunk of every file to some worker.
fn each_chunk<P: Send>(
    (listing, selection): (&Listing, &Selection),
    config: &Config,
    (scratch, same_sized): (Option<&Path>, Option<SameSized>),
    control: &Control<'_>,
    begin: impl Fn(usize) -> P + Sync,
    take: impl Fn(&mut P, &Chunk<'_>, &mut Worker) -> Result<()> + Sync,
    end: impl Fn(&mut P) -> Result<()> + Sync,
) -> Result<Vec<(P, Account)>> {
    let verify_first = config.on_bad_file == OnBadFile::Quarantine;
    let feed = Feed::new(listing, selection, reading(config))?;
    let limits = || Limits { ts_window: config.ts_window.clone(), ..Limits::default() };
    let parts = for_tasks(
        config.threads,
        feed.tasks(),
        &control.cancel,
        |thread| {
            let worker = Worker { decoder: Decoder::new(limits()), account: Account::new(scratch.map(Path::to_owned)) };
            (begin(thread), worker, Reader::default())
        },
        |(partial, worker, reader), task| {
            feed.read(reader, task, &control.cancel, &mut |fetched| match fetched {
                Fetched::Chunk(chunk) => {
                    control.cancel.check()?;
                    worker.account.heads.extend(same_sized.as_ref().and_then(|same_sized| same_sized.head(&chunk)));
                    take(partial, &chunk, worker)?;
                    control.add(chunk.bytes.len() as u64);
                    Ok(())
                }
                Fetched::Bad { file, code } if verify_first => {
                    worker.account.bad_files.push((file, code.into()));
                    Ok(())
                }
                Fetched::Bad { file, code } => Err(Listed::new(listing, file)?.refusal(code)),
            })
        },
        |(partial, worker, _)| {
            worker.account.finish()?;
            end(partial)
        },
    )?;
    Ok(parts.into_iter().map(|(partial, worker, _)| (partial, worker.account)).collect())
}
