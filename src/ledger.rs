//! The ledger of a run: which files went in, and what became of their records. Kept in the log, compared by the next.
//!
//! Invariant: the ledger names every file of the listing once, and its counts are those of the account.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;

use crate::archive::Copies;
use crate::commit::base::{Base, Ledger, LedgerFile};
use crate::commit::record::Record;
use crate::decode::UnknownKeys;
use crate::discover::{InputFile, Version};
use crate::error::{Error, ErrorKind, Result};
use crate::judge::Inputs;
use crate::outcome::{BadFile, LocatedReject, Outcome, Records};
use crate::plan::{Content, Plan, Source};
use crate::store::{Location, resolved};

/// What went in, by content: of files that were read by `run` what reading told, of others what `base` knows. `head` is
/// the newest version: where a run finds what an earlier one has found, the earlier one's rejects stay the ones to see.
#[must_use]
pub fn of(
    plan: &Plan,
    inputs: &Inputs,
    (base, head): (Option<&Base>, Option<&Record>),
    copies: &Copies,
    run: &str,
) -> BTreeMap<String, Ledger> {
    let mut ledgers = BTreeMap::new();
    let mut months = inputs.months.iter().peekable();
    for (content, listing, account) in inputs.each() {
        let Some(source) = plan.source(content) else { continue };
        let known = base.and_then(|base| base.input.get(content.name()));
        let before = head.and_then(|head| head.ledger(content.name()));
        let selection = inputs.selection(content);
        let mut selected = selection.iter().peekable();
        let mut counts = account.files.iter().peekable();
        let mut bad = account.bad_files.iter().peekable();
        let files = listing.files.iter().enumerate().map(|(index, file)| {
            let name = name(source, file);
            let is_read = selected.next_if_eq(&&index).is_some();
            let copy = copies.of(content).get(&name).cloned();
            if let (false, Some(entry)) = (is_read, known.and_then(|known| known.files.get(&name))) {
                return (name, LedgerFile { copy, ..entry.clone() });
            }
            let count = counts.next_if(|count| count.file == index).copied().unwrap_or_default();
            let remarks = account.remarks.get(&index).cloned().unwrap_or_default();
            let mut entry = LedgerFile {
                size: file.size,
                version: version(file),
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
        ledgers.insert(content.name().to_owned(), Ledger { location: location(source), files });
    }
    ledgers
}

/// Whether reading has told what it told before, when `rejects` were written.
fn found_the_same(before: &LedgerFile, now: &LedgerFile, rejects: &str) -> bool {
    let (rejects, copy) = (Some(rejects.to_owned()), before.copy.clone());
    *before == LedgerFile { rejects, copy, ..now.clone() }
}

/// How many rejects of a content are told with their place.
const LOCATED: usize = 20;

/// What the ledgers add up to, and the first rejects; plays and partitions are for others to say. `before` is what the
/// base's last run told.
#[must_use]
pub fn outcome(plan: &Plan, inputs: &Inputs, ledgers: &BTreeMap<String, Ledger>, before: Option<&Outcome>) -> Outcome {
    let mut outcome = Outcome { quarantine: inputs.quarantine.clone(), ..Outcome::default() };
    for (content, listing, account) in inputs.each() {
        let (Some(source), Some(ledger)) = (plan.source(content), ledgers.get(content.name())) else { continue };
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
            let Some(known) = ledger.files.get(&self::name(source, file)) else { continue };
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

/// Whether a listed file is the one that the ledger knows; `listed_at` is when the ledger's files were listed.
///
/// A file counts as changed whose time is behind the listing, or so coarse that a change behind it may have got the same.
#[must_use]
pub fn is_same(known: &LedgerFile, file: &InputFile, listed_at: i128) -> bool {
    known.size == file.size && known.version == version(file) && is_settled(file, listed_at)
}

/// How long a file's time may stay the same while it changes: a tick of the kernel, and more.
const TICK: Duration = Duration::from_millis(20);

/// Waits for a tick if a file changed so shortly before the run that a change behind its listing could get the same
/// time. Reading begins behind that tick, so what is read is what that time means from then on.
#[expect(clippy::disallowed_methods, reason = "once in a run, and shorter than the time to notice Ctrl-C")]
pub fn outwait_fresh_files(inputs: &Inputs, started_at: &str) {
    let Some(started_at) = nanoseconds(started_at) else { return };
    let is_fresh = |file: &InputFile| matches!(&file.version, Version::Modified(time) if *time > started_at - TICK_NS);
    if inputs.each().iter().any(|(_, listing, _)| listing.files.iter().any(is_fresh)) {
        std::thread::sleep(TICK);
    }
}

const TICK_NS: i128 = TICK.as_nanos().cast_signed();
const SECOND: i128 = 1_000_000_000;

/// Whether a later change of the file must have another time, or tag; `listed_at` is cut to milliseconds.
fn is_settled(file: &InputFile, listed_at: i128) -> bool {
    match &file.version {
        // A clock that ticks in whole seconds, or in two of them.
        Version::Modified(time) if time % SECOND == 0 => *time <= listed_at - 2 * SECOND,
        Version::Modified(time) => *time <= listed_at + SECOND / 1000,
        Version::Tag(_) => true,
    }
}

/// A time of a record, in nanoseconds since 1970.
#[must_use]
pub fn nanoseconds(time: &str) -> Option<i128> {
    DateTime::parse_from_rfc3339(time).ok()?.timestamp_nanos_opt().map(i128::from)
}

/// Refuses an input that is less than half of what it was: the rest has probably not arrived.
///
/// # Errors
/// [`ErrorKind::DataRefused`], with the numbers.
pub fn must_not_shrink(plan: &Plan, inputs: &Inputs, newest: Option<&Record>) -> Result<()> {
    let Some(newest) = newest.filter(|_| !plan.config.allow_shrink) else { return Ok(()) };
    for ((content, listing, _), source) in inputs.each().into_iter().zip([&plan.songs, &plan.logs]) {
        let (Some(source), Some(before)) = (source, newest.ledger(content.name())) else { continue };
        let bytes_before: u64 = before.files.values().map(|file| file.size).sum();
        let (files_before, files, bytes) = (before.files.len(), listing.files.len(), listing.bytes());
        // Fewer files may be joined ones, fewer bytes compressed ones; less of both is less input.
        if files >= files_before.div_ceil(2) || bytes >= bytes_before.div_ceil(2) {
            continue;
        }
        return Err(Error::new(
            ErrorKind::DataRefused,
            format!(
                "{} holds less than half of what version {} of the lake was made from",
                source.shown, newest.version
            ),
        )
        .cause(format!("{files} files with {bytes} bytes, then {files_before} with {bytes_before}"))
        .hint("is all of the input there? if so, say --allow-shrink; the tables are as they were")
        .context("path", source.shown.clone()));
    }
    Ok(())
}

/// What tells two states of a file apart, as text.
fn version(file: &InputFile) -> String {
    match &file.version {
        Version::Modified(nanoseconds) => nanoseconds.to_string(),
        Version::Tag(tag) => tag.0.to_string(),
    }
}

/// Where a source lies, spelt in one way.
#[must_use]
pub fn location(source: &Source) -> String {
    match &source.root {
        Location::Local(root) => resolved(root).to_string_lossy().into_owned(),
        root @ Location::Object(_) => root.to_string(),
    }
}

/// The path of a file below its source.
#[must_use]
pub fn name(source: &Source, file: &InputFile) -> String {
    let root = match &source.root {
        Location::Local(root) => root.as_path(),
        Location::Object(root) => Path::new(&root.key),
    };
    let bytes = match below(&file.path, root) {
        // A source may be the file itself.
        [] => file.path.file_name().map_or(&[][..], OsStr::as_encoded_bytes),
        below => below,
    };
    str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned)
}

/// The part of a path below a folder. The names of all files are asked for more than once in a run, and listed paths
/// begin with their root as it is spelt.
fn below<'p>(path: &'p Path, root: &Path) -> &'p [u8] {
    let (bytes, start) = (path.as_os_str().as_encoded_bytes(), root.as_os_str().as_encoded_bytes());
    match bytes.strip_prefix(start) {
        Some(rest) if rest.first() == Some(&b'/') => {
            let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
            rest.get(slashes..).unwrap_or_default()
        }
        _ => path.strip_prefix(root).unwrap_or(path).as_os_str().as_encoded_bytes(),
    }
}
