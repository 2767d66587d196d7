//! The quality gate: is the input good enough to be published?
//!
//! It checks what the tables of a run are made from: every record is counted, no event log counts twice, not too many
//! records are bad, at least one record is usable, and the input has not shrunk to less than half. The reasons for bad
//! records and files are listed in `docs/bad_input.md`. The gate reads the counts and changes nothing.
//!
//! Invariant: a run that passes has loaded something from every content that it needs.

use std::collections::{BTreeMap, HashMap};

use crate::error::{Error, ErrorKind, Result};
use crate::input::file_identity;
use crate::input::fingerprint::Fingerprint;
use crate::input::input_files::InputFiles;
use crate::input::list::Listing;
use crate::input::sources::{Content, JobSpec, Source};
use crate::lake::checkpoint::Manifest;
use crate::lake::commit_record::CommitRecord;
use crate::lake::read_summary::ReadSummary;
use crate::quality::input_hints;
use crate::quality::input_stats::InputStats;
use crate::quality::read_stats::ReadStats;

/// Accepts or rejects the input of the tables: the files that this run has read, and those that earlier runs have read.
/// `newest` is the newest version of the lake.
///
/// # Errors
/// [`ErrorKind::DataRefused`], which names the first bad record; [`ErrorKind::Internal`] if a record was not counted.
pub fn accept(
    spec: &JobSpec,
    inputs: &InputFiles,
    stats: &InputStats,
    summary: &ReadSummary,
    manifests: &BTreeMap<String, Manifest>,
    newest: Option<&CommitRecord>,
) -> Result<()> {
    must_not_shrink(spec, inputs, manifests, newest)?;
    for (content, listing) in inputs.each() {
        let Some(source) = spec.source(content) else { continue };
        let read = stats.of(content);
        must_be_balanced(listing, read)?;
        // Two copies of a song are one song; two copies of a play would be two plays.
        if content == Content::Logs && !spec.config.allow_duplicates {
            manifests.get(content.name()).map_or(Ok(()), |manifest| refuse_duplicates(source, listing, manifest))?;
        }
        let first_reject = read.first.values().flatten().next().and_then(|reject| {
            let file = listing.shown(reject.file)?;
            Some(format!("the first bad record is in {file} at byte {}: {}", reject.offset, reject.reason))
        });
        let records = summary.records.get(content.name()).copied().unwrap_or_default();
        if records.loaded == 0 {
            let cause =
                first_reject.unwrap_or_else(|| format!("files: {}, records: {}", listing.files.len(), records.read));
            return Err(nothing_usable(content, source).cause(cause).hint(with_quarantine(
                &format!("{}; no table was changed", input_hints::nothing_usable(content, read)),
                stats,
            )));
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
            .cause(first_reject.unwrap_or_default())
            .hint(with_quarantine("repair the input, or raise --max-bad (a number, or a share such as 5%)", stats)));
        }
    }
    Ok(())
}

/// Checks that the records of each file were either loaded, filtered, or rejected.
fn must_be_balanced(listing: &Listing, read: &ReadStats) -> Result<()> {
    let Some(count) = read.files.iter().find(|count| !count.is_balanced()) else { return Ok(()) };
    let file = listing.shown(count.file).unwrap_or_default();
    Err(Error::new(ErrorKind::Internal, format!("the record counts of {file} do not add up")))
}

/// Refuses two event logs with the same content, in any compression. Files without records are not duplicates.
fn refuse_duplicates(source: &Source, listing: &Listing, manifest: &Manifest) -> Result<()> {
    let mut seen: HashMap<Fingerprint, usize> = HashMap::new();
    for (index, file) in listing.files.iter().enumerate() {
        let entry = manifest.files.get(&file_identity::name(source, file)).filter(|entry| entry.read() > 0);
        let Some(other) = entry.and_then(|entry| seen.insert(entry.content?, index)) else { continue };
        let (file, other) = (listing.shown(index).unwrap_or_default(), listing.shown(other).unwrap_or_default());
        return Err(Error::new(
            ErrorKind::DataRefused,
            format!("{file} has the same content as {other}: duplicate_input"),
        )
        .hint("remove one of the two files, or set --allow-duplicates to count its plays twice")
        .context("path", file));
    }
    Ok(())
}

fn nothing_usable(content: Content, source: &Source) -> Error {
    let record = match content {
        Content::Songs => "song",
        Content::Logs => "NextSong event",
    };
    Error::new(ErrorKind::DataRefused, format!("no usable {record} in {}", source.shown))
}

/// Refuses an input of less than half of its previous size: most often, the rest has not arrived yet.
fn must_not_shrink(
    spec: &JobSpec,
    inputs: &InputFiles,
    manifests: &BTreeMap<String, Manifest>,
    newest: Option<&CommitRecord>,
) -> Result<()> {
    let Some(newest) = newest.filter(|_| !spec.config.allow_shrink) else { return Ok(()) };
    let folders = spec.config.table_folders();
    for (content, listing) in inputs.each() {
        let before = newest.inputs_of(&folders).find_map(|checkpoint| checkpoint.input.get(content.name()));
        let now = manifests.get(content.name());
        let (Some(source), Some(before), Some(now)) = (spec.source(content), before, now) else { continue };
        let bytes_before: u64 = before.files.values().map(|file| file.size).sum();
        let (files_before, files, bytes) = (before.files.len(), listing.files.len(), listing.bytes());
        // Fewer files may be joined files, and fewer bytes compressed files. Fewer of both may be both, so the records
        // decide.
        if files >= files_before.div_ceil(2)
            || bytes >= bytes_before.div_ceil(2)
            || now.records() >= before.records().div_ceil(2)
        {
            continue;
        }
        return Err(Error::new(
            ErrorKind::DataRefused,
            format!("{} contains less than half of the input of version {} of the lake", source.shown, newest.version),
        )
        .cause(format!("now {files} files with {bytes} bytes, before {files_before} files with {bytes_before} bytes"))
        .hint(
            "check that all of the input is there; if it is complete, set --allow-shrink, which removes the rows that \
               are missing from it permanently; no table was changed",
        )
        .context("path", source.shown.clone()));
    }
    Ok(())
}

/// A hint that also shows the folder of the rejected records.
fn with_quarantine(hint: &str, stats: &InputStats) -> String {
    match &stats.quarantine {
        Some(folder) => format!("{hint}; the rejected records are in {folder}"),
        None => hint.to_owned(),
    }
}
