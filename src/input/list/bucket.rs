//! A prefix of a bucket to the objects below it.
//!
//! The listing itself, and what it costs, is [`crate::s3::list_parallel`]'s; a single object costs one request more.
//!
//! Invariant: every key below the prefix is seen once, whatever it looks like: it is listed or counted, or it ends the
//! run with its name.

use globset::GlobMatcher;

use crate::error::{Error, ErrorKind, Result};
use crate::input::list::file_names::{is_hidden, is_json};
use crate::input::list::listing::Found;
use crate::input::list::{InputFile, Version};
use crate::location::ObjectPath;
use crate::s3::bucket::Bucket;
use crate::s3::list_parallel;
use crate::s3::object::Object;

/// Lists what lies below `root`, or `root` itself where it is an object.
pub(super) fn list(bucket: &Bucket, root: &ObjectPath, glob: Option<&GlobMatcher>) -> Result<Found> {
    let folder = if root.key.is_empty() { String::new() } else { format!("{}/", root.key) };
    // A pattern says how its keys begin, often in the middle of a name.
    let prefix = glob.map_or(&*folder, |glob| beginning(glob.glob().glob()));
    let mut objects = bucket.wait(list_parallel::objects(bucket, prefix))?;
    let mut found = Found::default();
    if objects.is_empty() && glob.is_none() && !root.key.is_empty() {
        // Of the keys that begin like this the shortest comes first. An object that was named is read whatever its
        // ending.
        let page = bucket.wait(bucket.list(&root.key, true, None, None))?;
        objects = page.objects.into_iter().filter(|object| object.key == root.key).collect();
        found.files.extend(objects.into_iter().map(input_file));
        return Ok(found);
    }
    for object in objects {
        // Everything but a glob was asked for by its folder.
        let name = object.key.get(folder.len()..).unwrap_or_default();
        let mut parts = name.split('/');
        if object.key.ends_with('/') {
            // What consoles make for a folder.
        } else if parts.any(|part| is_hidden(part.as_bytes()) && !matches!(part, "." | "..")) {
            found.hidden += 1;
        } else if !is_json(name.as_bytes()) {
            found.other += 1;
        } else if glob.is_none_or(|glob| glob.is_match(&object.key)) {
            if !is_addressable(&object.key) {
                return Err(unaddressable(bucket, &object.key));
            }
            found.files.push(input_file(object));
        }
    }
    Ok(found)
}

fn input_file(object: Object) -> InputFile {
    InputFile { path: object.key.into(), size: object.size, version: Version::Tag(object.tag), is_gone: false }
}

/// What every match of a pattern begins with.
fn beginning(pattern: &str) -> &str {
    pattern.find(['*', '?', '[', '{', '\\']).and_then(|end| pattern.get(..end)).unwrap_or(pattern)
}

/// Whether a request reaches the object: URLs know no empty segments, no `.` and no `..`, and as a path the key has to
/// stay what it is.
fn is_addressable(key: &str) -> bool {
    !key.split('/').any(|part| matches!(part, "" | "." | "..")) && !key.chars().any(|c| c.is_ascii_control())
}

fn unaddressable(bucket: &Bucket, key: &str) -> Error {
    let shown = bucket.shown(key);
    Error::new(ErrorKind::DataRefused, format!("{shown} has a key that cannot be addressed"))
        .cause("it has an empty segment, a segment . or .., or a control character")
        .hint("copy the object to another key and delete this one, or name the places with --song-data and --log-data")
        .context("path", shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_no_request_reaches_are_known() {
        for key in ["a.json", "a/b c/ü=%2F.json", "a/..b/c..json"] {
            assert!(is_addressable(key), "{key}");
        }
        for key in ["/a.json", "a//b.json", "a/./b.json", "a/../b.json", "a/b\t.json", "a\u{7f}.json"] {
            assert!(!is_addressable(key), "{key}");
        }
    }

    #[test]
    fn a_pattern_says_how_its_keys_begin() {
        for (pattern, expected) in
            [("logs/2018-1?.json", "logs/2018-1"), ("*.json", ""), ("a/{b,c}/*", "a/"), ("a/[b]", "a/"), (r"a\*b", "a")]
        {
            assert_eq!(beginning(pattern), expected);
        }
    }
}
