//! The location of an input or an output: a path on a local disk, or a place in a bucket, parsed from its text.
//!
//! Invariant: a parsed [`Location`] is one that this version can read and write.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Result, shown};

/// A place that can be read from or written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A path on a local disk.
    Local(PathBuf),
    /// A place in a bucket.
    Object(ObjectPath),
}

/// A key, or a prefix of keys, in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPath {
    /// The bucket's name.
    pub bucket: String,
    /// Without slashes at its ends; '' is the whole bucket.
    pub key: String,
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, key } = self;
        if key.is_empty() { write!(formatter, "s3://{bucket}") } else { write!(formatter, "s3://{bucket}/{key}") }
    }
}

impl ObjectPath {
    /// The place `name` below this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        Self { bucket: self.bucket.clone(), key }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => formatter.write_str(&shown(path)),
            Self::Object(path) => fmt::Display::fmt(path, formatter),
        }
    }
}

impl Location {
    /// Understands `value` (the option `option` names it in errors): a local path, a `file://` URL, or a URL of S3, for
    /// which `s3a://` and `s3n://` are Hadoop's names. Repeated slashes and `.` segments are dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for anything else, with what to write instead.
    pub fn parse(option: &'static str, value: &str) -> Result<Self> {
        let refuse = |message: String, hint: &str| {
            Err(Error::new(ErrorKind::Configuration, message).hint(hint).context("option", option))
        };
        if value.trim().is_empty() {
            return refuse(format!("{option} is empty"), "name a folder");
        }
        if value.starts_with("arn:") {
            return refuse(
                format!("{option} is an ARN, not a location"),
                "write the folder itself; an ARN names a resource for policies",
            );
        }
        let path = match value.split_once("://") {
            None => value,
            Some(("file", rest)) if rest.starts_with('/') => rest,
            Some(("file", _)) => {
                return refuse(
                    format!("{option} is a file:// URL with a host"),
                    "write file:///absolute/path or a plain path",
                );
            }
            Some(("s3" | "s3a" | "s3n", rest)) => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return refuse(format!("{option} names no bucket"), "write s3://bucket/folder");
                }
                if bucket.contains(['@', ':']) {
                    // What stands there may be a secret: it is not repeated.
                    return refuse(
                        format!("{option} holds more than a bucket's name before the first slash"),
                        "credentials do not belong in a location: put them in dl.cfg or the environment",
                    );
                }
                let parts: Vec<&str> = key.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                if parts.contains(&"..") {
                    return refuse(format!("{option} holds .. in a key"), "write the key as it is in the bucket");
                }
                return Ok(Self::Object(ObjectPath { bucket: bucket.to_owned(), key: parts.join("/") }));
            }
            Some((scheme, _)) => {
                return refuse(
                    format!("{option} begins with {scheme}://, which this version cannot reach"),
                    "it takes local paths, file:// and s3:// (also spelled s3a:// and s3n://)",
                );
            }
        };
        Ok(Self::Local(normalised(Path::new(path))))
    }

    /// The place `name` below this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.join(name)),
            Self::Object(path) => Self::Object(path.join(name)),
        }
    }

    /// The local path; `None` for what lies in a bucket.
    #[must_use]
    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Object(_) => None,
        }
    }
}

/// The path without repeated slashes and `.` segments; `..` stays, because behind a symlink it means something.
fn normalised(path: &Path) -> PathBuf {
    let kept: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    if kept.as_os_str().is_empty() { PathBuf::from(".") } else { kept }
}

/// The path with every symlink resolved, for comparing places; what does not exist yet is kept as written.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut rest = Vec::new();
    let mut ancestor = absolute.as_path();
    loop {
        if let Ok(real) = ancestor.canonicalize() {
            return rest.iter().rev().fold(real, |path, name: &&std::ffi::OsStr| path.join(name));
        }
        match (ancestor.parent(), ancestor.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name);
                ancestor = parent;
            }
            _ => return absolute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_forms_mean_the_same() {
        for value in ["/a/b", "/a//b/", "file:///a/b", "/a/./b"] {
            assert_eq!(Location::parse("input", value).unwrap().local(), Some(Path::new("/a/b")), "{value}");
        }
    }

    #[test]
    fn forms_of_s3_mean_the_same() {
        for value in ["s3://b/x/y", "s3a://b/x/y/", "s3n://b//x/./y"] {
            let expected = ObjectPath { bucket: "b".to_owned(), key: "x/y".to_owned() };
            assert_eq!(Location::parse("input", value).unwrap(), Location::Object(expected), "{value}");
        }
        let Location::Object(whole) = Location::parse("input", "s3://b").unwrap() else { panic!("local") };
        assert_eq!((whole.to_string(), whole.join("x").to_string()), ("s3://b".to_owned(), "s3://b/x".to_owned()));
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        for value in [
            "",
            "  ",
            "arn:aws:s3:::bucket",
            "ftp://host/x",
            "file://host/x",
            "s3:///x",
            "s3://b/../x",
            "s3a://key:secret@b/x",
        ] {
            let error = Location::parse("output", value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{value}");
            assert!(error.hint_text().is_some());
        }
    }

    #[test]
    fn resolving_keeps_what_does_not_exist() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        assert_eq!(resolved(&dir.path().join("x/y")), real.join("x/y"));
    }
}
