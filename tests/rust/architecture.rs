//! The walls between the modules, read from the source text.
//!
//! What a lint can say is in `clippy.toml` and under `[lints]`; this is the rest. Comments and inline tests are not
//! looked at: only shipped code can breach a wall. Every wall also checks that what it guards is where it is allowed
//! to be, so that none passes because its subject moved away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A word, where it is allowed (a file, or a folder with `/` at its end), and why nowhere else.
const WALLS: [(&str, &[&str], &str); 12] = [
    ("pyo3", &["ffi/"], "the core builds and tests without Python"),
    ("polars", &["ffi/"], "data frames exist in the hand-over alone"),
    ("parquet::", &["write.rs", "read.rs"], "one place writes with the file format's library, and one reads"),
    ("remove_file", &["commit/"], "deleting belongs to commit"),
    ("remove_dir", &["commit/"], "deleting belongs to commit"),
    ("rename(", &["commit/"], "publishing belongs to commit"),
    (
        "tempfile::",
        &[
            "run.rs",
            "runs.rs",
            "commit/outpost.rs",
            "commit/sink.rs",
            "commit/spool.rs",
            "doctor/",
            "quarantine.rs",
            "shards/shuffle.rs",
        ],
        "temporary files are made where plays and rejects spill, where nothing is published, and for what gets its name \
         once it is complete",
    ),
    ("flock", &["commit/"], "one run a lake is commit's promise"),
    ("std::env", &["ffi/"], "the environment belongs to the front; the build's constants are told there"),
    ("spawn_scoped", &["threads.rs", "sample/", "ffi/bridge.rs"], "threads live as long as the work"),
    ("Utc::now", &["report.rs"], "the clock tells when a run was, and nothing else"),
    ("RandomState", &["report.rs"], "chance names a run, and nothing else"),
];

/// What the pure modules may not know: files, clocks, chance, the world.
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::env",
    "std::io",
    "std::time",
    "std::net",
    "std::thread",
    "Utc::now",
    "Local::",
    "RandomState",
    "async ",
];

/// Which modules of the crate a module may know. Not listed: the joints (`run`, `ingest`, `emit`, `star`, `report`,
/// `judge`, `ledger`, `preview`, `account`, `costs`, `lookup`, `doctor`, `shards`) and `ffi`, which exist to join others.
const STAGES: [(&str, &[&str]); 21] = [
    ("error", &[]),
    ("schema", &[]),
    ("progress", &[]),
    ("sample", &[]),
    ("cancel", &["error"]),
    ("executor", &["error"]),
    ("threads", &["cancel", "error"]),
    ("config", &["error", "schema", "store", "threads"]),
    ("store", &["cancel", "error", "threads"]),
    ("plan", &["config", "error", "schema", "store"]),
    ("compression", &["error"]),
    ("discover", &["cancel", "error", "plan", "store", "threads"]),
    ("fetch", &["cancel", "compression", "decode", "discover", "error", "store"]),
    ("quarantine", &["decode", "error", "fetch"]),
    ("duplicates", &["discover", "error", "fetch"]),
    ("decode", &[]),
    ("tables", &["config", "decode", "error", "schema"]),
    ("partition", &["tables"]),
    ("write", &["config", "error", "schema", "tables"]),
    ("outcome", &[]),
    ("commit", &["cancel", "error", "outcome", "schema", "store"]),
];

/// Files have at most this many lines.
const LONGEST: usize = 450;

struct Source {
    /// Below `src`.
    path: String,
    text: String,
    /// The shipped code in it.
    code: String,
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let code = if is_test(&path) { String::new() } else { shipped(&text) };
        Self { path, text, code }
    }

    fn lies_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || place.ends_with('/') && self.path.starts_with(place))
    }

    /// The top-level module.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path == "fuzz.rs"
}

/// The text without comments and without what follows `#[cfg(test)]` and has a body: inline tests come last.
fn shipped(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line.split(" // ").next().unwrap(), "\n"]).collect()
}

/// All source files; the guard against a scanner that finds nothing.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap();
                sources.push(Source::new(path.to_owned(), text));
            }
        }
    }
    assert!(sources.len() >= 40, "looked at {} files only, below {}", sources.len(), root.display());
    sources
}

/// The modules that the code names: `crate::a::b`, `crate::{a, b::c}`.
fn known(code: &str) -> BTreeSet<String> {
    let first =
        |path: &str| -> String { path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut modules = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => {
                modules.insert(first(after));
            }
            Some(group) => {
                let mut depth = 1;
                let inside = group.chars().take_while(|c| {
                    depth += i32::from(*c == '{') - i32::from(*c == '}');
                    depth > 0
                });
                let mut depth = 0;
                let flat: String = inside
                    .filter(|c| {
                        depth += i32::from(*c == '{') - i32::from(*c == '}');
                        depth == 0
                    })
                    .collect();
                modules.extend(flat.split(',').map(first).filter(|module| !module.is_empty()));
            }
        }
    }
    modules
}

/// Breaches of a wall, as `file: what`.
fn breaches(sources: &[Source], word: &str, allowed: &[&str]) -> Vec<String> {
    let outside = sources.iter().filter(|source| !source.lies_in(allowed));
    outside.filter(|source| source.code.contains(word)).map(|source| format!("{}: {word}", source.path)).collect()
}

#[test]
fn the_walls_stand() {
    let sources = sources();
    for (word, allowed, why) in WALLS {
        assert_eq!(breaches(&sources, word, allowed), [""; 0], "{why}");
        for place in allowed {
            let inside = sources.iter().filter(|source| source.lies_in(&[place]));
            assert!(inside.clone().any(|source| source.code.contains(word)), "{word} is no longer in {place}");
        }
    }
}

#[test]
fn tables_and_partition_are_pure() {
    let sources = sources();
    let pure: Vec<&Source> = sources.iter().filter(|source| source.lies_in(&["tables/", "partition.rs"])).collect();
    assert!(pure.len() >= 10, "{} files", pure.len());
    for source in pure {
        let found = IMPURE.iter().find(|word| source.code.contains(**word));
        assert_eq!(found, None, "{}", source.path);
    }
}

#[test]
fn stages_know_only_what_they_take() {
    let sources = sources();
    let mut all: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in &sources {
        assert!(!source.code.contains("super::super"), "{} reaches two levels up", source.path);
        let is_root = !source.path.contains('/');
        assert!(!is_root || !source.code.contains("super::"), "{} says super for crate", source.path);
        all.entry(source.module()).or_default().extend(known(&source.code));
    }
    for (stage, allowed) in STAGES {
        let known = all.get(stage).unwrap_or_else(|| panic!("there is no module {stage}"));
        let unknown: Vec<&String> =
            known.iter().filter(|module| *module != stage && !allowed.contains(&module.as_str())).collect();
        assert!(unknown.is_empty(), "{stage} knows {unknown:?}");
        let unused: Vec<&&str> = allowed.iter().filter(|module| !known.contains(**module)).collect();
        assert!(unused.is_empty(), "{stage} no longer needs {unused:?}: take it off the list");
    }
    for (module, known) in &all {
        assert!(!known.contains("ffi"), "{module} knows the boundary");
        assert!(!known.contains("run") || *module == "ffi", "{module} knows the outline of the job");
    }
}

#[test]
fn every_file_opens_with_what_it_is_and_stays_short() {
    for source in sources() {
        let Source { path, text, .. } = &source;
        assert!(text.starts_with("//! "), "{path} does not say what it is");
        assert!(text.lines().count() <= LONGEST, "{path} has {} lines", text.lines().count());
        // The crate's map states no invariant of its own, and tests keep none.
        let opening: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(opening.contains("Invariant") || is_test(path) || path == "lib.rs", "{path} names no invariant");
    }
}

#[test]
fn the_scanner_sees_a_breach() {
    let source = |path: &str, text: &str| Source::new(path.to_owned(), text.to_owned());
    let breach = [source("tables/x.rs", "use std::fs;\nfn f() { fs::remove_file(\"x\"); }\n")];
    assert_eq!(breaches(&breach, "remove_file", &["commit/"]), ["tables/x.rs: remove_file"]);
    assert_eq!(breaches(&breach, "remove_file", &["tables/"]), [""; 0]);
    assert_eq!(breaches(&breach, "remove_file", &["tables"]), ["tables/x.rs: remove_file"], "a file, not a folder");
    let harmless =
        "//! remove_file\n/// remove_file\nfn f() {} // remove_file\n#[cfg(test)]\nmod tests {\nremove_file\n}";
    assert_eq!(breaches(&[source("x.rs", harmless)], "remove_file", &[]), [""; 0]);
    let modules = known("use crate::a::b;\nuse crate::{c::{d, e}, f};\nfn g() -> crate::h { $crate::i() }");
    assert_eq!(modules.into_iter().collect::<String>(), "acfhi");
}
