//! Restricts the log files of a run to the days of `--since` and `--until`.

use std::collections::{BTreeSet, HashSet};

use chrono::NaiveDate;

use crate::error::{Error, ErrorKind, Result};
use crate::incremental::known_input::{self, KnownInput};
use crate::input::fingerprint::FileContent;
use crate::input::input_files::InputFiles;
use crate::input::list::{InputFile, Listing, SelectedFiles, Selection};
use crate::input::sources::{Content, JobSpec, Source};
use crate::input::{file_identity, path_dates};
use crate::lake::commit_record::CommitRecord;
use crate::runtime::context::Context;

/// Removes log files from the listing unless the day in their path is in the range, or the lake knows them already: by
/// their path, or by their content if they were moved, renamed or compressed since. Does nothing if no range is set.
///
/// # Errors
/// [`ErrorKind::NoInput`] when no log file is left; those of [`known_input::read_contents`].
pub(crate) fn restrict(
    spec: &JobSpec,
    inputs: &mut InputFiles,
    head: Option<&CommitRecord>,
    context: &Context<'_>,
) -> Result<()> {
    let days = &spec.config.days;
    let (Some(source), true) = (&spec.logs, days.start.is_some() || days.end.is_some()) else { return Ok(()) };
    let known = KnownInput::all(spec, head, Content::Logs);
    let listing = &inputs.logs;
    let (mut in_range, mut included, mut excluded) = (0_u64, BTreeSet::new(), Vec::new());
    for (index, file) in listing.files.iter().enumerate() {
        let name = file_identity::name(source, file);
        let span = path_dates::span(&name);
        let is_in_range = span.as_ref().is_some_and(|span| {
            days.end.is_none_or(|end| span.start < end) && days.start.is_none_or(|start| span.end > start)
        });
        in_range += u64::from(is_in_range);
        if is_in_range || known.iter().any(|known| known.entry(&name).is_some()) {
            included.insert(index);
        } else {
            excluded.push((index, span.is_none()));
        }
    }
    let candidates: Selection = excluded.iter().map(|(index, _)| *index).collect();
    included.extend(moved_files(source, listing, &candidates, &known, spec, context)?);
    let without_day =
        excluded.iter().filter(|(index, has_no_day)| *has_no_day && !included.contains(index)).count() as u64;
    let shown = |day: Option<NaiveDate>| day.map_or_else(|| "…".to_owned(), |day| day.to_string());
    let range = format!("{}..{}", shown(days.start), shown(days.end));
    if included.is_empty() {
        let listed = listing.files.len();
        return Err(Error::new(ErrorKind::NoInput, format!("no log file in {} is in the range {range}", source.shown))
            .cause(format!(
                "of {listed} files, {} have another day in their path, and {without_day} have none",
                listed as u64 - without_day
            ))
            .hint("check --since and --until: the day of --until is not included")
            .context("path", source.shown.clone()));
    }
    let files: Vec<InputFile> = included.iter().filter_map(|index| listing.files.get(*index)).cloned().collect();
    if in_range == 0 {
        inputs.logs.warnings.push(format!("no log file in {} is in the range {range}", source.shown));
    }
    if without_day > 0 {
        inputs.logs.warnings.push(format!(
            "{without_day} log files in {} have no day in their path, so --since and --until exclude them",
            source.shown
        ));
    }
    inputs.logs.files = files.into();
    Ok(())
}

/// Returns those of the candidates that have the content of a file which the lake knows under another path, or begin
/// with it.
fn moved_files(
    source: &Source,
    listing: &Listing,
    candidates: &Selection,
    known: &[KnownInput<'_>],
    spec: &JobSpec,
    context: &Context<'_>,
) -> Result<Vec<usize>> {
    let unlisted: Vec<_> = known.iter().flat_map(|known| known.unlisted(source, listing)).collect();
    if unlisted.is_empty() || candidates.is_empty() {
        return Ok(Vec::new());
    }
    if unlisted.iter().any(|(_, entry)| entry.content.is_none()) {
        // An older release read these files. Any candidate may be one of them, and no row must be lost.
        return Ok(candidates.to_vec());
    }
    let contents: HashSet<_> = unlisted.iter().filter_map(|(_, entry)| entry.content).collect();
    let lengths = known_input::lengths(contents.iter().copied());
    let files = SelectedFiles { listing, selection: candidates };
    let read = known_input::read_contents(files, &lengths, &spec.config, context)?;
    let is_known = |file: &FileContent| {
        contents.contains(&file.content) || file.beginnings.iter().any(|beginning| contents.contains(beginning))
    };
    Ok(read.iter().filter(|file| is_known(file)).map(|file| file.file).collect())
}
