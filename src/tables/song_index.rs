//! How a play finds its song: an index of the songs by title, artist name and duration.
//!
//! Rule 6 of `docs/tables.md`: title, artist name and duration must be equal; text is compared by its bytes, and `-0.0`
//! equals `0.0`. If several songs match, the one with the smallest `song_id` is taken. With [`Match::TitleArtist`] the
//! duration is not compared: the nearest duration wins (an unknown one is infinitely far away), then the smallest
//! `song_id`. NULL matches nothing. The index is built once, after all songs are read.
//!
//! Invariant: a lookup returns at most one song, so the join cannot multiply plays.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use twox_hash::XxHash64;

use crate::config::Match;
use crate::tables::ordering;
use crate::tables::songs::SongRow;

/// The rows of the songs table with their index.
#[derive(Debug)]
pub struct SongIndex {
    rows: Vec<SongRow>,
    matching: Match,
    hasher: DefaultHashBuilder,
    /// Positions of the songs with the same key, one entry per key.
    positions: HashTable<Vec<u32>>,
}

impl SongIndex {
    /// Indexes the rows of the songs table.
    #[must_use]
    pub fn new(rows: Vec<SongRow>, matching: Match) -> Self {
        let mut index = Self { rows, matching, hasher: DefaultHashBuilder::default(), positions: HashTable::new() };
        for (position, row) in (0_u32..).zip(&index.rows) {
            let (Some(title), Some(artist)) = (row.title.as_deref(), row.artist_name.as_deref()) else { continue };
            if matching == Match::TitleArtistDuration && row.duration.is_none() {
                continue;
            }
            let (rows, hasher) = (&index.rows, &index.hasher);
            let hash = hash(hasher, matching, title, artist, row.duration);
            let entry = index.positions.entry(
                hash,
                |known| {
                    known.first().is_some_and(|first| is_match(rows, matching, *first, title, artist, row.duration))
                },
                |known| known.first().map_or(0, |first| hash_of(rows, hasher, matching, *first)),
            );
            let known = entry.or_insert_with(Vec::new).into_mut();
            known.push(position);
            if matching == Match::TitleArtistDuration {
                // Only the smallest song_id can win.
                let best =
                    known.iter().copied().min_by_key(|position| rows.get(*position as usize).map(|row| &row.song_id));
                known.truncate(0);
                known.extend(best);
            }
        }
        index
    }

    /// The rows of the songs table, in the order of [`crate::tables::songs::SongsPartial::finish`].
    #[must_use]
    pub fn rows(&self) -> &[SongRow] {
        &self.rows
    }

    /// The position in [`Self::rows`] of the song that matches a play.
    #[must_use]
    pub fn find(&self, title: Option<&str>, artist: Option<&str>, length: Option<f64>) -> Option<u32> {
        let (title, artist) = (title?, artist?);
        if self.matching == Match::TitleArtistDuration && length.is_none() {
            return None;
        }
        let hash = hash(&self.hasher, self.matching, title, artist, length);
        let candidates = self.positions.find(hash, |known| {
            known.first().is_some_and(|first| is_match(&self.rows, self.matching, *first, title, artist, length))
        })?;
        candidates.iter().copied().min_by(|a, b| self.compare(*a, *b, length))
    }

    /// The order of candidates (rule 6): the nearest duration, then the smallest `song_id`.
    fn compare(&self, a: u32, b: u32, length: Option<f64>) -> Ordering {
        let (Some(a), Some(b)) = (self.rows.get(a as usize), self.rows.get(b as usize)) else {
            return Ordering::Equal;
        };
        let distance = |row: &SongRow| match (row.duration, length) {
            (Some(duration), Some(length)) => (duration - length).abs(),
            _ => f64::INFINITY,
        };
        ordering::floats(Some(distance(a)), Some(distance(b))).then_with(|| a.song_id.cmp(&b.song_id))
    }
}

/// A hash of the matched fields of a track or a song, the same on every machine; `None` if a NULL prevents any match. A
/// track and a song with different keys never match; with equal keys they usually do.
#[must_use]
pub fn track_key(matching: Match, title: Option<&str>, artist: Option<&str>, duration: Option<f64>) -> Option<u64> {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(title?.as_bytes());
    // UTF-8 never contains this byte.
    hasher.write(&[0xff]);
    hasher.write(artist?.as_bytes());
    if matching == Match::TitleArtistDuration {
        hasher.write(&duration_bits(Some(duration?)).to_le_bytes());
    }
    Some(hasher.finish())
}

/// A duration as bits, so that equal numbers have equal bits: `-0.0` becomes `0.0`.
fn duration_bits(duration: Option<f64>) -> u64 {
    duration.map_or(0, |duration| (duration + 0.0).to_bits())
}

fn hash(hasher: &DefaultHashBuilder, matching: Match, title: &str, artist: &str, duration: Option<f64>) -> u64 {
    match matching {
        Match::TitleArtistDuration => hasher.hash_one((title, artist, duration_bits(duration))),
        Match::TitleArtist => hasher.hash_one((title, artist)),
    }
}

fn hash_of(rows: &[SongRow], hasher: &DefaultHashBuilder, matching: Match, position: u32) -> u64 {
    let Some(row) = rows.get(position as usize) else { return 0 };
    let (title, artist) = (row.title.as_deref().unwrap_or_default(), row.artist_name.as_deref().unwrap_or_default());
    hash(hasher, matching, title, artist, row.duration)
}

fn is_match(rows: &[SongRow], matching: Match, position: u32, title: &str, artist: &str, length: Option<f64>) -> bool {
    rows.get(position as usize).is_some_and(|row| {
        row.title.as_deref() == Some(title)
            && row.artist_name.as_deref() == Some(artist)
            && (matching == Match::TitleArtist || duration_bits(row.duration) == duration_bits(length))
    })
}
