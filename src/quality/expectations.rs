//! The check of the expectations: complete tables against the conditions of the user, before a version is committed.
//!
//! A run without changes is checked too, from the newest version: the age of the last play grows without any change.
//!
//! Invariant: the figures come from counts and statistics of the commit record, so no file of a table is read.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::{Comparison, Config, Expectation, Metric, Unit};
use crate::error::{Error, ErrorKind, Result};
use crate::input::file_identity;
use crate::lake::commit_record::{CommitRecord, TableRecord};
use crate::lake::figures::Figure;
use crate::lake::read_summary::ReadSummary;
use crate::schema::{ColumnNames, Table};
use crate::tables::partition_path::DEFAULT_PARTITION;

/// The tables that are checked, and the version before.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'c> {
    /// The tables of the version, by folder.
    pub tables: &'c BTreeMap<String, TableRecord>,
    /// The newest version of the lake; `None` before the first.
    pub newest: Option<&'c CommitRecord>,
    /// The counts and the time of plays.
    pub summary: &'c ReadSummary,
    /// When the run began; RFC 3339, UTC.
    pub now: &'c str,
}

/// The result of an expectation.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedExpectation {
    /// The condition.
    pub expectation: String,
    /// The name of the figure, such as `songplays.rows`.
    pub metric: String,
    /// The unit of the limit and the values.
    pub unit: Unit,
    /// The limit.
    pub limit: f64,
    /// The value; `None` if there is none, such as a change without an earlier version.
    pub value: Option<f64>,
    /// Whether the expectation is met.
    pub passed: bool,
    /// The values of the last versions before this run, the oldest first.
    pub history: Vec<PastValue>,
    #[serde(skip)]
    figure: Option<Figure>,
}

/// The value of an earlier version.
#[derive(Clone, Debug, Serialize)]
pub struct PastValue {
    /// The version of the lake.
    pub version: u64,
    /// When the run began that committed it; RFC 3339, UTC.
    pub committed_at: String,
    /// The value at that version.
    pub value: f64,
}

/// Checks the expectations about the tables of a run.
///
/// # Errors
/// [`ErrorKind::DataRefused`], which names every expectation that is not met.
pub fn check(config: &Config, candidate: &Candidate<'_>) -> Result<Vec<CheckedExpectation>> {
    let about_run = config.expectations.iter().filter(|one| config.tables.contains(&one.metric.table()));
    let checked: Vec<(&Expectation, CheckedExpectation)> =
        about_run.map(|one| (one, checked(one, config, candidate))).collect();
    let breached: Vec<_> = checked.iter().filter(|(_, result)| !result.passed).collect();
    if breached.is_empty() {
        return Ok(checked.into_iter().map(|(_, result)| result).collect());
    }
    let names: Vec<&str> = breached.iter().map(|(_, result)| result.expectation.as_str()).collect();
    let message = match names.as_slice() {
        [only] => format!("the expectation {only} is not met"),
        several => {
            format!("{} of {} expectations are not met: {}", several.len(), checked.len(), several.join(", "))
        }
    };
    let causes: Vec<String> = breached.iter().map(|(one, result)| describe(one, result)).collect();
    Err(Error::new(ErrorKind::DataRefused, message)
        .cause(causes.join("; "))
        .hint("check the input; if it is correct, change the expectations; no table was changed")
        .context("option", "expect")
        .context("expectation", names.join(", ")))
}

/// The figures of checked expectations, for the commit record.
pub fn figures(checked: &[CheckedExpectation]) -> BTreeMap<String, Figure> {
    checked.iter().filter_map(|result| Some((result.metric.clone(), result.figure?))).collect()
}

fn checked(expectation: &Expectation, config: &Config, candidate: &Candidate<'_>) -> CheckedExpectation {
    let Expectation { metric, comparison, limit, .. } = *expectation;
    let figure = measure(metric, config, candidate);
    let name = metric.to_string();
    let value = figure.map(Figure::value);
    let passed = match (value, comparison) {
        (Some(value), Comparison::AtLeast) => value >= limit,
        (Some(value), Comparison::AtMost) => value <= limit,
        // The first version has no change; a table without a play has no age that would be low enough.
        (None, _) => matches!(metric, Metric::RowsChange(_)),
    };
    let past = candidate.newest.into_iter().flat_map(|record| &record.figures);
    let history = past.filter_map(|version| {
        let value = version.values.get(&name)?.value();
        Some(PastValue { version: version.version, committed_at: version.committed_at.clone(), value })
    });
    CheckedExpectation {
        expectation: expectation.to_string(),
        unit: metric.unit(),
        limit,
        value,
        passed,
        history: history.collect(),
        figure,
        metric: name,
    }
}

/// The value of a metric; `None` if it has none.
fn measure(metric: Metric, config: &Config, candidate: &Candidate<'_>) -> Option<Figure> {
    let folder = config.folders.get(&metric.table())?;
    let table = candidate.tables.get(folder)?;
    match metric {
        Metric::Rows(_) => Some(Figure(rows(table), 1)),
        Metric::RowsChange(_) => {
            let before = rows(candidate.newest?.tables.get(folder)?);
            (before > 0).then(|| Figure(rows(table).abs_diff(before), before))
        }
        // Also if plays without a song are dropped: the table has then only the others.
        Metric::MatchRate => {
            let plays = candidate.summary.records.get("logs")?.loaded;
            Some(Figure(candidate.summary.plays.matched, plays))
        }
        Metric::Age => {
            let now = file_identity::nanoseconds(candidate.now)? / 1_000_000;
            let age = now - i128::from(candidate.summary.plays.last_at?);
            Some(Figure(u64::try_from(age / 1_000).unwrap_or_default(), 1))
        }
        Metric::NullRate(name, column) => Some(Figure(nulls(name, table, column, &config.columns), rows(table))),
    }
}

fn rows(table: &TableRecord) -> u64 {
    table.files.values().map(|file| file.rows).sum()
}

/// The NULLs of a column. Those of a partition column are in the paths.
fn nulls(name: Table, table: &TableRecord, column: &'static str, columns: &ColumnNames) -> u64 {
    let Some(place) = place_in_files(name, column) else {
        let null = format!("{}={DEFAULT_PARTITION}", columns.get(name, column));
        let null_files = table.files.iter().filter(|(path, _)| path.split('/').any(|part| part == null));
        return null_files.map(|(_, file)| file.rows).sum();
    };
    table.files.values().filter_map(|file| file.stats.as_ref()?.get(place)).map(|stats| stats.2).sum()
}

/// The place of a column in the files of a table; `None` for a partition column.
fn place_in_files(table: Table, column: &str) -> Option<usize> {
    table.file_fields().position(|field| field.name == column)
}

/// Says how far a value is from its limit: `songs.rows is 320 (680 too low)`.
fn describe(expectation: &Expectation, result: &CheckedExpectation) -> String {
    let metric = &result.metric;
    let Some(figure) = result.figure else { return format!("{} has no rows", expectation.metric.table().name()) };
    let (value, limit) = (figure.value(), expectation.limit);
    let direction = if value < limit { "low" } else { "high" };
    let distance = (value - limit).abs();
    match result.unit {
        Unit::Rows => format!("{metric} is {value} ({distance} too {direction})"),
        Unit::Seconds => format!("{metric} is {} ({} too {direction})", duration(value), duration(distance)),
        Unit::Share => {
            let Figure(part, whole) = figure;
            let (percent, points) = (value * 100.0, distance * 100.0);
            format!("{metric} is {percent:.2}%, {part} of {whole} ({points:.2} percentage points too {direction})")
        }
    }
}

/// A time in the largest unit of which there are at least two.
fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 172_800.0 => format!("{:.1} days", seconds / 86_400.0),
        _ if seconds >= 7_200.0 => format!("{:.1} hours", seconds / 3_600.0),
        _ if seconds >= 120.0 => format!("{:.1} minutes", seconds / 60.0),
        _ => format!("{seconds:.0} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_of_which_there_are_at_least_two() {
        for (seconds, text) in [
            (0.0, "0 seconds"),
            (119.0, "119 seconds"),
            (120.0, "2.0 minutes"),
            (7_199.0, "120.0 minutes"),
            (7_200.0, "2.0 hours"),
            (90_000.0, "25.0 hours"),
            (172_800.0, "2.0 days"),
            (276_480.0, "3.2 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
