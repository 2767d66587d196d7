//! Dates in paths: `2018/11/2018-11-05-events.json` has a day, `2018/11/events.json` has a month.
//!
//! `--since` and `--until` select log files by these dates, and estimates use them. They decide nothing about rows: the
//! month of a play follows from its timestamp.
//!
//! Invariant: only the numbers of a path and the separators between them decide; a path without a date has none.

use std::ops::Range;

use chrono::{Datelike, Days, Months, NaiveDate};

/// The range of days of a path, with an exclusive end. The last date in the path counts, and a day before a month.
#[must_use]
pub fn span(path: &str) -> Option<Range<NaiveDate>> {
    if let Some(day) = day(path) {
        return Some(day..day.checked_add_days(Days::new(1))?);
    }
    let (year, month) = month(path)?;
    let start = NaiveDate::from_ymd_opt(year, month, 1)?;
    Some(start..start.checked_add_months(Months::new(1))?)
}

/// The year and month of a day.
#[must_use]
pub fn month_of(day: NaiveDate) -> (i32, u32) {
    (day.year(), day.month())
}

/// The last day in a path: `2018-11-05`, `2018/11/05`, `2018_11_05`, `20181105`, `year=2018/month=11/day=05`.
#[must_use]
pub fn day(path: &str) -> Option<NaiveDate> {
    let numbers = numbers(path);
    let separated = numbers.windows(3).rev().filter_map(|three| match three {
        [(year, true), (month, true), (day, _)] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        }
        _ => None,
    });
    let joined = numbers.iter().rev().filter(|(number, _)| number.len() == 8);
    let joined = joined.filter_map(|(number, _)| NaiveDate::parse_from_str(number, "%Y%m%d").ok());
    separated.chain(joined).find(|day| (1990..2100).contains(&day.year()))
}

/// The last year and month in a path.
fn month(path: &str) -> Option<(i32, u32)> {
    let numbers = numbers(path);
    let separated = numbers.windows(2).rev().filter_map(|two| match two {
        [(year, true), (month, _)] if year.len() == 4 && month.len() <= 2 => {
            Some((year.parse().ok()?, month.parse().ok()?))
        }
        _ => None,
    });
    let joined = numbers.iter().rev().filter(|(number, _)| number.len() == 6);
    let joined =
        joined.filter_map(|(number, _)| Some((number.get(..4)?.parse().ok()?, number.get(4..)?.parse().ok()?)));
    separated.chain(joined).find(|(year, month)| (1990..2100).contains(year) && (1..=12).contains(month))
}

/// The numbers in a path. The flag is true if the next number follows after one separator, or after `/`, a name and
/// `=`.
fn numbers(path: &str) -> Vec<(&str, bool)> {
    let is_close = |between: &str| {
        matches!(between, "-" | "/" | "_")
            || between.strip_prefix('/').and_then(|rest| rest.strip_suffix('=')).is_some_and(|name| !name.contains('/'))
    };
    let mut numbers: Vec<(&str, bool)> = Vec::new();
    let mut rest = path;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (between, number) = rest.split_at(start);
        if let Some(last) = numbers.last_mut() {
            last.1 = is_close(between);
        }
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        numbers.push((number, false));
        rest = after;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_found_in_paths() {
        for (path, start, end) in [
            ("2018/11/2018-11-05-events.json", "2018-11-05", "2018-11-06"),
            ("2018/11/05/part-00000.json.gz", "2018-11-05", "2018-11-06"),
            ("year=2018/month=11/day=5/part-00000.json", "2018-11-05", "2018-11-06"),
            ("dt=2018_11_30/a.json", "2018-11-30", "2018-12-01"),
            ("events-20181105.json.gz", "2018-11-05", "2018-11-06"),
            ("2018-11-05/2018-11-06.json", "2018-11-06", "2018-11-07"),
            ("2018/11/events.json", "2018-11-01", "2018-12-01"),
            ("logs/year=2018/month=12/part-00000.json", "2018-12-01", "2019-01-01"),
            ("201811.json", "2018-11-01", "2018-12-01"),
        ] {
            let found = span(path).unwrap();
            assert_eq!((found.start.to_string().as_str(), found.end.to_string().as_str()), (start, end), "{path}");
        }
        for path in ["events.json", "2018/events.json", "12018-11-05.json", "log-123456789.json", "2018/13/x.json"] {
            assert_eq!(span(path), None, "{path}");
        }
    }
}
