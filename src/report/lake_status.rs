//! The status of a lake: the input that its newest version was made from, and how the input has changed since. For users,
//! and for sensors of a scheduler.
//!
//! Invariant: only names, sizes and times of input files are read.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use serde::Serialize;

use crate::incremental::diff::InputDiff;
use crate::input::input_files::InputFiles;
use crate::input::sources::JobSpec;
use crate::input::{file_identity, path_dates};
use crate::lake::checkpoint::Manifest;
use crate::lake::commit_record::CommitRecord;
use crate::lake::{LakeVersion, LostCopies};

/// Upper bound for the files of a kind that are listed by name.
const MAX_NAMED_FILES: usize = 5;

/// The newest version of a lake, and the changes of its input.
#[derive(Clone, Debug, Serialize)]
pub struct LakeStatus {
    /// The newest version.
    #[serde(flatten)]
    pub status: LakeVersion,
    /// The input that it was made from, by content.
    pub known: BTreeMap<String, KnownInput>,
    /// The state files that the next run can use.
    pub state: Files,
    /// Input files whose retained copies are missing or damaged: those that are missing from the input, or, if no input
    /// was specified, all of them. The rows of a missing file cannot be rebuilt.
    pub lost: LostCopies,
    /// The changes of the input, by content; `None` if no input was specified.
    pub input: Option<BTreeMap<&'static str, InputChanges>>,
}

/// The input files of one content that a version was made from.
#[derive(Clone, Debug, Serialize)]
pub struct KnownInput {
    /// The location of the files.
    pub location: String,
    /// The number of files.
    pub files: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The last day in their paths.
    pub last_day: Option<String>,
}

/// The changes of the input files of one content since the version was made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputChanges {
    /// The location of the files.
    pub location: String,
    /// The number of unchanged files.
    pub unchanged: u64,
    /// Files that are not in the manifest of the version.
    pub new: Files,
    /// New files with a day in their path that is not later than the last day of the version's files.
    pub late: Files,
    /// Changed files.
    pub changed: Files,
    /// Missing files without a copy in the lake.
    pub gone: Files,
    /// Missing files with a copy in the lake, so that `--keep-gone` retains their rows.
    pub kept: Files,
    /// The last day in the paths of all listed files.
    pub last_day: Option<String>,
}

/// A number of files.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Files {
    /// The number of files.
    pub files: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The names of the first files.
    pub first: Vec<String>,
}

impl Files {
    fn add(&mut self, name: &str, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
        if self.first.len() < MAX_NAMED_FILES {
            self.first.push(name.to_owned());
        }
    }
}

impl LakeStatus {
    /// Describes a version and the input that it was made from.
    #[must_use]
    pub fn new(status: LakeVersion, record: &CommitRecord) -> Self {
        let mut known = BTreeMap::new();
        for (content, manifest) in record.checkpoints.iter().flat_map(|checkpoint| &checkpoint.input) {
            let entries = manifest.files.values();
            let input = KnownInput {
                location: manifest.location.clone(),
                files: manifest.files.len() as u64,
                bytes: entries.map(|entry| entry.size).sum(),
                last_day: last_day(manifest).map(|day| day.to_string()),
            };
            known.insert(content.clone(), input);
        }
        let mut state = Files::default();
        for file in record.state_files() {
            state.add(&file.name, file.size);
        }
        state.first.clear();
        Self { status, known, state, lost: LostCopies::default(), input: None }
    }
}

fn last_day(manifest: &Manifest) -> Option<NaiveDate> {
    manifest.files.keys().filter_map(|name| path_dates::day(name)).max()
}

/// The contents and names of all listed files.
#[must_use]
pub(crate) fn listed_names(spec: &JobSpec, inputs: &InputFiles) -> HashSet<(&'static str, String)> {
    let sources =
        inputs.each().into_iter().filter_map(|(content, listing)| Some((content, spec.source(content)?, listing)));
    let names = sources.flat_map(|(content, source, listing)| {
        listing.files.iter().map(move |file| (content.name(), file_identity::name(source, file)))
    });
    names.collect()
}

/// Compares the listed files with those that the version was made from, by content.
#[must_use]
pub(crate) fn input_changes(
    spec: &JobSpec,
    inputs: &InputFiles,
    record: &CommitRecord,
) -> BTreeMap<&'static str, InputChanges> {
    let mut all_changes = BTreeMap::new();
    for (content, listing) in inputs.each() {
        let Some(source) = spec.source(content) else { continue };
        let mut checkpoints = record.checkpoints.iter().rev();
        let checkpoint = checkpoints.find(|checkpoint| checkpoint.input.contains_key(content.name()));
        let manifest = checkpoint.and_then(|checkpoint| checkpoint.input.get(content.name()));
        let listed_at = checkpoint.and_then(|checkpoint| file_identity::nanoseconds(&checkpoint.listed_at));
        let listed_at = listed_at.unwrap_or(i128::MIN);
        let none = Manifest::default();
        let diff = InputDiff::new(source, listing, manifest.unwrap_or(&none), listed_at, |_| true);
        let last_known_day = manifest.and_then(last_day);
        let name_and_size = |index: usize| {
            listing.files.get(index).map(|file| (file_identity::name(source, file), file.size)).unwrap_or_default()
        };
        let days = listing.files.iter().filter_map(|file| path_dates::day(&file_identity::name(source, file)));
        let mut changes = InputChanges {
            location: source.shown.clone(),
            unchanged: diff.unchanged.len() as u64,
            last_day: days.max().map(|day| day.to_string()),
            ..InputChanges::default()
        };
        for index in &diff.new {
            let (name, bytes) = name_and_size(*index);
            changes.new.add(&name, bytes);
            if path_dates::day(&name).is_some_and(|day| last_known_day.is_some_and(|last| day <= last)) {
                changes.late.add(&name, bytes);
            }
        }
        for (index, _) in &diff.changed {
            let (name, bytes) = name_and_size(*index);
            changes.changed.add(&name, bytes);
        }
        for (name, entry) in &diff.missing {
            let files = if entry.copy.is_some() { &mut changes.kept } else { &mut changes.gone };
            files.add(name, entry.size);
        }
        all_changes.insert(content.name(), changes);
    }
    all_changes
}
