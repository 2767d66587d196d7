//! The write fence: a wait before a version that reverts changes of the previous version.
//!
//! In a bucket, a writer of the previous version may still be running: slow, or paused for a moment. Its conditions
//! name the files that its own version replaced, and if the new version restores exactly those files, the conditions
//! hold again. So after its commit, such a version waits until every running writer must have seen the new record.
//!
//! Invariant: a version restores the earlier state of a file only after [`LakeStorage::stale_writer_window`] has passed
//! since its commit.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::lake::commit_record::{CommitRecord, TableRecord};
use crate::lake::storage::LakeStorage;
use crate::runtime::cancel::Cancel;

/// How often the wait checks whether the run should stop.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits if a version reverts a change of the version before it.
///
/// # Errors
/// [`crate::error::ErrorKind::Interrupted`] when the run is stopped.
#[expect(clippy::disallowed_methods, reason = "rare, and checks for cancellation every 20 ms")]
pub(super) fn wait_out_stale_writers(
    storage: &dyn LakeStorage,
    record: &CommitRecord,
    before: Option<&CommitRecord>,
    cancel: &Cancel,
) -> Result<()> {
    let Some(wait) = storage.stale_writer_window().filter(|_| before.is_some_and(|before| reverts(record, before)))
    else {
        return Ok(());
    };
    let until = Instant::now() + wait;
    while Instant::now() < until {
        cancel.check()?;
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Returns true if a file gets back the content that the version before replaced.
fn reverts(record: &CommitRecord, before: &CommitRecord) -> bool {
    before.tables.iter().any(|(folder, old)| record.tables.get(folder).is_some_and(|new| table_reverts(new, old)))
}

fn table_reverts(new: &TableRecord, old: &TableRecord) -> bool {
    let is_written = |path: &str| new.files.get(path).is_some_and(|file| file.image.is_some());
    // Three cases: created before and removed now; removed before and created now; changed before and changed back now.
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
        let table = TableRecord { table: "time".to_owned(), files, removed, marked: true, ..TableRecord::default() };
        CommitRecord { tables: BTreeMap::from([("time_table".to_owned(), table)]), ..CommitRecord::default() }
    }

    #[test]
    fn reverted_changes_are_detected() {
        let before =
            version(&[("created", "1", None), ("changed", "2", Some("1")), ("kept", "1=", None)], &["removed"]);
        let is_reverting =
            |files: &[(&str, &str, Option<&str>)], removed: &[&str]| reverts(&version(files, removed), &before);
        assert!(is_reverting(&[("changed", "1", Some("2"))], &[]));
        assert!(is_reverting(&[], &["created"]));
        assert!(is_reverting(&[("removed", "9", None)], &[]));
        assert!(!is_reverting(
            &[("changed", "3", Some("2")), ("created", "2", Some("1")), ("new", "1", None)],
            &["kept"]
        ));
        assert!(!is_reverting(&[("changed", "2=", None), ("kept", "2", Some("1"))], &["changed"]));
    }
}
