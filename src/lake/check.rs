//! The check: compares the files of a lake with the newest version in its commit log.
//!
//! It checks every file of the newest version: on a local disk it reads the bytes and compares their SHA-256; in a
//! bucket it compares the size and the `ETag`, which the store derives from the bytes. It also finds files that the
//! version does not name, and control files that are missing or damaged. For all of them it names the way out.
//!
//! Invariant: a check changes nothing, takes no lock and does not wait for other runs.

use std::collections::HashMap;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{CommitRecord, ConditionalSupport, FileRecord, START_AGAIN, TableRecord};
use crate::lake::delta_log;
use crate::lake::older_versions::OlderVersions;
use crate::lake::state_damage::{self, LostCopies};
use crate::lake::storage::bucket::BucketStorage;
use crate::lake::storage::local::LocalStorage;
use crate::lake::storage::{LakeStorage, ListedFile};
use crate::lake::{SUCCESS, commit_log, in_publishing_order, is_ignored_by_readers};
use crate::location::Location;
use crate::runtime::cancel::Cancel;
use crate::s3::stores::Stores;

/// Problems that are listed by name; all of them are counted.
const MAX_LISTED_PROBLEMS: usize = 100;

/// The result of a check.
#[derive(Clone, Debug, Serialize)]
pub struct LakeCheck {
    /// The location of the lake.
    pub location: String,
    /// The newest version.
    pub version: u64,
    /// The id of the run that committed it.
    pub run: String,
    /// When that run began; RFC 3339, UTC.
    pub committed_at: String,
    /// Whether it is published in full; until then readers may see the previous version in some partitions.
    pub is_published: bool,
    /// Whether the store supports conditional writes, which keep overlapping runs apart.
    pub is_guarded: bool,
    /// Number of files of the version.
    pub files: u64,
    /// Size of these files in bytes.
    pub bytes: u64,
    /// Rows in these files.
    pub rows: u64,
    /// Number of files in the folders of tables that readers and runs ignore: their names begin with `.` or `_`.
    pub ignored: u64,
    /// Number of files that do not match the version.
    pub problem_count: u64,
    /// The first 100 of these files.
    pub problems: Vec<Problem>,
    /// Input files whose retained copies are missing or damaged. If such a file was deleted, its rows cannot be rebuilt.
    pub lost: LostCopies,
    /// The action that repairs the problems; `None` if there are none.
    pub repair: Option<String>,
    /// 0 if all files match, 75 while the version is not published in full, 76 if files do not match.
    pub exit_code: u8,
}

/// A file that does not match the newest version.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Problem {
    /// The path below the lake's root.
    pub path: String,
    /// `missing`, `changed`, `outdated` (it has the bytes of an earlier version) or `foreign`.
    pub what: &'static str,
}

/// Compares the files of a lake with its commit log; also returns the lake, for the checks of table formats.
///
/// # Errors
/// [`ErrorKind::NoInput`] when there is no lake, [`ErrorKind::Protocol`] when its commit log is damaged or has a newer
/// format; otherwise any storage error.
pub fn check(location: &Location, stores: &Stores, cancel: &Cancel) -> Result<(LakeCheck, CheckedLake)> {
    let (storage, head) = open_newest(location, stores)?;
    let lake = CheckedLake { storage, head };
    let CheckedLake { storage, head } = &lake;
    let (storage, record) = (&**storage, &head.record);
    let mut check = LakeCheck {
        location: storage.shown(""),
        version: record.version,
        run: record.run.clone(),
        committed_at: record.committed_at.clone(),
        is_published: head.is_published,
        is_guarded: record.conditional == ConditionalSupport::FULL,
        files: 0,
        bytes: 0,
        rows: 0,
        ignored: 0,
        problem_count: 0,
        problems: Vec::new(),
        lost: LostCopies::default(),
        repair: None,
        exit_code: 0,
    };
    let mut found = Found::default();
    let tables = in_publishing_order(record);
    let folders: Vec<&str> = tables.iter().map(|(folder, _)| *folder).collect();
    let reads_bytes = location.local().is_some();
    for (table, entries) in tables.into_iter().zip(storage.list_many(&folders)?) {
        check_table(storage, table, entries, reads_bytes, cancel, (&mut check, &mut found))?;
    }
    check_control_files(storage, record, reads_bytes, cancel, (&mut check, &mut found))?;
    check.repair = found.repair(&check, record);
    check.exit_code = match (check.is_published, check.problem_count) {
        (false, _) => ErrorKind::Retry.exit_code(),
        (true, 0) => 0,
        (true, _) => ErrorKind::Protocol.exit_code(),
    };
    Ok((check, lake))
}

/// A lake that was checked, at the version that was the newest one then.
#[derive(Debug)]
pub struct CheckedLake {
    pub(super) storage: Box<dyn LakeStorage>,
    pub(super) head: commit_log::Head,
}

impl LakeCheck {
    /// Adds problems of a published version, and the way out of them.
    pub(super) fn add_problems(&mut self, problems: Vec<Problem>, way: &str) {
        self.problem_count += problems.len() as u64;
        self.problems.extend(problems);
        self.repair = Some(self.repair.take().map_or_else(|| way.to_owned(), |known| format!("{known}; {way}")));
        self.exit_code = ErrorKind::Protocol.exit_code();
    }
}

/// Opens the storage of a lake for read-only access.
pub(super) fn read_only_storage(location: &Location, stores: &Stores) -> Result<Box<dyn LakeStorage>> {
    Ok(match location {
        Location::Local(path) => Box::new(LocalStorage::open_read_only(path)),
        Location::Object(path) => Box::new(BucketStorage::new(stores.open(&path.bucket)?, &path.key)),
    })
}

/// Opens a lake for read-only access and finds its newest version.
pub(super) fn open_newest(location: &Location, stores: &Stores) -> Result<(Box<dyn LakeStorage>, commit_log::Head)> {
    let storage = read_only_storage(location, stores)?;
    commit_log::has_format(&*storage)?;
    let Some(head) = commit_log::head(&*storage)? else {
        let shown = storage.shown("");
        if commit_log::newest_marker(&*storage)?.is_some() {
            return Err(Error::new(ErrorKind::Protocol, format!("the commit log of {shown} is missing"))
                .cause("_etl/done shows that versions were published, but _etl/log has no record of them")
                .hint(START_AGAIN)
                .context("path", shown));
        }
        return Err(Error::new(ErrorKind::NoInput, format!("there is no lake at {shown}"))
            .hint("run the job first, or check the location; if _etl was removed from a lake, run with --adopt")
            .context("path", shown));
    };
    Ok((storage, head))
}

/// The kinds of problems that were found, which decide the way out.
#[derive(Debug, Default)]
struct Found {
    foreign_files: u64,
    outdated_files: u64,
    has_lost_format: bool,
    has_lost_record: bool,
    has_damaged_log: bool,
}

impl Found {
    /// The way out of the problems.
    fn repair(&self, check: &LakeCheck, record: &CommitRecord) -> Option<String> {
        let lake = &check.location;
        if !check.is_published {
            return Some(format!("run again, or run `sparkify-lake recover {lake}`, to publish the version in full"));
        }
        let retains = record.checkpoints.iter().any(|checkpoint| !checkpoint.state.packs.is_empty());
        let keep_gone = if retains { " --keep-gone" } else { "" };
        let has_foreign_files = self.foreign_files > 0;
        let has_outdated_files = self.outdated_files > 0;
        let is_damaged = check.problem_count > self.foreign_files + self.outdated_files;
        let mut repair = match self {
            Self { has_damaged_log: true, .. } => format!(
                "move the folder _delta_log of these tables away and run again{keep_gone}, which begins new logs; then \
                 check again"
            ),
            Self { has_lost_record: true, .. } => format!(
                "restore the newest commit record from a backup; or run with --rebuild --adopt{keep_gone}, which loses \
                 rows that only that version retained"
            ),
            _ if has_foreign_files && (is_damaged || has_outdated_files) => format!(
                "run with --rebuild --adopt{keep_gone}, which removes the foreign files and writes the other files again"
            ),
            _ if has_foreign_files => {
                format!("remove the foreign files, or run with --adopt{keep_gone} to have them removed")
            }
            Self { has_lost_format: true, .. } if check.problem_count == 1 => {
                "run again, which writes the file again".to_owned()
            }
            _ if is_damaged => format!("run with --rebuild{keep_gone} to write these files again"),
            _ if has_outdated_files => {
                format!("run again{keep_gone}, which replaces these files: they have the bytes of an earlier version")
            }
            _ => return None,
        };
        if check.lost.files > 0 {
            repair.push_str(
                "; for files that were deleted from the input, restore them or the packs from a backup, or run with \
                 --rebuild --allow-shrink without --keep-gone, which removes their rows permanently",
            );
        }
        Some(repair)
    }

    /// Adds a problem to the result.
    fn note(&mut self, check: &mut LakeCheck, path: String, what: &'static str) {
        match what {
            _ if path.contains("/_delta_log/") => self.has_damaged_log = true,
            "foreign" => self.foreign_files += 1,
            "outdated" => self.outdated_files += 1,
            _ => {}
        }
        check.problem_count += 1;
        if check.problems.len() < MAX_LISTED_PROBLEMS {
            check.problems.push(Problem { path, what });
        }
    }
}

fn check_table(
    storage: &dyn LakeStorage,
    (folder, table): (&str, &TableRecord),
    entries: Vec<ListedFile>,
    reads_bytes: bool,
    cancel: &Cancel,
    (check, found): (&mut LakeCheck, &mut Found),
) -> Result<()> {
    let mut entries: HashMap<String, ListedFile> =
        entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
    let (mut older, newest) = (None, check.version);
    let mut is_outdated = |path: &str| -> Result<bool> {
        let older = match &older {
            Some(read) => read,
            None => older.insert(OlderVersions::read(storage, newest)?),
        };
        Ok(older.checksum(storage, folder, path)?.is_some())
    };
    let mut note = |path: &str, what| found.note(check, format!("{folder}/{path}"), what);
    if entries.remove(SUCCESS).is_none() {
        note(SUCCESS, "missing");
    }
    if let Some(log) = &table.delta {
        let log_files: Vec<_> = entries.extract_if(|path, _| delta_log::is_log_file(path)).collect();
        let mut problems = delta_log::problems(log, log_files.iter().map(|(path, _)| &**path));
        let read = |path: &str| storage.read_optional(path);
        if problems.is_empty() && !delta_log::matches(read, folder, log, table)? {
            problems.push((delta_log::commit_name(log.version), "changed"));
        }
        for (path, what) in problems {
            note(&path, what);
        }
    }
    let retained = table.retained.iter().map(|(path, retained)| (path, &retained.file));
    for (path, file) in table.files.iter().chain(retained) {
        cancel.check()?;
        match entries.remove(path) {
            None => note(path, "missing"),
            Some(entry) if is_same(storage, folder, &entry, file, reads_bytes)? => {}
            Some(_) => note(path, if is_outdated(path)? { "outdated" } else { "changed" }),
        }
    }
    let (ignored, mut foreign): (Vec<String>, Vec<String>) =
        entries.into_keys().partition(|path| is_ignored_by_readers(path));
    foreign.sort_unstable();
    for path in foreign {
        note(&path, if is_outdated(&path)? { "outdated" } else { "foreign" });
    }
    check.ignored += ignored.len() as u64;
    check.files += table.files.len() as u64;
    check.bytes += table.files.values().map(|file| file.size).sum::<u64>();
    check.rows += table.files.values().map(|file| file.rows).sum::<u64>();
    Ok(())
}

/// Checks the files below `_etl` that runs need.
fn check_control_files(
    storage: &dyn LakeStorage,
    record: &CommitRecord,
    reads_bytes: bool,
    cancel: &Cancel,
    (check, found): (&mut LakeCheck, &mut Found),
) -> Result<()> {
    if !commit_log::has_format(storage)? {
        found.has_lost_format = true;
        found.note(check, commit_log::FORMAT_PATH.to_owned(), "missing");
    }
    if let Some(version) = commit_log::newest_marker(storage)?.filter(|version| *version > record.version) {
        found.has_lost_record = true;
        found.note(check, commit_log::record_path(version), "missing");
    }
    let damaged = state_damage::damaged_state(storage, record, |_| true, reads_bytes, cancel)?;
    check.lost = state_damage::lost_copies(record, &damaged, |_, _| true);
    for file in damaged {
        found.note(check, file.path(), file.what);
    }
    Ok(())
}

fn is_same(
    storage: &dyn LakeStorage,
    folder: &str,
    entry: &ListedFile,
    file: &FileRecord,
    reads_bytes: bool,
) -> Result<bool> {
    if entry.size != file.size {
        return Ok(false);
    }
    if !reads_bytes && file.stamp.as_ref() == Some(&entry.stamp) {
        return Ok(true);
    }
    Ok(storage.checksum(&format!("{folder}/{}", entry.path))?.as_ref() == Some(&file.sha256))
}
