//! The requests that the commits of Iceberg tables will need, for the dry run.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::lake::iceberg::request::{count_of_manifests, manifest_of};
use crate::lake::iceberg::{IcebergTables, commit_of, publish, url_of};
use crate::lake::storage::LakeStorage;
use crate::location::Location;
use crate::schema::Table;

/// The requests of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommitRequests {
    pub get: u64,
    pub put: u64,
    pub delete: u64,
}

impl IcebergTables {
    /// Reads the newest commits, as a run does.
    pub(in crate::lake) fn survey(storage: &dyn LakeStorage, location: &Location) -> Result<Self> {
        Self::read(storage, url_of(location)?)
    }

    /// The requests of the commit for `version`, which changes these partitions of a table that has `files` files.
    pub(crate) fn requests(
        &self,
        table: Table,
        changed: &BTreeSet<String>,
        files: usize,
        (version, retain): (u64, u64),
    ) -> CommitRequests {
        let Some(known) = self.tables.get(&table) else { return CommitRequests::default() };
        let manifests =
            changed.iter().map(|partition| manifest_of(partition, files)).collect::<BTreeSet<_>>().len() as u64;
        let is_changed = u64::from(manifests > 0);
        let mut left_at: Vec<u64> = known.versions().iter().map(|(_, left_at)| left_at.unsigned_abs()).collect();
        if manifests > 0 {
            left_at.push(version);
        }
        // A snapshot is expired when a later one has left it long enough ago.
        let expired = left_at.iter().skip(1).filter(|left_at| **left_at + retain <= version).count() as u64;
        let kept = left_at.len() as u64 - expired;
        if manifests == 0 && expired == 0 {
            return CommitRequests::default();
        }
        // The list of the new snapshot is known, and that of its parent is read anyway.
        let lists = if expired == 0 { is_changed } else { kept.saturating_sub(is_changed).max(is_changed) };
        let is_parent_expired = kept == is_changed;
        let number = known.commit + 1;
        let outdated = |path: &String| {
            let name = path.rsplit('/').next().and_then(commit_of);
            name.is_some_and(|old| old + publish::KEPT_COMMITS <= number)
        };
        CommitRequests {
            get: lists + manifests,
            put: manifests + is_changed + 2,
            delete: expired
                + if is_parent_expired { manifests } else { expired }
                + known.paths.iter().filter(|path| outdated(path)).count() as u64,
        }
    }
}

/// Upper bound for the files that the commit of a table with at most `files` files writes.
pub(crate) fn max_files_of_commit(files: u64) -> u64 {
    count_of_manifests(usize::try_from(files).unwrap_or(usize::MAX)) + 3
}
