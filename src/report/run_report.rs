//! What a run did, as data.
//!
//! Counts, times and places; no record of the input, no secret. How it looks is the front's business.
//!
//! Invariant: for each content, read = loaded + filtered + quarantined ([`crate::lake::read_summary::Records::is_balanced`] is
//! checked before anything is published).

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use crate::config::Config;
use crate::input::input_files::InputFiles;
use crate::input::sources::JobSpec;
use crate::lake::Published;
use crate::lake::read_summary::{BadFile, LocatedReject, Plays, ReadSummary, Records};
use crate::report::request_cost::Spent;
use crate::runtime::clock::{PhaseClock, PhaseTime, peak_rss_bytes};
use crate::s3::stores::Stores;
use crate::schema::Table;
use crate::transform::in_memory::Star;

/// The version of the report's form.
pub const REPORT_VERSION: u32 = 1;

/// How many files that were left out are warned of by name; all of them are in the report.
const WARNED_FILES: usize = 10;

/// A run's report; serialises to the JSON that is documented for users.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub report_version: u32,
    /// The package's version.
    pub package_version: &'static str,
    /// Unique to the run.
    pub run_id: String,
    /// `published`, `unchanged` when there was nothing to do, or `built`.
    pub state: &'static str,
    /// Why all of the input was read although the lake holds tables; `None` where that is not so.
    pub rebuilt: Option<String>,
    /// The lake's version that holds these tables.
    pub version: Option<u64>,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Seconds from start to end.
    pub seconds: f64,
    /// What was read, by content (`songs`, `logs`).
    pub input: BTreeMap<&'static str, InputSummary>,
    /// The lake's root.
    pub output: Option<String>,
    /// The options in force, as text.
    pub options: BTreeMap<&'static str, String>,
    /// Where the time went, in order.
    pub stages: Vec<PhaseTime>,
    /// What became of the records, by content.
    pub records: BTreeMap<String, Records>,
    /// Records left out by a named rule.
    pub filtered: BTreeMap<String, u64>,
    /// Quarantined records by content and reason.
    pub reasons: BTreeMap<String, BTreeMap<String, u64>>,
    /// Values taken over from another JSON type without loss, by content.
    pub coerced: BTreeMap<String, u64>,
    /// Keys that no rule knows, by content.
    pub unknown_keys: BTreeMap<String, BTreeMap<String, u64>>,
    /// The first quarantined records, located.
    pub rejects: Vec<LocatedReject>,
    /// Files left out as a whole.
    pub bad_files: Vec<BadFile>,
    /// The tables, in publishing order.
    pub tables: Vec<TableSummary>,
    /// Plays and how many of them have a song.
    pub plays: Plays,
    /// Where quarantined records lie.
    pub quarantine: Option<String>,
    /// Where the credentials came from; never the credentials.
    pub credentials: Option<String>,
    /// What was asked of object stores; `None` when all is local.
    pub requests: Option<Spent>,
    /// Things worth saying that stopped nothing.
    pub warnings: Vec<String>,
    /// The process's largest resident memory so far, where the system tells.
    pub peak_rss_bytes: Option<u64>,
    /// Worker threads.
    pub threads: usize,
    /// Where the work was done: `local`, or the name of an executor.
    pub executor: String,
}

/// Input files.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputSummary {
    /// As the user wrote it, resolved to a folder or file.
    pub location: String,
    /// Number of files.
    pub files: u64,
    /// Their bytes as stored.
    pub bytes: u64,
    /// Files that were read; of the others the lake knew what they hold.
    pub files_read: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Files that are gone, and whose rows were kept; they count among `files`.
    pub files_kept: u64,
}

/// One table's files.
#[derive(Clone, Debug, Serialize)]
pub struct TableSummary {
    /// Plain name.
    pub name: &'static str,
    /// Folder below the output.
    pub folder: String,
    /// Rows.
    pub rows: u64,
    /// Files in place.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Partition folders.
    pub partitions: u64,
    /// Files written by this run.
    pub written: u64,
    /// Files found in place as they should be.
    pub unchanged: u64,
    /// Files of earlier runs removed.
    pub removed: u64,
}

impl Report {
    /// A report with a name and a start, before anything happened.
    #[must_use]
    pub fn begin(config: &Config) -> Self {
        let now = Utc::now();
        // Random, so that two runs of one second have two names.
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
        self.requests = Spent::new(stores.usage());
        self
    }

    /// The report of a run that published its tables.
    #[must_use]
    pub fn published(
        mut self,
        spec: &JobSpec,
        inputs: &InputFiles,
        outcome: ReadSummary,
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
                partitions: outcome.partitions.get(table.name()).copied().unwrap_or_default(),
                written: state.written,
                unchanged: state.unchanged,
                removed: state.removed,
            })
            .collect();
        self.finish(spec, inputs, outcome, clock)
    }

    /// The report of a run that returned its tables.
    #[must_use]
    pub fn built(
        mut self,
        spec: &JobSpec,
        inputs: &InputFiles,
        outcome: ReadSummary,
        star: &Star,
        clock: PhaseClock,
    ) -> Self {
        self.state = "built";
        let summary = |table: &Table| TableSummary {
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
        self.tables = spec.config.tables.iter().map(summary).collect();
        self.finish(spec, inputs, outcome, clock)
    }

    fn finish(mut self, spec: &JobSpec, inputs: &InputFiles, outcome: ReadSummary, clock: PhaseClock) -> Self {
        self.warnings.extend(spec.warnings.iter().cloned());
        for ((content, listing), source) in inputs.each().into_iter().zip([&spec.songs, &spec.logs]) {
            let Some(source) = source else { continue };
            let (location, read) = (source.shown.clone(), inputs.selection(content));
            let summary = InputSummary {
                location,
                files: listing.files.len() as u64,
                bytes: listing.bytes(),
                files_read: read.len() as u64,
                bytes_read: listing.bytes_of(&read),
                files_kept: listing.missing_count(),
            };
            self.input.insert(content.name(), summary);
            self.warnings.extend(listing.warnings.iter().cloned());
            if let Some(silent) = outcome.silent.get(content.name()).filter(|silent| **silent > 0) {
                self.warnings.push(format!("{silent} files in {} hold no record", source.shown));
            }
            if listing.other > 0 {
                self.warnings
                    .push(format!("{} files in {} do not end in .json and were not read", listing.other, source.shown));
            }
        }
        let ReadSummary { records, filtered, reasons, coerced, unknown_keys, rejects, bad_files, .. } = outcome;
        (self.records, self.filtered, self.reasons) = (records, filtered, reasons);
        (self.coerced, self.unknown_keys) = (coerced, unknown_keys);
        (self.rejects, self.bad_files) = (rejects, bad_files);
        for bad in self.bad_files.iter().take(WARNED_FILES) {
            self.warnings.push(format!("{} cannot be read as JSON and was left out: {}", bad.file, bad.reason));
        }
        if let Some(more) = self.bad_files.len().checked_sub(WARNED_FILES).filter(|more| *more > 0) {
            self.warnings.push(format!("{more} more files were left out"));
        }
        (self.quarantine, self.plays) = (outcome.quarantine, outcome.plays);
        self.peak_rss_bytes = peak_rss_bytes();
        (self.seconds, self.stages) = clock.finish();
        self
    }
}
