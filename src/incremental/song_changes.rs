//! Compares two states of the songs table: which partitions have changed, and which plays may match another song now.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::config::Config;
use crate::tables::partition_path;
use crate::tables::song_index::track_key;
use crate::tables::song_record::SongRecord;
use crate::tables::songs::{SongRow, SongsPartial};

/// The differences between the songs table of an earlier version and the one of this run.
#[derive(Debug, Default)]
pub(crate) struct SongChanges {
    /// The partitions with a row that is new, removed or different.
    pub(crate) partitions: BTreeSet<String>,
    /// The keys of the tracks that such a row matches, or matched before.
    pub(crate) track_keys: HashSet<u64>,
}

impl SongChanges {
    /// Compares two states of the songs table.
    pub(crate) fn between(before: &[SongRow], now: &[SongRow], config: &Config) -> Self {
        let mut before: HashMap<&str, &SongRow> = before.iter().map(|row| (&*row.song_id, row)).collect();
        let mut changes = Self::default();
        let mut add = |row: &SongRow| {
            changes.partitions.insert(partition_path::of_song(row, &config.columns));
            let key = track_key(config.matching, row.title.as_deref(), row.artist_name.as_deref(), row.duration);
            changes.track_keys.extend(key);
        };
        for row in now {
            match before.remove(&*row.song_id) {
                Some(earlier) if earlier.is_same(row) => {}
                earlier => {
                    add(row);
                    earlier.into_iter().for_each(&mut add);
                }
            }
        }
        before.into_values().for_each(add);
        changes
    }
}

/// Returns the songs table that follows from song records.
pub(crate) fn songs_table<'r>(records: impl Iterator<Item = &'r SongRecord>) -> Vec<SongRow> {
    let mut songs = SongsPartial::default();
    records.for_each(|record| songs.add(&record.song()));
    songs.finish()
}
