//! The S3 requests of a run and their cost: estimated before the run, and counted after it.
//!
//! The estimate follows from the listing, and the cost from one table of Amazon's list prices. Other stores have other
//! prices, but the same counts.
//!
//! Invariant: for a first run, all counts but `put` are exact if the input has no bad files and does not change, and the
//! store honors all conditions. For an incremental run, all counts are exact if every rebuilt file differs from the file
//! that it replaces, and no copies of input files are made or read. For a full run on an existing lake, they are upper
//! bounds. `put` is never too low, provided that log files contain plays of the month in their path.

use std::collections::BTreeSet;

use chrono::Datelike;
use serde::Serialize;

use crate::config::{Config, TableFormat};
use crate::incremental::retained_input;
use crate::input::input_files::InputFiles;
use crate::input::list::{Listing, Selection};
use crate::input::sources::{Content, JobSpec};
use crate::input::{path_dates, read};
use crate::lake;
use crate::lake::commit_record::CommitRecord;
use crate::lake::iceberg::{self, IcebergTables};
use crate::location::Location;
use crate::report::work_estimate::{IncrementalWork, WorkEstimate};
use crate::s3::conditions;
use crate::s3::request_metrics::Usage;
use crate::schema::Table;
use crate::tables::partition_path;

/// The month in which the prices below were looked up.
const PRICES_AS_OF: &str = "2026-11";

/// List prices of the standard storage class in us-east-1, in ten-millionths of a dollar per request: PUT and LIST cost
/// $0.005 per thousand requests, GET $0.0004 per thousand, DELETE nothing.
const PRICES: Prices = Prices { list: 50, put: 50, get: 4 };

/// The unit of [`PRICES`]: this many are one dollar.
const UNITS_PER_DOLLAR: f64 = 1e7;

/// Upper bound for the objects that a full run writes in addition to tables and state: markers, the commit record, the
/// stage, and the objects that test conditional writes.
const MAX_CONTROL_OBJECTS: u64 = 44;

/// Upper bound for the files of a Delta log that a run writes: a commit, a checkpoint and the pointer to it.
const MAX_DELTA_LOG_FILES: u64 = 3;

struct Prices {
    list: u64,
    put: u64,
    get: u64,
}

/// The estimated requests of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestEstimate {
    /// LIST requests; for a full run, those of listing the input and the lake. Without those by which a writer looks a
    /// few times per second whether another run has overtaken it.
    pub list: u64,
    /// GET requests.
    pub get: u64,
    /// PUT requests, as an upper bound: files that are in place already are not written again.
    pub put: u64,
    /// DELETE requests, which are free. Files of an earlier version that this run would remove are only known later.
    pub delete: u64,
    /// Whether `put` is an upper bound.
    pub put_is_at_most: bool,
    /// The cost in US dollars.
    pub cost_usd: f64,
    /// The month of the price list, as `2026-11`.
    pub prices_of: &'static str,
}

/// The parts of a dry run that determine its requests.
pub(crate) struct EstimatedRun<'r> {
    pub(crate) estimate: &'r WorkEstimate,
    /// The newest version of the lake.
    pub(crate) record: Option<&'r CommitRecord>,
    /// The files to copy for `--keep-gone`, by content.
    pub(crate) to_copy: &'r [(Content, Selection)],
    /// The Iceberg tables, if the run reads them.
    pub(crate) iceberg: Option<&'r IcebergTables>,
}

impl RequestEstimate {
    /// Estimates the requests of a run; `None` if everything is local. `usage` has the requests of the listing.
    pub(crate) fn new(spec: &JobSpec, inputs: &InputFiles, run: &EstimatedRun<'_>, usage: &Usage) -> Option<Self> {
        let is_remote = |location: &Location| location.local().is_none();
        let writes = spec.output.as_ref().is_some_and(is_remote);
        if !writes && !spec.sources().any(|source| is_remote(&source.root)) {
            return None;
        }
        let gets = |listing: &Listing, selection: &Selection| -> u64 {
            let files = selection.iter().filter_map(|index| listing.files.get(*index)).filter(|file| !file.is_missing);
            files.filter(|_| listing.bucket.is_some()).map(|file| read::requests(file.size)).sum()
        };
        // The run repeats the requests of this listing.
        let mut requests = Self {
            list: usage.list,
            get: usage.get,
            put: 0,
            delete: 0,
            put_is_at_most: true,
            cost_usd: 0.0,
            prices_of: PRICES_AS_OF,
        };
        match run.estimate {
            WorkEstimate::Full(_) => {
                requests.get += gets(&inputs.songs, &inputs.songs.all()) + gets(&inputs.logs, &inputs.logs.all());
                if writes {
                    requests.put = max_table_files(spec, inputs) + max_state_files(spec, inputs) + MAX_CONTROL_OBJECTS;
                    requests.add_publishing(run.record);
                    if spec.config.publishes(TableFormat::Delta) {
                        requests.put += MAX_DELTA_LOG_FILES * spec.config.tables.len() as u64;
                    }
                    if spec.config.publishes(TableFormat::Iceberg) {
                        let files = spec.config.tables.iter().map(|table| max_files_of(*table, inputs));
                        requests.put += files.map(iceberg::max_files_of_commit).sum::<u64>();
                    }
                    // Files of the earlier state are read to compare them; the first run tries conditional requests.
                    let state_files = run.record.map(|record| record.state_files().count() as u64);
                    requests.get += state_files.unwrap_or(conditions::PROBE_GETS);
                    requests.delete += state_files.unwrap_or(conditions::PROBE_DELETES);
                }
            }
            WorkEstimate::Incremental(work) => {
                requests.get += gets(&inputs.songs, &work.songs) + gets(&inputs.logs, &work.logs);
                if writes {
                    requests.add_writes(spec, work, run);
                }
            }
        }
        for (content, files) in run.to_copy.iter().filter(|(_, files)| !files.is_empty()) {
            let listing = inputs.listing(*content);
            requests.get += gets(listing, files);
            if writes {
                requests.put += retained_input::max_packs(listing.bytes_of(files), spec.config.threads);
            }
        }
        requests.cost_usd = dollars(requests.list, requests.get, requests.put);
        Some(requests)
    }

    /// Adds the requests of an incremental run that are not for reading the input.
    fn add_writes(&mut self, spec: &JobSpec, work: &IncrementalWork, run: &EstimatedRun<'_>) {
        self.put_is_at_most = !work.is_idle();
        if work.is_idle() {
            self.add_checks();
            return;
        }
        self.add_publishing(run.record);
        let months = work.months.len() as u64;
        let files = |table: &Table| match table {
            Table::Songs => work.song_partitions.len() as u64,
            Table::Artists => u64::from(work.songs_changed),
            Table::Users | Table::UsersHistory => u64::from(months > 0),
            Table::Time | Table::Songplays => months,
        };
        let tables: u64 = spec.config.tables.iter().map(files).sum();
        self.get += work.state_files_read;
        // The stage, the commit record and its marker.
        self.put += tables + work.state_files_written + 3;
        self.delete += work.state_files_removed;
        if let Some(record) = run.record.filter(|_| spec.config.has_table_formats()) {
            self.add_table_formats(&spec.config, work, record, run.iceberg);
        }
    }

    /// Adds the requests for the table formats of the tables that change. Their new files have other names, so the old
    /// ones are removed, now or when they are no longer retained.
    fn add_table_formats(
        &mut self,
        config: &Config,
        work: &IncrementalWork,
        record: &CommitRecord,
        iceberg: Option<&IcebergTables>,
    ) {
        let retain = config.retain.unwrap_or(record.retain);
        for table in &config.tables {
            let Some(known) = config.folders.get(table).and_then(|folder| record.tables.get(folder)) else { continue };
            let changed: BTreeSet<String> = match table {
                Table::Songs => work.song_partitions.clone(),
                Table::Artists => work.songs_changed.then(String::new).into_iter().collect(),
                Table::Users | Table::UsersHistory => (!work.months.is_empty()).then(String::new).into_iter().collect(),
                Table::Time | Table::Songplays => {
                    work.months.iter().map(|month| partition_path::of_month(*table, *month, &config.columns)).collect()
                }
            };
            let partition = |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            let replaced = known.files.keys().filter(|path| changed.contains(&partition(path))).count() as u64;
            let expired = known.retained.values().filter(|file| file.left_at + retain <= record.version + 1).count();
            self.delete += expired as u64 + if retain == 0 { replaced } else { 0 };
            if let Some(log) = known.delta.as_ref().filter(|_| !changed.is_empty()) {
                self.put += log.files_of_next_commit();
            }
            if let Some(tables) = iceberg {
                let commit = tables.requests(*table, &changed, known.files.len(), (record.version + 1, retain));
                self.get += commit.get;
                self.put += commit.put;
                self.delete += commit.delete;
            }
        }
    }

    /// Adds the requests of every run: whether it is allowed to delete, and whether its version is the newest one.
    fn add_checks(&mut self) {
        self.delete += 1;
        self.list += 1;
    }

    /// Adds the requests of a run that publishes a version, without those for the files of tables and state.
    fn add_publishing(&mut self, record: Option<&CommitRecord>) {
        self.add_checks();
        // After the commit, the commit log and the remains of earlier runs are listed, and the stage is removed.
        self.list += 2;
        self.delete += 1;
        if record.is_some_and(|record| record.version + 1 > lake::KEPT_VERSIONS) {
            self.delete += 2;
        }
    }
}

/// The requests that a call has sent, and their cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestUsage {
    /// The number of requests of each kind.
    #[serde(flatten)]
    pub usage: Usage,
    /// The cost in US dollars.
    pub cost_usd: f64,
    /// The month of the price list, as `2026-11`.
    pub prices_of: &'static str,
}

impl RequestUsage {
    /// Adds the cost to `usage`; `None` if no request was sent.
    #[must_use]
    pub fn new(usage: Usage) -> Option<Self> {
        let Usage { list, get, put, delete, other, .. } = usage;
        if list + get + put + delete + other == 0 {
            return None;
        }
        // HEAD costs what GET does.
        let cost_usd = dollars(list, get + other, put);
        Some(Self { usage, cost_usd, prices_of: PRICES_AS_OF })
    }
}

fn dollars(list: u64, get: u64, put: u64) -> f64 {
    let units = list * PRICES.list + get * PRICES.get + put * PRICES.put;
    #[expect(clippy::cast_precision_loss, reason = "a price in dollars has a few digits")]
    let dollars = units as f64 / UNITS_PER_DOLLAR;
    dollars
}

/// Upper bound for the files of the tables: every song file adds a partition.
fn max_table_files(spec: &JobSpec, inputs: &InputFiles) -> u64 {
    spec.config.tables.iter().map(|table| max_files_of(*table, inputs)).sum()
}

fn max_files_of(table: Table, inputs: &InputFiles) -> u64 {
    match table {
        Table::Songs => inputs.songs.files.len() as u64,
        Table::Artists | Table::Users | Table::UsersHistory => 1,
        Table::Time | Table::Songplays => months(&inputs.logs),
    }
}

/// Upper bound for the state files of a full run.
fn max_state_files(spec: &JobSpec, inputs: &InputFiles) -> u64 {
    2 + u64::from(spec.config.tables.contains(&Table::UsersHistory)) + 2 * months(&inputs.logs)
}

/// Counts the months in the paths of log files; every file without a date in its path counts as one more month.
fn months(logs: &Listing) -> u64 {
    let mut months = BTreeSet::new();
    let mut without_date = 0;
    for file in logs.files.iter() {
        match path_dates::span(&file.path.to_string_lossy()).map(|days| (days.start.year(), days.start.month())) {
            Some(month) => {
                months.insert(month);
            }
            None => without_date += 1,
        }
    }
    months.len() as u64 + without_date
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_gets_cost_forty_cents() {
        let spent = RequestUsage::new(Usage { get: 1_000_000, put: 1_000, list: 1_000, ..Usage::default() }).unwrap();
        assert!((spent.cost_usd - 0.41).abs() < 1e-9, "{}", spent.cost_usd);
        assert_eq!(RequestUsage::new(Usage::default()), None);
    }
}
