//! The ledger of a run: which files went in, and what became of their records. Kept in the log, compared by the next.
//!
//! Invariant: the ledger names every file of the listing once, and its counts are those of the account.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::UnknownKeys;
use crate::incremental::retained_input::RetainedFiles;
use crate::input::file_identity;
use crate::input::input_files::InputFiles;
use crate::input::sources::{Content, JobSpec};
use crate::lake::checkpoint::{Checkpoint, Manifest, ManifestEntry};
use crate::lake::commit_record::CommitRecord;
use crate::lake::read_summary::{BadFile, LocatedReject, ReadSummary, Records};
use crate::quality::input_stats::InputStats;

/// What went in, by content: of files that were read by `run` what reading told, of others what `base` knows. `head` is
/// the newest version: where a run finds what an earlier one has found, the earlier one's rejects stay the ones to see.
#[must_use]
pub fn build(
    spec: &JobSpec,
    inputs: &InputFiles,
    stats: &InputStats,
    (base, head): (Option<&Checkpoint>, Option<&CommitRecord>),
    copies: &RetainedFiles,
    run: &str,
) -> BTreeMap<String, Manifest> {
    let mut ledgers = BTreeMap::new();
    let mut months = stats.months.iter().peekable();
    for (content, listing) in inputs.each() {
        let account = stats.of(content);
        let Some(source) = spec.source(content) else { continue };
        let known = base.and_then(|base| base.input.get(content.name()));
        let before = head.and_then(|head| head.manifest(content.name()));
        let selection = inputs.selection(content);
        let mut selected = selection.iter().peekable();
        let mut counts = account.files.iter().peekable();
        let mut bad = account.bad_files.iter().peekable();
        let files = listing.files.iter().enumerate().map(|(index, file)| {
            let name = file_identity::name(source, file);
            let is_read = selected.next_if_eq(&&index).is_some();
            let copy = copies.of(content).get(&name).cloned();
            if let (false, Some(entry)) = (is_read, known.and_then(|known| known.files.get(&name))) {
                return (name, ManifestEntry { copy, ..entry.clone() });
            }
            let count = counts.next_if(|count| count.file == index).copied().unwrap_or_default();
            let remarks = account.remarks.get(&index).cloned().unwrap_or_default();
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
                bad: bad.next_if(|(file, _)| *file == index).map(|(_, reason)| reason.to_string()),
                months: BTreeSet::new(),
                copy,
            };
            if content == Content::Logs {
                while let Some((_, month)) = months.next_if(|(file, _)| *file == index) {
                    entry.months.insert(month.to_string());
                }
            }
            if entry.quarantined > 0 || entry.bad.is_some() {
                let before = before.and_then(|before| before.files.get(&name));
                let rejects = before.and_then(|before| before.rejects.clone());
                entry.rejects =
                    rejects.filter(|rejects| before.is_some_and(|before| found_the_same(before, &entry, rejects)));
                entry.rejects.get_or_insert_with(|| run.to_owned());
            }
            (name, entry)
        });
        let files = files.collect();
        ledgers.insert(content.name().to_owned(), Manifest { location: file_identity::location(source), files });
    }
    ledgers
}

/// Whether reading has told what it told before, when `rejects` were written.
fn found_the_same(before: &ManifestEntry, now: &ManifestEntry, rejects: &str) -> bool {
    let (rejects, copy) = (Some(rejects.to_owned()), before.copy.clone());
    *before == ManifestEntry { rejects, copy, ..now.clone() }
}

/// How many rejects of a content are told with their place.
const LOCATED: usize = 20;

/// What the ledgers add up to, and the first rejects; plays and partitions are for others to say. `before` is what the
/// base's last run told.
#[must_use]
pub fn summarize(
    spec: &JobSpec,
    inputs: &InputFiles,
    stats: &InputStats,
    ledgers: &BTreeMap<String, Manifest>,
    before: Option<&ReadSummary>,
) -> ReadSummary {
    let mut outcome = ReadSummary { quarantine: stats.quarantine.clone(), ..ReadSummary::default() };
    for (content, listing) in inputs.each() {
        let account = stats.of(content);
        let (Some(source), Some(ledger)) = (spec.source(content), ledgers.get(content.name())) else { continue };
        let (mut records, mut reasons, mut unknown) = (Records::default(), BTreeMap::new(), UnknownKeys::default());
        let (mut coerced, mut silent) = (0, 0);
        for file in ledger.files.values() {
            records.read += file.read();
            records.loaded += file.loaded;
            records.filtered += file.filtered;
            records.quarantined += file.quarantined;
            coerced += file.coerced;
            silent += u64::from(file.read() == 0 && file.bad.is_none());
            for (reason, count) in &file.reasons {
                *reasons.entry(reason.clone()).or_default() += count;
            }
            file.unknown_keys.iter().for_each(|(key, count)| unknown.add(key, *count));
        }
        let name = || content.name().to_owned();
        outcome.records.insert(name(), records);
        outcome.reasons.insert(name(), reasons);
        outcome.coerced.insert(name(), coerced);
        outcome.unknown_keys.insert(name(), unknown.iter().map(|(key, count)| (key.to_owned(), count)).collect());
        outcome.silent.insert(name(), silent);
        if content == Content::Logs {
            outcome.filtered.insert("page".to_owned(), records.filtered);
        }
        // Bad records and bad files are few: only theirs are looked for.
        let mut rejects: Vec<(usize, LocatedReject)> = Vec::new();
        let selection = inputs.selection(content);
        for (index, file) in listing.files.iter().enumerate() {
            let Some(known) = ledger.files.get(&file_identity::name(source, file)) else { continue };
            if known.quarantined == 0 && known.bad.is_none() {
                continue;
            }
            let shown = listing.shown(index).unwrap_or_default();
            if let Some(reason) = &known.bad {
                outcome.bad_files.push(BadFile { file: shown.clone(), reason: reason.clone() });
            }
            if selection.binary_search(&index).is_err()
                && let Some(before) = before
            {
                let told = before.rejects.iter().filter(|reject| reject.file == shown);
                rejects.extend(told.map(|reject| (index, reject.clone())));
                if outcome.quarantine.is_none() {
                    outcome.quarantine.clone_from(&before.quarantine);
                }
            }
        }
        rejects.extend(account.first.iter().filter_map(|located| {
            let reject = LocatedReject {
                file: listing.shown(located.file)?,
                line: account.line(located),
                offset: located.offset,
                reason: located.reason.to_string(),
                key: located.key.clone(),
            };
            Some((located.file, reject))
        }));
        rejects.sort_by_key(|(file, reject)| (*file, reject.offset));
        outcome.rejects.extend(rejects.into_iter().take(LOCATED).map(|(_, reject)| reject));
    }
    outcome
}
