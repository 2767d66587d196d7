//! What a run would do, as data: for `plan` and `--dry-run`.
//!
//! Invariant: making it changes nothing, on disk or elsewhere.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::commit;
use crate::costs::Requests;
use crate::error::Result;
use crate::judge::Inputs;
use crate::plan::Plan;
use crate::report::InputSummary;
use crate::store::stores::Stores;

/// What would be read and written.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// What would be read, by content.
    pub input: BTreeMap<&'static str, InputSummary>,
    /// The lake's root.
    pub output: Option<String>,
    /// The options in force.
    pub options: BTreeMap<&'static str, String>,
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
}

impl Preview {
    /// Describes a plan and its listed inputs.
    ///
    /// # Errors
    /// The operating system's or the store's, when a table's folder cannot be listed.
    pub fn new(plan: &Plan, inputs: &Inputs, stores: &Stores) -> Result<Self> {
        let mut warnings = plan.warnings.clone();
        let mut input = BTreeMap::new();
        for ((content, listing, _), source) in inputs.each().into_iter().zip([&plan.songs, &plan.logs]) {
            let Some(source) = source else { continue };
            let (files, bytes) = (listing.files.len() as u64, listing.bytes());
            let location = source.shown.clone();
            let summary = InputSummary { location, files, bytes, files_read: files, bytes_read: bytes };
            input.insert(content.name(), summary);
            warnings.extend(listing.warnings.iter().cloned());
        }
        let mut tables = Vec::new();
        for table in &plan.config.tables {
            let Some(root) = plan.table_root(*table) else { continue };
            let (exists, files) = commit::existing_files(&root, stores)?;
            let folder = plan.config.folders.get(table).cloned().unwrap_or_default();
            tables.push(TablePreview { name: table.name(), folder, location: root.to_string(), exists, files });
        }
        let output = plan.output.as_ref().map(ToString::to_string);
        // Whatever was listed so far, the run will list too.
        let requests = Requests::new(plan, inputs, &stores.usage());
        Ok(Self { input, output, options: plan.config.to_texts(), tables, requests, warnings })
    }
}
