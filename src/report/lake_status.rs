//! What a lake knows of its input, and what has arrived since: for people, and for sensors of a schedule.
//!
//! Invariant: nothing is read but names, sizes and times.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::incremental::diff::InputDiff;
use crate::input::input_files::InputFiles;
use crate::input::sources::JobSpec;
use crate::input::{file_identity, path_dates};
use crate::lake::LakeVersion;
use crate::lake::checkpoint::Manifest;
use crate::lake::commit_record::CommitRecord;

/// How many files of a kind are named.
const NAMED: usize = 5;

/// A lake, and what there is to do for it.
#[derive(Clone, Debug, Serialize)]
pub struct LakeStatus {
    /// The newest version.
    #[serde(flatten)]
    pub status: LakeVersion,
    /// What it was made from, by content.
    pub known: BTreeMap<String, Known>,
    /// Files of the state that later runs build upon.
    pub state: Files,
    /// What has arrived since, by content; `None` when no input was named.
    pub input: Option<BTreeMap<&'static str, InputChanges>>,
}

/// The files of one content that a version was made from.
#[derive(Clone, Debug, Serialize)]
pub struct Known {
    /// Where they lie.
    pub location: String,
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The last day that their paths tell.
    pub last_day: Option<String>,
}

/// How the listed files of one content differ from those that the version was made from.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputChanges {
    /// Where they lie.
    pub location: String,
    /// Those that are what they were.
    pub unchanged: u64,
    /// Files that the version does not know.
    pub new: Files,
    /// New files of a day, by their path, that is not behind the last one that the version knows.
    pub late: Files,
    /// Files that are not what they were.
    pub changed: Files,
    /// Files that are no longer there.
    pub gone: Files,
    /// Such files of which the lake has a copy, so that `--keep-gone` keeps their rows.
    pub kept: Files,
    /// The last day that the paths of all listed files tell.
    pub last_day: Option<String>,
}

/// Some files.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Files {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first of them, by name.
    pub first: Vec<String>,
}

impl Files {
    fn add(&mut self, name: &str, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
        if self.first.len() < NAMED {
            self.first.push(name.to_owned());
        }
    }
}

impl LakeStatus {
    /// The version and what it was made from.
    #[must_use]
    pub fn new(status: LakeVersion, record: &CommitRecord) -> Self {
        let mut known = BTreeMap::new();
        for (content, ledger) in record.checkpoints.iter().flat_map(|base| &base.input) {
            let files = ledger.files.values();
            let told = Known {
                location: ledger.location.clone(),
                files: ledger.files.len() as u64,
                bytes: files.map(|file| file.size).sum(),
                last_day: last_day(ledger).map(|day| day.to_string()),
            };
            known.insert(content.clone(), told);
        }
        let mut state = Files::default();
        for file in record.state_files() {
            state.add(&file.name, file.size);
        }
        state.first.clear();
        Self { status, known, state, input: None }
    }
}

fn last_day(ledger: &Manifest) -> Option<NaiveDate> {
    ledger.files.keys().filter_map(|name| path_dates::day(name)).max()
}

/// Compares what is listed with what the version was made from, by content.
#[must_use]
pub fn since(spec: &JobSpec, inputs: &InputFiles, record: &CommitRecord) -> BTreeMap<&'static str, InputChanges> {
    let mut found = BTreeMap::new();
    for (content, listing) in inputs.each() {
        let Some(source) = spec.source(content) else { continue };
        let base = record.checkpoints.iter().rev().find(|base| base.input.contains_key(content.name()));
        let listed_at = base.and_then(|base| file_identity::nanoseconds(&base.listed_at)).unwrap_or(i128::MIN);
        let known = base.and_then(|base| base.input.get(content.name()));
        let delta = known.and_then(|known| InputDiff::new(source, listing, known, listed_at, |_| true));
        // Files of another place are all new, whatever their names.
        let delta =
            delta.unwrap_or_else(|| InputDiff { new: (0..listing.files.len()).collect(), ..InputDiff::default() });
        let last = known.and_then(last_day);
        let named = |index: usize| {
            listing.files.get(index).map(|file| (file_identity::name(source, file), file.size)).unwrap_or_default()
        };
        let days = listing.files.iter().filter_map(|file| path_dates::day(&file_identity::name(source, file)));
        let mut arrivals = InputChanges {
            location: source.shown.clone(),
            unchanged: delta.unchanged.len() as u64,
            last_day: days.max().map(|day| day.to_string()),
            ..InputChanges::default()
        };
        for index in &delta.new {
            let (name, bytes) = named(*index);
            arrivals.new.add(&name, bytes);
            if path_dates::day(&name).is_some_and(|day| last.is_some_and(|last| day <= last)) {
                arrivals.late.add(&name, bytes);
            }
        }
        for (index, _) in &delta.changed {
            let (name, bytes) = named(*index);
            arrivals.changed.add(&name, bytes);
        }
        for (name, file) in &delta.gone {
            let those = if file.copy.is_some() { &mut arrivals.kept } else { &mut arrivals.gone };
            those.add(name, file.size);
        }
        found.insert(content.name(), arrivals);
    }
    found
}
