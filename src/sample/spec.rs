//! The size of a sample, and the counts of the written files.

use std::io;

use crate::sample::identifiers::MAX_SONGS;

/// The last day is 2099-12-31, because later times are bad records by default (`--ts-window`).
pub(super) const MAX_DAYS: u32 = 29_646;

/// The size of a sample, and its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleSpec {
    /// Distinct songs. About one in a hundred has a second file.
    pub songs: u64,
    /// The exact number of lines in all log files.
    pub events: u64,
    /// The number of days from 2018-11-01 on, with one log file per day. A day without events has no file.
    pub days: u32,
    /// The number of users that may have events.
    pub users: u32,
    /// The seed: another seed generates another sample of the same size.
    pub seed: u64,
}

impl Default for SampleSpec {
    /// A demonstration of one month, as in the real data, which is generated and loaded in about a second.
    fn default() -> Self {
        Self { songs: 500, events: 20_000, days: 30, users: 96, seed: 1 }
    }
}

impl SampleSpec {
    /// Checks the spec; the message of the error is for the user.
    pub(super) fn check(&self) -> io::Result<()> {
        let message = if self.days == 0 || self.days > MAX_DAYS {
            format!("a sample covers 1 to {MAX_DAYS} days, not {}", self.days)
        } else if self.users == 0 {
            "a sample needs at least one user".to_owned()
        } else if self.songs > MAX_SONGS {
            format!("a sample has at most {MAX_SONGS} songs, not {}", self.songs)
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

/// The counts of a written sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleSummary {
    /// Distinct songs.
    pub songs: u64,
    /// Song files; there are more than songs, because some songs have two files.
    pub song_files: u64,
    /// Lines in all log files.
    pub events: u64,
    /// Log files.
    pub log_files: u64,
    /// The total size of all files in bytes.
    pub bytes: u64,
}
