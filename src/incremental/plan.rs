//! Decides what a run reads: the entire input, or only what has changed since an earlier run.
//!
//! The rule: after any sequence of input changes and runs, the lake equals the lake that a full run would write now. So
//! an incremental run reuses only what follows from unchanged files alone: a partition that no new, changed or missing
//! file feeds, and whose plays match the same songs as before.
//!
//! Invariant: everything that is not proven to be unchanged is rebuilt.

use std::collections::{BTreeSet, HashSet};

use crate::config::{OnBadFile, TableFormat};
use crate::incremental::diff::InputDiff;
use crate::input::file_identity;
use crate::input::input_files::InputFiles;
use crate::input::list::Selection;
use crate::input::sources::{Content, JobSpec};
use crate::lake::checkpoint::{Checkpoint, ManifestEntry};
use crate::lake::commit_record::{CommitRecord, TableRecord};
use crate::lake::read_summary::ReadSummary;
use crate::tables::time::Month;

/// The end of the names of state files in lakes of release 0.1.0.
const OLD_STATE_SUFFIX: &str = ".parquet";

/// The input that a run reads.
#[derive(Debug)]
pub(crate) enum RunPlan<'l> {
    /// The entire input; with the reason, if the lake has tables already.
    Full(Option<String>),
    /// Only the part that has changed.
    Incremental(Box<Increment<'l>>),
}

/// The checkpoint that an incremental run starts from, and what has changed since.
#[derive(Debug)]
pub(crate) struct Increment<'l> {
    pub(crate) checkpoint: &'l Checkpoint,
    /// The summary of the last run with the same options.
    pub(crate) summary: &'l ReadSummary,
    /// The changes of the song files.
    pub(crate) songs: InputDiff<'l>,
    /// The changes of the log files.
    pub(crate) logs: InputDiff<'l>,
}

impl<'l> RunPlan<'l> {
    /// Returns the increment of an incremental run.
    pub(crate) fn increment(&self) -> Option<&Increment<'l>> {
        match self {
            Self::Full(_) => None,
            Self::Incremental(increment) => Some(increment),
        }
    }

    /// Returns the reason why the entire input is read although the lake has tables.
    pub(crate) fn full_reason(&self) -> Option<&String> {
        match self {
            Self::Full(reason) => reason.as_ref(),
            Self::Incremental(_) => None,
        }
    }
}

/// Chooses between a full and an incremental run. `head` is the newest version of the lake; `tables_match` returns true
/// if the files of the tables match it.
pub(crate) fn choose<'l>(
    spec: &JobSpec,
    inputs: &InputFiles,
    head: Option<&'l CommitRecord>,
    tables_match: impl FnOnce() -> bool,
) -> RunPlan<'l> {
    let full = |reason: &str| RunPlan::Full(Some(reason.to_owned()));
    let config = &spec.config;
    let Some(head) = head else { return RunPlan::Full(None) };
    if config.rebuild {
        return full("--rebuild is set");
    }
    if head.package != env!("CARGO_PKG_VERSION") {
        return RunPlan::Full(Some(format!("another release wrote version {} of the lake", head.version)));
    }
    if head.options != config.table_options() {
        return full("options that shape rows or files have changed");
    }
    // Readers that search the whole lake for `*.parquet` would read them as tables.
    if head.state_files().any(|file| file.name.ends_with(OLD_STATE_SUFFIX)) {
        return full("the state files of an earlier release get other names");
    }
    let folders: BTreeSet<String> = config.table_folders().into_iter().cloned().collect();
    let has_other_formats = |folder: &String| {
        let table = head.tables.get(folder);
        table.is_some_and(|table| TableFormat::ALL.iter().any(|f| table.has_format(*f) != config.publishes(*f)))
    };
    if folders.iter().any(has_other_formats) {
        return full("the table formats have changed");
    }
    let lacks_stats = |table: &TableRecord| table.files.values().any(|file| file.stats.is_none());
    let needed = config.tables.iter().filter(|table| config.needs_stats(**table));
    if needed.filter_map(|table| head.tables.get(config.folders.get(table)?)).any(lacks_stats) {
        return full("expectations need statistics of files that the lake does not have yet");
    }
    let Some(checkpoint) = head.checkpoint(&folders) else {
        return full("some tables are new, or were not written by the same run");
    };
    if !tables_match() {
        return full("files of the tables have changed since they were published");
    }
    let Some(summary) = checkpoint.summaries.get(&config.read_options()) else {
        return full("options that decide whether the input is accepted have changed");
    };
    let listed_at = file_identity::nanoseconds(&checkpoint.listed_at).unwrap_or(i128::MIN);
    let mut diffs = Vec::new();
    for (content, listing) in inputs.each() {
        let (Some(source), Some(manifest)) = (spec.source(content), checkpoint.input.get(content.name())) else {
            diffs.push(InputDiff::default());
            continue;
        };
        if manifest.location != file_identity::location(source) {
            return RunPlan::Full(Some(format!("the lake was made from another location: {}", manifest.location)));
        }
        // A file that could not be read is read again if such files are no longer accepted; a log whose content is
        // unknown, because an older release read it, is read again to know it.
        let is_usable = |entry: &ManifestEntry| match &entry.bad {
            Some(_) => config.on_bad_file == OnBadFile::Quarantine,
            None => content == Content::Songs || entry.content.is_some() || entry.read() == 0,
        };
        diffs.push(InputDiff::new(source, listing, manifest, listed_at, is_usable));
    }
    let mut diffs = diffs.into_iter();
    let (songs, logs) = (diffs.next().unwrap_or_default(), diffs.next().unwrap_or_default());
    RunPlan::Incremental(Box::new(Increment { checkpoint, summary, songs, logs }))
}

impl Increment<'_> {
    /// Returns true if the input has not changed.
    pub(crate) fn is_idle(&self) -> bool {
        self.songs.is_empty() && self.logs.is_empty()
    }

    /// Returns the months with plays of log files that have changed or are missing.
    pub(crate) fn outdated_months(&self) -> BTreeSet<Month> {
        self.logs.outdated_entries().flat_map(|entry| &entry.months).filter_map(|month| Month::parse(month)).collect()
    }

    /// Returns the unchanged log files that have to be read too: those with plays in `months`.
    pub(crate) fn unchanged_to_read(&self, months: &BTreeSet<Month>) -> Selection {
        let months: HashSet<String> = months.iter().map(ToString::to_string).collect();
        let is_needed = |entry: &ManifestEntry| entry.months.iter().any(|month| months.contains(month));
        let unchanged = self.logs.unchanged.values();
        let mut needed: Vec<usize> = unchanged.filter(|(_, entry)| is_needed(entry)).map(|(index, _)| *index).collect();
        needed.sort_unstable();
        needed.into()
    }
}
