//! The values of single options: text in, or what the option takes instead.
//!
//! Invariant: a value that is refused is named with its option and with what the option takes.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::Table;

/// `songplay_id` keeps 43 bits for the millisecond: times from 1970 to 2248 fit (see [`crate::tables::songplays`]).
const LATEST_TS: i64 = 1 << 43;

/// Which song a play belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The song with the play's title, artist name and duration.
    TitleArtistDuration,
    /// The song with the play's title and artist name whose duration is nearest.
    TitleArtist,
}

/// What becomes of plays without a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// Kept, with NULL for the song (left join).
    Keep,
    /// Left out (inner join).
    Drop,
}

/// Compression of the Parquet pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Fast, and Spark's default.
    Snappy,
    /// Smaller.
    Zstd,
    /// As is.
    None,
}

impl Compression {
    /// What follows `part-00000` in a file's name, as Spark writes it.
    #[must_use]
    pub const fn file_suffix(self) -> &'static str {
        match self {
            Self::Snappy => ".snappy.parquet",
            Self::Zstd => ".zstd.parquet",
            Self::None => ".parquet",
        }
    }
}

/// What becomes of a file that cannot be read as JSON at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBadFile {
    /// The run is refused.
    Refuse,
    /// The file is left out, whole, and reported.
    Quarantine,
}

/// How many records may be quarantined before the run is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxBad {
    /// The larger of 100 records and 1 % of what was read.
    Default,
    /// A number of records.
    Records(u64),
    /// A share of what was read, 0 to 100.
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
            reason = "a share of a count, rounded down, is what is meant"
        )]
        match self {
            Self::Default => (read / 100).max(100),
            Self::Records(records) => records,
            Self::Percent(percent) => (read as f64 * percent / 100.0) as u64,
        }
    }
}

fn wrong(option: &'static str, value: &str, takes: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, format!("{option} cannot be {value:?}")).hint(takes).context("option", option)
}

/// The value of a named choice; the first is the default.
pub fn choice<T: Copy>(option: &'static str, value: Option<&str>, choices: &[(&str, T)]) -> Result<T> {
    let default = choices.first().map(|(_, choice)| *choice);
    let found = match value {
        None => default,
        Some(value) => choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        wrong(option, value.unwrap_or_default(), format!("it takes one of {}", names.join(", ")))
    })
}

pub fn flag(option: &'static str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(wrong(option, value, "it takes true or false")),
    }
}

pub fn tables(value: &str) -> Result<Vec<Table>> {
    let mut chosen = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let table = Table::from_name(name)
            .ok_or_else(|| wrong("tables", name, "it takes a list of songs, artists, users, time, songplays"))?;
        if !chosen.contains(&table) {
            chosen.push(table);
        }
    }
    chosen.sort_unstable();
    if chosen.is_empty() {
        return Err(wrong("tables", value, "name at least one of songs, artists, users, time, songplays"));
    }
    Ok(chosen)
}

/// Days from `since` to before `until`: dates, or times of which the day counts (a time within a day includes it).
pub fn days(since: Option<&str>, until: Option<&str>) -> Result<Range<Option<NaiveDate>>> {
    const TAKES: &str = "it takes a day such as 2018-11-01, or a time such as 2018-11-01T00:00:00+00:00";
    if let (Some(since), Some(until)) = (since, until)
        && since == until
    {
        return Err(Error::new(ErrorKind::Configuration, format!("since is until, {since}: no day lies between them"))
            .hint("until is exclusive: for one day, name the day and the next one")
            .context("option", "until"));
    }
    let day = |option: &'static str, value: &str| -> Result<(NaiveDate, bool)> {
        if let Ok(day) = NaiveDate::parse_from_str(value, "%Y-%m-%d") {
            return Ok((day, true));
        }
        let time = DateTime::parse_from_rfc3339(&value.replacen(' ', "T", 1)).map(|time| time.naive_utc());
        let time = time.or_else(|_| value.parse::<NaiveDateTime>()).map_err(|_| wrong(option, value, TAKES))?;
        Ok((time.date(), time.time() == NaiveTime::MIN))
    };
    let since = since.map(|value| day("since", value)).transpose()?.map(|(day, _)| day);
    let until = until.map(|value| day("until", value)).transpose()?;
    let until = until.map(|(day, is_whole)| if is_whole { day } else { day.succ_opt().unwrap_or(day) });
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(wrong("until", &until.to_string(), format!("it lies behind since, {since}; it is exclusive")));
    }
    Ok(since..until)
}

/// `classic`, `plain`, and single overrides `songs=tracks` on top, separated by commas.
pub fn folders(value: &str) -> Result<BTreeMap<Table, String>> {
    const TAKES: &str = "it takes classic, plain, or overrides such as songs=tracks,users=people";
    let mut names: BTreeMap<Table, String> =
        Table::ALL.into_iter().map(|table| (table, table.classic_folder().to_owned())).collect();
    for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            None if part == "classic" => {}
            None if part == "plain" => {
                names = Table::ALL.into_iter().map(|table| (table, table.name().to_owned())).collect();
            }
            None => return Err(wrong("table_names", part, TAKES)),
            Some((table, folder)) => {
                let table = Table::from_name(table.trim()).ok_or_else(|| wrong("table_names", part, TAKES))?;
                let folder = folder.trim();
                let plain = !folder.is_empty()
                    && !folder.starts_with(['.', '_'])
                    && folder.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
                if !plain {
                    return Err(wrong("table_names", folder, "a folder name has letters, digits, _ - . only"));
                }
                names.insert(table, folder.to_owned());
            }
        }
    }
    let mut seen: Vec<&String> = names.values().collect();
    seen.sort_unstable();
    if let Some(pair) = seen.windows(2).find(|pair| pair.first() == pair.last()) {
        let twice = pair.first().map_or("", |name| name.as_str());
        return Err(wrong("table_names", twice, "every table needs a folder of its own"));
    }
    Ok(names)
}

pub fn threads(value: &str) -> Result<usize> {
    match value.parse::<usize>() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err(wrong("threads", value, "it takes a number from 1 to 1024")),
    }
}

/// A size in bytes: a number with an optional unit (KB, MB, GB in thousands; KiB, MiB, GiB, and Spark's k, m, g, in
/// powers of 1024).
pub fn size(option: &'static str, value: &str, least: u64) -> Result<u64> {
    let takes = || format!("it takes a size such as 512MiB or 2GB, at least {least} bytes");
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
        _ => return Err(wrong(option, value, takes())),
    };
    let number: f64 = number.parse().map_err(|_| wrong(option, value, takes()))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sizes are far below 2^53 and not negative"
    )]
    let bytes = (number * factor as f64) as u64;
    if bytes < least { Err(wrong(option, value, takes())) } else { Ok(bytes) }
}

pub fn max_bad(value: &str) -> Result<MaxBad> {
    let takes = "it takes a number of records, or a share such as 0.5%";
    if let Some(percent) = value.strip_suffix('%') {
        return match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(MaxBad::Percent(percent)),
            _ => Err(wrong("max_bad", value, takes)),
        };
    }
    value.parse().map(MaxBad::Records).map_err(|_| wrong("max_bad", value, takes))
}

pub fn ts_window(value: &str) -> Result<Range<i64>> {
    let takes = "it takes START..END, two dates from 1970-01-01 to 2248-01-01 such as 1990-01-01..2100-01-01";
    let date = |text: &str| -> Option<i64> {
        let date: NaiveDate = text.trim().parse().ok()?;
        let ts = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
        (0..LATEST_TS).contains(&ts).then_some(ts)
    };
    let window = value.split_once("..").and_then(|(start, end)| Some(date(start)?..date(end)?));
    window.filter(|window| !window.is_empty()).ok_or_else(|| wrong("ts_window", value, takes))
}
