//! The objects below a prefix of a bucket.
//!
//! [`crate::s3::list_parallel`] makes the requests; a source that is a single object needs one more.
//!
//! Invariant: every key below the prefix is handled once, in any form: it is listed, it is counted as ignored, or it
//! ends the run with an error that names it.

use std::path::Path;

use globset::GlobMatcher;

use crate::error::{Error, ErrorKind, Result};
use crate::input::list::file_names::{is_hidden, is_input};
use crate::input::list::listing::Found;
use crate::input::list::{InputFile, Version};
use crate::location::ObjectPath;
use crate::s3::bucket::Bucket;
use crate::s3::list_parallel;
use crate::s3::object::Object;

/// Lists the objects below `root`, or `root` itself if it is an object.
pub(super) fn list(bucket: &Bucket, root: &ObjectPath, glob: Option<&GlobMatcher>) -> Result<Found> {
    let folder = if root.key.is_empty() { String::new() } else { format!("{}/", root.key) };
    // The fixed beginning of a pattern may end in the middle of a name.
    let prefix = glob.map_or(&*folder, |glob| fixed_prefix(glob.glob().glob()));
    let mut objects = bucket.wait(list_parallel::objects(bucket, prefix))?;
    let mut found = Found::default();
    if objects.is_empty() && glob.is_none() && !root.key.is_empty() {
        // The shortest of the keys with this prefix comes first, so one page is enough. An object that is named
        // explicitly is read even if its name is not that of a JSON file.
        let page = bucket.wait(bucket.list(&root.key, true, None, None))?;
        objects = page.objects.into_iter().filter(|object| object.key == root.key).collect();
        found.files.extend(objects.into_iter().map(input_file));
        return Ok(found);
    }
    for object in objects {
        // Unless the source is a glob, all keys begin with its folder.
        let name = object.key.get(folder.len()..).unwrap_or_default();
        let mut parts = name.split('/');
        if object.key.ends_with('/') {
            // A marker that consoles create for a folder.
        } else if parts.any(|part| is_hidden(part.as_bytes()) && !matches!(part, "." | "..")) {
            found.skipped.hidden += 1;
        } else if !is_input(name.as_bytes(), Path::new(&object.key), glob) {
            found.skipped.other += 1;
        } else if !is_addressable(&object.key) {
            return Err(unaddressable(bucket, &object.key));
        } else {
            found.files.push(input_file(object));
        }
    }
    Ok(found)
}

fn input_file(object: Object) -> InputFile {
    InputFile { path: object.key.into(), size: object.size, version: Version::Tag(object.tag), is_missing: false }
}

/// The fixed beginning of a pattern, up to its first wildcard.
fn fixed_prefix(pattern: &str) -> &str {
    pattern.find(['*', '?', '[', '{', '\\']).and_then(|end| pattern.get(..end)).unwrap_or(pattern)
}

/// Returns true if a request can address the key: URLs have no empty segments, no `.` and no `..`, and the key must be
/// the same after a conversion to a path and back.
fn is_addressable(key: &str) -> bool {
    !key.split('/').any(|part| matches!(part, "" | "." | "..")) && !key.chars().any(|c| c.is_ascii_control())
}

fn unaddressable(bucket: &Bucket, key: &str) -> Error {
    let shown = bucket.shown(key);
    Error::new(ErrorKind::DataRefused, format!("no request can address the key of {shown}"))
        .cause("the key contains an empty segment, a segment . or .., or a control character")
        .hint("move the object to another key, or set --song-data and --log-data to locations without it")
        .context("path", shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_no_request_can_address_are_detected() {
        for key in ["a.json", "a/b c/ü=%2F.json", "a/..b/c..json"] {
            assert!(is_addressable(key), "{key}");
        }
        for key in ["/a.json", "a//b.json", "a/./b.json", "a/../b.json", "a/b\t.json", "a\u{7f}.json"] {
            assert!(!is_addressable(key), "{key}");
        }
    }

    #[test]
    fn the_fixed_prefix_of_a_pattern_ends_at_its_first_wildcard() {
        for (pattern, expected) in
            [("logs/2018-1?.json", "logs/2018-1"), ("*.json", ""), ("a/{b,c}/*", "a/"), ("a/[b]", "a/"), (r"a\*b", "a")]
        {
            assert_eq!(fixed_prefix(pattern), expected);
        }
    }
}
