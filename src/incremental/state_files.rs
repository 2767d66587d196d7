//! What later runs read in place of the input, as Parquet: song records, users by month, keys of tracks.
//!
//! Three kinds of files; where they lie and when they go is [`crate::lake::checkpoint`]'s business.
//!
//! Invariant: what is read from a file is what was written to it, in the same order.

use bytes::Bytes;

use crate::config::Compression;
use crate::decode::{Song, Text};
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_io::reader;
use crate::parquet_io::reader::NullableValues;
use crate::parquet_io::writer::Encoder;
use crate::schema::{Field, Type};
use crate::tables::columns::Column;
use crate::tables::plays::Key;
use crate::tables::song_record;
use crate::tables::song_record::SongRecord;
use crate::tables::users::{User, UserRow};

const fn field(name: &'static str, kind: Type) -> Field {
    Field { name, kind }
}

const SONGS: [Field; 9] = [
    field("song_id", Type::Text),
    field("title", Type::Text),
    field("artist_id", Type::Text),
    field("artist_name", Type::Text),
    field("artist_location", Type::Text),
    field("artist_latitude", Type::Float64),
    field("artist_longitude", Type::Float64),
    field("duration", Type::Float64),
    field("year", Type::Int32),
];

const USERS: [Field; 8] = [
    field("user_id", Type::Text),
    field("ts", Type::Int64),
    field("session_id", Type::Int64),
    field("item_in_session", Type::Int64),
    field("level", Type::Text),
    field("first_name", Type::Text),
    field("last_name", Type::Text),
    field("gender", Type::Text),
];

const TRACKS: [Field; 1] = [field("key", Type::Int64)];

/// Song records to bytes.
///
/// # Errors
/// [`ErrorKind::Internal`] when they cannot be encoded.
pub fn songs_to_bytes(records: &[SongRecord]) -> Result<Bytes> {
    encode(&SONGS, &song_record::columns(records))
}

/// Song records from bytes; `files` says how many of them each file has, in order, by its number.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not such a file, or not of these files.
pub fn songs_from_bytes(bytes: Bytes, files: impl Iterator<Item = (usize, u64)>) -> Result<Vec<SongRecord>> {
    let columns = reader::columns(bytes, &SONGS)?;
    let Ok([ids, titles, artist_ids, names, locations, latitudes, longitudes, durations, years]) =
        <[NullableValues; 9]>::try_from(columns)
    else {
        return Ok(Vec::new());
    };
    let (ids, titles, artist_ids) = (texts(ids)?, texts(titles)?, texts(artist_ids)?);
    let (names, locations) = (texts(names)?, texts(locations)?);
    let (latitudes, longitudes, durations) = (floats(latitudes)?, floats(longitudes)?, floats(durations)?);
    let NullableValues::Int32(years) = years else { return Err(unlike()) };
    let mut scratch = String::new();
    let mut records = Vec::with_capacity(ids.len());
    let number = |numbers: &[Option<f64>], row: usize| numbers.get(row).copied().flatten();
    for (file, count) in files {
        for _ in 0..count {
            let row = records.len();
            let Some(song_id) = text(&ids, row) else { return Err(unlike()) };
            let song = Song {
                song_id: Text::plain(song_id),
                title: text(&titles, row).map(Text::plain),
                artist_id: text(&artist_ids, row).map(Text::plain),
                artist_name: text(&names, row).map(Text::plain),
                artist_location: text(&locations, row).map(Text::plain),
                artist_latitude: number(&latitudes, row),
                artist_longitude: number(&longitudes, row),
                duration: number(&durations, row),
                year: years.get(row).copied().flatten(),
            };
            records.push(SongRecord::new(file, 0, &song, &mut scratch));
        }
    }
    if records.len() == ids.len() { Ok(records) } else { Err(unlike()) }
}

/// Users to bytes.
///
/// # Errors
/// As [`songs_to_bytes`].
pub fn users_to_bytes(users: &[User]) -> Result<Bytes> {
    let rows = || users.iter().map(|(_, row)| row);
    let columns = [
        Column::text(users.iter().map(|(user_id, _)| Some(&**user_id))),
        Column::int64(rows().map(|row| Some(row.latest.0))),
        Column::int64(rows().map(|row| row.latest.1)),
        Column::int64(rows().map(|row| row.latest.2)),
        Column::text(rows().map(|row| row.level.as_deref())),
        Column::text(rows().map(|row| row.first_name.as_deref())),
        Column::text(rows().map(|row| row.last_name.as_deref())),
        Column::text(rows().map(|row| row.gender.as_deref())),
    ];
    encode(&USERS, &columns)
}

/// Users from bytes.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not such a file.
pub fn users_from_bytes(bytes: Bytes) -> Result<Vec<User>> {
    let Ok([ids, ts, sessions, items, levels, firsts, lasts, genders]) =
        <[NullableValues; 8]>::try_from(reader::columns(bytes, &USERS)?)
    else {
        return Ok(Vec::new());
    };
    let keys = integers(ts)?.into_iter().zip(integers(sessions)?).zip(integers(items)?);
    let names = texts(firsts)?.into_iter().zip(texts(lasts)?).zip(texts(genders)?);
    let rows = texts(ids)?.into_iter().zip(keys).zip(texts(levels)?.into_iter().zip(names));
    rows.map(|((user_id, ((ts, session), item)), (level, ((first_name, last_name), gender)))| {
        let latest: Key = (ts.ok_or_else(unlike)?, session, item);
        Ok((user_id.ok_or_else(unlike)?, UserRow { latest, level, first_name, last_name, gender }))
    })
    .collect()
}

/// Keys of tracks to bytes.
///
/// # Errors
/// As [`songs_to_bytes`].
pub fn tracks_to_bytes(keys: &[u64]) -> Result<Bytes> {
    encode(&TRACKS, &[Column::int64(keys.iter().map(|key| Some(key.cast_signed())))])
}

/// Keys of tracks from bytes.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not such a file.
pub fn tracks_from_bytes(bytes: Bytes) -> Result<Vec<u64>> {
    let Some(keys) = reader::columns(bytes, &TRACKS)?.pop() else { return Ok(Vec::new()) };
    Ok(integers(keys)?.into_iter().flatten().map(i64::cast_unsigned).collect())
}

fn encode(fields: &[Field], columns: &[Column]) -> Result<Bytes> {
    Ok(Encoder::of(fields.iter(), Compression::Zstd)?.encode_columns(columns)?.bytes)
}

fn text(texts: &[Option<Box<str>>], row: usize) -> Option<&str> {
    texts.get(row)?.as_deref()
}

fn texts(values: NullableValues) -> Result<Vec<Option<Box<str>>>> {
    if let NullableValues::Text(texts) = values { Ok(texts) } else { Err(unlike()) }
}

fn floats(values: NullableValues) -> Result<Vec<Option<f64>>> {
    if let NullableValues::Float64(floats) = values { Ok(floats) } else { Err(unlike()) }
}

fn integers(values: NullableValues) -> Result<Vec<Option<i64>>> {
    if let NullableValues::Int64(integers) = values { Ok(integers) } else { Err(unlike()) }
}

fn unlike() -> Error {
    Error::new(ErrorKind::Protocol, "a file of the state is not what its name says")
}
