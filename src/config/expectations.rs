//! Expectations: conditions on the tables of a lake, which a run checks before it commits.
//!
//! | condition | what is compared |
//! |---|---|
//! | `songplays.rows >= 1000` | the rows of a table; also `<=` |
//! | `songplays.rows.change <= 20%` | the change of the rows since the newest version, up or down |
//! | `songplays.match_rate >= 90%` | the share of plays with a song |
//! | `songplays.age <= 2 days` | the time since the last play |
//! | `users.level.null_rate <= 5%` | the share of NULL in a column |
//!
//! Invariant: a condition that is more likely a typing error, such as an age of at least two days, is not accepted.

use std::fmt;

use serde::Serialize;

use crate::config::values::invalid;
use crate::error::Result;
use crate::schema::{Field, Table};

const TAKES: &str = "it takes conditions such as songplays.rows >= 1000, songplays.rows.change <= 20%, \
                     songplays.match_rate >= 90%, songplays.age <= 2 days or users.level.null_rate <= 5%";

/// The figure that an expectation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// The rows of a table.
    Rows(Table),
    /// The change of the rows of a table since the newest version, relative to this version.
    RowsChange(Table),
    /// The share of plays with a song.
    MatchRate,
    /// The time since the last play.
    Age,
    /// The share of NULL in a column, which has its name in the schema.
    NullRate(Table, &'static str),
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A number of rows.
    Rows,
    /// A part of a whole; 1 is all of it.
    Share,
    /// Seconds.
    Seconds,
}

/// The direction of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
}

/// A condition on the tables of a lake.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The figure.
    pub metric: Metric,
    /// The direction of the limit.
    pub comparison: Comparison,
    /// The limit, in the unit of the metric.
    pub limit: f64,
    /// The limit as it was written.
    shown: String,
}

impl Metric {
    /// The table that it is about.
    #[must_use]
    pub const fn table(self) -> Table {
        match self {
            Self::Rows(table) | Self::RowsChange(table) | Self::NullRate(table, _) => table,
            Self::MatchRate | Self::Age => Table::Songplays,
        }
    }

    /// The unit of its values.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Rows(_) => Unit::Rows,
            Self::RowsChange(_) | Self::MatchRate | Self::NullRate(..) => Unit::Share,
            Self::Age => Unit::Seconds,
        }
    }

    /// The column of the table's files whose statistics are needed.
    #[must_use]
    pub fn file_column(self) -> Option<&'static str> {
        let Self::NullRate(table, column) = self else { return None };
        table.file_fields().map(|field| field.name).find(|name| *name == column)
    }

    fn from_name(name: &str) -> Result<Self, String> {
        let names: Vec<&str> = name.split('.').map(str::trim).collect();
        let table = |name: &str| {
            let known = || Table::ALL.map(Table::name).join(", ");
            Table::from_name(name).ok_or_else(|| format!("the tables are {}; {TAKES}", known()))
        };
        match names.as_slice() {
            ["songplays", "match_rate"] => Ok(Self::MatchRate),
            ["songplays", "age"] => Ok(Self::Age),
            [name, "rows"] => Ok(Self::Rows(table(name)?)),
            [name, "rows", "change"] => Ok(Self::RowsChange(table(name)?)),
            [name, column, "null_rate"] => {
                let table = table(name)?;
                let columns = table.fields();
                let known: Option<&Field> = columns.iter().find(|field| field.name == *column);
                known.map(|field| Self::NullRate(table, field.name)).ok_or_else(|| {
                    let names: Vec<&str> = columns.iter().map(|field| field.name).collect();
                    format!("the columns of {name} are {}", names.join(", "))
                })
            }
            _ => Err(TAKES.to_owned()),
        }
    }

    /// Whether the metric may be compared like this.
    const fn takes(self, comparison: Comparison) -> bool {
        match (self, comparison) {
            (Self::Rows(_), _) | (Self::MatchRate, Comparison::AtLeast) => true,
            (Self::MatchRate, Comparison::AtMost) => false,
            (Self::RowsChange(_) | Self::Age | Self::NullRate(..), comparison) => {
                matches!(comparison, Comparison::AtMost)
            }
        }
    }

    fn limit(self, text: &str) -> Result<f64, &'static str> {
        match self.unit() {
            #[expect(clippy::cast_precision_loss, reason = "row counts are below 2^53")]
            Unit::Rows => text.parse::<u64>().map(|rows| rows as f64).map_err(|_| "it needs a number of rows"),
            Unit::Seconds => seconds(text).ok_or("it needs a time such as 36 hours or 2 days"),
            Unit::Share => {
                let has_no_maximum = matches!(self, Self::RowsChange(_)) && text.ends_with('%');
                let share = share(text).filter(|share| *share >= 0.0 && (has_no_maximum || *share <= 1.0));
                share.ok_or("it needs a percentage such as 5%, or a share from 0 to 1 such as 0.05")
            }
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table().name();
        match self {
            Self::Rows(_) => write!(formatter, "{table}.rows"),
            Self::RowsChange(_) => write!(formatter, "{table}.rows.change"),
            Self::MatchRate => write!(formatter, "{table}.match_rate"),
            Self::Age => write!(formatter, "{table}.age"),
            Self::NullRate(_, column) => write!(formatter, "{table}.{column}.null_rate"),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.comparison == Comparison::AtLeast { ">=" } else { "<=" };
        write!(formatter, "{} {sign} {}", self.metric, self.shown)
    }
}

/// The expectations, separated by commas.
///
/// # Errors
/// [`crate::error::ErrorKind::Configuration`] for a condition that is not one of those above.
pub fn expectations(value: &str) -> Result<Vec<Expectation>> {
    let texts: Vec<&str> = value.split(',').map(str::trim).filter(|text| !text.is_empty()).collect();
    // The place of the condition: an error about a file does not repeat its text.
    let hint = |number: usize, hint: String| {
        if texts.len() > 1 { format!("condition {} of {}: {hint}", number + 1, texts.len()) } else { hint }
    };
    let parse = |(number, text): (usize, &&str)| {
        expectation(text).map_err(|error| invalid("expect", text, hint(number, error)))
    };
    texts.iter().enumerate().map(parse).collect()
}

fn expectation(text: &str) -> Result<Expectation, String> {
    let split = |sign: &str, comparison| text.split_once(sign).map(|(metric, limit)| (metric, comparison, limit));
    let parts = split(">=", Comparison::AtLeast).or_else(|| split("<=", Comparison::AtMost));
    let (metric, comparison, limit) = parts.ok_or(TAKES)?;
    let metric = Metric::from_name(metric)?;
    if !metric.takes(comparison) {
        let other = if comparison == Comparison::AtLeast { "<=" } else { ">=" };
        return Err(format!("{metric} can only be compared with {other}"));
    }
    let shown = limit.split_whitespace().collect::<Vec<_>>().join(" ");
    let limit = metric.limit(&shown)?;
    Ok(Expectation { metric, comparison, limit, shown })
}

/// A share such as `0.05` or `5%`.
fn share(text: &str) -> Option<f64> {
    match text.strip_suffix('%') {
        // Not divided by 100, because 33.3 / 100 is not the number nearest to 0.333.
        Some(percent) => number(percent.trim_end()).and_then(|_| format!("{}e-2", percent.trim_end()).parse().ok()),
        None => number(text),
    }
}

/// A time such as `2 days` or `36h`, in seconds.
fn seconds(text: &str) -> Option<f64> {
    let (amount, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let unit = match unit.trim_start() {
        "s" | "second" | "seconds" => 1.0,
        "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86400.0,
        _ => return None,
    };
    number(amount).map(|amount| amount * unit)
}

/// A number in decimal digits. Rust would also parse `inf` and `1e9`.
fn number(text: &str) -> Option<f64> {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_parsed_and_shown() {
        let rows = |text| (Metric::Rows(Table::Songs), Comparison::AtLeast, 1000.0, text);
        for (text, (metric, comparison, limit, shown)) in [
            ("songs.rows >= 1000", rows("songs.rows >= 1000")),
            ("  songs . rows>=1000 ", rows("songs.rows >= 1000")),
            ("users.rows <= 5", (Metric::Rows(Table::Users), Comparison::AtMost, 5.0, "users.rows <= 5")),
            (
                "time.rows.change <= 150%",
                (Metric::RowsChange(Table::Time), Comparison::AtMost, 1.5, "time.rows.change <= 150%"),
            ),
            (
                "songplays.match_rate >= 0.9",
                (Metric::MatchRate, Comparison::AtLeast, 0.9, "songplays.match_rate >= 0.9"),
            ),
            (
                "songplays.match_rate >= 33.3 %",
                (Metric::MatchRate, Comparison::AtLeast, 0.333, "songplays.match_rate >= 33.3 %"),
            ),
            ("songplays.age<=2  days", (Metric::Age, Comparison::AtMost, 172_800.0, "songplays.age <= 2 days")),
            ("songplays.age <= 1.5h", (Metric::Age, Comparison::AtMost, 5400.0, "songplays.age <= 1.5h")),
            (
                "songs.year.null_rate <= 5%",
                (Metric::NullRate(Table::Songs, "year"), Comparison::AtMost, 0.05, "songs.year.null_rate <= 5%"),
            ),
        ] {
            let parsed = expectation(text).unwrap();
            assert_eq!((parsed.metric, parsed.comparison, parsed.limit), (metric, comparison, limit), "{text}");
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(expectation(shown).unwrap(), parsed);
        }
        assert_eq!(expectations("songs.rows >= 1, , users.rows <= 2,").unwrap().len(), 2);
    }

    #[test]
    fn other_conditions_are_refused() {
        for text in [
            "songs.rows",
            "songs.rows = 5",
            "songs.rows > 5",
            "songs.rows >= many",
            "songs.rows >= -5",
            "songs.rows >= 1.5",
            "songs.rows >= 1000 rows",
            "albums.rows >= 1",
            "songs.files >= 1",
            "songs.album.null_rate <= 5%",
            "users.match_rate >= 5%",
            "users.age <= 2 days",
            "songplays.age <= 2",
            "songplays.age <= days",
            "songplays.age <= 2 weeks",
            "songplays.age >= 2 days",
            "songplays.match_rate <= 5%",
            "songplays.match_rate >= 90",
            "songplays.match_rate >= 101%",
            "songplays.match_rate >= NaN",
            "songplays.match_rate >= inf%",
            "songplays.match_rate >= -1%",
            "songplays.match_rate >= %",
            "songplays.rows.change <= 20",
            "songplays.rows.change >= 20%",
            "users.level.null_rate >= 5%",
        ] {
            let error = expectations(text).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Configuration, "{text}");
            assert!(error.message().contains(text) && error.hint_text().is_some(), "{error}");
        }
    }
}
