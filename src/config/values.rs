//! The parsers for the values of single options.
//!
//! Invariant: the error for an invalid value names the option and the value, and its hint says which values are valid.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ColumnNames, Table};

/// `songplay_id` has 43 bits for the millisecond, which is enough for 1970 to 2248 (see [`crate::tables::songplays`]).
const MAX_TS: i64 = 1 << 43;

/// A file of an earlier version is only recognized while the commit log has the version.
const MAX_RETAINED_VERSIONS: u64 = 15;

/// The limit of Redshift, Hive and others for the name of a column.
const MAX_COLUMN_NAME: usize = 128;

/// The rule by which a play finds its song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The song with the play's title, artist name and duration.
    TitleArtistDuration,
    /// The song with the play's title and artist name whose duration is nearest.
    TitleArtist,
}

/// The handling of plays without a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// Kept, with NULL for the song (left join).
    Keep,
    /// Omitted (inner join).
    Drop,
}

/// The events that `users_history` is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFrom {
    /// Plays (`NextSong`).
    Plays,
    /// Events of all pages.
    AllPages,
}

/// The compression of the Parquet pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Snappy: fast, and the default of Spark.
    Snappy,
    /// Zstandard: smaller files.
    Zstd,
    /// No compression.
    None,
}

impl Compression {
    /// The end of a file name after `part-00000`, as in Spark.
    #[must_use]
    pub const fn file_suffix(self) -> &'static str {
        match self {
            Self::Snappy => ".snappy.parquet",
            Self::Zstd => ".zstd.parquet",
            Self::None => ".parquet",
        }
    }
}

/// A table format whose log is published in addition to the files of Parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableFormat {
    /// Delta Lake: `_delta_log/` in the folder of each table.
    Delta,
    /// Apache Iceberg: metadata below `_etl/iceberg/`, which the Python part writes.
    Iceberg,
}

impl TableFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Delta, Self::Iceberg];

    /// The name in options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Iceberg => "iceberg",
        }
    }
}

/// The table formats: `parquet` for none, or a list.
pub fn formats(value: &str) -> Result<BTreeSet<TableFormat>> {
    let mut formats = BTreeSet::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match name {
            "parquet" => {}
            "delta" => drop(formats.insert(TableFormat::Delta)),
            "iceberg" => drop(formats.insert(TableFormat::Iceberg)),
            _ => {
                return Err(invalid("formats", name, "it takes parquet (the folders alone), delta, iceberg, or both"));
            }
        }
    }
    Ok(formats)
}

/// The number of earlier versions whose files stay.
pub fn retain(value: &str) -> Result<u64> {
    let versions = value.parse().ok().filter(|versions| *versions <= MAX_RETAINED_VERSIONS);
    versions.ok_or_else(|| {
        invalid("retain", value, format!("it takes a number of earlier versions, from 0 to {MAX_RETAINED_VERSIONS}"))
    })
}

/// The handling of a bad file: one that is damaged, or is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBadFile {
    /// The run fails.
    Refuse,
    /// The entire file is omitted and reported.
    Quarantine,
}

/// The limit of quarantined records. A run with more of them fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxBad {
    /// The larger of 100 records and 1 % of the records that were read.
    Default,
    /// A number of records.
    Records(u64),
    /// A percentage of the records that were read, from 0 to 100.
    Percent(f64),
}

impl MaxBad {
    /// The number of records allowed when `read` were read.
    #[must_use]
    pub fn allowed(self, read: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "the percentage of a count is rounded down"
        )]
        match self {
            Self::Default => (read / 100).max(100),
            Self::Records(records) => records,
            Self::Percent(percent) => (read as f64 * percent / 100.0) as u64,
        }
    }
}

pub(super) fn invalid(option: &'static str, value: &str, hint: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, format!("{option} cannot be {value:?}")).hint(hint).context("option", option)
}

/// The chosen value; without a setting, the first choice.
pub fn choice<T: Copy>(option: &'static str, value: Option<&str>, choices: &[(&str, T)]) -> Result<T> {
    let default = choices.first().map(|(_, choice)| *choice);
    let found = match value {
        None => default,
        Some(value) => choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        invalid(option, value.unwrap_or_default(), format!("it takes one of {}", names.join(", ")))
    })
}

pub fn flag(option: &'static str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(invalid(option, value, "it takes true or false")),
    }
}

pub fn tables(value: &str) -> Result<Vec<Table>> {
    let mut chosen = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let table = Table::from_name(name)
            .ok_or_else(|| invalid("tables", name, format!("it takes a list of {}", table_names())))?;
        if !chosen.contains(&table) {
            chosen.push(table);
        }
    }
    chosen.sort_unstable();
    if chosen.is_empty() {
        return Err(invalid("tables", value, format!("name at least one of {}", table_names())));
    }
    Ok(chosen)
}

/// The names of all tables, for messages.
fn table_names() -> String {
    Table::ALL.map(Table::name).join(", ")
}

/// The days from `since` to `until`, which is exclusive. Both are dates, or times, of which the day counts; an `until`
/// within a day includes this day.
pub fn days(since: Option<&str>, until: Option<&str>) -> Result<Range<Option<NaiveDate>>> {
    const TAKES: &str = "it takes a day such as 2018-11-01, or a time such as 2018-11-01T00:00:00+00:00";
    if let (Some(since), Some(until)) = (since, until)
        && since == until
    {
        return Err(Error::new(ErrorKind::Configuration, format!("since and until are both {since}"))
            .cause("until is exclusive, so the range contains no day")
            .hint("for a single day, set since to this day and until to the next day")
            .context("option", "until"));
    }
    let day = |option: &'static str, value: &str| -> Result<(NaiveDate, bool)> {
        if let Ok(day) = NaiveDate::parse_from_str(value, "%Y-%m-%d") {
            return Ok((day, true));
        }
        let time = DateTime::parse_from_rfc3339(&value.replacen(' ', "T", 1)).map(|time| time.naive_utc());
        let time = time.or_else(|_| value.parse::<NaiveDateTime>()).map_err(|_| invalid(option, value, TAKES))?;
        Ok((time.date(), time.time() == NaiveTime::MIN))
    };
    let since = since.map(|value| day("since", value)).transpose()?.map(|(day, _)| day);
    let until = until.map(|value| day("until", value)).transpose()?;
    let until = until.map(|(day, is_whole)| if is_whole { day } else { day.succ_opt().unwrap_or(day) });
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(invalid(
            "until",
            &until.to_string(),
            format!("it must be later than since, {since}, because until is exclusive"),
        ));
    }
    Ok(since..until)
}

/// The folder names: `classic` or `plain`, followed by overrides such as `songs=tracks` or
/// `songs=songs/songs.parquet`, separated by commas. They are those of the default tables, the `selected` ones, and those
/// that an override names.
pub fn folders(value: &str, selected: &[Table]) -> Result<BTreeMap<Table, String>> {
    const TAKES: &str = "it takes classic, plain, or overrides such as songs=tracks,users=users/users.parquet";
    let known = || Table::DEFAULT.iter().chain(selected).copied();
    let mut names: BTreeMap<Table, String> = known().map(|table| (table, table.classic_folder().to_owned())).collect();
    for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            None if part == "classic" => {}
            None if part == "plain" => {
                names = known().map(|table| (table, table.name().to_owned())).collect();
            }
            None => return Err(invalid("table_names", part, TAKES)),
            Some((table, folder)) => {
                let table = Table::from_name(table.trim()).ok_or_else(|| invalid("table_names", part, TAKES))?;
                let folder = folder.trim().trim_end_matches('/');
                let is_name = |name: &str| {
                    !name.is_empty()
                        && !name.starts_with(['.', '_'])
                        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
                };
                if !folder.split('/').all(is_name) {
                    return Err(invalid(
                        "table_names",
                        folder,
                        "a folder name may only contain letters, digits, _, - and ., and must not begin with . or _; a \
                         nested folder is written as songs/songs.parquet",
                    ));
                }
                names.insert(table, folder.to_owned());
            }
        }
    }
    for (table, folder) in &names {
        let is_inside = |other: &str| other == folder || other.starts_with(&format!("{folder}/"));
        if names.iter().any(|(other, inner)| other != table && is_inside(inner)) {
            return Err(invalid("table_names", folder, "each table needs its own folder: change one of the names"));
        }
    }
    Ok(names)
}

/// The renamed columns, such as `artists.name=artist_name`, separated by commas.
///
/// # Errors
/// [`ErrorKind::Configuration`] for a table or column that does not exist, or a name that is not allowed.
pub fn column_names(value: &str) -> Result<ColumnNames> {
    const TAKES: &str = "it takes new names such as artists.name=artist_name,users.user_id=userId";
    let mut names = ColumnNames::default();
    for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let wrong = || invalid("column_names", part, TAKES);
        let (column, name) = part.split_once('=').ok_or_else(wrong)?;
        let (table, column) = column.trim().split_once('.').ok_or_else(wrong)?;
        let (table, name) = (Table::from_name(table).ok_or_else(wrong)?, name.trim());
        let is_valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.len() <= MAX_COLUMN_NAME;
        if !is_valid {
            return Err(invalid(
                "column_names",
                part,
                "a column name has at most 128 letters, digits and _, and does not begin with a digit",
            ));
        }
        if !names.set(table, column, name.to_owned()) {
            return Err(wrong());
        }
    }
    for table in Table::ALL {
        // Spark, DuckDB and others find a column regardless of upper and lower case.
        let mut seen = BTreeSet::new();
        let all = table.fields().iter().map(|field| names.get(table, field.name));
        if let Some(twice) = all.into_iter().find(|name| !seen.insert(name.to_ascii_lowercase())) {
            let column = format!("{}.{twice}", table.name());
            return Err(invalid(
                "column_names",
                &column,
                "each column of a table needs its own name: change one of them",
            ));
        }
    }
    Ok(names)
}

pub fn threads(value: &str) -> Result<usize> {
    match value.parse::<usize>() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err(invalid("threads", value, "it takes a number from 1 to 1024")),
    }
}

/// A size in bytes: a number with an optional unit. KB, MB and GB are powers of 1000; KiB, MiB, GiB, and Spark's k, m
/// and g are powers of 1024.
pub fn size(option: &'static str, value: &str, min: u64) -> Result<u64> {
    let takes = || format!("it takes a size such as 512MiB or 2GB, of at least {min} bytes");
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(invalid(option, value, takes())),
    };
    let number: f64 = number.parse().map_err(|_| invalid(option, value, takes()))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sizes are far below 2^53 and not negative"
    )]
    let bytes = (number * factor as f64) as u64;
    if bytes < min { Err(invalid(option, value, takes())) } else { Ok(bytes) }
}

pub fn max_bad(value: &str) -> Result<MaxBad> {
    let takes = "it takes a number of records, or a percentage such as 0.5%";
    if let Some(percent) = value.strip_suffix('%') {
        return match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(MaxBad::Percent(percent)),
            _ => Err(invalid("max_bad", value, takes)),
        };
    }
    value.parse().map(MaxBad::Records).map_err(|_| invalid("max_bad", value, takes))
}

pub fn ts_window(value: &str) -> Result<Range<i64>> {
    let takes = "it takes START..END, two dates from 1970-01-01 to 2248-01-01 such as 1990-01-01..2100-01-01";
    let date = |text: &str| -> Option<i64> {
        let date: NaiveDate = text.trim().parse().ok()?;
        let ts = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
        (0..MAX_TS).contains(&ts).then_some(ts)
    };
    let window = value.split_once("..").and_then(|(start, end)| Some(date(start)?..date(end)?));
    window.filter(|window| !window.is_empty()).ok_or_else(|| invalid("ts_window", value, takes))
}
