//! Song metadata: one object of the song data set.
//!
//! Invariant: the `artist_id` of a decoded song can name a partition folder on every file system that a lake is written
//! to.

use crate::decode::coercion::{Conversion, Fault, MemberReader, NumberTexts, RecordSchema};
use crate::decode::limits::Limits;
use crate::decode::reject_reason::Reason;
use crate::decode::text::Text;
use crate::decode::token::Members;

/// One song and its artist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Song<'a> {
    /// The song's id.
    pub song_id: Text<'a>,
    /// The song's title.
    pub title: Option<Text<'a>>,
    /// The artist's id.
    pub artist_id: Option<Text<'a>>,
    /// The artist's name.
    pub artist_name: Option<Text<'a>>,
    /// The artist's home; '' if unknown.
    pub artist_location: Option<Text<'a>>,
    /// The latitude of the artist's home in degrees.
    pub artist_latitude: Option<f64>,
    /// The longitude of the artist's home in degrees.
    pub artist_longitude: Option<f64>,
    /// The duration of the song in seconds.
    pub duration: Option<f64>,
    /// The year of the song; 0 if unknown.
    pub year: Option<i32>,
}

/// The partition value in the folder name of rows whose partition value is NULL, as in Hive.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

const SONG_ID: usize = 0;
const ARTIST_ID: usize = 1;
const TITLE: usize = 2;
const ARTIST_NAME: usize = 3;
const ARTIST_LOCATION: usize = 4;
const ARTIST_LATITUDE: usize = 5;
const ARTIST_LONGITUDE: usize = 6;
const DURATION: usize = 7;
const YEAR: usize = 8;

/// The schema of song metadata.
pub struct SongSchema;

impl RecordSchema for SongSchema {
    type Row<'a> = Song<'a>;

    #[rustfmt::skip]
    const KEYS: &'static [&'static str] = &[
        "song_id", "artist_id", "title", "artist_name", "artist_location", "artist_latitude", "artist_longitude",
        "duration", "year",
        "num_songs",
    ];
    const USED: usize = 9;
    const REQUIRED: usize = 1;

    #[inline]
    fn convert<'a>(members: &Members<'a>, limits: &Limits, number_texts: &'a NumberTexts) -> Conversion<Song<'a>> {
        let mut reader = MemberReader::new(members, limits, number_texts);
        match song(&mut reader, limits.max_artist_id) {
            Ok(row) => Conversion::Row { row, coerced: reader.coerced() },
            Err(fault) => Conversion::Fault(fault),
        }
    }
}

#[inline]
fn song<'a>(reader: &mut MemberReader<'_, 'a>, max_artist_id: usize) -> Result<Song<'a>, Fault> {
    reader.check_conflicts()?;
    reader.check_required(SONG_ID)?;
    let song_id = reader.text(SONG_ID)?.unwrap_or(Text::plain(""));
    let artist_id = reader.text(ARTIST_ID)?;
    if let Some(artist_id) = artist_id {
        check_folder_name(artist_id, max_artist_id).map_err(|reason| Fault { reason, slot: ARTIST_ID })?;
    }
    Ok(Song {
        song_id,
        title: reader.text(TITLE)?,
        artist_id,
        artist_name: reader.text(ARTIST_NAME)?,
        artist_location: reader.text(ARTIST_LOCATION)?,
        artist_latitude: reader.float(ARTIST_LATITUDE)?,
        artist_longitude: reader.float(ARTIST_LONGITUDE)?,
        duration: reader.float(DURATION)?,
        year: match reader.integer(YEAR)? {
            Some(year) => Some(i32::try_from(year).map_err(|_| Fault { reason: Reason::OutOfRange, slot: YEAR })?),
            None => None,
        },
    })
}

/// Rejects values that cannot name a partition folder, or are longer than `max` bytes when they are escaped.
#[inline]
fn check_folder_name(value: Text<'_>, max: usize) -> Result<(), Reason> {
    // A byte becomes at most three, and JSON does not allow a raw NUL: most values need no further check.
    let fits = value.raw().len() * 3 <= max;
    if fits && !value.is_escaped() && value.raw() != NULL_PARTITION {
        return Ok(());
    }
    let mut scratch = String::new();
    let value = value.resolve(&mut scratch);
    if value.contains('\0') {
        Err(Reason::PartitionNul)
    } else if value == NULL_PARTITION {
        Err(Reason::ReservedPartitionValue)
    } else if hive_escaped_len(value) > max {
        Err(Reason::PartitionValueTooLong)
    } else {
        Ok(())
    }
}

/// The length in bytes of `value` in the name of a partition folder, with Hive's escaping: `%XX` for each character of
/// its set; all other characters are unchanged.
fn hive_escaped_len(value: &str) -> usize {
    value.bytes().map(|byte| if is_hive_escaped(byte) { 3 } else { 1 }).sum()
}

const fn is_hive_escaped(byte: u8) -> bool {
    byte < 0x20
        || byte == 0x7f
        || matches!(byte, b'"' | b'#' | b'%' | b'\'' | b'*' | b'/' | b':' | b'=' | b'?')
        || matches!(byte, b'\\' | b'{' | b'[' | b']' | b'^')
}
