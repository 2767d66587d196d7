//! The user's settings, parsed from text and checked one by one.
//!
//! The Python package merges arguments, environment and files, and passes one text per option. This folder turns them
//! into typed options and is the only place with default values. It reads no file, no environment and no clock.
//!
//! Invariant: every value of a [`Config`] is valid on its own. [`crate::input::sources`] checks their combinations, and
//! compares them with the files.

mod expectations;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::NaiveDate;
use expectations::expectations;
pub use expectations::{Comparison, Expectation, Metric, Unit};
pub use values::{Compression, HistoryFrom, Match, MaxBad, OnBadFile, TableFormat, Unmatched, column_names};
use values::{choice, days, flag, folders, formats, max_bad, retain, size, tables, threads, ts_window};

use crate::error::{Error, ErrorKind, Result};
use crate::s3::settings::{SECRETS, StoreSettings};
use crate::schema::{ColumnNames, Table};

/// The settings as text, by option name.
pub type Settings = BTreeMap<String, String>;

/// All options, with defaults for those that are not set.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag of the command line")]
pub struct Config {
    /// The folder that contains `song_data` and `log_data`.
    pub input: Option<String>,
    /// Song files: a folder, a file or a glob, instead of `song_data` below `input`.
    pub song_data: Option<String>,
    /// Log files: a folder, a file or a glob, instead of `log_data` below `input`.
    pub log_data: Option<String>,
    /// The root folder of the lake.
    pub output: Option<String>,
    /// Whether symlinks below a local input are followed.
    pub follow_symlinks: bool,
    /// The tables to write, in the order of [`Table`].
    pub tables: Vec<Table>,
    /// The folder name of each table that is selected, that runs write by default, or that the setting names.
    pub folders: BTreeMap<Table, String>,
    /// The names of the columns.
    pub columns: ColumnNames,
    /// The rule by which a play finds its song.
    pub matching: Match,
    /// Whether plays without a song are kept.
    pub unmatched: Unmatched,
    /// The events that `users_history` is made from.
    pub history_from: HistoryFrom,
    /// The compression of the Parquet files.
    pub compression: Compression,
    /// The table formats to publish; `None` for those that the lake has.
    pub formats: Option<BTreeSet<TableFormat>>,
    /// The number of earlier versions whose files stay; `None` for that of the lake.
    pub retain: Option<u64>,
    /// The number of worker threads.
    pub threads: usize,
    /// The limit for buffers, in bytes.
    pub memory_limit: u64,
    /// The input bytes of one decoding step.
    pub chunk_size: u64,
    /// The input bytes of one shard of an executor; by default they depend on its slots.
    pub shard_size: Option<u64>,
    /// The limit of quarantined records.
    pub max_bad: MaxBad,
    /// The conditions that the tables of a version have to meet.
    pub expectations: Vec<Expectation>,
    /// Whether a bad file ends the run.
    pub on_bad_file: OnBadFile,
    /// The accepted event times, in milliseconds since 1970 (UTC); the end is exclusive.
    pub ts_window: Range<i64>,
    /// Whether a run may replace files that this program did not write.
    pub adopt: bool,
    /// Whether a log file may have the same bytes as another one.
    pub allow_duplicates: bool,
    /// Whether the input may shrink to less than half of its size at the last run.
    pub allow_shrink: bool,
    /// Whether the rows of missing input files are kept.
    pub keep_gone: bool,
    /// Whether all of the input is read, even if it has not changed.
    pub rebuild: bool,
    /// New log files are only read if the day in their path is in this range; the end is exclusive.
    pub days: Range<Option<NaiveDate>>,
    /// The settings for object stores.
    pub store: StoreSettings,
}

/// The names of all options with their defaults as text, for `--help` and for finding unknown names.
pub const DEFAULTS: [(&str, &str); 45] = [
    ("input", ""),
    ("output", ""),
    ("song_data", "<input>/song_data"),
    ("log_data", "<input>/log_data"),
    ("follow_symlinks", "false"),
    ("tables", "songs,artists,users,time,songplays"),
    ("match", "title_artist_duration"),
    ("unmatched", "keep"),
    ("history_from", "plays"),
    ("compression", "snappy"),
    ("table_names", "classic"),
    ("column_names", "those of the schema"),
    ("formats", "those of the lake"),
    ("retain", "as the lake"),
    ("threads", "one per core"),
    ("memory_limit", "512MiB"),
    ("chunk_size", "512KiB"),
    ("shard_size", "by the executor's slots, 32MiB to 512MiB"),
    ("max_bad", "100 records or 1%, whichever is more"),
    ("on_bad_file", "refuse"),
    ("expect", ""),
    ("ts_window", "1990-01-01..2100-01-01"),
    ("adopt", "false"),
    ("allow_duplicates", "false"),
    ("allow_shrink", "false"),
    ("keep_gone", "false"),
    ("rebuild", "false"),
    ("since", ""),
    ("until", ""),
    ("region", "the bucket's own"),
    ("endpoint_url", "AWS"),
    ("addressing_style", "auto"),
    ("use_fips_endpoint", "false"),
    ("use_dualstack_endpoint", "false"),
    ("profile", ""),
    ("allow_http", "false"),
    ("anonymous", "false"),
    ("ca_file", "the system's certificates"),
    ("store_patience", "60s"),
    ("requester_pays", "false"),
    ("sse", "the bucket's own"),
    ("sse_kms_key_id", ""),
    ("bucket_key_enabled", "false"),
    ("storage_class", "STANDARD"),
    ("acl", "the bucket's own"),
];

/// The options that determine the rows of the tables and the bytes of the files.
const TABLE_OPTIONS: [&str; 6] = ["column_names", "compression", "history_from", "match", "ts_window", "unmatched"];

impl Config {
    /// Parses the settings.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for an unknown name, [`ErrorKind::Configuration`] for an invalid value; the error names the
    /// option, and the hint says which values it takes.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        for name in settings.keys() {
            if !DEFAULTS.iter().any(|(known, _)| known == name) && !SECRETS.contains(&name.as_str()) {
                return Err(Error::new(ErrorKind::Usage, format!("there is no option {name:?}"))
                    .hint("run `sparkify-lake --help` for a list of the options")
                    .context("option", name.clone()));
            }
        }
        let text = |name: &str| settings.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let boolean = |name: &'static str| text(name).map_or(Ok(false), |value| flag(name, value));
        let location = |name: &str| text(name).map(str::to_owned);
        let tables = text("tables").map_or_else(|| Ok(Table::DEFAULT.to_vec()), tables)?;
        Ok(Self {
            input: location("input"),
            song_data: location("song_data"),
            log_data: location("log_data"),
            output: location("output"),
            follow_symlinks: boolean("follow_symlinks")?,
            folders: folders(text("table_names").unwrap_or("classic"), &tables)?,
            tables,
            columns: column_names(text("column_names").unwrap_or_default())?,
            matching: choice(
                "match",
                text("match"),
                &[("title_artist_duration", Match::TitleArtistDuration), ("title_artist", Match::TitleArtist)],
            )?,
            unmatched: choice("unmatched", text("unmatched"), &[("keep", Unmatched::Keep), ("drop", Unmatched::Drop)])?,
            history_from: choice(
                "history_from",
                text("history_from"),
                &[("plays", HistoryFrom::Plays), ("all-pages", HistoryFrom::AllPages)],
            )?,
            compression: choice(
                "compression",
                text("compression"),
                &[("snappy", Compression::Snappy), ("zstd", Compression::Zstd), ("none", Compression::None)],
            )?,
            formats: text("formats").map(formats).transpose()?,
            retain: text("retain").map(retain).transpose()?,
            threads: text("threads").map_or_else(|| Ok(crate::runtime::threads::available()), threads)?,
            memory_limit: text("memory_limit").map_or(Ok(512 << 20), |value| size("memory_limit", value, 64 << 20))?,
            chunk_size: text("chunk_size").map_or(Ok(512 << 10), |value| size("chunk_size", value, 1 << 10))?,
            shard_size: text("shard_size").map(|value| size("shard_size", value, 1)).transpose()?,
            max_bad: text("max_bad").map_or(Ok(MaxBad::Default), max_bad)?,
            expectations: text("expect").map_or_else(|| Ok(Vec::new()), expectations)?,
            on_bad_file: choice(
                "on_bad_file",
                text("on_bad_file"),
                &[("refuse", OnBadFile::Refuse), ("quarantine", OnBadFile::Quarantine)],
            )?,
            ts_window: ts_window(text("ts_window").unwrap_or("1990-01-01..2100-01-01"))?,
            adopt: boolean("adopt")?,
            allow_duplicates: boolean("allow_duplicates")?,
            allow_shrink: boolean("allow_shrink")?,
            keep_gone: boolean("keep_gone")?,
            rebuild: boolean("rebuild")?,
            days: days(text("since"), text("until"))?,
            store: StoreSettings::read(text, boolean)?,
        })
    }
}

impl Config {
    /// The folders of the selected tables.
    pub(crate) fn table_folders(&self) -> BTreeSet<&String> {
        self.tables.iter().filter_map(|table| self.folders.get(table)).collect()
    }

    /// Whether events of other pages than `NextSong` are read too.
    #[must_use]
    pub fn reads_all_pages(&self) -> bool {
        self.history_from == HistoryFrom::AllPages && self.tables.contains(&Table::UsersHistory)
    }

    /// Whether a table format is published.
    #[must_use]
    pub fn publishes(&self, format: TableFormat) -> bool {
        self.formats.as_ref().is_some_and(|formats| formats.contains(&format))
    }

    /// Whether any table format is published. Then the names of files contain a part of their checksums.
    #[must_use]
    pub fn has_table_formats(&self) -> bool {
        self.formats.as_ref().is_some_and(|formats| !formats.is_empty())
    }

    /// Whether the commit record has the statistics of the table's files: the log of a table format has them, and some
    /// expectations are about them.
    #[must_use]
    pub fn needs_stats(&self, table: Table) -> bool {
        let is_needed = |metric: Metric| metric.table() == table && metric.file_column().is_some();
        self.has_table_formats() || self.expectations.iter().any(|expectation| is_needed(expectation.metric))
    }

    /// [`TABLE_OPTIONS`], except column names and the events of the history if they are the default.
    #[must_use]
    pub fn table_options(&self) -> BTreeMap<String, String> {
        let mut options = self.to_texts();
        options.retain(|name, _| TABLE_OPTIONS.contains(name));
        options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The options that determine how a run reads its input and whether it accepts it, as one text.
    #[must_use]
    pub fn read_options(&self) -> String {
        let reading = ["tables", "table_names", "column_names", "match", "unmatched", "compression", "ts_window"];
        let accepting = ["max_bad", "on_bad_file", "allow_duplicates"];
        let texts = self.to_texts();
        let pair = |name: &str| texts.get(name).map(|value| format!("{name}={value}"));
        reading.into_iter().chain(accepting).filter_map(pair).collect::<Vec<_>>().join(" ")
    }

    /// The effective options, except locations, as text in the form that [`Config::from_settings`] takes.
    #[must_use]
    pub fn to_texts(&self) -> BTreeMap<&'static str, String> {
        let date = |ts: i64| chrono::DateTime::from_timestamp_millis(ts).unwrap_or_default().date_naive().to_string();
        let names: Vec<&str> = self.tables.iter().map(|table| table.name()).collect();
        let folders: Vec<String> =
            self.folders.iter().map(|(table, folder)| format!("{}={folder}", table.name())).collect();
        let matching = match self.matching {
            Match::TitleArtistDuration => "title_artist_duration",
            Match::TitleArtist => "title_artist",
        };
        let unmatched = if self.unmatched == Unmatched::Keep { "keep" } else { "drop" };
        let compression = match self.compression {
            Compression::Snappy => "snappy",
            Compression::Zstd => "zstd",
            Compression::None => "none",
        };
        let max_bad = match self.max_bad {
            MaxBad::Default => "the larger of 100 and 1%".to_owned(),
            MaxBad::Records(records) => records.to_string(),
            MaxBad::Percent(percent) => format!("{percent}%"),
        };
        let on_bad_file = if self.on_bad_file == OnBadFile::Refuse { "refuse" } else { "quarantine" };
        let mut texts = BTreeMap::from([
            ("tables", names.join(",")),
            ("match", matching.to_owned()),
            ("unmatched", unmatched.to_owned()),
            ("compression", compression.to_owned()),
            ("table_names", folders.join(",")),
            ("threads", self.threads.to_string()),
            ("memory_limit", self.memory_limit.to_string()),
            ("chunk_size", self.chunk_size.to_string()),
            ("max_bad", max_bad),
            ("on_bad_file", on_bad_file.to_owned()),
            ("ts_window", format!("{}..{}", date(self.ts_window.start), date(self.ts_window.end))),
            ("follow_symlinks", self.follow_symlinks.to_string()),
            ("adopt", self.adopt.to_string()),
            ("allow_duplicates", self.allow_duplicates.to_string()),
            ("allow_shrink", self.allow_shrink.to_string()),
            ("keep_gone", self.keep_gone.to_string()),
            ("rebuild", self.rebuild.to_string()),
        ]);
        for (name, day) in [("since", self.days.start), ("until", self.days.end)] {
            texts.extend(day.map(|day| (name, day.to_string())));
        }
        let columns: Vec<String> =
            self.columns.renamed().map(|(table, column, name)| format!("{}.{column}={name}", table.name())).collect();
        if !columns.is_empty() {
            texts.insert("column_names", columns.join(","));
        }
        if let Some(formats) = &self.formats {
            let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
            texts.insert("formats", if names.is_empty() { "parquet".to_owned() } else { names.join(",") });
        }
        if self.history_from == HistoryFrom::AllPages {
            texts.insert("history_from", "all-pages".to_owned());
        }
        if !self.expectations.is_empty() {
            let conditions: Vec<String> = self.expectations.iter().map(ToString::to_string).collect();
            texts.insert("expect", conditions.join(", "));
        }
        texts.extend(self.retain.map(|versions| ("retain", versions.to_string())));
        texts.extend(self.shard_size.map(|size| ("shard_size", size.to_string())));
        texts.extend(self.store.texts());
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Config> {
        Config::from_settings(&Settings::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn days_are_dates_or_times() {
        let read = |since: &str, until: &str| {
            let settings =
                [("since", since), ("until", until)].map(|(name, value)| (name.to_owned(), value.to_owned()));
            Config::from_settings(&Settings::from(settings)).map(|config| config.days)
        };
        let day = |text: &str| (!text.is_empty()).then(|| text.parse::<NaiveDate>().unwrap());
        for (since, until, from, to) in [
            ("2018-11-05", "2018-11-06", "2018-11-05", "2018-11-06"),
            ("2018-11-05", "", "2018-11-05", ""),
            ("", "2018-11-05T00:00:00+00:00", "", "2018-11-05"),
            ("2018-11-05T03:00:00Z", "2018-11-05 04:00:00+00:00", "2018-11-05", "2018-11-06"),
            ("2018-11-05T03:00:00", "2018-11-05T04:00:00", "2018-11-05", "2018-11-06"),
        ] {
            assert_eq!(read(since, until).unwrap(), day(from)..day(to), "{since} {until}");
        }
        for (since, until) in [("2018-11-05", "2018-11-05"), ("2018-11-06", "2018-11-05"), ("yesterday", ""), ("", "5")]
        {
            assert_eq!(read(since, until).unwrap_err().kind(), ErrorKind::Configuration, "{since} {until}");
        }
    }

    #[test]
    fn sizes_take_units() {
        for (text, bytes) in [("64MiB", 64 << 20), ("1.5GiB", 3 << 29), ("2GB", 2_000_000_000), ("512m", 512 << 20)] {
            assert_eq!(read("memory_limit", text).unwrap().memory_limit, bytes, "{text}");
        }
        for text in ["", "1"] {
            assert_eq!(read("memory_limit", text).is_ok(), text.is_empty(), "{text:?}: empty means not set");
        }
        assert_eq!(read("memory_limit", "64 parsecs").unwrap_err().kind(), ErrorKind::Configuration);
    }

    #[test]
    fn overrides_replace_single_folder_names() {
        let folders = read("table_names", "plain,users=people").unwrap().folders;
        assert_eq!(folders[&Table::Users], "people");
        assert_eq!(folders[&Table::Songs], "songs");
        assert!(read("table_names", "songs=x,users=x").is_err(), "two tables in one folder");
        assert_eq!(
            read("table_names", "songs=songs/songs.parquet/").unwrap().folders[&Table::Songs],
            "songs/songs.parquet"
        );
        for wrong in ["songs=../x", "songs=/x", "songs=a//b", "songs=a/_b", "songs=a,users=a/b", "songs=time_table/x"] {
            assert!(read("table_names", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_history_is_only_known_if_it_is_selected() {
        let texts = read("table_names", "classic").unwrap().to_texts();
        assert!(texts.values().all(|text| !text.contains("history")), "{texts:?}");
        assert!(!texts.contains_key("history_from"));
        let config = read("tables", "users_history,users").unwrap();
        assert_eq!(config.tables, [Table::Users, Table::UsersHistory]);
        assert_eq!(config.folders[&Table::UsersHistory], "users_history_table");
        assert!(read("table_names", "users=users_history_table").is_ok(), "no table has this folder");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings = Settings::from([pair("tables", "users_history"), pair("history_from", "all-pages")]);
        let config = Config::from_settings(&settings).unwrap();
        assert!(config.reads_all_pages() && config.table_options()["history_from"] == "all-pages");
        assert!(!read("history_from", "all-pages").unwrap().reads_all_pages(), "nothing is made from them");
    }

    #[test]
    fn columns_can_be_renamed() {
        let config = read("column_names", "artists.name=artist_name, users.user_id=userId").unwrap();
        assert_eq!(config.columns.get(Table::Artists, "name"), "artist_name");
        assert_eq!(config.columns.get(Table::Songplays, "user_id"), "user_id", "the other tables keep the name");
        assert_eq!(config.to_texts()["column_names"], "artists.name=artist_name,users.user_id=userId");
        assert!(!read("column_names", "").unwrap().to_texts().contains_key("column_names"));
        for wrong in [
            "artists.name",
            "artists=name",
            "people.name=x",
            "artists.title=x",
            "artists.name=",
            "artists.name=a b",
            "artists.name=1st",
            "artists.name=Location",
            "songs.artist_id=YEAR",
        ] {
            assert_eq!(read("column_names", wrong).unwrap_err().kind(), ErrorKind::Configuration, "{wrong}");
        }
        assert!(read("column_names", "artists.name=location,artists.location=name").is_ok(), "swapped names");
    }

    #[test]
    fn limits_of_bad_records() {
        assert_eq!(read("max_bad", "1%").unwrap().max_bad.allowed(1_000), 10);
        assert_eq!(read("max_bad", "7").unwrap().max_bad.allowed(1_000), 7);
        assert_eq!(MaxBad::Default.allowed(1_000), 100);
        assert_eq!(MaxBad::Default.allowed(1_000_000), 10_000);
        assert!(read("max_bad", "101%").is_err());
    }

    #[test]
    fn unknown_names_are_usage_errors() {
        assert_eq!(read("color", "red").unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(read("match", "title").unwrap_err().kind(), ErrorKind::Configuration);
        assert!(read("ts_window", "2100-01-01..1990-01-01").is_err());
    }
}
