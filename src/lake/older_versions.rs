//! The versions that the commit log still has, to recognize files of earlier versions.
//!
//! In a bucket, a request of an overtaken writer can arrive after a newer version was published: it puts back a file of
//! the older version, or removes a file. Such a file is recognized by its path and its SHA-256. It is not foreign,
//! so the next run replaces or removes it (`docs/format.md`).
//!
//! Invariant: only bytes that a recorded version had, or replaced, at the same path are recognized.

use crate::error::Result;
use crate::lake::commit_log::{KEPT_VERSIONS, record_path};
use crate::lake::commit_record::CommitRecord;
use crate::lake::storage::LakeStorage;

/// The records of the versions up to the newest one.
#[derive(Debug)]
pub(super) struct OlderVersions(Vec<CommitRecord>);

impl OlderVersions {
    /// Reads the records of `newest` and of the versions before it that the commit log still has. A damaged record is
    /// left out.
    ///
    /// # Errors
    /// Any storage error.
    pub fn read(storage: &dyn LakeStorage, newest: u64) -> Result<Self> {
        let stored = kept_versions(newest).map(|version| Ok((version, storage.read_optional(&record_path(version))?)));
        stored.collect::<Result<Vec<_>>>().map(Self::new)
    }

    /// The records with these numbers and bytes. What is missing or damaged is left out.
    pub fn new(stored: Vec<(u64, Option<impl AsRef<[u8]>>)>) -> Self {
        let stored = stored.into_iter();
        Self(
            stored.filter_map(|(version, bytes)| CommitRecord::from_bytes(bytes?.as_ref(), version, "").ok()).collect(),
        )
    }

    /// The checksum of a file in the folder of a table, if one of these versions had its bytes; `None` for a
    /// foreign file. The file is read only if a version had a file of this name.
    ///
    /// # Errors
    /// Any storage error.
    pub fn checksum(&self, storage: &dyn LakeStorage, folder: &str, path: &str) -> Result<Option<String>> {
        if !self.0.iter().any(|record| record.tables.get(folder).is_some_and(|table| table.files.contains_key(path))) {
            return Ok(None);
        }
        let found = storage.checksum(&format!("{folder}/{path}"))?;
        Ok(found.filter(|sha256| self.have(folder, path, sha256)))
    }

    /// Returns true if the file at this path of the table in `folder` had these bytes at one of the versions.
    pub fn have(&self, folder: &str, path: &str, sha256: &str) -> bool {
        let files = self.0.iter().filter_map(|record| record.tables.get(folder)?.files.get(path));
        files.into_iter().any(|file| file.sha256 == sha256 || file.replaced.as_deref() == Some(sha256))
    }
}

/// The versions up to `newest` that the commit log may still have.
pub(super) fn kept_versions(newest: u64) -> impl Iterator<Item = u64> {
    (newest.saturating_sub(KEPT_VERSIONS).max(1)..=newest).rev()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::lake::commit_record::{FileRecord, TableRecord};

    #[test]
    fn only_bytes_of_the_same_path_are_recognized() {
        let record = |version: u64, sha256: &str, replaced: Option<&str>| {
            let file = FileRecord {
                sha256: sha256.to_owned(),
                replaced: replaced.map(str::to_owned),
                ..FileRecord::default()
            };
            let table = TableRecord { files: BTreeMap::from([("p".to_owned(), file)]), ..TableRecord::default() };
            let tables = BTreeMap::from([("t".to_owned(), table)]);
            let record = CommitRecord { version, run: "a-run".to_owned(), tables, ..CommitRecord::default() };
            (version, Some(record.to_bytes().unwrap()))
        };
        let damaged = (3, Some(b"{}".to_vec()));
        let versions =
            OlderVersions::new(vec![damaged, record(2, "2", Some("1")), record(1, "1", Some("0")), (0, None)]);
        for known in ["0", "1", "2"] {
            assert!(versions.have("t", "p", known), "{known}");
            assert!(!versions.have("t", "q", known) && !versions.have("u", "p", known), "{known}");
        }
        assert!(!versions.have("t", "p", "3"));
    }

    #[test]
    fn versions_count_from_one() {
        assert_eq!(kept_versions(2).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(kept_versions(30).last(), Some(30 - KEPT_VERSIONS));
        assert_eq!(kept_versions(0).count(), 0);
    }
}
