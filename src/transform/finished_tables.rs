//! Finished tables: what the writer takes, and what it returns for each month.

use crate::config::Config;
use crate::lake::read_summary::Plays;
use crate::tables::columns::Columns;
use crate::tables::play_dictionary::PlayDictionary;
use crate::tables::song_index::SongIndex;
use crate::tables::time::Month;
use crate::tables::users::User;
use crate::tables::users_history::UserPeriod;
use crate::transform::external_sort::SortedRuns;

/// Everything that the tables are written from.
#[derive(Debug)]
pub struct FinishedTables {
    /// The songs, indexed.
    pub index: SongIndex,
    /// The artists if they are wanted and may have changed; when tables stay in memory, also the users.
    pub dimensions: Vec<Columns>,
    /// The users and tracks that the plays refer to.
    pub dictionary: PlayDictionary,
    /// The plays.
    pub runs: SortedRuns,
}

/// The result of writing a month: its counts, and the values that the state needs.
#[derive(Clone, Debug)]
pub struct MonthResult {
    /// The month.
    pub month: Month,
    /// The number of rows of songplays, and of those with a song.
    pub plays: Plays,
    /// The users of the month, as of their latest event in it.
    pub users: Vec<User>,
    /// The periods of the users' levels in the month; none unless the `users_history` table is selected.
    pub history: Vec<UserPeriod>,
    /// The keys of the tracks that were played, sorted.
    pub tracks: Vec<u64>,
}

/// The name of a data file of a partition.
pub(super) fn file_name(part: usize, config: &Config) -> String {
    format!("part-{part:05}{}", config.compression.file_suffix())
}
