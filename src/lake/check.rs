//! Is the lake what its log says? For people who wonder, and for a schedule's gate.
//!
//! Every file of the newest version is looked at: on a local disk its bytes are read and their SHA-256 compared, in a
//! bucket its size and `ETag` are, which is the store's own checksum. Files that no version names are found as well.
//!
//! Invariant: checking changes nothing, takes no lock and waits for nobody.

use std::collections::HashMap;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::{FileRecord, TableRecord, sha256};
use crate::lake::storage::bucket::Remote;
use crate::lake::storage::local::Local;
use crate::lake::storage::{Entry, LakeStorage};
use crate::lake::{SUCCESS, commit_log, in_publishing_order};
use crate::location::Location;
use crate::runtime::cancel::Cancel;
use crate::s3::stores::Stores;

/// Problems listed by name; all are counted.
const NAMED: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct LakeCheck {
    /// The lake.
    pub location: String,
    /// Its newest version.
    pub version: u64,
    /// The run that made it.
    pub run: String,
    /// RFC 3339, UTC.
    pub committed_at: String,
    /// Whether it is published in full; until then readers may see the version before in some partitions.
    pub is_published: bool,
    /// Whether the store keeps overlapping runs apart.
    pub is_guarded: bool,
    /// Files of the version.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// How many files are not as the version says.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
    /// 0 when all is well, 75 while the version is not published, 76 when files are not as it says.
    pub exit_code: u8,
}

/// A file that is not as it should be.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub path: String,
    /// `missing`, `changed` or `foreign`.
    pub what: &'static str,
}

/// Compares a lake with its log.
///
/// # Errors
/// [`ErrorKind::NoInput`] when there is no lake, [`ErrorKind::Protocol`] when its log cannot be used, the place's
/// errors otherwise.
pub fn check(location: &Location, stores: &Stores, cancel: &Cancel) -> Result<LakeCheck> {
    let (storage, head) = head(location, stores)?;
    let storage = &*storage;
    let record = &head.record;
    let mut checkup = LakeCheck {
        location: storage.shown(""),
        version: record.version,
        run: record.run.clone(),
        committed_at: record.committed_at.clone(),
        is_published: head.is_published,
        is_guarded: record.conditional.put,
        files: 0,
        bytes: 0,
        rows: 0,
        problem_count: 0,
        problems: Vec::new(),
        exit_code: 0,
    };
    let tables = in_publishing_order(record);
    let folders: Vec<&str> = tables.iter().map(|(folder, _)| *folder).collect();
    let reads_bytes = location.local().is_some();
    for (table, entries) in tables.into_iter().zip(storage.list_many(&folders)?) {
        check_table(storage, table, entries, reads_bytes, cancel, &mut checkup)?;
    }
    checkup.exit_code = match (checkup.is_published, checkup.problem_count) {
        (false, _) => ErrorKind::Retry.exit_code(),
        (true, 0) => 0,
        (true, _) => ErrorKind::Protocol.exit_code(),
    };
    Ok(checkup)
}

/// The place of a lake that is only looked at.
pub(super) fn ground_of(location: &Location, stores: &Stores) -> Result<Box<dyn LakeStorage>> {
    Ok(match location {
        Location::Local(path) => Box::new(Local::look(path)),
        Location::Object(path) => Box::new(Remote::new(stores.open(&path.bucket)?, &path.key)),
    })
}

/// The newest version of a lake that is only looked at.
pub(super) fn head(location: &Location, stores: &Stores) -> Result<(Box<dyn LakeStorage>, commit_log::Head)> {
    let storage = ground_of(location, stores)?;
    let head = if commit_log::has_format(&*storage)? { commit_log::head(&*storage)? } else { None };
    let Some(head) = head else {
        let shown = storage.shown("");
        return Err(Error::new(ErrorKind::NoInput, format!("there is no lake at {shown}"))
            .hint("write it first, or check the spelling")
            .context("path", shown));
    };
    Ok((storage, head))
}

fn check_table(
    storage: &dyn LakeStorage,
    (folder, table): (&str, &TableRecord),
    entries: Vec<Entry>,
    reads_bytes: bool,
    cancel: &Cancel,
    checkup: &mut LakeCheck,
) -> Result<()> {
    let mut entries: HashMap<String, Entry> = entries.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
    let mut note = |path: &str, what| {
        checkup.problem_count += 1;
        if checkup.problems.len() < NAMED {
            checkup.problems.push(Problem { path: format!("{folder}/{path}"), what });
        }
    };
    if entries.remove(SUCCESS).is_none() {
        note(SUCCESS, "missing");
    }
    for (path, file) in &table.files {
        cancel.check()?;
        match entries.remove(path) {
            None => note(path, "missing"),
            Some(entry) if is_same(storage, folder, &entry, file, reads_bytes)? => {}
            Some(_) => note(path, "changed"),
        }
    }
    let mut foreign: Vec<String> = entries.into_keys().collect();
    foreign.sort_unstable();
    for path in foreign {
        note(&path, "foreign");
    }
    checkup.files += table.files.len() as u64;
    checkup.bytes += table.files.values().map(|file| file.size).sum::<u64>();
    checkup.rows += table.files.values().map(|file| file.rows).sum::<u64>();
    Ok(())
}

fn is_same(
    storage: &dyn LakeStorage,
    folder: &str,
    entry: &Entry,
    file: &FileRecord,
    reads_bytes: bool,
) -> Result<bool> {
    if entry.size != file.size {
        return Ok(false);
    }
    if !reads_bytes && file.stamp.as_ref() == Some(&entry.stamp) {
        return Ok(true);
    }
    let bytes = storage.read_optional(&format!("{folder}/{}", entry.path))?;
    Ok(bytes.is_some_and(|bytes| sha256(&bytes) == file.sha256))
}
