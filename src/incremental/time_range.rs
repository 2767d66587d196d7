//! Restricts the log files of a run to the days of `--since` and `--until`.

use chrono::NaiveDate;

use crate::error::{Error, ErrorKind, Result};
use crate::input::input_files::InputFiles;
use crate::input::list::InputFile;
use crate::input::sources::{Content, JobSpec};
use crate::input::{file_identity, path_dates};
use crate::lake::commit_record::CommitRecord;

/// Removes log files from the listing unless the day in their path is in the range, or the lake knows them already.
/// Does nothing if no range is set.
///
/// # Errors
/// [`ErrorKind::NoInput`] when no log file is left.
pub(crate) fn restrict(spec: &JobSpec, inputs: &mut InputFiles, head: Option<&CommitRecord>) -> Result<()> {
    let days = &spec.config.days;
    let (Some(source), true) = (&spec.logs, days.start.is_some() || days.end.is_some()) else { return Ok(()) };
    let manifest = head.and_then(|head| head.manifest(Content::Logs.name()));
    let manifest = manifest.filter(|manifest| manifest.location == file_identity::location(source));
    let (mut in_range, mut without_day) = (0_u64, 0_u64);
    let mut is_included = |file: &&InputFile| {
        let name = file_identity::name(source, file);
        let span = path_dates::span(&name);
        let is_known = manifest.is_some_and(|manifest| manifest.files.contains_key(&name));
        without_day += u64::from(span.is_none() && !is_known);
        let is_in_range = span.is_some_and(|span| {
            days.end.is_none_or(|end| span.start < end) && days.start.is_none_or(|start| span.end > start)
        });
        in_range += u64::from(is_in_range);
        is_in_range || is_known
    };
    let files: Vec<InputFile> = inputs.logs.files.iter().filter(&mut is_included).cloned().collect();
    let shown = |day: Option<NaiveDate>| day.map_or_else(|| "…".to_owned(), |day| day.to_string());
    let range = format!("{}..{}", shown(days.start), shown(days.end));
    if files.is_empty() {
        let listed = inputs.logs.files.len();
        return Err(Error::new(ErrorKind::NoInput, format!("no log file in {} is in the range {range}", source.shown))
            .cause(format!(
                "of {listed} files, {} have another day in their path, and {without_day} have none",
                listed as u64 - without_day
            ))
            .hint("check --since and --until: the day of --until is not included")
            .context("path", source.shown.clone()));
    }
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
