//! The names that a listing leaves out, and the messages about them.
//!
//! Invariant: a hint fits the reason for which files were left out.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, shown};
use crate::input::sources::Source;

/// The names below a source that are not read.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// Hidden and temporary names.
    pub(super) hidden: u64,
    /// Files that do not match the pattern, or without a pattern those that are not JSON by their name.
    pub(super) other: u64,
    symlinks: u64,
    first_symlink: Option<PathBuf>,
}

impl Skipped {
    /// Counts a symlink that is not followed.
    pub(super) fn add_symlink(&mut self, path: &Path) {
        self.symlinks += 1;
        if self.first_symlink.as_deref().is_none_or(|first| path < first) {
            self.first_symlink = Some(path.to_owned());
        }
    }

    pub(super) fn merge(&mut self, more: Self) {
        self.hidden += more.hidden;
        self.other += more.other;
        self.symlinks += more.symlinks;
        self.first_symlink = self.first_symlink.take().into_iter().chain(more.first_symlink).min();
    }

    /// Warnings for the report. Files that do not match a pattern are not meant, so they are not reported.
    pub(super) fn warnings(&self, source: &Source) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(first) = &self.first_symlink {
            warnings.push(format!(
                "{} symlinks in {} were not read, such as {}; set --follow-symlinks to read their targets",
                self.symlinks,
                source.shown,
                shown(first)
            ));
        }
        if self.other > 0 && source.glob.is_none() {
            warnings.push(format!("{} files in {} do not end in .json and were not read", self.other, source.shown));
        }
        warnings
    }

    /// The error for a source without any file to read.
    pub(super) fn nothing_to_read(&self, source: &Source) -> Error {
        let is_pattern = source.glob.is_some();
        let message = if is_pattern {
            format!("no file matches {}", source.shown)
        } else {
            format!("there are no JSON files in {}", source.shown)
        };
        let counts = [
            ("symlinks", self.symlinks),
            (if is_pattern { "other names" } else { "not JSON by name" }, self.other),
            ("hidden", self.hidden),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}: {count}")).collect();
        let hint = if self.symlinks > 0 {
            "set --follow-symlinks to read the targets of symlinks".to_owned()
        } else if is_pattern {
            "check the pattern: *, ?, [..] and {a,b} match within a name, and ** matches any number of folders"
                .to_owned()
        } else if self.other > 0 {
            format!(
                "to read files with other names, set --{} to a pattern that matches them, such as '{}/**'",
                source.content.option().replace('_', "-"),
                source.shown
            )
        } else {
            "check the location; JSON files have names with .json, .jsonl or .ndjson at the end, optionally followed by \
             .gz, .bz2 or .zst"
                .to_owned()
        };
        let error = Error::new(ErrorKind::NoInput, message).hint(hint).context("path", source.shown.clone());
        if counts.is_empty() {
            return error;
        }
        error.cause(format!("the listing found only other files ({})", counts.join(", ")))
    }
}
