//! The rules of the tree, checked for every file of `src`.
//!
//! A folder imports only folders that are listed before it at the top of `src/lib.rs`, and no two modules import each
//! other in a circle, except those in [`MUTUAL`]. What a lint can check is in `clippy.toml` and under `[lints]` in
//! `Cargo.toml`; the rest is here: which words belong where, what the pure modules may not use, and how long a file is.

use std::collections::{BTreeMap, BTreeSet};

use crate::module_graph::{Graph, Source, cycles, graph, is_test, sources};

/// Modules that import each other for a reason.
const MUTUAL: [(&[&str], &str); 1] = [(
    &["lake::commit", "lake::staging"],
    "the type chain of the transaction: sealing a `Stage` makes a `Staged`, and a `Published` shows the stage's tables",
)];

/// A word, where it is allowed (a file, or a folder with `/` at its end), and why nowhere else.
const WALLS: [(&str, &[&str], &str); 12] = [
    ("pyo3", &["python/"], "the core builds and tests without Python"),
    ("polars", &["python/"], "data frames exist at the boundary to Python only"),
    ("parquet::", &["parquet_io/"], "one file writes Parquet, and one reads it"),
    ("remove_file", &["lake/"], "only the transaction deletes files"),
    ("remove_dir", &["lake/"], "only the transaction deletes folders"),
    ("rename(", &["lake/"], "only the transaction publishes"),
    (
        "tempfile::",
        &[
            "distributed/",
            "doctor/",
            "job/",
            "lake/staging_sink.rs",
            "lake/storage/local.rs",
            "lake/storage/pack_writer.rs",
            "lake/worker_staging.rs",
            "quality/quarantine.rs",
            "transform/external_sort.rs",
        ],
        "temporary files are for plays and rejects that spill to disk, for builds in memory, for probes, and for files \
         that get their name when they are complete",
    ),
    ("flock", &["lake/"], "only the transaction keeps other runs out"),
    ("std::env", &["python/"], "the Python package reads the environment; the engine gets options"),
    (
        "spawn_scoped",
        &["runtime/threads.rs", "sample/", "python/bridge.rs"],
        "threads end with the work that started them",
    ),
    ("Utc::now", &[], "it panics if the clock is before 1970"),
    ("RandomState", &["report/run_report.rs"], "randomness only gives the name of a run"),
];

/// Words that the rules of the tables may not use.
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

/// Lines of the longest file.
const MAX_LINES: usize = 450;

/// Files directly in `src`.
const MAX_ROOT_FILES: usize = 4;

/// The folders in the order of the data flow, from the numbered list in `lib.rs`.
fn folder_order(map: &str) -> Vec<String> {
    let mut order = Vec::new();
    for line in map.lines() {
        let Some((number, rest)) = line.strip_prefix("//! ").and_then(|line| line.split_once(". `")) else { continue };
        if number.parse() == Ok(order.len() + 1) {
            order.extend(rest.split_once('`').map(|(folder, _)| folder.to_owned()));
        }
    }
    order
}

/// The folder of a module.
fn folder(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// Imports of a folder that is listed later, as `module imports module`.
fn against_order(graph: &Graph, order: &[String]) -> Vec<String> {
    let rank = |module: &str| order.iter().position(|name| name == folder(module));
    let mut breaches = Vec::new();
    for (module, imports) in graph {
        for import in imports.iter().filter(|import| folder(import) != folder(module)) {
            match (rank(module), rank(import)) {
                (Some(importing), Some(imported)) if imported < importing => {}
                _ => breaches.push(format!("{module} imports {import}")),
            }
        }
    }
    breaches
}

/// The graph of the folders.
fn folders(graph: &Graph) -> Graph {
    let mut folders = Graph::new();
    for (module, imports) in graph {
        let others = imports.iter().map(|import| folder(import)).filter(|other| *other != folder(module));
        folders.entry(folder(module).to_owned()).or_default().extend(others.map(str::to_owned));
    }
    folders
}

/// Uses of a word outside the places where it is allowed, as `file: word`.
fn breaches(sources: &[Source], word: &str, allowed: &[&str]) -> Vec<String> {
    let outside = sources.iter().filter(|source| !source.is_in(allowed));
    outside.filter(|source| source.code.contains(word)).map(|source| format!("{}: {word}", source.path)).collect()
}

#[test]
fn folders_import_only_folders_listed_before_them() {
    let sources = sources();
    let map = sources.iter().find(|source| source.path == "lib.rs").unwrap();
    let (order, mut graph) = (folder_order(&map.text), graph(&sources));
    graph.remove("");
    let listed: BTreeSet<&str> = order.iter().map(String::as_str).collect();
    let present: BTreeSet<&str> = graph.keys().map(|module| folder(module)).collect();
    assert_eq!(listed, present, "the list in src/lib.rs names every folder once");
    assert_eq!(listed.len(), order.len(), "the list in src/lib.rs names every folder once");
    assert_eq!(against_order(&graph, &order), [""; 0]);
    assert_eq!(cycles(&folders(&graph)), [[""; 0]; 0], "cycles between folders");
    // A graph that lost its edges would pass everything above.
    let imports: usize = graph.values().map(BTreeSet::len).sum();
    assert!(graph.len() >= 130 && imports >= 700, "{} modules with {imports} imports", graph.len());
}

#[test]
fn only_the_listed_modules_import_each_other() {
    let mut graph = graph(&sources());
    graph.remove("");
    let named: Vec<Vec<&str>> = MUTUAL.iter().map(|(modules, _)| modules.to_vec()).collect();
    assert_eq!(cycles(&graph), named);
}

#[test]
fn words_are_used_only_where_they_are_allowed() {
    let sources = sources();
    for (word, allowed, why) in WALLS {
        assert_eq!(breaches(&sources, word, allowed), [""; 0], "{why}");
        for place in allowed {
            let inside = sources.iter().filter(|source| source.is_in(&[place]));
            assert!(inside.clone().any(|source| source.code.contains(word)), "{word} is no longer used in {place}");
        }
    }
}

#[test]
fn the_rules_of_the_tables_are_pure() {
    let sources = sources();
    let pure: Vec<&Source> = sources.iter().filter(|source| source.is_in(&["tables/"])).collect();
    assert!(pure.len() >= 15, "looked at {} files", pure.len());
    for source in pure {
        let found = IMPURE.iter().find(|word| source.code.contains(**word));
        assert_eq!(found, None, "{}", source.path);
    }
}

#[test]
fn every_file_has_a_module_comment_and_stays_short() {
    let sources = sources();
    let in_root: Vec<&str> = sources.iter().map(|source| &*source.path).filter(|path| !path.contains('/')).collect();
    assert!(in_root.len() <= MAX_ROOT_FILES, "{in_root:?}");
    for Source { path, text, .. } in &sources {
        assert!(text.starts_with("//! "), "{path} has no module comment");
        assert!(text.lines().count() <= MAX_LINES, "{path} has {} lines", text.lines().count());
    }
}

/// A tree of three folders, `a` before `b` before `c`, with one more file.
fn planted(path: &str, text: &str) -> Vec<Source> {
    let mut sources = vec![
        Source::new("lib.rs", "//! 1. `a`: first\n//! 2. `b`: second\n//! 3. `c`: third\n"),
        Source::new("a/mod.rs", "pub mod x;\nmod y;\npub use y::Y;\n"),
        Source::new("a/x.rs", "pub struct X;\n"),
        Source::new("a/y.rs", "use crate::a::x::X;\npub struct Y(X);\n"),
        Source::new("b/mod.rs", "use crate::a::{self, Y, x::X};\nfn f() { a::x::f() }\n"),
        Source::new("c/mod.rs", "use crate::b;\n"),
    ];
    sources.retain(|source| source.path != path);
    sources.push(Source::new(path, text));
    sources
}

/// Imports against the order, circles of folders, and circles of modules in a planted tree.
fn found(path: &str, text: &str) -> (Vec<String>, Vec<Vec<String>>, Vec<Vec<String>>) {
    let sources = planted(path, text);
    let map = sources.iter().find(|source| source.path == "lib.rs").unwrap();
    let (order, mut graph) = (folder_order(&map.text), graph(&sources));
    graph.remove("");
    (against_order(&graph, &order), cycles(&folders(&graph)), cycles(&graph))
}

#[test]
fn a_planted_violation_of_each_kind_is_found() {
    let none = (vec![], vec![], vec![]);
    assert_eq!(
        found("a/z.rs", "//! crate::c::C\n// crate::c\nfn f() {} // crate::c::C\n"),
        none,
        "comments do not count"
    );
    assert_eq!(found("a/z.rs", "#[cfg(test)]\nmod tests {\nuse crate::c::C;\n}\n"), none, "nor do inline tests");
    assert_eq!(found("a/tests/mod.rs", "use crate::c::C;\n"), none, "nor do files of tests");

    let text = |found: &[String]| found.join("; ");
    for breach in
        ["use crate::c::C;\n", "fn f() { crate::c::f() }\n", "use crate::{a::x, c};\n", "use super::super::c;\n"]
    {
        let (order, ..) = found("a/z.rs", breach);
        assert_eq!(text(&order), "a::z imports c", "{breach}");
    }
    let (order, ..) = found("d/mod.rs", "use crate::a;\n");
    assert_eq!(text(&order), "d imports a", "a folder that is not listed");

    let (_, between, _) = found("a/z.rs", "use crate::b::B;\n");
    assert_eq!(between, [["a", "b"]], "a circle between folders");

    let (_, _, inside) = found("a/x.rs", "use crate::a::Y;\npub struct X;\n");
    assert_eq!(inside, [["a::x", "a::y"]], "a circle inside a folder, through a re-export");
    let (_, _, inside) = found("a/mod.rs", "pub mod x;\nuse x::X;\nmod y;\npub use y::Y;\nfn f(_: X) { y::f() }\n");
    assert_eq!(inside, [[""; 0]; 0], "a folder's own module may use its files");
    let (_, _, inside) = found("a/x.rs", "use super::f;\npub struct X;\n");
    assert_eq!(inside, [[""; 0]; 0], "nor does a file that uses its folder's own module make a circle");
    let text = "use x::X;\nmod y;\npub use y::Y;\npub fn f(_: X) {}\n";
    let mut both = planted("a/mod.rs", text);
    both.push(Source::new("a/x.rs", "use super::f;\npub struct X;\n"));
    let mut graph = graph(&both);
    graph.remove("");
    assert_eq!(cycles(&graph), [["a", "a::x"]], "both together do");

    let word = planted("b/x.rs", "use std::fs;\nfn f() { fs::remove_file(\"x\"); }\n");
    assert_eq!(breaches(&word, "remove_file", &["a/"]), ["b/x.rs: remove_file"]);
    assert_eq!(breaches(&word, "remove_file", &["b/"]), [""; 0]);
    assert_eq!(breaches(&word, "remove_file", &["b"]), ["b/x.rs: remove_file"], "a file, not a folder");
}

#[test]
fn only_test_files_are_left_out() {
    let tests: BTreeMap<String, usize> = sources()
        .iter()
        .filter(|source| is_test(&source.path))
        .map(|source| (source.path.clone(), source.text.lines().count()))
        .collect();
    assert!((10..30).contains(&tests.len()), "{tests:?}");
}
