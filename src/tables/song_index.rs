//! The songs by what a play says of them: title, artist name and duration.
//!
//! The rule (PRODUCT, rule 6): exact text, exact duration; several songs for one play: the smallest `song_id`. Under
//! [`Match::TitleArtist`] the duration is not compared, the nearest wins (an unknown duration is infinitely far). NULL
//! never matches. It is built once, after the last song, and only read from then on.
//!
//! Invariant: a lookup returns at most one song, so the join cannot multiply plays.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use twox_hash::XxHash64;

use crate::config::Match;
use crate::tables::ordering;
use crate::tables::songs::SongRow;

/// The finished songs with an index over them.
#[derive(Debug)]
pub struct SongIndex {
    rows: Vec<SongRow>,
    matching: Match,
    hasher: DefaultHashBuilder,
    /// Positions of the songs with the same key, best first; one entry for each key.
    index: HashTable<Vec<u32>>,
}

impl SongIndex {
    /// Indexes the rows of the songs table.
    #[must_use]
    pub fn new(rows: Vec<SongRow>, matching: Match) -> Self {
        let mut catalogue = Self { rows, matching, hasher: DefaultHashBuilder::default(), index: HashTable::new() };
        for (position, row) in (0_u32..).zip(&catalogue.rows) {
            let (Some(title), Some(artist)) = (row.title.as_deref(), row.artist_name.as_deref()) else { continue };
            if matching == Match::TitleArtistDuration && row.duration.is_none() {
                continue;
            }
            let (rows, hasher) = (&catalogue.rows, &catalogue.hasher);
            let hash = hash(hasher, matching, title, artist, row.duration);
            let entry = catalogue.index.entry(
                hash,
                |known| {
                    known.first().is_some_and(|first| is_match(rows, matching, *first, title, artist, row.duration))
                },
                |known| known.first().map_or(0, |first| hash_of(rows, hasher, matching, *first)),
            );
            let known = entry.or_insert_with(Vec::new).into_mut();
            known.push(position);
            if matching == Match::TitleArtistDuration {
                // Only the smallest song_id can ever win.
                let best =
                    known.iter().copied().min_by_key(|position| rows.get(*position as usize).map(|row| &row.song_id));
                known.truncate(0);
                known.extend(best);
            }
        }
        catalogue
    }

    /// The rows of the songs table, sorted as [`crate::tables::songs::SongsPartial::finish`] sorts them.
    #[must_use]
    pub fn rows(&self) -> &[SongRow] {
        &self.rows
    }

    /// The position in [`Self::rows`] of the song that a play names.
    #[must_use]
    pub fn find(&self, title: Option<&str>, artist: Option<&str>, length: Option<f64>) -> Option<u32> {
        let (title, artist) = (title?, artist?);
        if self.matching == Match::TitleArtistDuration && length.is_none() {
            return None;
        }
        let hash = hash(&self.hasher, self.matching, title, artist, length);
        let candidates = self.index.find(hash, |known| {
            known.first().is_some_and(|first| is_match(&self.rows, self.matching, *first, title, artist, length))
        })?;
        candidates.iter().copied().min_by(|a, b| self.compare(*a, *b, length))
    }

    /// The order of candidates: nearest duration, then smallest `song_id`.
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

/// What a track and the songs that may match it have in common, as a number that is the same on every machine; `None`
/// where NULL keeps the track, or the song, from matching anything. Different keys never match; equal ones may not.
#[must_use]
pub fn track_key(matching: Match, title: Option<&str>, artist: Option<&str>, duration: Option<f64>) -> Option<u64> {
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(title?.as_bytes());
    // No UTF-8 holds this byte.
    hasher.write(&[0xff]);
    hasher.write(artist?.as_bytes());
    if matching == Match::TitleArtistDuration {
        hasher.write(&duration_bits(Some(duration?)).to_le_bytes());
    }
    Some(hasher.finish())
}

/// The bits by which durations are equal exactly when the numbers are: `-0.0` counts as `0.0`.
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
