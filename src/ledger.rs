//! The ledger of a run: which files went in, and what became of their records. Kept in the log, compared by the next.
//!
//! Invariant: the ledger names every file of the listing once, and its counts are those of the account.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;

use crate::commit::record::{Ledger, LedgerFile, Record};
use crate::discover::{InputFile, Version};
use crate::error::{Error, ErrorKind, Result};
use crate::judge::Inputs;
use crate::plan::{Plan, Source};
use crate::store::{Location, resolved};

/// What went in, by content.
#[must_use]
pub fn of(plan: &Plan, inputs: &Inputs) -> BTreeMap<String, Ledger> {
    let mut ledgers = BTreeMap::new();
    for ((content, listing, account), source) in inputs.each().into_iter().zip([&plan.songs, &plan.logs]) {
        let Some(source) = source else { continue };
        let mut counts = account.files.iter().peekable();
        let files = listing.files.iter().enumerate().map(|(index, file)| {
            let count = counts.next_if(|count| count.file == index).copied().unwrap_or_default();
            let entry = LedgerFile {
                size: file.size,
                version: version(file),
                loaded: count.loaded,
                filtered: count.filtered,
                quarantined: count.quarantined,
            };
            (name(source, file), entry)
        });
        ledgers.insert(content.name().to_owned(), Ledger { location: location(source), files: files.collect() });
    }
    ledgers
}

/// Whether what is listed is, file by file, what the version was made from.
///
/// A file counts as changed whose time is behind the listing, or so coarse that a change behind it may have got the same.
#[must_use]
pub fn is_same(plan: &Plan, inputs: &Inputs, record: &Record) -> bool {
    let Some(listed_at) = nanoseconds(&record.committed_at) else { return false };
    inputs.each().into_iter().zip([&plan.songs, &plan.logs]).all(|((content, listing, _), source)| {
        let Some(source) = source else { return true };
        let Some(known) = record.input.get(content.name()) else { return false };
        let is_same = |file: &InputFile| {
            let known = known.files.get(&name(source, file));
            known.is_some_and(|known| known.size == file.size && known.version == version(file))
                && is_settled(file, listed_at)
        };
        known.location == location(source)
            && known.files.len() == listing.files.len()
            && listing.files.iter().all(is_same)
    })
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

fn nanoseconds(time: &str) -> Option<i128> {
    DateTime::parse_from_rfc3339(time).ok()?.timestamp_nanos_opt().map(i128::from)
}

/// Refuses an input that is less than half of what it was: the rest has probably not arrived.
///
/// # Errors
/// [`ErrorKind::DataRefused`], with the numbers.
pub fn must_not_shrink(plan: &Plan, inputs: &Inputs, newest: Option<&Record>) -> Result<()> {
    let Some(newest) = newest.filter(|_| !plan.config.allow_shrink) else { return Ok(()) };
    for ((content, listing, _), source) in inputs.each().into_iter().zip([&plan.songs, &plan.logs]) {
        let (Some(source), Some(before)) = (source, newest.input.get(content.name())) else { continue };
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

fn version(file: &InputFile) -> String {
    match &file.version {
        Version::Modified(nanoseconds) => nanoseconds.to_string(),
        Version::Tag(tag) => tag.0.to_string(),
    }
}

fn location(source: &Source) -> String {
    match &source.root {
        Location::Local(root) => resolved(root).to_string_lossy().into_owned(),
        root @ Location::Object(_) => root.to_string(),
    }
}

/// The path of a file below its source.
fn name(source: &Source, file: &InputFile) -> String {
    let root = match &source.root {
        Location::Local(root) => root.as_path(),
        Location::Object(root) => Path::new(&root.key),
    };
    let below = file.path.strip_prefix(root).unwrap_or(&file.path);
    // A source may be the file itself.
    let below = if below.as_os_str().is_empty() { file.path.file_name().map_or(below, Path::new) } else { below };
    let bytes = below.as_os_str().as_encoded_bytes();
    str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned)
}
