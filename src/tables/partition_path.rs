//! Partition values to folder names and back.
//!
//! Rule 12 of `docs/tables.md`, the names of partition folders: values are escaped like Spark does it, because only
//! these names are read correctly by Spark, DuckDB, Polars and pyarrow. UTF-8 is unchanged; control characters and the
//! special characters of Hive become `%XX`; NULL and '' become `__HIVE_DEFAULT_PARTITION__`.
//!
//! Invariant: `unescape(escape(value)) == value`, and no folder name contains `/` or is `.` or `..` (it begins with the
//! name of the column and `=`).

use std::fmt::Write as _;

use crate::schema::{ColumnNames, Table};
use crate::tables::songs::{SongRow, partition_artist};
use crate::tables::time::Month;

/// The limit of partitions per table (rule 15 of `docs/tables.md`). Readers need minutes to list more of them, and that
/// many different values show that the partition column is wrong.
pub const MAX_PARTITIONS: usize = 200_000;

/// The partition value of NULL and ''.
pub const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The path of a songs partition, relative to its table: `year=1999/artist_id=AR…`.
#[must_use]
pub fn of_song(row: &SongRow, columns: &ColumnNames) -> String {
    let mut path = String::with_capacity(48);
    path.push_str(columns.get(Table::Songs, "year"));
    path.push('=');
    match row.year {
        // Writing to a String cannot fail.
        Some(year) => {
            let _ = write!(path, "{year}");
        }
        None => path.push_str(DEFAULT_PARTITION),
    }
    path.push('/');
    path.push_str(columns.get(Table::Songs, "artist_id"));
    path.push('=');
    match partition_artist(row) {
        Some(artist) => escape(artist, &mut path),
        None => path.push_str(DEFAULT_PARTITION),
    }
    path
}

/// The path of a time or songplays partition, relative to its table: `year=2018/month=11`.
#[must_use]
pub fn of_month(table: Table, month: Month, columns: &ColumnNames) -> String {
    let name = |column| columns.get(table, column);
    format!("{}={}/{}={}", name("year"), month.year, name("month"), month.month)
}

/// Appends a value to a folder name, escaped like Spark does it.
pub fn escape(value: &str, path: &mut String) {
    for character in value.chars() {
        if is_escaped(character) {
            let _ = write!(path, "%{:02X}", u32::from(character));
        } else {
            path.push(character);
        }
    }
}

/// The value of an escaped name; `None` for NULL.
#[must_use]
pub fn unescape(name: &str) -> Option<String> {
    if name == DEFAULT_PARTITION {
        return None;
    }
    let mut value = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        value.push_str(before);
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (Some(code), Some(tail)) = (code, after.get(2..)) {
            value.push(char::from(code));
            rest = tail;
        } else {
            value.push('%');
            rest = after;
        }
    }
    value.push_str(rest);
    Some(value)
}

/// The characters that Spark escapes (`ExternalCatalogUtils.needsEscaping`).
fn is_escaped(character: char) -> bool {
    character.is_ascii_control()
        || matches!(character, '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_spark() {
        let mut path = String::new();
        escape("AC/DC: 100% \"live\" #1 'x' * ? \\ { [ ] ^ } é\n\u{7f}", &mut path);
        assert_eq!(path, "AC%2FDC%3A 100%25 %22live%22 %231 %27x%27 %2A %3F %5C %7B %5B %5D %5E } é%0A%7F");
        assert_eq!(unescape(DEFAULT_PARTITION), None);
    }

    #[test]
    fn no_value_leaves_its_folder() {
        let odd: Vec<char> = "%/\\.=:\0\n\u{7f}é\u{1f600}25AF_ \"'#?*[]{}^".chars().collect();
        crate::runtime::random_damage::fuzz("escaping partitions", |random| {
            let value: String = (0..random.below(24))
                .map(|_| match random.below(3) {
                    0 => char::from_u32(u32::try_from(random.below(0x11_0000)).unwrap()).unwrap_or('%'),
                    _ => *random.of(&odd),
                })
                .collect();
            let mut path = "artist_id=".to_owned();
            escape(&value, &mut path);
            assert!(!path.bytes().any(|byte| byte == b'/' || byte < 0x20), "{value:?}");
            let name = path.strip_prefix("artist_id=").unwrap();
            assert_eq!(unescape(name).as_deref(), Some(value.as_str()));
            // A name from another program is read without a panic, and its value can be escaped again.
            let foreign: String = (0..random.below(12)).map(|_| *random.of(&odd)).collect();
            if let Some(value) = unescape(&foreign) {
                let mut again = String::new();
                escape(&value, &mut again);
                assert_eq!(unescape(&again), Some(value));
            }
        });
    }

    proptest! {
        #[test]
        fn unescape_is_the_inverse(value in any::<String>().prop_filter("reserved", |value| value != DEFAULT_PARTITION)) {
            let mut path = String::new();
            escape(&value, &mut path);
            prop_assert!(!path.contains('/') && !path.contains('\0'));
            prop_assert_eq!(unescape(&path), Some(value));
        }
    }
}
