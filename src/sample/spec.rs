//! How large a sample is, and what was written.

use std::io;

use crate::sample::identifiers::MOST_SONGS;

/// The last day is 2099-12-31: times beyond it are bad records unless somebody asks for them.
pub(super) const MOST_DAYS: u32 = 29_646;

/// How large a sample is, and which of all samples of that size it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleSpec {
    /// Distinct songs. About one in a hundred has a second file.
    pub songs: u64,
    /// Lines in all log files together, exactly.
    pub events: u64,
    /// Log files, from 2018-11-01 on. A day without events has no file.
    pub days: u32,
    /// Users there are to draw from.
    pub users: u32,
    /// Which of all samples of this size.
    pub seed: u64,
}

impl Default for SampleSpec {
    /// A demonstration: a month, as in the real data, made and loaded in about a second.
    fn default() -> Self {
        Self { songs: 500, events: 20_000, days: 30, users: 96, seed: 1 }
    }
}

impl SampleSpec {
    /// Refuses what cannot be made, with a sentence for the user.
    pub(super) fn check(&self) -> io::Result<()> {
        let refusal = if self.days == 0 || self.days > MOST_DAYS {
            format!("a sample covers 1 to {MOST_DAYS} days, not {}", self.days)
        } else if self.users == 0 {
            "a sample needs at least one user".to_owned()
        } else if self.songs > MOST_SONGS {
            format!("a sample has at most {MOST_SONGS} songs, not {}", self.songs)
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, refusal))
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleSummary {
    /// Distinct songs.
    pub songs: u64,
    /// More than the songs, as some songs have two files.
    pub song_files: u64,
    /// Lines in all log files together.
    pub events: u64,
    /// Log files.
    pub log_files: u64,
    /// Bytes of all files together.
    pub bytes: u64,
}
