//! What a run asks of S3, and what Amazon charges for it: before it is asked, and after.
//!
//! Counts that follow from the listing, and one table of list prices. Other stores have other prices; the counts hold
//! for all.
//!
//! Invariant: `get` is exact for an input that stays as it is and is good; of an incremental run all counts are, if each
//! file that is made again is another one then, and no copies of input files are made or read. `put` is never too small
//! where log files hold what their paths say.

use std::collections::BTreeSet;

use chrono::Datelike;
use serde::Serialize;

use crate::incremental::retained_input;
use crate::input::input_files::InputFiles;
use crate::input::list::{Listing, Selection};
use crate::input::sources::{Content, JobSpec};
use crate::input::{path_dates, read};
use crate::lake;
use crate::location::Location;
use crate::report::work_estimate::{Work, WorkEstimate};
use crate::s3::request_metrics::Usage;
use crate::schema::Table;

/// When the prices below were read.
const PRICES_OF: &str = "2026-11";

/// List prices of the standard class in us-east-1, in ten-millionths of a dollar a request: PUT and LIST cost $0.005 a
/// thousand, GET $0.0004 a thousand, DELETE nothing.
const PRICES: Prices = Prices { list: 50, put: 50, get: 4 };

/// The unit of [`PRICES`].
const PARTS_OF_A_DOLLAR: f64 = 1e7;

/// What a run writes besides the tables: markers, the log's record, the stage, and the proofs that conditions hold.
const CONTROL: u64 = 20;

struct Prices {
    list: u64,
    put: u64,
    get: u64,
}

/// The requests of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Requests {
    /// LIST; of a run that reads everything as far as listing has shown.
    pub list: u64,
    /// GET, without those by which a writer sees, twice a second, that nobody has overtaken it.
    pub get: u64,
    /// PUT, at most: what is in place already is not written again.
    pub put: u64,
    /// DELETE, free of charge; what an earlier run left and this one does not make is only known later.
    pub delete: u64,
    /// Whether `put` is an upper bound.
    pub put_is_at_most: bool,
    /// What they cost, in dollars.
    pub cost_usd: f64,
    /// When the prices were read.
    pub prices_of: &'static str,
}

impl Requests {
    /// The requests of a plan and its listed inputs; `None` where nothing is remote. `usage` is what listing took.
    #[must_use]
    pub fn new(
        spec: &JobSpec,
        inputs: &InputFiles,
        (outlook, version): (&WorkEstimate, Option<u64>),
        copied: &[(Content, Selection)],
        usage: &Usage,
    ) -> Option<Self> {
        let is_remote = |location: &Location| location.local().is_none();
        let writes = spec.output.as_ref().is_some_and(is_remote);
        if !writes && !spec.sources().any(|source| is_remote(&source.root)) {
            return None;
        }
        let read = |listing: &Listing, selection: &Selection| -> u64 {
            let files = selection.iter().filter_map(|index| listing.files.get(*index)).filter(|file| !file.is_missing);
            files.filter(|_| listing.bucket.is_some()).map(|file| read::requests(file.size)).sum()
        };
        // What was asked so far, the run will ask too.
        let mut requests = Self {
            list: usage.list,
            get: usage.get,
            put: 0,
            delete: 0,
            put_is_at_most: true,
            cost_usd: 0.0,
            prices_of: PRICES_OF,
        };
        match outlook {
            WorkEstimate::Whole(_) => {
                requests.get = read(&inputs.songs, &inputs.songs.all()) + read(&inputs.logs, &inputs.logs.all());
                requests.put = if writes { files_at_most(spec, inputs) + state_at_most(inputs) + CONTROL } else { 0 };
            }
            WorkEstimate::Part(work) => {
                requests.get += read(&inputs.songs, &work.songs) + read(&inputs.logs, &work.logs);
                if writes {
                    requests.write(spec, work, version);
                }
            }
        }
        for (content, files) in copied.iter().filter(|(_, files)| !files.is_empty()) {
            let listing = inputs.listing(*content);
            requests.get += read(listing, files);
            if writes {
                requests.put += retained_input::packs_at_most(listing.bytes_of(files), spec.config.threads);
            }
        }
        requests.cost_usd = dollars(requests.list, requests.get, requests.put);
        Some(requests)
    }

    /// What an incremental run asks for its writing.
    fn write(&mut self, spec: &JobSpec, work: &Work, version: Option<u64>) {
        // The proof that deleting is allowed.
        self.delete += 1;
        self.put_is_at_most = !work.is_idle();
        if work.is_idle() {
            return;
        }
        let months = work.months.len() as u64 + work.unplaced;
        let of = |table: &Table| match table {
            Table::Songs => work.song_partitions,
            Table::Artists => u64::from(work.has_songs),
            Table::Users => u64::from(months > 0),
            Table::Time | Table::Songplays => months,
        };
        let tables: u64 = spec.config.tables.iter().map(of).sum();
        // The log once more behind the commit, and what old runs have left.
        self.list += 2;
        self.get += work.state_read;
        // The stage, the record and its marker.
        self.put += tables + work.state_written + 3;
        self.delete += 1 + work.state_removed;
        if version.is_some_and(|version| version + 1 > lake::KEPT_VERSIONS) {
            self.delete += 2;
        }
    }
}

/// What a call asked, and what that cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spent {
    /// The counts.
    #[serde(flatten)]
    pub usage: Usage,
    /// What they cost, in dollars.
    pub cost_usd: f64,
    /// When the prices were read.
    pub prices_of: &'static str,
}

impl Spent {
    /// The price of `usage`; `None` where nothing was asked.
    #[must_use]
    pub fn new(usage: Usage) -> Option<Self> {
        let Usage { list, get, put, delete, other, .. } = usage;
        if list + get + put + delete + other == 0 {
            return None;
        }
        // HEAD costs what GET does.
        let cost_usd = dollars(list, get + other, put);
        Some(Self { usage, cost_usd, prices_of: PRICES_OF })
    }
}

fn dollars(list: u64, get: u64, put: u64) -> f64 {
    let parts = list * PRICES.list + get * PRICES.get + put * PRICES.put;
    #[expect(clippy::cast_precision_loss, reason = "a price in dollars has a few digits")]
    let dollars = parts as f64 / PARTS_OF_A_DOLLAR;
    dollars
}

/// The files of the tables, if every song file holds a song of its own.
fn files_at_most(spec: &JobSpec, inputs: &InputFiles) -> u64 {
    let of = |table: &Table| match table {
        Table::Songs => inputs.songs.files.len() as u64,
        Table::Artists | Table::Users => 1,
        Table::Time | Table::Songplays => months(&inputs.logs),
    };
    spec.config.tables.iter().map(of).sum()
}

/// The state files of a run that reads everything.
fn state_at_most(inputs: &InputFiles) -> u64 {
    2 + 2 * months(&inputs.logs)
}

/// The months that the paths of log files speak of; a file whose path speaks of none counts as one more.
fn months(logs: &Listing) -> u64 {
    let mut months = BTreeSet::new();
    let mut unknown = 0;
    for file in logs.files.iter() {
        match path_dates::span(&file.path.to_string_lossy()).map(|days| (days.start.year(), days.start.month())) {
            Some(month) => {
                months.insert(month);
            }
            None => unknown += 1,
        }
    }
    months.len() as u64 + unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_gets_cost_forty_cents() {
        let spent = Spent::new(Usage { get: 1_000_000, put: 1_000, list: 1_000, ..Usage::default() }).unwrap();
        assert!((spent.cost_usd - 0.41).abs() < 1e-9, "{}", spent.cost_usd);
        assert_eq!(Spent::new(Usage::default()), None);
    }
}
