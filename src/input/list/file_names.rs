//! Which file names are input: those of JSON files that are neither hidden nor temporary.

/// Names that Spark ignores too (`.` and `_`), and backup files of editors.
pub(super) fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".") || name.starts_with(b"_") || name.ends_with(b"~")
}

/// Names of JSON files, plain or compressed.
pub(super) fn is_json(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = [&b".gz"[..], b".bz2", b".zst"].iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(&name);
    [&b".json"[..], b".jsonl", b".ndjson"].iter().any(|suffix| plain.ends_with(suffix))
}
