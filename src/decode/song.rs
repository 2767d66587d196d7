//! Song metadata: one object of the song data set.
//!
//! Neither the songs table nor the artists table. Invariant: an `artist_id` that comes through here can name a
//! partition folder on every file system the lake is written to.

use crate::decode::coercion::{Fault, Reader, Schema, Spill, Verdict};
use crate::decode::limits::Limits;
use crate::decode::reject_reason::Reason;
use crate::decode::text::Text;
use crate::decode::token::Members;

/// One song and its artist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Song<'a> {
    /// Key.
    pub song_id: Text<'a>,
    /// Title.
    pub title: Option<Text<'a>>,
    /// The artist's key.
    pub artist_id: Option<Text<'a>>,
    /// The artist's name.
    pub artist_name: Option<Text<'a>>,
    /// Where the artist is from, '' when unknown.
    pub artist_location: Option<Text<'a>>,
    /// Degrees.
    pub artist_latitude: Option<f64>,
    /// Degrees.
    pub artist_longitude: Option<f64>,
    /// Seconds.
    pub duration: Option<f64>,
    /// 0 when unknown.
    pub year: Option<i32>,
}

/// The folder in which Hive keeps the rows whose partition value is NULL.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";
/// What stands before the value in the name of a partition folder.
const PARTITION_PREFIX: &str = "artist_id=";
/// The longest name of a folder, in bytes.
const MAX_COMPONENT: usize = 255;

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
pub struct Songs;

impl Schema for Songs {
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
    fn judge<'a>(members: &Members<'a>, limits: &Limits, spill: &'a Spill) -> Verdict<Song<'a>> {
        let mut reader = Reader::new(members, limits, spill);
        match song(&mut reader) {
            Ok(song) => Verdict::Row(song, reader.coerced()),
            Err(fault) => Verdict::Fault(fault),
        }
    }
}

#[inline]
fn song<'a>(reader: &mut Reader<'_, 'a>) -> Result<Song<'a>, Fault> {
    reader.no_conflict()?;
    reader.required(SONG_ID)?;
    let song_id = reader.text(SONG_ID)?.unwrap_or(Text::plain(""));
    let artist_id = reader.text(ARTIST_ID)?;
    if let Some(artist_id) = artist_id {
        can_name_a_folder(artist_id).map_err(|reason| Fault { reason, slot: ARTIST_ID })?;
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

/// Refuses values that no partition folder can be named after.
#[inline]
fn can_name_a_folder(value: Text<'_>) -> Result<(), Reason> {
    // Every byte takes three at most, and a raw NUL is no JSON: most values need no closer look.
    let fits = value.raw().len() * 3 + PARTITION_PREFIX.len() <= MAX_COMPONENT;
    if fits && !value.is_escaped() && value.raw() != NULL_PARTITION {
        return Ok(());
    }
    let mut scratch = String::new();
    let value = value.resolve(&mut scratch);
    if value.contains('\0') {
        Err(Reason::PartitionNul)
    } else if value == NULL_PARTITION {
        Err(Reason::ReservedPartitionValue)
    } else if PARTITION_PREFIX.len() + hive_escaped_len(value) > MAX_COMPONENT {
        Err(Reason::PartitionValueTooLong)
    } else {
        Ok(())
    }
}

/// The length in bytes of `value` in the name of a partition folder, escaped as Hive does: `%XX` for each
/// character of its set, everything else as it is.
fn hive_escaped_len(value: &str) -> usize {
    value.bytes().map(|byte| if is_hive_escaped(byte) { 3 } else { 1 }).sum()
}

const fn is_hive_escaped(byte: u8) -> bool {
    byte < 0x20
        || byte == 0x7f
        || matches!(byte, b'"' | b'#' | b'%' | b'\'' | b'*' | b'/' | b':' | b'=' | b'?')
        || matches!(byte, b'\\' | b'{' | b'[' | b']' | b'^')
}
