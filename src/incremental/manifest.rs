//! Builds the manifests of a run: its input files, with the counts of their records. The commit record stores them, and
//! the next run compares its input with them.
//!
//! Invariant: a manifest contains every listed file once, and its counts are those of the read statistics.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::UnknownKeys;
use crate::incremental::retained_input::RetainedFiles;
use crate::input::file_identity;
use crate::input::fingerprint::Fingerprint;
use crate::input::input_files::InputFiles;
use crate::input::sources::{Content, JobSpec};
use crate::lake::checkpoint::{Checkpoint, Manifest, ManifestEntry};
use crate::lake::commit_record::CommitRecord;
use crate::lake::read_summary::{BadFile, LocatedReject, ReadSummary, Records};
use crate::quality::input_stats::InputStats;

/// Upper bound for the rejects of a content that the summary lists.
const MAX_LOCATED_REJECTS: usize = 20;

/// Everything that the manifests of a run follow from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ManifestBuilder<'m> {
    pub(crate) spec: &'m JobSpec,
    pub(crate) inputs: &'m InputFiles,
    pub(crate) stats: &'m InputStats,
    /// The checkpoint of an incremental run: it has the entries of the files that were not read.
    pub(crate) checkpoint: Option<&'m Checkpoint>,
    /// The newest version of the lake.
    pub(crate) head: Option<&'m CommitRecord>,
    pub(crate) retained: &'m RetainedFiles,
    pub(crate) run_id: &'m str,
}

impl ManifestBuilder<'_> {
    /// Builds the manifest of each content.
    ///
    /// If reading a file gave the same result as in an earlier run, the entry refers to the rejects of that run.
    pub(crate) fn build(&self) -> BTreeMap<String, Manifest> {
        let Self { spec, inputs, stats, .. } = *self;
        let mut manifests = BTreeMap::new();
        let mut months = stats.months.iter().peekable();
        for (content, listing) in inputs.each() {
            let read_stats = stats.of(content);
            let Some(source) = spec.source(content) else { continue };
            let known = self.checkpoint.and_then(|checkpoint| checkpoint.input.get(content.name()));
            let newest = self.head.and_then(|head| head.manifest(content.name()));
            let is_logs = content == Content::Logs;
            let selection = inputs.selection(content);
            let mut selected = selection.iter().peekable();
            let mut counts = read_stats.files.iter().peekable();
            let contents = read_stats.parts.fingerprints();
            let retained = self.retained.of(content);
            let mut bad = read_stats.bad_files.iter().peekable();
            let files = listing.files.iter().enumerate().map(|(index, file)| {
                let name = file_identity::name(source, file);
                let was_read = selected.next_if_eq(&&index).is_some();
                let copied = retained.get(&name);
                let copy = copied.map(|retained| retained.copy.clone());
                let content = copied.map(|retained| retained.content);
                if let (false, Some(entry)) = (was_read, known.and_then(|known| known.files.get(&name))) {
                    return (name, ManifestEntry { copy, content: content.or(entry.content), ..entry.clone() });
                }
                let count = counts.next_if(|count| count.file == index).copied().unwrap_or_default();
                let remarks = read_stats.remarks.get(&index).cloned().unwrap_or_default();
                let mut entry = ManifestEntry {
                    size: file.size,
                    version: file_identity::version(file),
                    loaded: count.loaded,
                    filtered: count.filtered,
                    quarantined: count.quarantined,
                    coerced: count.coerced,
                    reasons: remarks.reasons,
                    unknown_keys: remarks.unknown_keys.iter().map(|(key, count)| (key.to_owned(), count)).collect(),
                    rejects: None,
                    first_rejects: read_stats.first_rejects(index).map(|reject| read_stats.example(reject)).collect(),
                    bad: bad.next_if(|(file, _)| *file == index).map(|(_, reason)| reason.to_string()),
                    content: same_content(contents.get(&index).copied(), content),
                    months: BTreeSet::new(),
                    copy,
                };
                if is_logs {
                    while let Some((_, month)) = months.next_if(|(file, _)| *file == index) {
                        entry.months.insert(month.to_string());
                    }
                }
                if entry.quarantined > 0 || entry.bad.is_some() {
                    let earlier = newest.and_then(|newest| newest.files.get(&name));
                    entry.rejects = Some(self.run_with_rejects(earlier, &entry));
                }
                (name, entry)
            });
            let files = files.collect();
            manifests.insert(content.name().to_owned(), Manifest { location: file_identity::location(source), files });
        }
        manifests
    }

    /// The run whose quarantine has the rejects of a file: an earlier run, if it found the same, otherwise this run.
    fn run_with_rejects(&self, earlier: Option<&ManifestEntry>, entry: &ManifestEntry) -> String {
        let found_the_same = |earlier: &&ManifestEntry| {
            let (rejects, copy) = (earlier.rejects.clone(), earlier.copy.clone());
            **earlier == ManifestEntry { rejects, copy, ..entry.clone() }
        };
        let earlier_run = earlier.filter(found_the_same).and_then(|earlier| earlier.rejects.clone());
        earlier_run.unwrap_or_else(|| self.run_id.to_owned())
    }
}

/// The content of a file, as it was read and as it was copied. A log that grew in between has two contents: then none is
/// stored, and the next run reads the file again.
fn same_content(read: Option<Fingerprint>, copied: Option<Fingerprint>) -> Option<Fingerprint> {
    match (read, copied) {
        (Some(read), Some(copied)) => Some(read).filter(|_| read == copied),
        (read, copied) => read.or(copied),
    }
}

/// Sums up the manifests and adds the first rejects. The counts of plays and partitions are added later. `before` is
/// the summary of the last run, if this run is incremental.
pub(crate) fn summarize(
    spec: &JobSpec,
    inputs: &InputFiles,
    stats: &InputStats,
    manifests: &BTreeMap<String, Manifest>,
    before: Option<&ReadSummary>,
) -> ReadSummary {
    let mut summary = ReadSummary { quarantine: stats.quarantine.clone(), ..ReadSummary::default() };
    for (content, listing) in inputs.each() {
        let (Some(source), Some(manifest)) = (spec.source(content), manifests.get(content.name())) else { continue };
        add_counts(&mut summary, content, manifest);
        // Few files have rejects, and usually none has.
        let has_rejects = |entry: &ManifestEntry| entry.quarantined > 0 || entry.bad.is_some();
        if !manifest.files.values().any(has_rejects) {
            continue;
        }
        let mut rejects: Vec<LocatedReject> = Vec::new();
        let selection = inputs.selection(content);
        for (index, file) in listing.files.iter().enumerate() {
            let entry = manifest.files.get(&file_identity::name(source, file));
            let Some(entry) = entry.filter(|entry| has_rejects(entry)) else { continue };
            let shown = listing.shown(index).unwrap_or_default();
            if let Some(reason) = &entry.bad {
                summary.bad_files.push(BadFile { file: shown.clone(), reason: reason.clone() });
            }
            rejects.extend(entry.first_rejects.iter().map(|reject| reject.located(&shown)));
            if selection.binary_search(&index).is_err()
                && let Some(before) = before
            {
                if entry.first_rejects.is_empty() {
                    rejects.extend(before.rejects.iter().filter(|reject| reject.file == shown).cloned());
                }
                if summary.quarantine.is_none() {
                    summary.quarantine.clone_from(&before.quarantine);
                }
            }
        }
        summary.rejects.extend(rejects.into_iter().take(MAX_LOCATED_REJECTS));
    }
    summary
}

/// Adds the counts of one content's manifest to a summary.
fn add_counts(summary: &mut ReadSummary, content: Content, manifest: &Manifest) {
    let (mut records, mut reasons, mut unknown_keys) = (Records::default(), BTreeMap::new(), UnknownKeys::default());
    let (mut coerced, mut without_records) = (0, 0);
    for entry in manifest.files.values() {
        records.read += entry.read();
        records.loaded += entry.loaded;
        records.filtered += entry.filtered;
        records.quarantined += entry.quarantined;
        coerced += entry.coerced;
        without_records += u64::from(entry.read() == 0 && entry.bad.is_none());
        for (reason, count) in &entry.reasons {
            *reasons.entry(reason.clone()).or_default() += count;
        }
        entry.unknown_keys.iter().for_each(|(key, count)| unknown_keys.add(key, *count));
    }
    let name = || content.name().to_owned();
    summary.records.insert(name(), records);
    summary.reasons.insert(name(), reasons);
    summary.coerced.insert(name(), coerced);
    let unknown_keys = unknown_keys.iter().map(|(key, count)| (key.to_owned(), count)).collect();
    summary.unknown_keys.insert(name(), unknown_keys);
    summary.silent.insert(name(), without_records);
    if content == Content::Logs {
        summary.filtered.insert("page".to_owned(), records.filtered);
    }
}
