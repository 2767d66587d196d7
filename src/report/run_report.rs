//! The report of a run, as data.
//!
//! It has counts, times and locations, but no record of the input and no secret. The Python package renders it.
//!
//! Invariant: for each content, read = loaded + filtered + quarantined. Before anything is published, this is checked for
//! each file ([`crate::quality::read_stats::FileCount::is_balanced`]).

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::config::Config;
use crate::input::input_files::InputFiles;
use crate::input::sources::JobSpec;
use crate::lake::Published;
use crate::lake::read_summary::{BadFile, LocatedReject, Plays, ReadSummary, Records};
use crate::quality::expectations::CheckedExpectation;
use crate::report::request_cost::RequestUsage;
use crate::runtime::clock::{PhaseClock, PhaseTime, peak_rss_bytes};
use crate::s3::stores::Stores;
use crate::schema::Table;
use crate::transform::in_memory::Star;

/// The version of the report format.
pub const REPORT_VERSION: u32 = 1;

/// Upper bound for the skipped files that get a warning each; the report lists all of them.
const MAX_FILE_WARNINGS: usize = 10;

/// The report of a run. It serializes to the JSON format that is documented for users.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub report_version: u32,
    /// The version of the package.
    pub package_version: &'static str,
    /// The unique id of the run.
    pub run_id: String,
    /// `published`, `unchanged` if there was nothing to do, or `built` if the tables stayed in memory.
    pub state: &'static str,
    /// Why the entire input was read although the lake has tables; `None` if it was not.
    pub rebuilt: Option<String>,
    /// The version of the lake that has these tables.
    pub version: Option<u64>,
    /// Start of the run: RFC 3339, UTC.
    pub started_at: String,
    /// Seconds from start to end.
    pub seconds: f64,
    /// The input files, by content (`songs`, `logs`).
    pub input: BTreeMap<&'static str, InputSummary>,
    /// The lake's root.
    pub output: Option<String>,
    /// The effective options, as text.
    pub options: BTreeMap<&'static str, String>,
    /// The time of each phase, in order.
    pub stages: Vec<PhaseTime>,
    /// Counts of the records, by content.
    pub records: BTreeMap<String, Records>,
    /// Counts of the records that a rule skips, by rule.
    pub filtered: BTreeMap<String, u64>,
    /// Counts of quarantined records, by content and reason.
    pub reasons: BTreeMap<String, BTreeMap<String, u64>>,
    /// Counts of values that were converted from another JSON type without loss, by content.
    pub coerced: BTreeMap<String, u64>,
    /// Counts of unknown keys, by content.
    pub unknown_keys: BTreeMap<String, BTreeMap<String, u64>>,
    /// The first quarantined records, with their position.
    pub rejects: Vec<LocatedReject>,
    /// Files that were skipped because they cannot be read as JSON.
    pub bad_files: Vec<BadFile>,
    /// The tables, in publishing order.
    pub tables: Vec<TableSummary>,
    /// The number of plays, and of those with a song.
    pub plays: Plays,
    /// The expectations about the tables of the run; all of them are met.
    pub expectations: Vec<CheckedExpectation>,
    /// The location of the quarantined records.
    pub quarantine: Option<String>,
    /// The source of the credentials, never the credentials.
    pub credentials: Option<String>,
    /// The requests that were sent to object stores; `None` if everything is local.
    pub requests: Option<RequestUsage>,
    /// Warnings: notes on the input and the lake that did not stop the run.
    pub warnings: Vec<String>,
    /// The peak resident memory of the process in bytes, if the system reports it.
    pub peak_rss_bytes: Option<u64>,
    /// The number of worker threads.
    pub threads: usize,
    /// `local`, or the name of the executor that processed the shards.
    pub executor: String,
}

/// The input files of one content.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputSummary {
    /// The location that the user specified, resolved to a folder or file.
    pub location: String,
    /// The number of files.
    pub files: u64,
    /// The bytes of all files as stored.
    pub bytes: u64,
    /// The number of files that were read; the content of the others is in the lake.
    pub files_read: u64,
    /// The bytes of the files that were read.
    pub bytes_read: u64,
    /// The number of missing files whose rows were retained; `files` includes them.
    pub files_kept: u64,
}

/// The files of one table.
#[derive(Clone, Debug, Serialize)]
pub struct TableSummary {
    /// The name of the table.
    pub name: &'static str,
    /// Its folder below the output.
    pub folder: String,
    /// The number of rows.
    pub rows: u64,
    /// The number of files.
    pub files: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The number of partition folders.
    pub partitions: u64,
    /// The number of files that this run wrote.
    pub written: u64,
    /// The number of files that were already correct.
    pub unchanged: u64,
    /// The number of files of earlier versions that this run removed.
    pub removed: u64,
}

impl Report {
    /// Starts the report of a run: gives the run its id and notes the time.
    #[must_use]
    pub fn begin(config: &Config) -> Self {
        // `Utc::now` panics if the clock is before 1970.
        let now = DateTime::<Utc>::from(SystemTime::now());
        // Random, so that two runs in the same second have different ids.
        let nonce = RandomState::new().build_hasher().finish() >> 32;
        Self {
            report_version: REPORT_VERSION,
            package_version: env!("CARGO_PKG_VERSION"),
            run_id: format!("{}-{nonce:08x}", now.format("%Y%m%dT%H%M%SZ")),
            state: "begun",
            rebuilt: None,
            version: None,
            started_at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            seconds: 0.0,
            input: BTreeMap::new(),
            output: None,
            options: config.to_texts(),
            stages: Vec::new(),
            records: BTreeMap::new(),
            filtered: BTreeMap::new(),
            reasons: BTreeMap::new(),
            coerced: BTreeMap::new(),
            unknown_keys: BTreeMap::new(),
            rejects: Vec::new(),
            bad_files: Vec::new(),
            tables: Vec::new(),
            plays: Plays::default(),
            expectations: Vec::new(),
            quarantine: None,
            credentials: None,
            requests: None,
            warnings: Vec::new(),
            peak_rss_bytes: None,
            threads: config.threads,
            executor: "local".to_owned(),
        }
    }

    /// Adds what was asked of the stores, and in whose name.
    #[must_use]
    pub fn with_stores(mut self, stores: &Stores) -> Self {
        self.credentials = stores.credentials();
        self.requests = RequestUsage::new(stores.usage());
        self
    }

    /// Completes the report of a run that published its tables.
    #[must_use]
    pub fn published(
        mut self,
        spec: &JobSpec,
        inputs: &InputFiles,
        summary: ReadSummary,
        published: &Published,
        clock: PhaseClock,
    ) -> Self {
        self.state = if published.was_idle { "unchanged" } else { "published" };
        self.version = Some(published.version);
        self.warnings.extend(published.warnings.iter().cloned());
        self.output = spec.output.as_ref().map(ToString::to_string);
        self.tables = published
            .tables
            .iter()
            .map(|(table, state)| TableSummary {
                name: table.name(),
                folder: spec.config.folders.get(table).cloned().unwrap_or_default(),
                rows: state.rows,
                files: state.files,
                bytes: state.bytes,
                partitions: summary.partitions.get(table.name()).copied().unwrap_or_default(),
                written: state.written,
                unchanged: state.unchanged,
                removed: state.removed,
            })
            .collect();
        self.finish(spec, inputs, summary, clock)
    }

    /// Completes the report of a run that returned its tables.
    #[must_use]
    pub fn built(
        mut self,
        spec: &JobSpec,
        inputs: &InputFiles,
        summary: ReadSummary,
        star: &Star,
        clock: PhaseClock,
    ) -> Self {
        self.state = "built";
        let table_summary = |table: &Table| TableSummary {
            name: table.name(),
            folder: String::new(),
            rows: star.rows(*table),
            files: 0,
            bytes: 0,
            partitions: 0,
            written: 0,
            unchanged: 0,
            removed: 0,
        };
        self.tables = spec.config.tables.iter().map(table_summary).collect();
        self.finish(spec, inputs, summary, clock)
    }

    fn finish(mut self, spec: &JobSpec, inputs: &InputFiles, summary: ReadSummary, clock: PhaseClock) -> Self {
        self.warnings.extend(spec.warnings.iter().cloned());
        for ((content, listing), source) in inputs.each().into_iter().zip([&spec.songs, &spec.logs]) {
            let Some(source) = source else { continue };
            let selection = inputs.selection(content);
            let input = InputSummary {
                location: source.shown.clone(),
                files: listing.files.len() as u64,
                bytes: listing.bytes(),
                files_read: selection.len() as u64,
                bytes_read: listing.bytes_of(&selection),
                files_kept: listing.missing_count(),
            };
            self.input.insert(content.name(), input);
            self.warnings.extend(listing.warnings.iter().cloned());
            if let Some(count) = summary.silent.get(content.name()).filter(|count| **count > 0) {
                self.warnings.push(format!("{count} files in {} have no record", source.shown));
            }
        }
        let ReadSummary { records, filtered, reasons, coerced, unknown_keys, rejects, bad_files, .. } = summary;
        (self.records, self.filtered, self.reasons) = (records, filtered, reasons);
        (self.coerced, self.unknown_keys) = (coerced, unknown_keys);
        (self.rejects, self.bad_files) = (rejects, bad_files);
        for bad in self.bad_files.iter().take(MAX_FILE_WARNINGS) {
            self.warnings.push(format!("{} cannot be read as JSON and was skipped: {}", bad.file, bad.reason));
        }
        if let Some(more) = self.bad_files.len().checked_sub(MAX_FILE_WARNINGS).filter(|more| *more > 0) {
            self.warnings.push(format!("{more} more files were skipped"));
        }
        (self.quarantine, self.plays) = (summary.quarantine, summary.plays);
        self.peak_rss_bytes = peak_rss_bytes();
        (self.seconds, self.stages) = clock.finish();
        self
    }
}
