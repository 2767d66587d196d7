//! Columns of a finished table, in the form that both the Parquet writer and data frames take without a conversion.
//!
//! Values are dense (NULLs take no space) and text is dictionary-encoded, because the plays of a user repeat the same
//! location and browser thousands of times. A [`Columns`] is not a data frame: it has no operations.
//!
//! Invariant: all columns of a [`Columns`] have the same number of rows; all keys are positions in their dictionary.

use bytes::Bytes;

use crate::schema::Table;

/// Which rows have a value.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    rows: usize,
    /// Parquet's definition levels, 1 for a value and 0 for NULL; absent as long as every row has a value.
    levels: Option<Vec<i16>>,
}

impl Presence {
    /// Rows that all have a value.
    #[must_use]
    pub fn all(rows: usize) -> Self {
        Self { rows, levels: None }
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, present: bool) {
        if !present && self.levels.is_none() {
            self.levels = Some(vec![1; self.rows]);
        }
        if let Some(levels) = &mut self.levels {
            levels.push(i16::from(present));
        }
        self.rows += 1;
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Parquet's definition levels, if any row is NULL.
    #[must_use]
    pub fn levels(&self) -> Option<&[i16]> {
        self.levels.as_deref()
    }
}

/// A list of texts in one buffer.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    bytes: Bytes,
    ends: Vec<usize>,
}

impl Dictionary {
    /// The text with that key.
    #[must_use]
    pub fn get(&self, key: u32) -> Bytes {
        self.range(key).map_or_else(Bytes::new, |range| self.bytes.slice(range))
    }

    /// The text with that key, borrowed.
    #[must_use]
    pub fn text(&self, key: u32) -> &str {
        let bytes = self.range(key).and_then(|range| self.bytes.get(range)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns true if there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn range(&self, key: u32) -> Option<std::ops::Range<usize>> {
        let key = key as usize;
        let end = *self.ends.get(key)?;
        let start = key.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        Some(start..end)
    }
}

/// Builds a [`Dictionary`]; it does not search for equal texts.
#[derive(Debug, Default)]
pub struct DictionaryBuilder {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl DictionaryBuilder {
    /// Adds a text and returns its key. Memory ends long before the four billion keys.
    pub fn push(&mut self, text: &str) -> u32 {
        let key = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        key
    }

    /// Completes the dictionary.
    #[must_use]
    pub fn finish(self) -> Dictionary {
        Dictionary { bytes: Bytes::from(self.bytes), ends: self.ends }
    }
}

/// The values of one column.
#[derive(Clone, Debug)]
pub enum ColumnValues {
    /// 32-bit integers.
    Int32(Vec<i32>),
    /// 64-bit integers, also timestamps in microseconds.
    Int64(Vec<i64>),
    /// Doubles.
    Float64(Vec<f64>),
    /// True or false.
    Boolean(Vec<bool>),
    /// Texts, dictionary-encoded.
    Text {
        /// The texts; few of them occur twice.
        dictionary: Dictionary,
        /// One key per row with a value.
        keys: Vec<u32>,
    },
}

/// One column: dense values, and the rows that they belong to.
#[derive(Clone, Debug)]
pub struct Column {
    /// The values in row order, without NULLs.
    pub values: ColumnValues,
    /// Which rows have a value.
    pub presence: Presence,
}

impl Column {
    /// A column of optional 32-bit integers.
    pub fn int32(rows: impl IntoIterator<Item = Option<i32>>) -> Self {
        let (values, presence) = dense(rows);
        Self { values: ColumnValues::Int32(values), presence }
    }

    /// A column of optional 64-bit integers.
    pub fn int64(rows: impl IntoIterator<Item = Option<i64>>) -> Self {
        let (values, presence) = dense(rows);
        Self { values: ColumnValues::Int64(values), presence }
    }

    /// A column of 64-bit integers without NULL.
    #[must_use]
    pub fn int64_without_null(values: Vec<i64>) -> Self {
        Self { presence: Presence::all(values.len()), values: ColumnValues::Int64(values) }
    }

    /// A column of optional doubles.
    pub fn float64(rows: impl IntoIterator<Item = Option<f64>>) -> Self {
        let (values, presence) = dense(rows);
        Self { values: ColumnValues::Float64(values), presence }
    }

    /// A column of optional truth values.
    pub fn boolean(rows: impl IntoIterator<Item = Option<bool>>) -> Self {
        let (values, presence) = dense(rows);
        Self { values: ColumnValues::Boolean(values), presence }
    }

    /// A column of optional texts that are not expected to repeat.
    pub fn text<'t>(rows: impl IntoIterator<Item = Option<&'t str>>) -> Self {
        let mut dictionary = DictionaryBuilder::default();
        let (keys, presence) = dense(rows.into_iter().map(|row| row.map(|text| dictionary.push(text))));
        Self { values: ColumnValues::Text { dictionary: dictionary.finish(), keys }, presence }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.presence.rows()
    }
}

fn dense<T>(rows: impl IntoIterator<Item = Option<T>>) -> (Vec<T>, Presence) {
    let rows = rows.into_iter();
    let mut values = Vec::with_capacity(rows.size_hint().0);
    let mut presence = Presence::default();
    for row in rows {
        presence.push(row.is_some());
        values.extend(row);
    }
    (values, presence)
}

/// Rows that have few distinct values, from which several text columns are made: each value is looked up once, not once
/// per row.
#[derive(Debug)]
pub struct RepeatedValues {
    /// The distinct values, in the order of their first rows.
    distinct: Vec<u32>,
    /// The position of each row's value in `distinct`; [`ABSENT`] if the row has none.
    positions: Vec<u32>,
}

/// No position.
const ABSENT: u32 = u32::MAX;

impl RepeatedValues {
    /// The values of all rows, which are below `limit`.
    pub fn new(limit: usize, rows: impl IntoIterator<Item = Option<u32>>) -> Self {
        let mut known = vec![ABSENT; limit];
        let mut distinct = Vec::new();
        let mut position = |value: u32| {
            let known = known.get_mut(value as usize)?;
            if *known == ABSENT {
                *known = u32::try_from(distinct.len()).ok()?;
                distinct.push(value);
            }
            Some(*known)
        };
        let positions = rows.into_iter().map(|value| value.and_then(&mut position).unwrap_or(ABSENT)).collect();
        Self { distinct, positions }
    }

    /// A text column: `key` adds the text of a value to the dictionary, unless it is there, and returns its key, or
    /// `None` for NULL. So the dictionary contains only the texts of these rows, in their order.
    pub fn texts(&self, mut key: impl FnMut(u32, &mut DictionaryBuilder) -> Option<u32>) -> Column {
        let mut dictionary = DictionaryBuilder::default();
        let keys: Vec<Option<u32>> = self.distinct.iter().map(|value| key(*value, &mut dictionary)).collect();
        let dictionary = dictionary.finish();
        let key_of = |position: &u32| keys.get(*position as usize).copied().flatten();
        let (keys, presence) = dense(self.positions.iter().map(key_of));
        Column { values: ColumnValues::Text { dictionary, keys }, presence }
    }
}

/// Consecutive rows of a table: all columns, or only those that are in files (see [`Table::file_fields`]).
#[derive(Clone, Debug)]
pub struct Columns {
    /// The table.
    pub table: Table,
    /// The columns, in the order of the table.
    pub columns: Vec<Column>,
}

impl Columns {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Column::rows)
    }
}
