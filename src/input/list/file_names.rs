//! Which file names are input: those of JSON files, or those that match a pattern, if they are neither hidden nor
//! temporary.

use std::path::Path;

use globset::GlobMatcher;

/// Names that Spark ignores too (`.` and `_`), and backup files of editors.
pub(super) fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".") || name.starts_with(b"_") || name.ends_with(b"~")
}

/// Names of JSON files, plain or compressed.
fn is_json(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = [&b".gz"[..], b".bz2", b".zst"].iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(&name);
    [&b".json"[..], b".jsonl", b".ndjson"].iter().any(|suffix| plain.ends_with(suffix))
}

/// Whether a file is read that is not hidden: it matches the pattern, or without a pattern its name is that of JSON.
pub(super) fn is_input(name: &[u8], path: &Path, glob: Option<&GlobMatcher>) -> bool {
    glob.map_or_else(|| is_json(name), |glob| glob.is_match(path))
}
