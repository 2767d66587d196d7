//! What a run would do, as data: for `plan` and `--dry-run`.
//!
//! Invariant: making it changes nothing, on disk or elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::incremental::{plan, retained_input};
use crate::input::input_files::InputFiles;
use crate::input::list::{Listing, Selection};
use crate::input::sources::{Content, JobSpec};
use crate::lake;
use crate::lake::Survey;
use crate::lake::commit_record::TableRecord;
use crate::report::request_cost::Requests;
use crate::report::run_report::InputSummary;
use crate::report::work_estimate::{Work, WorkEstimate};
use crate::s3::stores::Stores;
use crate::schema::Table;
use crate::tables::partition_path;
use crate::tables::time::Month;

/// What would be read and written.
#[derive(Clone, Debug, Serialize)]
pub struct DryRun {
    /// What would be read, by content.
    pub input: BTreeMap<&'static str, InputSummary>,
    /// The lake's root.
    pub output: Option<String>,
    /// The options in force.
    pub options: BTreeMap<&'static str, String>,
    /// `first`, `whole`, `part` or `unchanged`: how much the run has to do.
    pub outlook: &'static str,
    /// Why all of the input would be read although the lake holds tables.
    pub rebuilt: Option<String>,
    /// The tables in publishing order.
    pub tables: Vec<DryRunTable>,
    /// What the run would ask of S3; absent when everything is local.
    pub requests: Option<Requests>,
    /// Things worth saying.
    pub warnings: Vec<String>,
}

/// A table that would be written.
#[derive(Clone, Debug, Serialize)]
pub struct DryRunTable {
    /// Plain name.
    pub name: &'static str,
    /// Folder below the output.
    pub folder: String,
    /// The whole path.
    pub location: String,
    /// Whether the folder exists.
    pub exists: bool,
    /// Files in it now.
    pub files: u64,
    /// The partitions that would be made again, with what lies there now ('' is a table without partitions); `None` for
    /// all of them.
    pub partitions: Option<Vec<DryRunPartition>>,
    /// Further partitions at most, of which only reading can tell which they are.
    pub more_partitions: u64,
}

/// A partition that would be made again.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct DryRunPartition {
    /// Its folder below the table's.
    pub partition: String,
    /// Files in it now.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl DryRunPartition {
    fn new(partition: String, table: Option<&TableRecord>) -> Self {
        let mut told = Self { partition, ..Self::default() };
        for (path, file) in table.into_iter().flat_map(|table| &table.files) {
            if path.rsplit_once('/').map_or("", |(folder, _)| folder) == told.partition {
                told.files += 1;
                told.rows += file.rows;
                told.bytes += file.size;
            }
        }
        told
    }
}

/// The partitions of a table that a run would make again, and how many more there may be.
fn partitions(table: Table, work: &Work, record: Option<&TableRecord>) -> (Vec<DryRunPartition>, u64) {
    let one = |is_made: bool| is_made.then(|| DryRunPartition::new(String::new(), record)).into_iter().collect();
    match table {
        Table::Songs => (Vec::new(), work.song_partitions),
        Table::Artists => (one(work.has_songs), 0),
        Table::Users => (one(work.has_logs), 0),
        Table::Time | Table::Songplays => {
            let of = |month: &Month| DryRunPartition::new(partition_path::of_month(*month), record);
            (work.months.iter().map(of).collect(), work.unplaced)
        }
    }
}

impl DryRun {
    /// Describes a plan and its listed inputs.
    ///
    /// # Errors
    /// The operating system's or the store's, when a table's folder cannot be listed.
    pub fn new(spec: &JobSpec, inputs: &mut InputFiles, stores: &Stores) -> Result<Self> {
        let folders: Vec<&str> =
            spec.config.tables.iter().filter_map(|table| spec.config.folders.get(table)).map(String::as_str).collect();
        let Some(output) = &spec.output else {
            return Err(Error::new(ErrorKind::Internal, "the plan has no output"));
        };
        let Survey { record, is_intact, files } = lake::survey(output, stores, &folders)?;
        plan::restrict(spec, inputs, record.as_ref())?;
        let copied = retained_input::estimate(spec, inputs, record.as_ref())?;
        let inputs = &*inputs;
        let start = plan::choose(spec, inputs, record.as_ref(), || is_intact);
        let outlook = WorkEstimate::new(spec, inputs, record.as_ref(), &start, copied.clone());
        let read = |content: Content, listing: &Listing| match (&outlook, content) {
            (WorkEstimate::Whole(_), _) => listing.all(),
            (WorkEstimate::Part(work), Content::Songs) => Selection::clone(&work.songs),
            (WorkEstimate::Part(work), Content::Logs) => Selection::clone(&work.logs),
        };
        let mut warnings = spec.warnings.clone();
        let mut input = BTreeMap::new();
        for ((content, listing), source) in inputs.each().into_iter().zip([&spec.songs, &spec.logs]) {
            let Some(source) = source else { continue };
            let (files, bytes) = (listing.files.len() as u64, listing.bytes());
            let location = source.shown.clone();
            let read = read(content, listing);
            let (files_read, bytes_read) = (read.len() as u64, listing.bytes_of(&read));
            let files_kept = listing.missing_count();
            let summary = InputSummary { location, files, bytes, files_read, bytes_read, files_kept };
            input.insert(content.name(), summary);
            warnings.extend(listing.warnings.iter().cloned());
        }
        let mut tables = Vec::new();
        for (table, files) in spec.config.tables.iter().zip(files) {
            let Some(root) = spec.table_root(*table) else { continue };
            let exists = files > 0 || root.local().is_some_and(Path::is_dir);
            let folder = spec.config.folders.get(table).cloned().unwrap_or_default();
            let known = record.as_ref().and_then(|record| record.tables.get(&folder));
            let (partitions, more_partitions) = match &outlook {
                WorkEstimate::Whole(_) => (None, 0),
                WorkEstimate::Part(work) => {
                    let (partitions, more) = partitions(*table, work, known);
                    (Some(partitions), more)
                }
            };
            let (name, location) = (table.name(), root.to_string());
            tables.push(DryRunTable { name, folder, location, exists, files, partitions, more_partitions });
        }
        let version = record.as_ref().map(|record| record.version);
        let requests = Requests::new(spec, inputs, (&outlook, version), &copied, &stores.usage());
        let (outlook, rebuilt) = match outlook {
            WorkEstimate::Whole(_) if record.is_none() => ("first", None),
            WorkEstimate::Whole(reason) => ("whole", reason),
            WorkEstimate::Part(work) if work.is_idle() => ("unchanged", None),
            WorkEstimate::Part(_) => ("part", None),
        };
        let (output, options) = (Some(output.to_string()), spec.config.to_texts());
        Ok(Self { input, output, options, outlook, rebuilt, tables, requests, warnings })
    }
}
