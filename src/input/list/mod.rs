//! Sources to files: the list of input files, with the size and version of each.
//!
//! The name decides whether a file is listed (`.json`, `.jsonl`, `.ndjson`, each also compressed); its bytes decide
//! later what it contains. A local folder and the same tree in a bucket give the same files in the same order.
//!
//! Invariant: the list is sorted by path and has no duplicates, so it does not depend on threads or on the order in
//! which a file system or a store returns names.

mod bucket;
mod file_names;
mod listing;
mod local;

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
pub fn list(source: &Source, threads: usize, stores: &Stores, cancel: &Cancel) -> Result<Listing> {
    let glob = source.glob.as_deref().map(matcher).transpose()?;
    let listing = match &source.root {
        Location::Local(root) => local::list(root, glob.as_ref(), threads, cancel)?.listing(None),
        Location::Object(root) => {
            let bucket = stores.open(&root.bucket)?;
            bucket::list(&bucket, root, glob.as_ref())?.listing(Some(bucket))
        }
    };
    if listing.files.is_empty() {
        let mut error = Error::new(ErrorKind::NoInput, format!("there are no JSON files in {}", source.shown))
            .hint(
                "check the location or the pattern; JSON files have names with .json, .jsonl or .ndjson at the end, \
                 optionally followed by .gz, .bz2 or .zst",
            )
            .context("path", source.shown.clone());
        if listing.other + listing.hidden > 0 {
            error = error.cause(format!(
                "the listing found only other files (hidden: {}, not JSON by name: {})",
                listing.hidden, listing.other
            ));
        }
        return Err(error);
    }
    Ok(listing)
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

    fn list(source: &Source) -> Result<Listing> {
        let cancel = Cancel::default();
        super::list(source, 3, &Stores::new(&StoreSettings::default(), &cancel), &cancel)
    }

    fn listed(root: &Path, glob: Option<&str>) -> Vec<String> {
        let glob = glob.map(|glob| root.join(glob).to_string_lossy().into_owned());
        let source =
            Source { content: Content::Logs, root: Location::Local(root.to_owned()), glob, shown: shown(root) };
        let files = list(&source).unwrap().files;
        files.iter().map(|file| shown(file.path.strip_prefix(root).unwrap())).collect()
    }

    #[test]
    fn names_decide_and_the_order_is_by_path() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b/2.json",
            "b/1.jsonl.gz",
            "a.ndjson.zst",
            "_temporary/x.json",
            ".x.json",
            "x.json~",
            "notes.txt",
            "x.json.crc",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop.json")).unwrap();
        assert_eq!(listed(dir.path(), None), ["a.ndjson.zst", "b/1.jsonl.gz", "b/2.json"]);
        assert_eq!(listed(dir.path(), Some("*/*.json")), ["b/2.json"]);
    }

    #[test]
    fn an_empty_listing_is_an_error_that_counts_the_other_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.txt"), "").unwrap();
        let source = Source {
            content: Content::Songs,
            root: Location::Local(dir.path().to_owned()),
            glob: None,
            shown: "here".into(),
        };
        let error = list(&source).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoInput);
        assert!(error.cause_text().unwrap().contains("not JSON by name: 1"));
    }
}
