//! Damage of the state files: which of them are missing or changed, and which retained input they held.
//!
//! The next run replaces most state files by reading the input again. A pack of retained input is different: for an input
//! file that was deleted, it holds the only copy.
//!
//! Invariant: nothing is changed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::error::Result;
use crate::lake::checkpoint::{ManifestEntry, STATE, StateFile};
use crate::lake::commit_record::{CommitRecord, state_path};
use crate::lake::storage::{LakeStorage, ListedFile};
use crate::runtime::cancel::Cancel;

/// Upper bound for the input files that are listed by name.
const MAX_NAMED_FILES: usize = 5;

/// A state file that does not match the newest version.
#[derive(Clone, Debug)]
pub(crate) struct DamagedState {
    name: String,
    /// `missing` or `changed`.
    pub(super) what: &'static str,
}

impl DamagedState {
    /// The path below the lake's root.
    pub(super) fn path(&self) -> String {
        state_path(&self.name)
    }
}

/// Input files whose retained copies are missing or damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LostCopies {
    /// The number of files.
    pub files: u64,
    /// The names of the first files.
    pub first: Vec<String>,
}

/// Compares some state files of a version, those that `is_checked` accepts, with the lake: their sizes and, with
/// `reads_bytes`, their checksums.
pub(super) fn damaged_state(
    storage: &dyn LakeStorage,
    record: &CommitRecord,
    is_checked: impl Fn(&StateFile) -> bool,
    reads_bytes: bool,
    cancel: &Cancel,
) -> Result<Vec<DamagedState>> {
    let checked: BTreeMap<&str, &StateFile> =
        record.state_files().filter(|file| is_checked(file)).map(|file| (file.name.as_str(), file)).collect();
    if checked.is_empty() {
        return Ok(Vec::new());
    }
    let listed = storage.list_many(&[STATE])?.concat();
    let sizes: HashMap<String, u64> = listed.into_iter().map(|ListedFile { path, size, .. }| (path, size)).collect();
    let mut damaged = Vec::new();
    for (name, file) in checked {
        cancel.check()?;
        let what = match sizes.get(name) {
            None => "missing",
            Some(size) if *size != file.size => "changed",
            Some(_) if reads_bytes && storage.checksum(&state_path(name))?.as_ref() != Some(&file.sha256) => "changed",
            Some(_) => continue,
        };
        damaged.push(DamagedState { name: name.to_owned(), what });
    }
    Ok(damaged)
}

/// The packs that hold the retained copies of the input files that `is_needed` accepts.
pub(super) fn packs_of(record: &CommitRecord, is_needed: impl Fn(&str, &str) -> bool) -> BTreeSet<String> {
    let packs = packs(record);
    let needed = retained_files(record).filter(|(content, name, _)| is_needed(content, name));
    needed.flat_map(|(_, _, entry)| numbers(entry)).filter_map(|number| packs.get(&number).cloned()).collect()
}

/// The input files that `is_needed` accepts and whose copies are in a damaged pack.
pub(super) fn lost_copies(
    record: &CommitRecord,
    damaged: &[DamagedState],
    is_needed: impl Fn(&str, &str) -> bool,
) -> LostCopies {
    let packs = packs(record);
    let is_damaged =
        |number: u32| packs.get(&number).is_none_or(|pack| damaged.iter().any(|damaged| damaged.name == *pack));
    let (mut lost, mut seen) = (LostCopies::default(), HashSet::new());
    for (content, name, entry) in retained_files(record) {
        if is_needed(content, name) && numbers(entry).any(is_damaged) && seen.insert((content, name)) {
            lost.files += 1;
            if lost.first.len() < MAX_NAMED_FILES {
                lost.first.push(name.to_owned());
            }
        }
    }
    lost
}

/// The names of all packs, by number.
fn packs(record: &CommitRecord) -> BTreeMap<u32, String> {
    let packs = record.checkpoints.iter().flat_map(|checkpoint| &checkpoint.state.packs);
    packs.map(|(number, file)| (*number, file.name.clone())).collect()
}

/// The entries with a retained copy, with the content and their names. Tables that were made from different inputs have
/// different manifests, which may have the same names.
fn retained_files(record: &CommitRecord) -> impl Iterator<Item = (&str, &str, &ManifestEntry)> {
    let manifests = record.checkpoints.iter().rev().flat_map(|checkpoint| &checkpoint.input);
    let entries = manifests.flat_map(|(content, manifest)| {
        manifest.files.iter().map(move |(name, entry)| (content.as_str(), name.as_str(), entry))
    });
    entries.filter(|(_, _, entry)| entry.copy.is_some())
}

fn numbers(entry: &ManifestEntry) -> impl Iterator<Item = u32> + '_ {
    entry.copy.iter().flat_map(|copy| &copy.parts).map(|part| part.0)
}
