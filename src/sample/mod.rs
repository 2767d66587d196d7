//! The sample maker: a made-up data set in the very form of the real one, of any size, for a first try and for
//! measuring.
//!
//! It is not a copy of the real data and holds nothing of it, and it reads nothing: it only writes new files below the
//! folder it is given. Whatever is odd in the real data is odd here too (see `catalogue`, `session` and `events`), but
//! no record is bad. Invariant: the same spec makes the same files, byte for byte, whatever the thread count or the
//! platform, because every song, user and day draws from its own stream of random numbers.

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
/// Files of the same name are replaced, other files are left as they are; so the directory should be new or empty.
/// `cancelled` is asked every mebibyte or so; once it says yes, the result is `None` and what is written stays.
/// `progress` gets the number of bytes written so far, from several threads, so a smaller number may follow a larger.
/// Memory does not grow with the number of events or songs.
///
/// # Errors
///
/// `InvalidInput` for a spec that cannot be made; otherwise what the file system says, with the path.
pub fn write_sample(
    directory: &Path,
    spec: &SampleSpec,
    threads: usize,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(u64) + Sync),
) -> io::Result<Option<SampleSummary>> {
    spec.check()?;
    let words = Words::new();
    let catalogue = Catalog::new(&words, spec.seed, spec.songs);
    let people = People::new(&words, spec.seed, spec.users, spec.days);
    let calendar = Calendar::new(spec);
    let song_folder = directory.join("song_data");
    let log_folder = directory.join("log_data");
    for folder in [&song_folder, &log_folder] {
        fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    }

    let run = Run {
        sources: Sources { spec, catalogue: &catalogue, people: &people },
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
                // With fewer threads the result is the same, only later.
                Err(_) if !handles.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        // All are waited for before the first failure is passed on: a panic left behind would come out of the scope.
        let parts: Vec<_> = handles.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let mut summary = Some(SampleSummary { songs: spec.songs, ..SampleSummary::default() });
        for part in parts {
            let part = part.unwrap_or_else(|_| Err(io::Error::other("a thread of the sample maker failed")))?;
            summary = summary.zip(part).map(|(whole, part)| whole.plus(&part));
        }
        Ok(summary)
    })
}

impl SampleSummary {
    /// The sum of what two threads wrote; the songs are those of the spec.
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
