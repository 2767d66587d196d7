//! The ledger of a run: which files went in, and what became of their records. Kept in the log, compared by the next.
//!
//! Invariant: the ledger names every file of the listing once, and its counts are those of the account.

use std::collections::BTreeMap;
use std::path::Path;

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
                version: match &file.version {
                    Version::Modified(nanoseconds) => nanoseconds.to_string(),
                    Version::Tag(tag) => tag.0.to_string(),
                },
                loaded: count.loaded,
                filtered: count.filtered,
                quarantined: count.quarantined,
            };
            (name(source, file), entry)
        });
        let location = match &source.root {
            Location::Local(root) => resolved(root).to_string_lossy().into_owned(),
            root @ Location::Object(_) => root.to_string(),
        };
        ledgers.insert(content.name().to_owned(), Ledger { location, files: files.collect() });
    }
    ledgers
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
