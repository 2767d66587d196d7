//! What a run did, as data.
//!
//! Counts, times and places; no record of the input, no secret. How it looks is the front's business.
//!
//! Invariant: for each content, read = loaded + filtered + quarantined ([`Records::is_balanced`] is checked before
//! anything is published).

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Instant;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use crate::commit::Published;
use crate::config::Config;
use crate::costs::Spent;
use crate::emit::Emitted;
use crate::judge::{self, Inputs};
use crate::plan::Plan;
use crate::schema::Table;
use crate::star::Star;
use crate::store::stores::Stores;

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
    /// `published` or `built`.
    pub state: &'static str,
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
    pub stages: Vec<StageTime>,
    /// What became of the records, by content.
    pub records: BTreeMap<&'static str, Records>,
    /// Records left out by a named rule.
    pub filtered: BTreeMap<&'static str, u64>,
    /// Quarantined records by content and reason.
    pub reasons: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Values taken over from another JSON type without loss, by content.
    pub coerced: BTreeMap<&'static str, u64>,
    /// Keys that no rule knows, by content.
    pub unknown_keys: BTreeMap<&'static str, BTreeMap<String, u64>>,
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
}

/// Files read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputSummary {
    /// As the user wrote it, resolved to a folder or file.
    pub location: String,
    /// Number of files.
    pub files: u64,
    /// Their bytes as stored.
    pub bytes: u64,
}

/// One stage's time.
#[derive(Clone, Debug, Serialize)]
pub struct StageTime {
    /// One of [`crate::progress::STAGES`].
    pub name: &'static str,
    /// Seconds.
    pub seconds: f64,
}

/// The accounting of one content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// Records found.
    pub read: u64,
    /// Records that went into tables.
    pub loaded: u64,
    /// Records left out by a named rule.
    pub filtered: u64,
    /// Records that are not what they should be.
    pub quarantined: u64,
}

impl Records {
    /// Whether every record read is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.read == self.loaded + self.filtered + self.quarantined
    }
}

impl fmt::Display for Records {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, loaded, filtered, quarantined } = self;
        write!(formatter, "{read} records read, {loaded} loaded, {filtered} filtered, {quarantined} quarantined")
    }
}

/// A quarantined record's place.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocatedReject {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
    /// Reason code of the bad-input catalogue.
    pub reason: String,
    /// The key it is about.
    pub key: Option<String>,
}

/// A file that was left out as a whole.
#[derive(Clone, Debug, Serialize)]
pub struct BadFile {
    /// The file.
    pub file: String,
    /// Reason code of the bad-input catalogue.
    pub reason: &'static str,
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

/// Plays and matches.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Plays {
    /// Rows of songplays.
    pub rows: u64,
    /// Those with a song.
    pub matched: u64,
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
        plan: &Plan,
        inputs: &Inputs,
        emitted: &Emitted,
        published: &Published,
        clock: StageClock,
    ) -> Self {
        self.state = "published";
        self.version = Some(published.version);
        self.warnings.extend(published.warnings.iter().cloned());
        self.output = plan.output.as_ref().map(ToString::to_string);
        self.tables = published
            .tables
            .iter()
            .map(|(table, state)| TableSummary {
                name: table.name(),
                folder: plan.config.folders.get(table).cloned().unwrap_or_default(),
                rows: state.rows,
                files: state.files,
                bytes: state.bytes,
                partitions: emitted.partitions.get(table).copied().unwrap_or_default(),
                written: state.written,
                unchanged: state.unchanged,
                removed: state.removed,
            })
            .collect();
        self.finish(plan, inputs, emitted, clock)
    }

    /// The report of a run that returned its tables.
    #[must_use]
    pub fn built(mut self, plan: &Plan, inputs: &Inputs, emitted: &Emitted, star: &Star, clock: StageClock) -> Self {
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
        self.tables = plan.config.tables.iter().map(summary).collect();
        self.finish(plan, inputs, emitted, clock)
    }

    fn finish(mut self, plan: &Plan, inputs: &Inputs, emitted: &Emitted, clock: StageClock) -> Self {
        self.warnings.extend(plan.warnings.iter().cloned());
        for ((content, listing, account), source) in inputs.each().into_iter().zip([&plan.songs, &plan.logs]) {
            let Some(source) = source else { continue };
            let name = content.name();
            self.input.insert(
                name,
                InputSummary {
                    location: source.shown.clone(),
                    files: listing.files.len() as u64,
                    bytes: listing.bytes(),
                },
            );
            self.records.insert(name, judge::records(account));
            self.reasons.insert(name, account.reasons.clone());
            self.coerced.insert(name, account.tally.coerced);
            let unknown = account.tally.unknown_keys.iter().map(|(key, count)| (key.to_owned(), count)).collect();
            self.unknown_keys.insert(name, unknown);
            self.rejects.extend(account.first.iter().filter_map(|located| {
                Some(LocatedReject {
                    file: listing.shown(located.file)?,
                    line: account.line(located),
                    offset: located.offset,
                    reason: located.reason.to_owned(),
                    key: located.key.clone(),
                })
            }));
            self.bad_files.extend(
                account
                    .bad_files
                    .iter()
                    .filter_map(|(file, reason)| Some(BadFile { file: listing.shown(*file)?, reason })),
            );
            self.warnings.extend(listing.warnings.iter().cloned());
            let told = account.files.iter().filter(|count| count.read > 0).count() + account.bad_files.len();
            if let Some(empty) = listing.files.len().checked_sub(told).filter(|empty| *empty > 0) {
                self.warnings.push(format!("{empty} files in {} hold no record", source.shown));
            }
            if listing.other > 0 {
                self.warnings
                    .push(format!("{} files in {} do not end in .json and were not read", listing.other, source.shown));
            }
        }
        self.filtered.insert("page", inputs.log_account.tally.filtered);
        for bad in self.bad_files.iter().take(WARNED_FILES) {
            self.warnings.push(format!("{} cannot be read as JSON and was left out: {}", bad.file, bad.reason));
        }
        if let Some(more) = self.bad_files.len().checked_sub(WARNED_FILES).filter(|more| *more > 0) {
            self.warnings.push(format!("{more} more files were left out"));
        }
        self.quarantine.clone_from(&inputs.quarantine);
        self.plays = emitted.plays;
        self.peak_rss_bytes = peak_rss_bytes();
        (self.seconds, self.stages) = clock.finish();
        self
    }
}

/// Measures stages, one after the other.
#[derive(Debug)]
pub struct StageClock {
    started: Instant,
    lap: Instant,
    stages: Vec<StageTime>,
}

impl StageClock {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        let now = Instant::now();
        Self { started: now, lap: now, stages: Vec::new() }
    }

    /// Ends the stage that ran since the last call.
    pub fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.stages.push(StageTime { name, seconds: (now - self.lap).as_secs_f64() });
        self.lap = now;
    }

    /// Total seconds and the stages.
    #[must_use]
    pub fn finish(self) -> (f64, Vec<StageTime>) {
        (self.started.elapsed().as_secs_f64(), self.stages)
    }
}

/// The process's largest resident memory so far, in bytes, where the system tells (Linux).
#[must_use]
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
