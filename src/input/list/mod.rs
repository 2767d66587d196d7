//! Sources to files: the list of input files, with the size and version of each.
//!
//! Without a pattern, the name decides whether a file is listed (`.json`, `.jsonl`, `.ndjson`, each also compressed).
//! With a pattern, every file that matches it is listed. The bytes decide later what a file contains. A local folder and the same tree in a bucket give the same files in the same order.
//!
//! Invariant: the list is sorted by path and has no duplicates, so it does not depend on threads or on the order in
//! which a file system or a store returns names.

mod bucket;
mod file_names;
mod listing;
mod local;
mod skipped;
mod symlinks;

use globset::{GlobBuilder, GlobMatcher};
pub use listing::{InputFile, Listing, SelectedFiles, Selection, Version};
pub use local::modified;

use crate::error::{Error, ErrorKind, Result};
use crate::input::sources::Source;
use crate::location::Location;
use crate::runtime::cancel::Cancel;
use crate::s3::stores::Stores;

/// Lists a source: a folder with several threads, a bucket with several concurrent requests.
///
/// # Errors
/// [`ErrorKind::NoInput`] if no file matches, [`ErrorKind::DataRefused`] for a key that no request can address, and any
/// error of the file system or the store.
pub fn list(
    source: &Source,
    follow_symlinks: bool,
    threads: usize,
    stores: &Stores,
    cancel: &Cancel,
) -> Result<Listing> {
    let glob = source.glob.as_deref().map(matcher).transpose()?;
    match &source.root {
        Location::Local(root) => {
            local::list(root, glob.as_ref(), follow_symlinks, threads, cancel)?.listing(source, None)
        }
        Location::Object(root) => {
            let bucket = stores.open(&root.bucket)?;
            bucket::list(&bucket, root, glob.as_ref())?.listing(source, Some(bucket))
        }
    }
}

fn matcher(pattern: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build().map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("the pattern {pattern:?} is not a valid glob"))
            .cause(error.kind().to_string())
            .hint("use *, ?, [..] and {a,b}; ** matches any number of folders")
    })?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::shown;
    use crate::input::sources::Content;
    use crate::s3::settings::StoreSettings;

    fn list(root: &Path, glob: Option<&str>, follow_symlinks: bool) -> Result<Listing> {
        let glob = glob.map(|glob| root.join(glob).to_string_lossy().into_owned());
        let source =
            Source { content: Content::Logs, root: Location::Local(root.to_owned()), glob, shown: shown(root) };
        let cancel = Cancel::default();
        super::list(&source, follow_symlinks, 3, &Stores::new(&StoreSettings::default(), &cancel), &cancel)
    }

    fn names(root: &Path, listing: &Listing) -> Vec<String> {
        listing.files.iter().map(|file| shown(file.path.strip_prefix(root).unwrap())).collect()
    }

    fn listed(root: &Path, glob: Option<&str>) -> Vec<String> {
        names(root, &list(root, glob, false).unwrap())
    }

    fn write(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
    }

    #[test]
    fn names_decide_and_the_order_is_by_path() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                "b/2.json",
                "b/1.jsonl.gz",
                "a.ndjson.zst",
                "_temporary/x.json",
                ".x.json",
                "x.json~",
                "notes.txt",
                "x.json.crc",
            ],
        );
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop.json")).unwrap();
        assert_eq!(listed(dir.path(), None), ["a.ndjson.zst", "b/1.jsonl.gz", "b/2.json"]);
        assert_eq!(listed(dir.path(), Some("*/*.json")), ["b/2.json"]);
    }

    #[test]
    fn a_pattern_lists_files_with_any_name() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &["2018/stream-1", "2018/a.json.1", "2018/a.json", "2018/_SUCCESS", "2018/.a.json.swp"]);
        assert_eq!(listed(dir.path(), None), ["2018/a.json"]);
        assert_eq!(listed(dir.path(), Some("*/*.json.1")), ["2018/a.json.1"]);
        assert_eq!(listed(dir.path(), Some("**")), ["2018/a.json", "2018/a.json.1", "2018/stream-1"]);
    }

    #[test]
    fn symlinks_are_followed_without_loops_and_without_reading_a_file_twice() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("logs"), dir.path().join("outside"));
        write(&root, &["a/1.json", "b/2.json"]);
        write(&outside, &["3.json", "4.json.1"]);
        for (target, link) in [
            (root.clone(), "a/loop"),
            (root.join("b"), "a/to_b"),
            (outside.clone(), "c"),
            (outside.clone(), "d"),
            (outside.join("3.json"), "b/three.json"),
            (root.join("gone"), "dangling.json"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let listing = list(&root, None, true).unwrap();
        assert_eq!(names(&root, &listing), ["a/1.json", "a/to_b/three.json", "b/2.json"]);
        assert!(listing.warnings.iter().any(|warning| warning.contains("dangling.json")), "{:?}", listing.warnings);
        assert!(listing.links.contains(&std::fs::canonicalize(&outside).unwrap()));
        let listing = list(&root, None, false).unwrap();
        assert_eq!(names(&root, &listing), ["a/1.json", "b/2.json"]);
        assert!(listing.links.is_empty());
        assert!(listing.warnings[0].starts_with("6 symlinks in"), "{:?}", listing.warnings);
    }

    #[test]
    fn an_empty_listing_is_an_error_with_counts_and_a_hint_for_the_reason() {
        for (file, link, glob, cause, hint) in [
            ("x.txt", None, None, "not JSON by name: 1", "--log-data to a pattern"),
            ("x.json.1", None, Some("*.json"), "other names: 1", "check the pattern"),
            ("x.txt", Some("l"), None, "symlinks: 1, not JSON by name: 1", "--follow-symlinks"),
            ("x.txt", Some("l.json"), None, "symlinks: 1, not JSON by name: 1", "--follow-symlinks"),
            (".x.json", None, None, "hidden: 1", "check the location"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let outside = tempfile::tempdir().unwrap();
            write(dir.path(), &[file]);
            if let Some(link) = link {
                std::os::unix::fs::symlink(outside.path(), dir.path().join(link)).unwrap();
            }
            let error = list(dir.path(), glob, false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoInput);
            assert!(error.cause_text().unwrap().contains(cause), "{error:?}");
            assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
        }
    }
}
