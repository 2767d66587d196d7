//! Bounds and NULL counts of the columns of a file. The logs of table formats have them, so that a query skips files, and
//! expectations are checked against them.
//!
//! Invariant: no value of the column is below its minimum or above its maximum.

use std::cmp::Ordering;

use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The number of rows of a file, and statistics of its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSummary {
    /// Number of rows.
    pub rows: u64,
    /// The columns' statistics, in the order of the file; `None` if they are not needed.
    pub stats: Option<Vec<ColumnStats>>,
}

/// The statistics of a column, serialized as `[min, max, nulls]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStats(
    /// A lower bound: a number, a text, or microseconds since 1970 (UTC); NULL if there is no value, or no known bound.
    pub Value,
    /// An upper bound of the same kind.
    pub Value,
    /// Number of NULLs.
    pub u64,
);

impl FileSummary {
    /// Adds the rows that follow in the same file.
    pub fn add(&mut self, next: Self) {
        if self.rows == 0 {
            *self = next;
            return;
        }
        let stats = self.stats.take().zip(next.stats);
        self.stats = stats.map(|(ours, theirs)| {
            ours.into_iter().zip(theirs).map(|(ours, theirs)| ours.merge(self.rows, theirs, next.rows)).collect()
        });
        self.rows += next.rows;
    }
}

impl ColumnStats {
    fn merge(self, rows: u64, other: Self, other_rows: u64) -> Self {
        let nulls = self.2 + other.2;
        if self.2 == rows {
            return Self(other.0, other.1, nulls);
        }
        if other.2 == other_rows {
            return Self(self.0, self.1, nulls);
        }
        Self(bound(self.0, other.0, Ordering::Less), bound(self.1, other.1, Ordering::Greater), nulls)
    }

    fn new(statistics: Option<&Statistics>) -> Self {
        let (min, max) = match statistics {
            Some(Statistics::Int32(stats)) => {
                (stats.min_opt().map(|n| (*n).into()), stats.max_opt().map(|n| (*n).into()))
            }
            Some(Statistics::Int64(stats)) => {
                (stats.min_opt().map(|n| (*n).into()), stats.max_opt().map(|n| (*n).into()))
            }
            // An infinite number has no form in JSON and becomes NULL.
            Some(Statistics::Double(stats)) => {
                (stats.min_opt().map(|n| (*n).into()), stats.max_opt().map(|n| (*n).into()))
            }
            Some(Statistics::ByteArray(stats)) => {
                let text = |bytes: &parquet::data_type::ByteArray| bytes.as_utf8().ok().map(Value::from);
                (stats.min_opt().and_then(text), stats.max_opt().and_then(text))
            }
            _ => (None, None),
        };
        let nulls = statistics.and_then(Statistics::null_count_opt).unwrap_or_default();
        Self(min.unwrap_or_default(), max.unwrap_or_default(), nulls)
    }
}

/// The statistics of a row group.
pub(super) fn of_row_group(group: &RowGroupMetaData) -> Vec<ColumnStats> {
    group.columns().iter().map(|column| ColumnStats::new(column.statistics())).collect()
}

/// The smaller or larger of two bounds; NULL if one of them is unknown.
fn bound(left: Value, right: Value, wanted: Ordering) -> Value {
    let order = match (&left, &right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64().partial_cmp(&right.as_f64()),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    };
    match order {
        Some(order) if order == wanted || order == Ordering::Equal => left,
        Some(_) => right,
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A file of one column, whose statistics are `[min, max, nulls]`.
    fn file(rows: u64, stats: &Value) -> FileSummary {
        FileSummary { rows, stats: Some(vec![serde_json::from_value(stats.clone()).unwrap()]) }
    }

    #[test]
    fn bounds_of_joined_rows_hold_for_all_of_them() {
        for (first, second, joined) in [
            ((2, json!([1, 5, 0])), (3, json!([-2, 4, 1])), json!([-2, 5, 1])),
            ((2, json!([0.5, 2, 0])), (1, json!([1, 1, 0])), json!([0.5, 2, 0])),
            ((1, json!(["b", "b", 0])), (1, json!(["a", "c", 0])), json!(["a", "c", 0])),
            // Only NULLs; an unknown bound.
            ((2, json!([null, null, 2])), (1, json!([7, 7, 0])), json!([7, 7, 2])),
            ((1, json!([7, 7, 0])), (2, json!([null, null, 2])), json!([7, 7, 2])),
            ((2, json!([1.0, null, 0])), (1, json!([2.0, 3.0, 0])), json!([1.0, null, 0])),
        ] {
            let mut summary = FileSummary::default();
            summary.add(file(first.0, &first.1));
            summary.add(file(second.0, &second.1));
            assert_eq!(summary, file(first.0 + second.0, &joined));
        }
        let mut without = FileSummary { rows: 1, stats: None };
        without.add(FileSummary { rows: 2, stats: None });
        assert_eq!(without, FileSummary { rows: 3, stats: None });
    }
}
