//! The Parquet format of the state files, which later runs read in place of the input: song records, users,
//! their history, and keys of tracks.
//!
//! [`crate::lake::checkpoint`] decides where the files are stored and when they are removed.
//!
//! Invariant: reading a file returns the values that were written to it, in the same order.

use bytes::Bytes;

use crate::config::Compression;
use crate::decode::{Song, Text};
use crate::error::{Error, ErrorKind, Result};
use crate::parquet_io::reader::{NullableValues, read_columns};
use crate::parquet_io::writer::Encoder;
use crate::schema::{Field, Type};
use crate::tables::columns::Column;
use crate::tables::plays::Key;
use crate::tables::song_record::{self, SongRecord};
use crate::tables::users::{User, UserRow};
use crate::tables::users_history::UserPeriod;

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

const HISTORY: [Field; 6] = [
    field("user_id", Type::Text),
    field("from", Type::Int64),
    field("level", Type::Text),
    field("first_name", Type::Text),
    field("last_name", Type::Text),
    field("gender", Type::Text),
];

const TRACKS: [Field; 1] = [field("key", Type::Int64)];

/// Encodes song records.
///
/// # Errors
/// [`ErrorKind::Internal`] when they cannot be encoded.
pub(crate) fn songs_to_bytes(records: &[SongRecord]) -> Result<Bytes> {
    encode(&SONGS, &song_record::columns(records))
}

/// Decodes song records; `files` has the number of each input file with its count of records, in order.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not such a file, or do not match `files`.
pub(crate) fn songs_from_bytes(bytes: Bytes, files: impl Iterator<Item = (usize, u64)>) -> Result<Vec<SongRecord>> {
    let (mut records, mut scratch) = (Vec::new(), String::new());
    each_song(bytes, files, |file, song| records.push(SongRecord::new(file, 0, song, &mut scratch)))?;
    Ok(records)
}

/// Decodes song records, as [`songs_from_bytes`], and calls `add` with the number of the file and the song of each.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not such a file, or do not match `files`.
pub(crate) fn each_song(
    bytes: Bytes,
    files: impl Iterator<Item = (usize, u64)>,
    mut add: impl FnMut(usize, &Song<'_>),
) -> Result<()> {
    let columns = read_columns(bytes, &SONGS)?;
    let Ok([ids, titles, artist_ids, names, locations, latitudes, longitudes, durations, years]) =
        <[NullableValues; 9]>::try_from(columns)
    else {
        // A file without rows may have no row group.
        return if files.map(|(_, count)| count).sum::<u64>() == 0 { Ok(()) } else { Err(mismatch()) };
    };
    let (ids, titles, artist_ids) = (texts(ids)?, texts(titles)?, texts(artist_ids)?);
    let (names, locations) = (texts(names)?, texts(locations)?);
    let (latitudes, longitudes, durations) = (floats(latitudes)?, floats(longitudes)?, floats(durations)?);
    let NullableValues::Int32(years) = years else { return Err(mismatch()) };
    let number_at = |numbers: &[Option<f64>], row: usize| numbers.get(row).copied().flatten();
    let mut rows = 0..ids.len();
    for (file, count) in files {
        for _ in 0..count {
            let row = rows.next().ok_or_else(mismatch)?;
            let song = Song {
                song_id: Text::plain(text_at(&ids, row).ok_or_else(mismatch)?),
                title: text_at(&titles, row).map(Text::plain),
                artist_id: text_at(&artist_ids, row).map(Text::plain),
                artist_name: text_at(&names, row).map(Text::plain),
                artist_location: text_at(&locations, row).map(Text::plain),
                artist_latitude: number_at(&latitudes, row),
                artist_longitude: number_at(&longitudes, row),
                duration: number_at(&durations, row),
                year: years.get(row).copied().flatten(),
            };
            add(file, &song);
        }
    }
    if rows.is_empty() { Ok(()) } else { Err(mismatch()) }
}

/// Encodes users.
///
/// # Errors
/// As [`songs_to_bytes`].
pub(crate) fn users_to_bytes(users: &[User]) -> Result<Bytes> {
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

/// Decodes users.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not such a file.
pub(crate) fn users_from_bytes(bytes: Bytes) -> Result<Vec<User>> {
    let Ok([ids, ts, sessions, items, levels, firsts, lasts, genders]) =
        <[NullableValues; 8]>::try_from(read_columns(bytes, &USERS)?)
    else {
        return Ok(Vec::new());
    };
    let keys = integers(ts)?.into_iter().zip(integers(sessions)?).zip(integers(items)?);
    let names = texts(firsts)?.into_iter().zip(texts(lasts)?).zip(texts(genders)?);
    let rows = texts(ids)?.into_iter().zip(keys).zip(texts(levels)?.into_iter().zip(names));
    rows.map(|((user_id, ((ts, session), item)), (level, ((first_name, last_name), gender)))| {
        let latest: Key = (ts.ok_or_else(mismatch)?, session, item);
        Ok((user_id.ok_or_else(mismatch)?, UserRow { latest, level, first_name, last_name, gender }))
    })
    .collect()
}

/// Encodes the periods of users' levels.
///
/// # Errors
/// As [`songs_to_bytes`].
pub(crate) fn history_to_bytes(periods: &[UserPeriod]) -> Result<Bytes> {
    let columns = [
        Column::text(periods.iter().map(|period| Some(&*period.user_id))),
        Column::int64(periods.iter().map(|period| Some(period.from))),
        Column::text(periods.iter().map(|period| period.level.as_deref())),
        Column::text(periods.iter().map(|period| period.first_name.as_deref())),
        Column::text(periods.iter().map(|period| period.last_name.as_deref())),
        Column::text(periods.iter().map(|period| period.gender.as_deref())),
    ];
    encode(&HISTORY, &columns)
}

/// Decodes the periods of users' levels.
///
/// # Errors
/// As [`users_from_bytes`].
pub(crate) fn history_from_bytes(bytes: Bytes) -> Result<Vec<UserPeriod>> {
    let Ok([ids, times, levels, firsts, lasts, genders]) =
        <[NullableValues; 6]>::try_from(read_columns(bytes, &HISTORY)?)
    else {
        return Ok(Vec::new());
    };
    let names = texts(firsts)?.into_iter().zip(texts(lasts)?).zip(texts(genders)?);
    let periods = texts(ids)?.into_iter().zip(integers(times)?).zip(texts(levels)?.into_iter().zip(names));
    periods
        .map(|((user_id, from), (level, ((first_name, last_name), gender)))| {
            let (user_id, from) = (user_id.ok_or_else(mismatch)?, from.ok_or_else(mismatch)?);
            Ok(UserPeriod { user_id, from, level, first_name, last_name, gender })
        })
        .collect()
}

/// Encodes keys of tracks.
///
/// # Errors
/// As [`songs_to_bytes`].
pub(crate) fn tracks_to_bytes(keys: &[u64]) -> Result<Bytes> {
    encode(&TRACKS, &[Column::int64(keys.iter().map(|key| Some(key.cast_signed())))])
}

/// Decodes keys of tracks.
///
/// # Errors
/// [`ErrorKind::Protocol`] when the bytes are not such a file.
pub(crate) fn tracks_from_bytes(bytes: Bytes) -> Result<Vec<u64>> {
    let Some(keys) = read_columns(bytes, &TRACKS)?.pop() else { return Ok(Vec::new()) };
    Ok(integers(keys)?.into_iter().flatten().map(i64::cast_unsigned).collect())
}

fn encode(fields: &[Field], columns: &[Column]) -> Result<Bytes> {
    Ok(Encoder::for_fields(fields.iter().map(|field| (field, field.name)), Compression::Zstd)?
        .encode_columns(columns.first().map_or(0, Column::rows), columns)?
        .bytes)
}

fn text_at(texts: &[Option<Box<str>>], row: usize) -> Option<&str> {
    texts.get(row)?.as_deref()
}

fn texts(values: NullableValues) -> Result<Vec<Option<Box<str>>>> {
    if let NullableValues::Text(texts) = values { Ok(texts) } else { Err(mismatch()) }
}

fn floats(values: NullableValues) -> Result<Vec<Option<f64>>> {
    if let NullableValues::Float64(floats) = values { Ok(floats) } else { Err(mismatch()) }
}

fn integers(values: NullableValues) -> Result<Vec<Option<i64>>> {
    if let NullableValues::Int64(integers) = values { Ok(integers) } else { Err(mismatch()) }
}

fn mismatch() -> Error {
    Error::new(ErrorKind::Protocol, "a state file does not have the content that its name states")
}
