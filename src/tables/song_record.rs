//! Compact copies of song records, before the rules select among them.
//!
//! The songs and artists tables keep one of several copies; when a file changes or is deleted, another copy may win. So
//! the lake keeps all copies for later incremental runs.
//!
//! Invariant: [`SongRecord::song`] returns the song that the record was made from, with its escapes resolved.

use crate::decode::{Song, Text};
use crate::tables::columns::Column;
use crate::tables::songs::SongRow;

/// The text fields of a record: song id, title, artist id, artist name, artist location.
const TEXT_FIELDS: usize = 5;

/// The end of a text that is NULL.
const NULL_END: u32 = u32::MAX;

/// One song record of one file.
#[derive(Clone, Debug)]
pub struct SongRecord {
    /// The file's number in the listing.
    pub file: usize,
    /// Where its chunk begins in the file, to order the records of a file that several workers read.
    pub offset: u64,
    texts: Box<str>,
    ends: [u32; TEXT_FIELDS],
    latitude: Option<f64>,
    longitude: Option<f64>,
    duration: Option<f64>,
    year: Option<i32>,
}

impl SongRecord {
    /// A compact copy of a song record.
    #[must_use]
    pub fn new(file: usize, offset: u64, song: &Song<'_>, scratch: &mut String) -> Self {
        let fields = [Some(song.song_id), song.title, song.artist_id, song.artist_name, song.artist_location];
        let (mut texts, mut ends) = (String::new(), [NULL_END; TEXT_FIELDS]);
        for (field, end) in fields.into_iter().zip(&mut ends) {
            let Some(text) = field else { continue };
            texts.push_str(text.resolve(scratch));
            // The decoder limits texts to 1 MiB.
            *end = u32::try_from(texts.len()).unwrap_or(NULL_END - 1);
        }
        Self {
            file,
            offset,
            texts: texts.into(),
            ends,
            latitude: song.artist_latitude,
            longitude: song.artist_longitude,
            duration: song.duration,
            year: song.year,
        }
    }

    /// A row of the songs table as a record, with only the id and the name of its artist.
    #[must_use]
    pub fn of_row(row: &SongRow, scratch: &mut String) -> Self {
        let song = Song {
            song_id: Text::plain(&row.song_id),
            title: row.title.as_deref().map(Text::plain),
            artist_id: row.artist_id.as_deref().map(Text::plain),
            artist_name: row.artist_name.as_deref().map(Text::plain),
            artist_location: None,
            artist_latitude: None,
            artist_longitude: None,
            duration: row.duration,
            year: row.year,
        };
        Self::new(0, 0, &song, scratch)
    }

    fn text(&self, field: usize) -> Option<&str> {
        let end = *self.ends.get(field)?;
        let before = self.ends.get(..field)?.iter().rev().find(|end| **end != NULL_END).copied().unwrap_or_default();
        if end == NULL_END { None } else { self.texts.get(before as usize..end as usize) }
    }

    /// The song record for the rules.
    #[must_use]
    pub fn song(&self) -> Song<'_> {
        let text = |field| self.text(field).map(Text::plain);
        Song {
            song_id: text(0).unwrap_or(Text::plain("")),
            title: text(1),
            artist_id: text(2),
            artist_name: text(3),
            artist_location: text(4),
            artist_latitude: self.latitude,
            artist_longitude: self.longitude,
            duration: self.duration,
            year: self.year,
        }
    }
}

/// Records as columns: the five texts, latitude, longitude, duration and year.
#[must_use]
pub fn columns(records: &[SongRecord]) -> Vec<Column> {
    let texts = (0..TEXT_FIELDS).map(|field| Column::text(records.iter().map(|record| record.text(field))));
    let numbers = [
        Column::float64(records.iter().map(|record| record.latitude)),
        Column::float64(records.iter().map(|record| record.longitude)),
        Column::float64(records.iter().map(|record| record.duration)),
        Column::int32(records.iter().map(|record| record.year)),
    ];
    texts.chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gives_back_its_song() {
        let song = Song {
            song_id: Text::plain("S"),
            title: None,
            artist_id: Some(Text::plain("")),
            artist_name: Some(Text::plain("Sigur R\u{f3}s")),
            artist_location: None,
            artist_latitude: Some(-0.0),
            artist_longitude: None,
            duration: Some(1.5),
            year: None,
        };
        let record = SongRecord::new(3, 0, &song, &mut String::new());
        assert_eq!(record.song(), song);
        assert!(columns(&[record]).iter().all(|column| column.rows() == 1));
    }
}
