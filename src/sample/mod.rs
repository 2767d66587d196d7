//! The sample maker: generates a data set of any size in the format of the real one, for first steps and benchmarks.
//!
//! All values are invented; none is copied from the real data. The sample has the unusual values of the real data (see
//! `catalog`, `session` and `events`), but no bad records.
//!
//! Invariant: the same spec generates the same files, byte for byte, with any number of threads and on any platform,
//! because every song, user and day has its own stream of random numbers.

mod calendar;
mod catalog;
mod events;
mod identifiers;
mod people;
mod random;
mod session;
mod spec;
#[cfg(test)]
mod tests;
mod text;
mod words;
mod writer;

use std::path::Path;
use std::{fs, io, thread};

use calendar::Calendar;
use catalog::Catalog;
use events::Sources;
use people::People;
pub use spec::{SampleSpec, SampleSummary};
use words::Words;
use writer::{Jobs, Run, Worker, at};

/// Writes a sample below `directory`, as `song_data/A/B/C/TRABC….json` and `log_data/YYYY/MM/YYYY-MM-DD-events.json`.
///
/// Files with the same name are replaced, and other files stay, so the directory should be new or empty. `cancelled` is
/// called about once per mebibyte; when it returns true, the result is `None`, and the files that are already written
/// stay. `progress` gets the number of bytes written so far. Several threads call it, so a smaller number may follow a
/// larger one. The memory does not depend on the number of events or songs.
///
/// # Errors
///
/// `InvalidInput` for an invalid spec; otherwise the error of the file system, with the path.
pub fn write_sample(
    directory: &Path,
    spec: &SampleSpec,
    threads: usize,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(u64) + Sync),
) -> io::Result<Option<SampleSummary>> {
    spec.check()?;
    let words = Words::new();
    let catalog = Catalog::new(&words, spec.seed, spec.songs);
    let people = People::new(&words, spec.seed, spec.users, spec.days);
    let calendar = Calendar::new(spec);
    let song_folder = directory.join("song_data");
    let log_folder = directory.join("log_data");
    for folder in [&song_folder, &log_folder] {
        fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    }

    let run = Run {
        sources: Sources { spec, catalog: &catalog, people: &people },
        calendar: &calendar,
        song_folder: &song_folder,
        log_folder: &log_folder,
        jobs: Jobs::new(spec),
        cancelled,
        progress,
    };
    let workers = u64::try_from(threads.max(1)).unwrap_or(u64::MAX).min(run.jobs.total().max(1));
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for number in 0..workers {
            let worker = Worker::new(&run);
            let builder = thread::Builder::new().name(format!("sample-{number}"));
            match builder.spawn_scoped(scope, move || worker.work()) {
                Ok(handle) => handles.push(handle),
                // Fewer threads take longer, but generate the same files.
                Err(_) if !handles.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        // Every thread is joined before the first error is returned, because the scope panics for a thread that
        // panicked and was not joined.
        let parts: Vec<_> = handles.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let mut summary = Some(SampleSummary { songs: spec.songs, ..SampleSummary::default() });
        for part in parts {
            let part = part.unwrap_or_else(|_| Err(io::Error::other("a thread of the sample maker failed")))?;
            summary = summary.zip(part).map(|(total, part)| total.plus(&part));
        }
        Ok(summary)
    })
}

impl SampleSummary {
    /// Adds the counts of another thread; the number of songs is that of the spec.
    const fn plus(self, part: &Self) -> Self {
        Self {
            songs: self.songs,
            song_files: self.song_files + part.song_files,
            events: self.events + part.events,
            log_files: self.log_files + part.log_files,
            bytes: self.bytes + part.bytes,
        }
    }
}
