//! The location of an input or an output, parsed from text: a path on a local disk, or a prefix in a bucket.
//!
//! Invariant: this version can read and write every [`Location`]; other URLs are rejected when they are parsed.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Result, shown};

/// The location of an input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A path on a local disk.
    Local(PathBuf),
    /// A key or a prefix in a bucket.
    Object(ObjectPath),
}

/// A key, or a prefix of keys, in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPath {
    /// The bucket's name.
    pub bucket: String,
    /// The key or the prefix, without leading and trailing slashes; empty for the entire bucket.
    pub key: String,
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, key } = self;
        if key.is_empty() { write!(formatter, "s3://{bucket}") } else { write!(formatter, "s3://{bucket}/{key}") }
    }
}

impl ObjectPath {
    /// The location `name` below this one.
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
    /// Parses the value of an option: a local path, a `file://` URL, or an S3 URL with the scheme `s3://` or Hadoop's
    /// `s3a://` and `s3n://`. Repeated slashes and `.` segments are removed.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for any other value; the hint shows a valid form.
    pub fn parse(option: &'static str, value: &str) -> Result<Self> {
        let refuse = |message: String, hint: &str| {
            Err(Error::new(ErrorKind::Configuration, message).hint(hint).context("option", option))
        };
        if value.trim().is_empty() {
            return refuse(format!("{option} is empty"), "set it to a folder, or to s3://bucket/folder");
        }
        if value.starts_with("arn:") {
            return refuse(
                format!("{option} is an ARN, not a location"),
                "write s3://bucket/folder; ARNs are for policies",
            );
        }
        let path = match value.split_once("://") {
            None if value.starts_with("dbfs:/") => {
                return refuse(
                    format!("{option} has the scheme dbfs:/, which is not supported"),
                    "use the local path of DBFS, /dbfs/folder, or s3://bucket/folder",
                );
            }
            None if has_scheme(value) => {
                return refuse(
                    format!("{option} begins with a scheme that is not supported"),
                    "use a local path, file:// or s3:// (for a folder whose name ends with a colon: ./name:/)",
                );
            }
            None => value,
            Some(("file", rest)) if rest.starts_with('/') => rest,
            Some(("file", _)) => {
                return refuse(
                    format!("{option} is a file:// URL with a host"),
                    "write file:///absolute/path, or a path without file://",
                );
            }
            Some(("s3" | "s3a" | "s3n", rest)) => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return refuse(format!("{option} does not name a bucket"), "write s3://bucket/folder");
                }
                if bucket.contains(['@', ':']) {
                    // The message does not repeat the value, because it may contain a secret.
                    return refuse(
                        format!("{option} has more than a bucket's name before the first slash"),
                        "write s3://bucket/folder, and put credentials in dl.cfg or in the environment",
                    );
                }
                let parts: Vec<&str> = key.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                if parts.contains(&"..") {
                    return refuse(
                        format!("{option} contains .. as a part of the key"),
                        "write the key as it is in the bucket",
                    );
                }
                return Ok(Self::Object(ObjectPath { bucket: bucket.to_owned(), key: parts.join("/") }));
            }
            Some((scheme, _)) => {
                return refuse(
                    format!("{option} has the scheme {scheme}://, which is not supported"),
                    "use a local path, file:// or s3:// (s3a:// and s3n:// mean the same)",
                );
            }
        };
        Ok(Self::Local(normalized(Path::new(path))))
    }

    /// The location `name` below this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.join(name)),
            Self::Object(path) => Self::Object(path.join(name)),
        }
    }

    /// The path of a local location; `None` for a bucket.
    #[must_use]
    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Object(_) => None,
        }
    }
}

/// Returns true for a URL without a host (`hdfs:/folder`), as Hadoop accepts it.
fn has_scheme(value: &str) -> bool {
    value.split_once(":/").is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

/// The path without repeated slashes and `.` segments. `..` stays, because after a symlink it names another folder.
fn normalized(path: &Path) -> PathBuf {
    let normalized: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    if normalized.as_os_str().is_empty() { PathBuf::from(".") } else { normalized }
}

/// The absolute path with every symlink resolved, for comparing paths. A part that does not exist yet stays unchanged.
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
        for value in ["a:b/c", "./dbfs:/x", "./a:/b", "x/y:/z"] {
            assert!(Location::parse("output", value).unwrap().local().is_some(), "{value}");
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
    fn unsupported_locations_are_rejected() {
        for value in [
            "",
            "  ",
            "arn:aws:s3:::bucket",
            "ftp://host/x",
            "file://host/x",
            "s3:///x",
            "s3://b/../x",
            "s3a://key:secret@b/x",
            "dbfs:/mnt/lake",
            "hdfs:/lake",
            "wasbs:/lake",
        ] {
            let error = Location::parse("output", value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{value}");
            assert!(error.hint_text().is_some());
        }
    }

    #[test]
    fn a_missing_path_is_resolved_up_to_its_existing_parent() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        assert_eq!(resolved(&dir.path().join("x/y")), real.join("x/y"));
    }
}
