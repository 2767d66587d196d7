//! Versions that take back what the one before them did.
//!
//! In a bucket a writer of the version before may still be at work: slow, or asleep for a moment. Its conditions name
//! what its own version replaced, and where the new version brings just that back, they would hold again. So such a
//! version, once its record is there, waits until a writer that is awake must have seen the record.
//!
//! Invariant: a version changes a file back to what it was only when [`LakeStorage::stale_writer_window`] has passed since its commit.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::lake::commit_record::{CommitRecord, TableRecord};
use crate::lake::storage::LakeStorage;
use crate::runtime::cancel::Cancel;

/// How often a wait looks whether it should end.
const LOOK: Duration = Duration::from_millis(20);

/// Waits, if a version takes back something of the one before it.
///
/// # Errors
/// When the run is stopped.
#[expect(clippy::disallowed_methods, reason = "cancelled within moments, and seldom")]
pub(super) fn outwait(
    storage: &dyn LakeStorage,
    record: &CommitRecord,
    before: Option<&CommitRecord>,
    cancel: &Cancel,
) -> Result<()> {
    let Some(wait) = storage.stale_writer_window().filter(|_| before.is_some_and(|before| takes_back(record, before)))
    else {
        return Ok(());
    };
    let until = Instant::now() + wait;
    while Instant::now() < until {
        cancel.check()?;
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Whether any file becomes what the version before has changed it from.
fn takes_back(record: &CommitRecord, before: &CommitRecord) -> bool {
    before.tables.iter().any(|(folder, old)| record.tables.get(folder).is_some_and(|new| any_back(new, old)))
}

fn any_back(new: &TableRecord, old: &TableRecord) -> bool {
    let is_written = |path: &str| new.files.get(path).is_some_and(|file| file.image.is_some());
    // Made there and removed here; removed there and made here; changed there and changed back.
    let is_created =
        |path: &String| old.files.get(path).is_some_and(|file| file.image.is_some() && file.replaces.is_none());
    new.removed.keys().any(is_created)
        || old.removed.keys().any(|path| is_written(path))
        || old.files.iter().filter(|(_, file)| file.replaced.is_some()).any(|(path, file)| {
            is_written(path) && new.files.get(path).map(|now| &now.sha256) == file.replaced.as_ref()
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::lake::commit_record::{FileRecord, Image};

    fn version(files: &[(&str, &str, Option<&str>)], removed: &[&str]) -> CommitRecord {
        let file = |sha256: &str, replaced: Option<&str>| FileRecord {
            sha256: sha256.to_owned(),
            image: (!sha256.ends_with('=')).then_some(Image { pack: None, offset: 0 }),
            replaces: replaced.map(str::to_owned),
            replaced: replaced.map(str::to_owned),
            ..FileRecord::default()
        };
        let files =
            files.iter().map(|(path, sha256, replaced)| ((*path).to_owned(), file(sha256, *replaced))).collect();
        let removed = removed.iter().map(|path| ((*path).to_owned(), String::new())).collect();
        let table = TableRecord { table: "time".to_owned(), files, removed, marked: true };
        CommitRecord { tables: BTreeMap::from([("time_table".to_owned(), table)]), ..CommitRecord::default() }
    }

    #[test]
    fn what_comes_back_is_noticed() {
        let before = version(&[("made", "1", None), ("changed", "2", Some("1")), ("kept", "1=", None)], &["gone"]);
        let back =
            |files: &[(&str, &str, Option<&str>)], removed: &[&str]| takes_back(&version(files, removed), &before);
        assert!(back(&[("changed", "1", Some("2"))], &[]));
        assert!(back(&[], &["made"]));
        assert!(back(&[("gone", "9", None)], &[]));
        assert!(!back(&[("changed", "3", Some("2")), ("made", "2", Some("1")), ("new", "1", None)], &["kept"]));
        assert!(!back(&[("changed", "2=", None), ("kept", "2", Some("1"))], &["changed"]));
    }
}
