//! Whether what was read is good enough to be published.
//!
//! The rules of the bad-input catalogue on whole runs: every record accounted for, not too many of them bad, and at
//! least one usable. It changes nothing.
//!
//! Invariant: a run that passes has loaded something from every content it needed.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::input::input_files::InputFiles;
use crate::input::list::{InputFile, Listing};
use crate::input::sources::{Content, JobSpec};
use crate::input::{duplicate_files, file_identity};
use crate::lake::checkpoint::Manifest;
use crate::lake::commit_record::CommitRecord;
use crate::lake::read_summary::ReadSummary;
use crate::quality::input_stats::InputStats;
use crate::quality::read_stats::ReadStats;

/// Accepts or refuses what the tables are to be made from: what was read, and what earlier runs have read.
///
/// # Errors
/// [`ErrorKind::DataRefused`], naming the first bad record; [`ErrorKind::Internal`] when the books do not balance.
pub fn accept(
    spec: &JobSpec,
    inputs: &InputFiles,
    stats: &InputStats,
    outcome: &ReadSummary,
    ledgers: &BTreeMap<String, Manifest>,
) -> Result<()> {
    for (content, listing) in inputs.each() {
        let account = stats.of(content);
        let source = match content {
            Content::Songs => &spec.songs,
            Content::Logs => &spec.logs,
        };
        let Some(source) = source else { continue };
        let records = outcome.records.get(content.name()).copied().unwrap_or_default();
        if let Some(count) = account.files.iter().find(|count| !count.is_balanced()) {
            let file = listing.shown(count.file).unwrap_or_default();
            return Err(Error::new(ErrorKind::Internal, format!("the records of {file} do not add up")));
        }
        // A song that is there twice is one song; a play that is there twice would be two.
        if content == Content::Logs && !spec.config.allow_duplicates {
            let ledger = ledgers.get(content.name());
            let has_records = |file: &InputFile| {
                let known = ledger.and_then(|ledger| ledger.files.get(&file_identity::name(source, file)));
                known.is_some_and(|file| file.read() > 0)
            };
            refuse_duplicates(listing, account, has_records)?;
        }
        let first = account.first.first().and_then(|located| {
            let file = listing.shown(located.file)?;
            Some(format!("the first is in {file} at byte {}: {}", located.offset, located.reason))
        });
        if records.loaded == 0 {
            let what = match content {
                Content::Songs => "song",
                Content::Logs => "NextSong event",
            };
            let cause = first.unwrap_or_else(|| format!("{} files hold {} records", listing.files.len(), records.read));
            return Err(Error::new(ErrorKind::DataRefused, format!("no usable {what} in {}", source.shown))
                .cause(cause)
                .hint(with_place("is this the right folder? the tables are as they were", stats)));
        }
        let allowed = spec.config.max_bad.allowed(records.read);
        if records.quarantined > allowed {
            return Err(Error::new(
                ErrorKind::DataRefused,
                format!(
                    "{} of {} records in {} are bad, more than the {allowed} allowed",
                    records.quarantined, records.read, source.shown
                ),
            )
            .cause(first.unwrap_or_default())
            .hint(with_place("repair the input, or raise --max-bad (a number or a share such as 5%)", stats)));
        }
    }
    Ok(())
}

/// Refuses a file that is there twice.
fn refuse_duplicates(listing: &Listing, account: &ReadStats, has_records: impl Fn(&InputFile) -> bool) -> Result<()> {
    let counts = |file: usize| listing.files.get(file).is_some_and(&has_records);
    let Some((file, other)) = duplicate_files::first(listing, &account.heads, counts)? else {
        return Ok(());
    };
    let (file, other) = (listing.shown(file).unwrap_or_default(), listing.shown(other).unwrap_or_default());
    Err(Error::new(ErrorKind::DataRefused, format!("{file} is the same as {other}: duplicate_input"))
        .hint("remove one of them; or say --allow-duplicates, and its plays count twice")
        .context("path", file))
}

/// Refuses an input that is less than half of what it was: the rest has probably not arrived.
///
/// # Errors
/// [`ErrorKind::DataRefused`], with the numbers.
pub fn must_not_shrink(spec: &JobSpec, inputs: &InputFiles, newest: Option<&CommitRecord>) -> Result<()> {
    let Some(newest) = newest.filter(|_| !spec.config.allow_shrink) else { return Ok(()) };
    for ((content, listing), source) in inputs.each().into_iter().zip([&spec.songs, &spec.logs]) {
        let (Some(source), Some(before)) = (source, newest.manifest(content.name())) else { continue };
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

/// A hint that also says where the rejects are.
fn with_place(hint: &str, stats: &InputStats) -> String {
    match &stats.quarantine {
        Some(place) => format!("{hint}; the bad records are in {place}"),
        None => hint.to_owned(),
    }
}
