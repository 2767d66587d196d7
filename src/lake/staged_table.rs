//! A table of a run: its published files, compared with the files of the new version.
//!
//! Invariant: a file that is counted as unchanged has the recorded bytes in its final place.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::SUCCESS;
use crate::lake::commit_record::{FileRecord, TableRecord, sha256};
use crate::lake::older_versions::OlderVersions;
use crate::lake::open::Lake;
use crate::lake::storage::{LakeStorage, ListedFile, StagedImage};
use crate::schema::Table;

/// The changes to a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableChanges {
    /// Rows in all files of the table.
    pub rows: u64,
    /// Number of files of the table.
    pub files: u64,
    /// Size of these files in bytes.
    pub bytes: u64,
    /// Number of files that this run wrote.
    pub written: u64,
    /// Number of files that already had the same bytes.
    pub unchanged: u64,
    /// Number of files of earlier runs that this run removes.
    pub removed: u64,
}

/// A published file of the table.
#[derive(Debug)]
struct PublishedFile {
    size: u64,
    stamp: String,
    /// The checksum; `None` for an adopted file.
    sha256: Option<String>,
    /// Whether the newest version has these bytes. If not, the file is to be replaced or removed: it is adopted, or a
    /// late request of an older version left it.
    is_current: bool,
    /// Whether the new version has a file of this name.
    is_kept: AtomicBool,
}

/// The published files of a table and the files of its new version; shared between threads.
#[derive(Debug)]
pub(super) struct StagedTable {
    pub table: Table,
    pub folder: String,
    published: HashMap<String, PublishedFile>,
    /// Whether the folder has its `_SUCCESS`.
    is_marked: bool,
    unchanged: AtomicU64,
    files: Mutex<BTreeMap<String, FileRecord>>,
}

impl StagedTable {
    /// Compares the published files of a table, `entries`, with the newest version of the lake.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when there are files that the newest version does not name and `adopt` is not set;
    /// otherwise any storage error.
    pub fn open(lake: &Lake, table: Table, folder: &str, entries: Vec<ListedFile>, adopt: bool) -> Result<Self> {
        let known = lake.head.as_ref().and_then(|record| record.tables.get(folder));
        let mut published = HashMap::new();
        let mut is_marked = false;
        let mut older = None;
        for entry in entries {
            if entry.path == SUCCESS {
                is_marked = true;
                continue;
            }
            let mut sha256 = known_checksum(&*lake.storage, folder, &entry, known)?;
            let is_current = sha256.is_some();
            if !is_current {
                sha256 = checksum_of_older_version(lake, folder, &entry, &mut older)?;
            }
            if sha256.is_none() && !adopt {
                lake.must_be_newest()?;
                return Err(foreign_file(lake, folder, &entry.path));
            }
            let ListedFile { path, size, stamp } = entry;
            published.insert(path, PublishedFile { size, stamp, sha256, is_current, is_kept: AtomicBool::new(false) });
        }
        let folder = folder.to_owned();
        Ok(Self { table, folder, published, is_marked, unchanged: AtomicU64::new(0), files: Mutex::default() })
    }

    /// The changes of a run that changes nothing, if the table has exactly the files of the newest version.
    pub fn intact(&self, known: &TableRecord) -> Option<TableChanges> {
        let files = &known.files;
        let is_intact = self.is_marked
            && self.published.len() == files.len()
            && self.published.values().all(|file| file.is_current);
        is_intact.then(|| TableChanges {
            rows: files.values().map(|file| file.rows).sum(),
            files: files.len() as u64,
            bytes: files.values().map(|file| file.size).sum(),
            unchanged: files.len() as u64,
            ..TableChanges::default()
        })
    }

    /// Keeps the published files of the newest version whose path `is_kept` accepts.
    pub fn inherit(&self, known: &TableRecord, is_kept: impl Fn(&str) -> bool) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, file) in known.files.iter().filter(|(path, _)| is_kept(path)) {
            let Some(published) = self.published.get(path) else { continue };
            published.is_kept.store(true, Ordering::Relaxed);
            self.unchanged.fetch_add(1, Ordering::Relaxed);
            let stamp = Some(published.stamp.clone());
            files.insert(
                path.clone(),
                FileRecord { stamp, image: None, replaces: None, replaced: None, ..file.clone() },
            );
        }
    }

    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Adds a file to the table, and stages it if its bytes are new.
    pub fn add(
        &self,
        name: String,
        mut record: FileRecord,
        stage: impl FnOnce(&str) -> Result<StagedImage>,
    ) -> Result<()> {
        let published = self.published.get(&name);
        if let Some(published) = published {
            published.is_kept.store(true, Ordering::Relaxed);
        }
        match published {
            Some(same)
                if same.is_current && same.size == record.size && same.sha256.as_deref() == Some(&record.sha256) => {
                self.unchanged.fetch_add(1, Ordering::Relaxed);
                record.stamp = Some(same.stamp.clone());
            }
            other => {
                record.replaces = other.map(|file| file.stamp.clone());
                record.replaced = other.and_then(|file| file.sha256.clone());
                let StagedImage { image, stamp } = stage(&self.path(&name))?;
                (record.image, record.stamp) = (Some(image), stamp);
            }
        }
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name, record);
        Ok(())
    }

    /// Returns true if a file is staged.
    pub fn has_images(&self) -> bool {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.values().any(|file| file.image.is_some())
    }

    /// Checks names on a file system that ignores case: a file of the run must not replace another one, nor be removed
    /// because the published file that it replaces has a name in another case.
    pub fn must_not_collide(&self, lake: &Lake) -> Result<()> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = self.published.keys().filter(|path| !files.contains_key(*path));
        let mut seen: HashMap<String, &str> = HashMap::new();
        for path in files.keys().chain(removed) {
            if let Some(other) = seen.insert(path.to_lowercase(), path) {
                let shown = |path: &str| lake.shown(&self.path(path));
                return Err(Error::new(
                    ErrorKind::Output,
                    format!("{} and {} are the same file on this file system", shown(other), shown(path)),
                )
                .cause("the file system does not distinguish upper and lower case")
                .hint("use a case-sensitive file system; or remove the old table if its names differ only in case")
                .context("path", shown(path)));
            }
        }
        Ok(())
    }

    /// The record of the table, and its changes.
    pub fn finish(&self) -> (TableRecord, TableChanges) {
        let files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let unneeded = self.published.iter().filter(|(_, file)| !file.is_kept.load(Ordering::Relaxed));
        let removed: BTreeMap<String, String> =
            unneeded.map(|(path, file)| (path.clone(), file.stamp.clone())).collect();
        let changes = TableChanges {
            rows: files.values().map(|file| file.rows).sum(),
            files: files.len() as u64,
            bytes: files.values().map(|file| file.size).sum(),
            written: files.values().filter(|file| file.image.is_some()).count() as u64,
            unchanged: self.unchanged.load(Ordering::Relaxed),
            removed: removed.len() as u64,
        };
        let table = self.table.name().to_owned();
        (TableRecord { table, files, removed, marked: self.is_marked }, changes)
    }
}

/// The error for a file that sparkify-lake did not write.
fn foreign_file(lake: &Lake, folder: &str, path: &str) -> Error {
    let shown = lake.shown(folder);
    Error::new(ErrorKind::Protocol, format!("{shown} contains files that sparkify-lake did not write"))
        .cause(format!("for example {}", lake.shown(&format!("{folder}/{path}"))))
        .hint("set --adopt to replace them (for example the output of a Spark job), or choose another output")
        .context("path", shown)
}

/// The checksum of a file that has the bytes of an older version; `older` are these versions once they are read.
fn checksum_of_older_version(
    lake: &Lake,
    folder: &str,
    entry: &ListedFile,
    older: &mut Option<OlderVersions>,
) -> Result<Option<String>> {
    let Some(head) = &lake.head else { return Ok(None) };
    let older = match older {
        Some(read) => read,
        None => older.insert(OlderVersions::read(&*lake.storage, head.version)?),
    };
    older.checksum(&*lake.storage, folder, &entry.path)
}

/// The checksum of a published file if it belongs to the newest version, `None` for a foreign or changed file. A file
/// with the recorded size and another stamp was copied or touched, so its bytes are hashed.
pub(super) fn known_checksum(
    storage: &dyn LakeStorage,
    folder: &str,
    entry: &ListedFile,
    known: Option<&TableRecord>,
) -> Result<Option<String>> {
    let Some(file) = known.and_then(|table| table.files.get(&entry.path)) else { return Ok(None) };
    if file.size == entry.size && file.stamp.as_ref() == Some(&entry.stamp) {
        return Ok(Some(file.sha256.clone()));
    }
    if file.size != entry.size {
        return Ok(None);
    }
    let bytes = storage.read_optional(&format!("{folder}/{}", entry.path))?;
    Ok(bytes.map(|bytes| sha256(&bytes)).filter(|sha256| *sha256 == file.sha256))
}
