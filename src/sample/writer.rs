//! Writes the files of a sample: the queue of jobs, the workers and their buffers.
//!
//! Invariant: no two jobs write to the same file, so neither the number of workers nor their order changes a byte. A
//! worker needs no memory except its two buffers.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sample::calendar::{Calendar, date, midnight};
use crate::sample::catalog::{Copy, Song};
use crate::sample::events::{Day, Sources};
use crate::sample::{SampleSpec, SampleSummary};

/// A worker writes its buffer to the file when it has this size.
const BUFFER_BYTES: usize = 1 << 20;
/// Extra space for the event that exceeds this size.
const BUFFER_SLACK: usize = 16 << 10;
/// The number of songs per job.
const SONGS_PER_JOB: u64 = 64;

/// One unit of work.
enum Job {
    Day(u32),
    Songs { start: u64, end: u64 },
}

/// The jobs that no worker has taken yet. Days come first, because they take longest.
pub(super) struct Jobs {
    days: u64,
    songs: u64,
    next: AtomicU64,
    failed: AtomicBool,
    bytes: AtomicU64,
}

impl Jobs {
    pub(super) const fn new(spec: &SampleSpec) -> Self {
        Self {
            days: spec.days as u64,
            songs: spec.songs,
            next: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
        }
    }

    pub(super) const fn total(&self) -> u64 {
        self.days + self.songs.div_ceil(SONGS_PER_JOB)
    }

    fn take(&self) -> Option<Job> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if let Ok(day) = u32::try_from(number)
            && number < self.days
        {
            return Some(Job::Day(day));
        }
        let start = (number - self.days) * SONGS_PER_JOB;
        (start < self.songs).then(|| Job::Songs { start, end: self.songs.min(start + SONGS_PER_JOB) })
    }
}

/// The state that all workers share.
pub(super) struct Run<'r> {
    pub sources: Sources<'r>,
    pub calendar: &'r Calendar,
    pub song_folder: &'r Path,
    pub log_folder: &'r Path,
    pub jobs: Jobs,
    pub cancelled: &'r (dyn Fn() -> bool + Sync),
    pub progress: &'r (dyn Fn(u64) + Sync),
}

impl Run<'_> {
    fn stopped(&self) -> bool {
        self.jobs.failed.load(Ordering::Relaxed) || (self.cancelled)()
    }

    fn advance(&self, bytes: u64) {
        let before = self.jobs.bytes.fetch_add(bytes, Ordering::Relaxed);
        (self.progress)(before + bytes);
    }
}

/// A worker thread.
pub(super) struct Worker<'r> {
    run: &'r Run<'r>,
    buffer: Vec<u8>,
    song: Song,
    written: SampleSummary,
}

impl<'r> Worker<'r> {
    pub(super) fn new(run: &'r Run<'r>) -> Self {
        let buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_SLACK);
        Self { run, buffer, song: Song::default(), written: SampleSummary::default() }
    }

    /// Takes jobs until none remains; `None` if the run was stopped before.
    pub(super) fn work(mut self) -> io::Result<Option<SampleSummary>> {
        while let Some(job) = self.run.jobs.take() {
            if self.run.stopped() {
                return Ok(None);
            }
            let done = match job {
                Job::Day(day) => self.write_day(day),
                Job::Songs { start, end } => self.write_songs(start, end),
            };
            match done {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    self.run.jobs.failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(Some(self.written))
    }

    /// Returns false if the run was stopped.
    fn write_day(&mut self, number: u32) -> io::Result<bool> {
        let events = self.run.calendar.events(number);
        if events == 0 {
            return Ok(true);
        }
        let path = log_path(self.run.log_folder, number);
        let mut file = create(&path)?;
        let mut day = Day::new(self.run.sources, number, midnight(number), events);
        self.buffer.clear();
        for event in 0..events {
            if event > 0 {
                // The real files have no line end after their last line.
                self.buffer.push(b'\n');
            }
            day.write_event(&mut self.buffer);
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush(&mut file, &path)?;
                if self.run.stopped() {
                    return Ok(false);
                }
            }
        }
        self.flush(&mut file, &path)?;
        self.written.events += events;
        self.written.log_files += 1;
        Ok(true)
    }

    fn flush(&mut self, file: &mut File, path: &Path) -> io::Result<()> {
        file.write_all(&self.buffer).map_err(|error| at(path, &error))?;
        let bytes = self.buffer.len() as u64;
        self.buffer.clear();
        self.written.bytes += bytes;
        self.run.advance(bytes);
        Ok(())
    }

    fn write_songs(&mut self, start: u64, end: u64) -> io::Result<bool> {
        let before = self.written.bytes;
        for number in start..end {
            self.write_song(number, Copy::First)?;
            if self.run.sources.catalog.is_repeated(number) {
                self.write_song(number, Copy::Repeat)?;
            }
        }
        self.run.advance(self.written.bytes - before);
        Ok(true)
    }

    fn write_song(&mut self, number: u64, copy: Copy) -> io::Result<()> {
        let catalog = self.run.sources.catalog;
        let path = song_path(self.run.song_folder, &catalog.track(number, copy));
        self.buffer.clear();
        catalog.write_song(number, copy, &mut self.song, &mut self.buffer);
        create(&path)?.write_all(&self.buffer).map_err(|error| at(&path, &error))?;
        self.written.song_files += 1;
        self.written.bytes += self.buffer.len() as u64;
        Ok(())
    }
}

/// Creates or empties a file, and creates its missing folders.
fn create(path: &Path) -> io::Result<File> {
    let created = match (File::create(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).and_then(|()| File::create(path))
        }
        (created, _) => created,
    };
    created.map_err(|error| at(path, &error))
}

/// The error with the path in its message.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// `A/B/C/TRABC….json`: the folders are the third, fourth and fifth letter.
fn song_path(folder: &Path, track: &[u8]) -> PathBuf {
    let track = String::from_utf8_lossy(track);
    let mut path = folder.to_path_buf();
    path.extend(track.chars().skip(2).take(3).map(String::from));
    path.push(format!("{track}.json"));
    path
}

/// `YYYY/MM/YYYY-MM-DD-events.json`.
fn log_path(folder: &Path, day: u32) -> PathBuf {
    let date = date(day);
    let mut path = folder.join(padded(date.year));
    path.push(padded(date.month));
    path.push(format!("{}-{}-{}-events.json", padded(date.year), padded(date.month), padded(date.day)));
    path
}

/// A number of at least two digits.
fn padded(number: u64) -> String {
    format!("{number:02}")
}
