//! A folder of table files: listing it, and moving one tree onto another.
//!
//! Invariant: no function here follows a symlink, so nothing outside the two trees is touched.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::ErrorKind as Io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{AtFlags, FileType, statat};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::commit_record::TableRecord;
use crate::lake::storage::ListedFile;
use crate::runtime::cancel::Cancel;
use crate::runtime::threads::for_tasks;

/// The stamp of a file on a local disk: its modification time.
pub fn stamp(metadata: &Metadata) -> String {
    format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec())
}

/// A time of a file: seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime(i64, i64);

impl FileTime {
    /// Earlier than the time of any file.
    pub const MIN: Self = Self(i64::MIN, 0);

    /// The modification time.
    pub fn modified(metadata: &Metadata) -> Self {
        Self(metadata.mtime(), metadata.mtime_nsec())
    }
}

impl Default for FileTime {
    fn default() -> Self {
        Self::MIN
    }
}

/// Files that are the only file of their folder at a version, as most files of the songs table are.
#[derive(Debug, Default)]
pub struct SingleFiles<'r> {
    /// The file's name, by that folder.
    names: HashMap<&'r str, &'r str>,
    /// When the version was published in full.
    published_at: FileTime,
}

impl<'r> SingleFiles<'r> {
    /// The single files of a table.
    pub fn new(table: &'r TableRecord, published_at: FileTime) -> Self {
        let mut names = HashMap::new();
        let mut last = "";
        for (folder, name) in table.files.keys().filter_map(|path| path.rsplit_once('/')) {
            if folder == last {
                names.remove(folder);
            } else {
                names.insert(folder, name);
            }
            last = folder;
        }
        Self { names, published_at }
    }

    /// The file below `path`, the folder `name` of `parent`, if no file was added or removed there since the version was
    /// published. A tool that copies folders also copies its modification time (`cp -a`, `rsync -a`, `tar`), but no tool
    /// can set the time of the last change of its metadata.
    fn unchanged(&self, parent: &File, name: &OsStr, path: &str) -> Option<ListedFile> {
        let file_name = self.names.get(path)?;
        let file = statat(parent, Path::new(name).join(file_name), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let folder = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let changed_at = FileTime(folder.st_ctime, i64::try_from(folder.st_ctime_nsec).ok()?);
        let is_newer = (folder.st_mtime, folder.st_mtime_nsec) > (file.st_mtime, file.st_mtime_nsec);
        if is_newer || changed_at > self.published_at || !FileType::from_raw_mode(file.st_mode).is_file() {
            return None;
        }
        let stamp = format!("{}.{:09}", file.st_mtime, file.st_mtime_nsec);
        Some(ListedFile { path: format!("{path}/{file_name}"), size: u64::try_from(file.st_size).ok()?, stamp })
    }
}

/// The number of folders in one task of a thread.
const FOLDERS_PER_TASK: usize = 128;

/// A folder that no thread has listed yet.
struct Folder {
    parent: Arc<Path>,
    name: OsString,
    /// The path below the root.
    path: String,
}

/// The files that a thread has found, and the folders to list next.
#[derive(Default)]
struct Found {
    files: Vec<ListedFile>,
    folders: Vec<Folder>,
    /// The parent of the folder that was checked last.
    parent: Option<(Arc<Path>, File)>,
}

impl Found {
    /// Lists a folder; `prefix` is its path below the root, with a slash.
    fn list(&mut self, folder: &Arc<Path>, prefix: &str) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let path = format!("{prefix}{}", name.to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.folders.push(Folder { parent: folder.clone(), name, path });
            } else {
                let metadata = entry.metadata()?;
                self.files.push(ListedFile { path, size: metadata.len(), stamp: stamp(&metadata) });
            }
        }
        Ok(())
    }

    /// Adds the only file of a folder that has not changed; lists any other folder.
    fn list_unless_unchanged(&mut self, folder: &Folder, single: &SingleFiles<'_>) -> Result<()> {
        let Folder { parent, name, path } = folder;
        if single.names.contains_key(path.as_str())
            && let Some(file) = self.open(parent).and_then(|parent| single.unchanged(parent, name, path))
        {
            self.files.push(file);
            return Ok(());
        }
        let folder = parent.join(name);
        self.list(&folder.as_path().into(), &format!("{path}/")).map_err(|error| not_listed(&folder, &error))
    }

    /// Opens a parent, unless it is open already: most folders in a row have the same one.
    fn open(&mut self, parent: &Arc<Path>) -> Option<&File> {
        if !self.parent.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, parent)) {
            self.parent = File::open(parent).ok().map(|file| (parent.clone(), file));
        }
        self.parent.as_ref().map(|(_, file)| file)
    }
}

fn not_listed(folder: &Path, error: &std::io::Error) -> Error {
    Error::io(ErrorKind::Output, "list", folder, error)
}

/// All files below `root`, in no particular order; nothing if the folder does not exist. One level of the tree is listed
/// after the other, by up to `threads` threads.
///
/// A folder in `single` is not listed if it has not changed since its file was published: reading the metadata of both is
/// several times as fast as listing, and a lake has thousands of such folders.
pub fn files(root: &Path, single: &SingleFiles<'_>, threads: usize) -> Result<Vec<ListedFile>> {
    let mut top = Found::default();
    match top.list(&root.into(), "") {
        Err(error) if error.kind() == Io::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(|error| not_listed(root, &error))?,
    }
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let mut parts = vec![top];
    loop {
        for part in parts {
            files.extend(part.files);
            folders.extend(part.folders);
        }
        if folders.is_empty() {
            return Ok(files);
        }
        let tasks: Vec<&[Folder]> = folders.chunks(FOLDERS_PER_TASK).collect();
        let list = |found: &mut Found, task: usize| {
            let Some(folders) = tasks.get(task) else { return Ok(()) };
            folders.iter().try_for_each(|folder| found.list_unless_unchanged(folder, single))
        };
        parts = for_tasks(threads, tasks.len(), &Cancel::default(), |_| Found::default(), list, |_| Ok(()))?;
        folders.clear();
    }
}

/// Moves everything below `from` to the same path below `to`: entire folders where `to` has none (or an empty one),
/// single files otherwise, each in one step. A file in the place of a folder, or the reverse, was adopted with the
/// table and is replaced.
pub fn move_onto(from: &Path, to: &Path, cancel: &Cancel) -> Result<()> {
    cancel.check()?;
    let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "publish", to, &error);
    match std::fs::rename(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == Io::NotADirectory => {
            std::fs::remove_file(to).map_err(failed)?;
            return std::fs::rename(from, to).map_err(failed);
        }
        Err(error) if error.kind() == Io::IsADirectory => {
            std::fs::remove_dir_all(to).map_err(failed)?;
            return std::fs::rename(from, to).map_err(failed);
        }
        Err(error) if matches!(error.kind(), Io::DirectoryNotEmpty | Io::AlreadyExists) => {}
        Err(error) => return Err(failed(error)),
    }
    let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "list", from, &error);
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        move_onto(&entry.path(), &to.join(entry.file_name()), cancel)?;
    }
    Ok(())
}

/// Removes a file, and the folders above it, up to `root`, that it leaves empty.
pub fn remove(root: &Path, path: &str) -> Result<()> {
    let file = root.join(path);
    match std::fs::remove_file(&file) {
        Ok(()) => {}
        // It was already removed or replaced, or a folder above it was.
        Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::IsADirectory) => {}
        Err(error) => return Err(Error::io(ErrorKind::Storage, "remove", &file, &error)),
    }
    // A missing folder was removed by an earlier run, which was stopped right here.
    let is_removed = |folder: &Path| match std::fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == Io::NotFound,
    };
    let mut folder = file.parent();
    while let Some(empty) = folder.filter(|folder| *folder != root && is_removed(folder)) {
        folder = empty.parent();
    }
    Ok(())
}

/// Removes a tree until the deadline; returns true if nothing is left. It stops at the first error, which the next run
/// reports.
pub fn remove_until(root: &Path, deadline: Instant) -> bool {
    let Ok(entries) = std::fs::read_dir(root) else { return !root.exists() };
    for entry in entries.flatten() {
        let is_removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_until(&entry.path(), deadline),
            _ => std::fs::remove_file(entry.path()).is_ok(),
        };
        if !is_removed || Instant::now() > deadline {
            return false;
        }
    }
    std::fs::remove_dir(root).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;
    use crate::lake::commit_record::FileRecord;

    /// More than a tick of the clock of file systems.
    const TICK: Duration = Duration::from_millis(20);

    /// The files found, sorted. They must be the same as by listing every folder.
    fn found(root: &Path, single: &SingleFiles<'_>) -> Vec<String> {
        let sorted = |mut entries: Vec<ListedFile>| {
            entries.sort_by(|left, right| left.path.cmp(&right.path));
            entries
        };
        let entries = sorted(files(root, single, 2).unwrap());
        assert_eq!(entries, sorted(files(root, &SingleFiles::default(), 1).unwrap()));
        entries.into_iter().map(|entry| entry.path).collect()
    }

    #[test]
    fn many_folders_are_listed_once_by_any_number_of_threads() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<String> =
            (0..3 * FOLDERS_PER_TASK).map(|number| format!("a={}/b={number:03}/x", number / 200)).collect();
        for path in &paths {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), path).unwrap();
        }
        let known: Vec<_> = paths.iter().map(|path| (path.clone(), FileRecord::default())).collect();
        let known = TableRecord { files: known.into_iter().collect(), ..TableRecord::default() };
        let later = FileTime(i64::MAX, 0);
        // Also with the folders that have not changed; one of them has another file now.
        fs::write(dir.path().join("a=1/b=200/y"), "").unwrap();
        let paths = paths.into_iter().chain(["a=1/b=200/y".to_owned()]).collect::<BTreeSet<_>>();
        for single in [SingleFiles::default(), SingleFiles::new(&known, later)] {
            for threads in [1, 2, 5] {
                let found = files(dir.path(), &single, threads).unwrap();
                assert_eq!(found.len(), paths.len());
                assert_eq!(
                    found.into_iter().map(|file| file.path).collect::<BTreeSet<_>>(),
                    paths,
                    "{threads} threads"
                );
            }
        }
    }

    #[test]
    fn files_added_or_removed_next_to_a_known_file_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("table");
        let paths = ["a=1/x", "a=2/x", "a=3/x", "a=3/y", "b/c=1/x", "b/c=2/x", "z"];
        for path in paths {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), path).unwrap();
        }
        sleep(TICK);
        fs::write(dir.path().join("marker"), "").unwrap();
        let published_at = FileTime::modified(&fs::metadata(dir.path().join("marker")).unwrap());
        sleep(TICK);
        let files = paths.iter().map(|path| ((*path).to_owned(), FileRecord::default())).collect();
        let known = TableRecord { table: "songs".to_owned(), files, marked: true, ..TableRecord::default() };
        let single = SingleFiles::new(&known, published_at);
        assert_eq!(single.names.len(), 4, "two share a folder, one is in the root");
        let handle = File::open(&root).unwrap();
        let is_unchanged = |name: &str| single.unchanged(&handle, OsStr::new(name), name).is_some();
        assert!(is_unchanged("a=1") && is_unchanged("a=2"), "the shortcut is taken");
        assert_eq!(found(&root, &single), paths);
        fs::remove_file(root.join("a=1/x")).unwrap();
        fs::remove_dir_all(root.join("b/c=1")).unwrap();
        fs::create_dir(root.join("a=4")).unwrap();
        fs::write(root.join("a=4/x"), "").unwrap();
        assert_eq!(found(&root, &single), ["a=2/x", "a=3/x", "a=3/y", "a=4/x", "b/c=2/x", "z"]);
        // A tool may set the modification time of the folder back after it added a file.
        let before = fs::metadata(root.join("a=2")).unwrap().modified().unwrap();
        fs::write(root.join("a=2/foreign"), "").unwrap();
        File::open(root.join("a=2")).unwrap().set_modified(before).unwrap();
        assert!(!is_unchanged("a=2"));
        assert_eq!(found(&root, &single), ["a=2/foreign", "a=2/x", "a=3/x", "a=3/y", "a=4/x", "b/c=2/x", "z"]);
        fs::rename(root.join("a=2/x"), root.join("a=2/w")).unwrap();
        fs::create_dir(root.join("a=2/x")).unwrap();
        assert_eq!(found(&root, &single), ["a=2/foreign", "a=2/w", "a=3/x", "a=3/y", "a=4/x", "b/c=2/x", "z"]);
    }
}
