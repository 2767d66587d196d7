//! The dry run: what a run would read and write, as data, for `plan` and `--dry-run`.
//!
//! Invariant: a dry run writes and deletes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::config::TableFormat;
use crate::error::{Error, ErrorKind, Result};
use crate::incremental::{plan, retained_input, time_range};
use crate::input::input_files::InputFiles;
use crate::input::list::{Listing, Selection};
use crate::input::sources::{Content, JobSpec};
use crate::lake;
use crate::lake::commit_record::TableRecord;
use crate::report::request_cost::{EstimatedRun, RequestEstimate};
use crate::report::run_report::InputSummary;
use crate::report::work_estimate::{IncrementalWork, WorkEstimate};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;
use crate::schema::{ColumnNames, Table};
use crate::tables::partition_path;

/// The input and output of a run that is not executed.
#[derive(Clone, Debug, Serialize)]
pub struct DryRun {
    /// The input files, by content (`songs`, `logs`).
    pub input: BTreeMap<&'static str, InputSummary>,
    /// The lake's root.
    pub output: Option<String>,
    /// The effective options, as text.
    pub options: BTreeMap<&'static str, String>,
    /// How much the run would do: `first` (there is no lake), `whole` (a full run), `part` (an incremental run) or
    /// `unchanged`.
    pub outlook: &'static str,
    /// Why the entire input would be read although the lake has tables.
    pub rebuilt: Option<String>,
    /// The tables in publishing order.
    pub tables: Vec<DryRunTable>,
    /// The requests that the run would send to S3; absent if everything is local.
    pub requests: Option<RequestEstimate>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// A table that would be written.
#[derive(Clone, Debug, Serialize)]
pub struct DryRunTable {
    /// The name of the table.
    pub name: &'static str,
    /// Its folder below the output.
    pub folder: String,
    /// The location of this folder.
    pub location: String,
    /// Whether the folder exists.
    pub exists: bool,
    /// The number of files in the folder now.
    pub files: u64,
    /// The partitions that would be rebuilt, with their current size ('' for a table without partitions); `None` means
    /// all partitions.
    pub partitions: Option<Vec<DryRunPartition>>,
}

/// A partition that would be rebuilt.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct DryRunPartition {
    /// Its folder below the folder of the table.
    pub partition: String,
    /// The number of files in it now.
    pub files: u64,
    /// The rows of these files.
    pub rows: u64,
    /// The bytes of these files.
    pub bytes: u64,
}

/// The current partitions of a table, by their folders.
fn current_partitions(table: Option<&TableRecord>) -> BTreeMap<&str, DryRunPartition> {
    let mut partitions: BTreeMap<&str, DryRunPartition> = BTreeMap::new();
    for (path, file) in table.into_iter().flat_map(|table| &table.files) {
        let partition = partitions.entry(path.rsplit_once('/').map_or("", |(folder, _)| folder)).or_default();
        partition.files += 1;
        partition.rows += file.rows;
        partition.bytes += file.size;
    }
    partitions
}

/// Returns the partitions of a table that a run would rebuild.
fn partitions(
    table: Table,
    work: &IncrementalWork,
    record: Option<&TableRecord>,
    columns: &ColumnNames,
) -> Vec<DryRunPartition> {
    let current = current_partitions(record);
    let planned = |partition: String| {
        let known = current.get(partition.as_str()).cloned().unwrap_or_default();
        DryRunPartition { partition, ..known }
    };
    let single_if = |is_rebuilt: bool| is_rebuilt.then(|| planned(String::new())).into_iter().collect();
    match table {
        Table::Songs => work.song_partitions.iter().cloned().map(planned).collect(),
        Table::Artists => single_if(work.songs_changed),
        Table::Users | Table::UsersHistory => single_if(!work.months.is_empty()),
        Table::Time | Table::Songplays => {
            work.months.iter().map(|month| planned(partition_path::of_month(table, *month, columns))).collect()
        }
    }
}

impl DryRun {
    /// Describes what a run with these listed input files would do.
    ///
    /// # Errors
    /// Storage errors when the folder of a table cannot be listed, and those of [`crate::job::run::run`] that the listing
    /// alone causes.
    pub fn new(spec: &JobSpec, inputs: &mut InputFiles, stores: &Stores, context: &Context<'_>) -> Result<Self> {
        let folders: Vec<&str> =
            spec.config.tables.iter().filter_map(|table| spec.config.folders.get(table)).map(String::as_str).collect();
        let Some(output) = &spec.output else {
            return Err(Error::new(ErrorKind::Internal, "the job has no output"));
        };
        let survey = lake::survey(output, stores, &folders, spec.config.threads)?;
        let (record, state) = (survey.record.as_ref(), survey.state());
        let spec = &JobSpec { config: lake::with_formats_of(record, spec.config.clone()), ..spec.clone() };
        time_range::restrict(spec, inputs, record, context)?;
        let publishes_iceberg = spec.config.publishes(TableFormat::Iceberg);
        let iceberg = match output.local() {
            Some(_) => None,
            None => survey.iceberg(output, publishes_iceberg)?,
        };
        // The run repeats these requests; the next ones are part of the estimate.
        let usage = stores.usage();
        let to_copy = retained_input::estimate(spec, inputs, (record, state), context)?;
        let inputs = &*inputs;
        let run_plan = plan::choose(spec, inputs, record, || survey.is_intact);
        let estimate = WorkEstimate::new(spec, inputs, &run_plan, to_copy.clone(), (state, context))?;
        let to_read = |content: Content, listing: &Listing| match (&estimate, content) {
            (WorkEstimate::Full(_), _) => listing.all(),
            (WorkEstimate::Incremental(work), Content::Songs) => Selection::clone(&work.songs),
            (WorkEstimate::Incremental(work), Content::Logs) => Selection::clone(&work.logs),
        };
        let mut warnings = spec.warnings.clone();
        let mut input = BTreeMap::new();
        for ((content, listing), source) in inputs.each().into_iter().zip([&spec.songs, &spec.logs]) {
            let Some(source) = source else { continue };
            let (files, bytes) = (listing.files.len() as u64, listing.bytes());
            let location = source.shown.clone();
            let to_read = to_read(content, listing);
            let (files_read, bytes_read) = (to_read.len() as u64, listing.bytes_of(&to_read));
            let files_kept = listing.missing_count();
            let summary = InputSummary { location, files, bytes, files_read, bytes_read, files_kept };
            input.insert(content.name(), summary);
            warnings.extend(listing.warnings.iter().cloned());
        }
        let mut tables = Vec::new();
        for (table, files) in spec.config.tables.iter().zip(&survey.files) {
            let Some(root) = spec.table_root(*table) else { continue };
            let files = *files;
            let exists = files > 0 || root.local().is_some_and(Path::is_dir);
            let folder = spec.config.folders.get(table).cloned().unwrap_or_default();
            let known = record.and_then(|record| record.tables.get(&folder));
            let partitions = match &estimate {
                WorkEstimate::Full(_) => None,
                WorkEstimate::Incremental(work) => Some(partitions(*table, work, known, &spec.config.columns)),
            };
            let (name, location) = (table.name(), root.to_string());
            tables.push(DryRunTable { name, folder, location, exists, files, partitions });
        }
        let run = EstimatedRun { estimate: &estimate, record, to_copy: &to_copy, iceberg: iceberg.as_ref() };
        let requests = RequestEstimate::new(spec, inputs, &run, &usage);
        let (outlook, rebuilt) = match estimate {
            WorkEstimate::Full(_) if record.is_none() => ("first", None),
            WorkEstimate::Full(reason) => ("whole", reason),
            WorkEstimate::Incremental(work) if work.is_idle() => ("unchanged", None),
            WorkEstimate::Incremental(_) => ("part", None),
        };
        let (output, options) = (Some(output.to_string()), spec.config.to_texts());
        Ok(Self { input, output, options, outlook, rebuilt, tables, requests, warnings })
    }
}
