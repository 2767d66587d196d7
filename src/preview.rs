//! What a run would do, as data: for `plan` and `--dry-run`.
//!
//! Invariant: making it changes nothing, on disk or elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::archive;
use crate::commit::record::TableRecord;
use crate::commit::{self, Survey};
use crate::costs::Requests;
use crate::discover::{Listing, Selection};
use crate::error::{Error, ErrorKind, Result};
use crate::increment;
use crate::judge::Inputs;
use crate::outlook::{Outlook, Work};
use crate::partition;
use crate::plan::{Content, Plan};
use crate::report::InputSummary;
use crate::schema::Table;
use crate::store::stores::Stores;
use crate::tables::time::Month;

/// What would be read and written.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
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
    pub tables: Vec<TablePreview>,
    /// What the run would ask of S3; absent when everything is local.
    pub requests: Option<Requests>,
    /// Things worth saying.
    pub warnings: Vec<String>,
}

/// A table that would be written.
#[derive(Clone, Debug, Serialize)]
pub struct TablePreview {
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
    pub partitions: Option<Vec<PartitionPreview>>,
    /// Further partitions at most, of which only reading can tell which they are.
    pub more_partitions: u64,
}

/// A partition that would be made again.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct PartitionPreview {
    /// Its folder below the table's.
    pub partition: String,
    /// Files in it now.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl PartitionPreview {
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
fn partitions(table: Table, work: &Work, record: Option<&TableRecord>) -> (Vec<PartitionPreview>, u64) {
    let one = |is_made: bool| is_made.then(|| PartitionPreview::new(String::new(), record)).into_iter().collect();
    match table {
        Table::Songs => (Vec::new(), work.song_partitions),
        Table::Artists => (one(work.has_songs), 0),
        Table::Users => (one(work.has_logs), 0),
        Table::Time | Table::Songplays => {
            let of = |month: &Month| PartitionPreview::new(partition::of_month(*month), record);
            (work.months.iter().map(of).collect(), work.unplaced)
        }
    }
}

impl Preview {
    /// Describes a plan and its listed inputs.
    ///
    /// # Errors
    /// The operating system's or the store's, when a table's folder cannot be listed.
    pub fn new(plan: &Plan, inputs: &mut Inputs, stores: &Stores) -> Result<Self> {
        let folders: Vec<&str> =
            plan.config.tables.iter().filter_map(|table| plan.config.folders.get(table)).map(String::as_str).collect();
        let Some(output) = &plan.output else {
            return Err(Error::new(ErrorKind::Internal, "the plan has no output"));
        };
        let Survey { record, is_whole, files } = commit::survey(output, stores, &folders)?;
        increment::restrict(plan, inputs, record.as_ref())?;
        let copied = archive::foresee(plan, inputs, record.as_ref())?;
        let inputs = &*inputs;
        let start = increment::begin(plan, inputs, record.as_ref(), || is_whole);
        let outlook = Outlook::new(plan, inputs, record.as_ref(), &start, copied.clone());
        let read = |content: Content, listing: &Listing| match (&outlook, content) {
            (Outlook::Whole(_), _) => listing.all(),
            (Outlook::Part(work), Content::Songs) => Selection::clone(&work.songs),
            (Outlook::Part(work), Content::Logs) => Selection::clone(&work.logs),
        };
        let mut warnings = plan.warnings.clone();
        let mut input = BTreeMap::new();
        for ((content, listing, _), source) in inputs.each().into_iter().zip([&plan.songs, &plan.logs]) {
            let Some(source) = source else { continue };
            let (files, bytes) = (listing.files.len() as u64, listing.bytes());
            let location = source.shown.clone();
            let read = read(content, listing);
            let (files_read, bytes_read) = (read.len() as u64, listing.bytes_of(&read));
            let files_kept = listing.gone();
            let summary = InputSummary { location, files, bytes, files_read, bytes_read, files_kept };
            input.insert(content.name(), summary);
            warnings.extend(listing.warnings.iter().cloned());
        }
        let mut tables = Vec::new();
        for (table, files) in plan.config.tables.iter().zip(files) {
            let Some(root) = plan.table_root(*table) else { continue };
            let exists = files > 0 || root.local().is_some_and(Path::is_dir);
            let folder = plan.config.folders.get(table).cloned().unwrap_or_default();
            let known = record.as_ref().and_then(|record| record.tables.get(&folder));
            let (partitions, more_partitions) = match &outlook {
                Outlook::Whole(_) => (None, 0),
                Outlook::Part(work) => {
                    let (partitions, more) = partitions(*table, work, known);
                    (Some(partitions), more)
                }
            };
            let (name, location) = (table.name(), root.to_string());
            tables.push(TablePreview { name, folder, location, exists, files, partitions, more_partitions });
        }
        let version = record.as_ref().map(|record| record.version);
        let requests = Requests::new(plan, inputs, (&outlook, version), &copied, &stores.usage());
        let (outlook, rebuilt) = match outlook {
            Outlook::Whole(_) if record.is_none() => ("first", None),
            Outlook::Whole(reason) => ("whole", reason),
            Outlook::Part(work) if work.is_idle() => ("unchanged", None),
            Outlook::Part(_) => ("part", None),
        };
        let (output, options) = (Some(output.to_string()), plan.config.to_texts());
        Ok(Self { input, output, options, outlook, rebuilt, tables, requests, warnings })
    }
}
