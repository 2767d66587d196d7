//! Where things lie: the text of a location, understood.
//!
//! Today a location is a path on a local disk; everything that asks "local or remote?" asks here and nowhere else.
//! It opens nothing.
//!
//! Invariant: a [`Location`] that exists is one this version can read and write.

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// A place that can be read from or written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    path: PathBuf,
}

impl Location {
    /// Understands `value` (the option `option` names it in errors): a local path or a `file://` URL. Repeated slashes
    /// and `.` segments are dropped.
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
            Some((scheme, _)) => {
                return refuse(
                    format!("{option} begins with {scheme}://, which this version cannot reach"),
                    "this version reads and writes local paths and file:// URLs",
                );
            }
        };
        Ok(Self { path: normalised(Path::new(path)) })
    }

    /// The local path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
            assert_eq!(Location::parse("input", value).unwrap().path(), Path::new("/a/b"), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        for value in ["", "  ", "arn:aws:s3:::bucket", "ftp://host/x", "file://host/x"] {
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
