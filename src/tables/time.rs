//! The time table: one row per distinct start time, with its calendar fields.
//!
//! Rule 5 of `docs/tables.md`, time is UTC: all fields are computed in UTC, for any time zone of the machine. The week
//! is the ISO week, which may belong to the neighboring year; the weekday counts from 1 = Sunday to 7 = Saturday. Both
//! are the same as `weekofyear` and `dayofweek` of Spark.
//!
//! Invariant: the fields of a row are a function of its millisecond alone.

use std::fmt;

use chrono::{DateTime, Datelike};

use crate::schema::Table;
use crate::tables::columns::{Column, Columns};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// The calendar fields of a day in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Year.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
    /// ISO week, 1 to 53.
    pub week: i32,
    /// 1 = Sunday to 7 = Saturday.
    pub weekday: i32,
}

impl Day {
    /// The day of a time in milliseconds since 1970.
    #[must_use]
    pub fn of(ts: i64) -> Self {
        // Every time that the decoder accepts is a valid date.
        let date = DateTime::from_timestamp_millis(ts).unwrap_or_default().date_naive();
        let small = |number: u32| i32::try_from(number).unwrap_or_default();
        Self {
            year: date.year(),
            month: small(date.month()),
            day: small(date.day()),
            week: small(date.iso_week().week()),
            weekday: small(date.weekday().num_days_from_sunday()) + 1,
        }
    }
}

/// A month in UTC, the partition of time and songplays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// Year.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
}

impl Month {
    /// The month of a time in milliseconds since 1970.
    #[must_use]
    pub fn of(ts: i64) -> Self {
        let day = Day::of(ts);
        Self { year: day.year, month: day.month }
    }

    /// The first millisecond of the month of `ts`.
    #[must_use]
    pub fn start(ts: i64) -> i64 {
        let day = ts - ts.rem_euclid(DAY_MS);
        day - i64::from(Day::of(ts).day - 1) * DAY_MS
    }

    /// The month of a text such as `2018-11`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        Some(Self { year: year.parse().ok()?, month: month.parse().ok()? })
    }

    /// The first millisecond of the month after that of `ts`.
    #[must_use]
    pub fn end(ts: i64) -> i64 {
        let month = Self::of(ts);
        let mut next = ts - ts.rem_euclid(DAY_MS) + DAY_MS;
        while Self::of(next) == month {
            next += DAY_MS;
        }
        next
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

/// The rows of sorted start times, with the columns that are in files. Times are in milliseconds; duplicates are
/// dropped.
#[must_use]
pub fn file_columns(sorted: impl Iterator<Item = i64>) -> Columns {
    let mut columns = columns(sorted);
    let mut fields = Table::Time.fields().iter();
    columns
        .columns
        .retain(|_| fields.next().is_some_and(|field| !Table::Time.partition_columns().contains(&field.name)));
    columns
}

/// The rows of sorted start times, with all columns of the table. Times are in milliseconds; duplicates are dropped.
#[must_use]
pub fn columns(sorted: impl Iterator<Item = i64>) -> Columns {
    let mut times: Vec<i64> = Vec::with_capacity(sorted.size_hint().0);
    times.extend(sorted);
    times.dedup();
    let mut cached = (i64::MIN, Day::default());
    let days: Vec<Day> = times
        .iter()
        .map(|ts| {
            let number = ts.div_euclid(DAY_MS);
            if cached.0 != number {
                cached = (number, Day::of(*ts));
            }
            cached.1
        })
        .collect();
    let hour = |ts: &i64| i32::try_from(ts.rem_euclid(DAY_MS) / HOUR_MS).unwrap_or_default();
    let columns = vec![
        Column::int64(times.iter().map(|ts| Some(micros(*ts)))),
        Column::int32(times.iter().map(|ts| Some(hour(ts)))),
        Column::int32(days.iter().map(|day| Some(day.day))),
        Column::int32(days.iter().map(|day| Some(day.week))),
        Column::int32(days.iter().map(|day| Some(day.month))),
        Column::int32(days.iter().map(|day| Some(day.year))),
        Column::int32(days.iter().map(|day| Some(day.weekday))),
    ];
    Columns { table: Table::Time, columns }
}

/// Milliseconds as microseconds. Times that the decoder accepts cannot overflow.
#[must_use]
pub fn micros(ts: i64) -> i64 {
    ts.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Day {
        Day::of(text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis())
    }

    #[test]
    fn iso_weeks_belong_to_their_thursday() {
        let new_year = Day { year: 2021, month: 1, day: 1, week: 53, weekday: 6 };
        assert_eq!(at("2021-01-01T00:00:00Z"), new_year);
        assert_eq!(at("2018-12-31T23:59:59.999Z"), Day { year: 2018, month: 12, day: 31, week: 1, weekday: 2 });
        assert_eq!(at("2020-02-29T12:00:00Z"), Day { year: 2020, month: 2, day: 29, week: 9, weekday: 7 });
        assert_eq!(at("2018-11-04T12:00:00Z").weekday, 1, "a Sunday");
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let ts = |text: &str| text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis();
        for (inside, end) in
            [("2018-12-31T23:59:59.999Z", "2019-01-01T00:00:00Z"), ("2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z")]
        {
            assert_eq!(Month::end(ts(inside)), ts(end), "{inside}");
            assert_eq!(Month::start(ts(end) + 1), ts(end), "{end}");
            let month = Month::of(ts(inside));
            assert_eq!(Month::parse(&month.to_string()), Some(month));
        }
        assert_eq!(Month::of(0).to_string(), "1970-01");
    }
}
