//! The songs table: one row per song, for any number of copies in the input.
//!
//! Rule 1 of `docs/tables.md`, which copy is kept: a known year wins over an unknown one (0 or missing); then the
//! smallest (`artist_id`, title, year, duration) wins, with NULL first; then the smallest `artist_name`. The artist's
//! name is not a column of this table, but plays are matched by it (see [`crate::tables::song_index`]).
//!
//! Invariant: merging partials is associative and commutative; the result depends on the set of copies alone.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::decode::Song;
use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::ordering;
use crate::tables::ordering::owned;

/// A row of the songs table, with the artist's name from the song record.
#[derive(Clone, Debug)]
pub struct SongRow {
    /// The key of the table.
    pub song_id: Box<str>,
    /// A play must have the same title to match.
    pub title: Option<Box<str>>,
    /// The key of the artist; the second partition column.
    pub artist_id: Option<Box<str>>,
    /// The first partition column; 0 if unknown.
    pub year: Option<i32>,
    /// Duration in seconds.
    pub duration: Option<f64>,
    /// Not a column; a play must have the same artist name to match.
    pub artist_name: Option<Box<str>>,
}

impl SongRow {
    fn new(song: &Song<'_>, scratch: &mut String) -> Self {
        Self {
            song_id: song.song_id.resolve(scratch).into(),
            title: owned(song.title, scratch),
            artist_id: owned(song.artist_id, scratch),
            year: song.year,
            duration: song.duration,
            artist_name: owned(song.artist_name, scratch),
        }
    }

    /// Returns true if all fields are equal.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.song_id == other.song_id && self.compare(other) == Ordering::Equal
    }

    fn has_unknown_year(&self) -> bool {
        matches!(self.year, None | Some(0))
    }

    /// The order of copies (rule 1): the smallest is kept.
    fn compare(&self, other: &Self) -> Ordering {
        (self.has_unknown_year(), &self.artist_id, &self.title, self.year)
            .cmp(&(other.has_unknown_year(), &other.artist_id, &other.title, other.year))
            .then_with(|| ordering::floats(self.duration, other.duration))
            .then_with(|| self.artist_name.cmp(&other.artist_name))
    }
}

/// The songs of one part of the input.
#[derive(Debug, Default)]
pub struct SongsPartial {
    /// Hashed by `song_id`.
    rows: HashTable<SongRow>,
    hasher: DefaultHashBuilder,
    scratch: String,
}

impl SongsPartial {
    /// Adds one song record.
    pub fn add(&mut self, song: &Song<'_>) {
        let row = SongRow::new(song, &mut self.scratch);
        self.keep(row);
    }

    /// Merges the songs of another part.
    pub fn merge(&mut self, other: Self) {
        if self.rows.is_empty() {
            *self = other;
        } else {
            other.rows.into_iter().for_each(|row| self.keep(row));
        }
    }

    fn keep(&mut self, row: SongRow) {
        let hash = |row: &SongRow| self.hasher.hash_one(&row.song_id);
        match self.rows.entry(hash(&row), |kept| kept.song_id == row.song_id, hash) {
            Entry::Vacant(place) => drop(place.insert(row)),
            Entry::Occupied(mut kept) if row.compare(kept.get()) == Ordering::Less => *kept.get_mut() = row,
            Entry::Occupied(_) => {}
        }
    }

    /// The rows, sorted by partition and key: by (year, `artist_id`, `song_id`), with NULL and '' first.
    #[must_use]
    pub fn finish(self) -> Vec<SongRow> {
        let mut rows: Vec<SongRow> = self.rows.into_iter().collect();
        rows.sort_unstable_by(|a, b| {
            (a.year, partition_artist(a), &a.song_id).cmp(&(b.year, partition_artist(b), &b.song_id))
        });
        rows
    }
}

/// The value of the `artist_id` partition: NULL and '' share a folder.
#[must_use]
pub fn partition_artist(row: &SongRow) -> Option<&str> {
    row.artist_id.as_deref().filter(|artist| !artist.is_empty())
}

/// Rows as the columns that are in files.
#[must_use]
pub fn file_columns(rows: &[SongRow]) -> Columns {
    let columns = vec![
        Column::text(rows.iter().map(|row| Some(&*row.song_id))),
        Column::text(rows.iter().map(|row| row.title.as_deref())),
        Column::float64(rows.iter().map(|row| row.duration)),
    ];
    Columns { table: Table::Songs, columns }
}

/// Rows as all columns, in the table's order. As in the files, the partition column has NULL for ''.
#[must_use]
pub fn columns(rows: &[SongRow]) -> Columns {
    let columns = vec![
        Column::text(rows.iter().map(|row| Some(&*row.song_id))),
        Column::text(rows.iter().map(|row| row.title.as_deref())),
        Column::text(rows.iter().map(partition_artist)),
        Column::int32(rows.iter().map(|row| row.year)),
        Column::float64(rows.iter().map(|row| row.duration)),
    ];
    Columns { table: Table::Songs, columns }
}
