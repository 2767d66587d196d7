//! The artists table: one row per artist, the most complete variant in the song metadata.
//!
//! Rule 2 of `docs/tables.md`, which variant is kept: the one with the most values among location (not empty), latitude
//! and longitude; then the one from the song with the smallest `song_id`; then the smallest (name, location, latitude,
//! longitude), with NULL first. Every song record is a candidate, including copies that the songs table does not keep.
//! A song without an `artist_id` makes no artist.
//!
//! Invariant: merging partials is associative and commutative; the result depends on the set of records alone.

use std::cmp::Ordering;

use hashbrown::HashMap;

use crate::decode::Song;
use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::ordering;
use crate::tables::ordering::owned;

/// A row of the artists table, with the `song_id` of the record that it comes from.
#[derive(Clone, Debug)]
pub struct ArtistRow {
    /// The key of the table.
    pub artist_id: Box<str>,
    name: Option<Box<str>>,
    /// The empty text stays empty; it is not NULL.
    location: Option<Box<str>>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    song_id: Box<str>,
}

impl ArtistRow {
    /// How many of location, latitude and longitude have a value.
    fn completeness(&self) -> usize {
        usize::from(self.location.as_deref().is_some_and(|location| !location.is_empty()))
            + usize::from(self.latitude.is_some())
            + usize::from(self.longitude.is_some())
    }

    /// The order of variants (rule 2): the smallest is kept.
    fn compare(&self, other: &Self) -> Ordering {
        (other.completeness(), &self.song_id, &self.name, &self.location)
            .cmp(&(self.completeness(), &other.song_id, &other.name, &other.location))
            .then_with(|| ordering::floats(self.latitude, other.latitude))
            .then_with(|| ordering::floats(self.longitude, other.longitude))
    }
}

/// The artists of one part of the input.
#[derive(Debug, Default)]
pub struct ArtistsPartial {
    rows: HashMap<Box<str>, ArtistRow>,
    scratch: String,
}

impl ArtistsPartial {
    /// Adds the artist of one song record.
    pub fn add(&mut self, song: &Song<'_>) {
        let scratch = &mut self.scratch;
        let Some(artist_id) = owned(song.artist_id, scratch) else { return };
        let row = ArtistRow {
            artist_id,
            name: owned(song.artist_name, scratch),
            location: owned(song.artist_location, scratch),
            latitude: song.artist_latitude,
            longitude: song.artist_longitude,
            song_id: song.song_id.resolve(scratch).into(),
        };
        self.keep(row);
    }

    /// Merges the artists of another part.
    pub fn merge(&mut self, other: Self) {
        if self.rows.is_empty() {
            self.rows = other.rows;
        } else {
            other.rows.into_values().for_each(|row| self.keep(row));
        }
    }

    fn keep(&mut self, row: ArtistRow) {
        match self.rows.get_mut(&row.artist_id) {
            None => {
                self.rows.insert(row.artist_id.clone(), row);
            }
            Some(kept) if row.compare(kept) == Ordering::Less => *kept = row,
            Some(_) => {}
        }
    }

    /// The rows, sorted by `artist_id`.
    #[must_use]
    pub fn finish(self) -> Vec<ArtistRow> {
        let mut rows: Vec<ArtistRow> = self.rows.into_values().collect();
        rows.sort_unstable_by(|a, b| a.artist_id.cmp(&b.artist_id));
        rows
    }
}

/// Rows as columns, in the table's order.
#[must_use]
pub fn columns(rows: &[ArtistRow]) -> Columns {
    let columns = vec![
        Column::text(rows.iter().map(|row| Some(&*row.artist_id))),
        Column::text(rows.iter().map(|row| row.name.as_deref())),
        Column::text(rows.iter().map(|row| row.location.as_deref())),
        Column::float64(rows.iter().map(|row| row.latitude)),
        Column::float64(rows.iter().map(|row| row.longitude)),
    ];
    Columns { table: Table::Artists, columns }
}
