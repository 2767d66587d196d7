//! Which module imports which, read from the source text.
//!
//! A module is a file. A name that a module re-exports (`pub use child::Name`) counts as the child's, so a folder may
//! have one public face without every import through it looking like a cycle. Comments and inline tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A source file below `src`.
pub struct Source {
    /// Below `src`.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The shipped code in it: without comments and inline tests.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = if is_test(path) { String::new() } else { shipped(text) };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// Whether the file is one of `places`, or below one that ends in `/`.
    pub fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || place.ends_with('/') && self.path.starts_with(place))
    }

    /// The module's path: `lake::storage::local`; '' for `lib.rs`.
    pub fn module(&self) -> String {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if path == "lib" { String::new() } else { path.replace('/', "::") }
    }
}

/// Whether a file holds tests only.
pub fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path == "runtime/random_damage.rs"
}

fn shipped(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line.split(" // ").next().unwrap(), "\n"]).collect()
}

/// All source files of the crate. Fails when it finds too few, so that no check passes because its subject moved away.
pub fn sources() -> Vec<Source> {
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
                sources.push(Source::new(path.strip_prefix(&root).unwrap().to_str().unwrap(), &text));
            }
        }
    }
    assert!(sources.len() >= 150, "looked at only {} files below {}", sources.len(), root.display());
    sources
}

/// The imports of each module: module, what it imports.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The graph of some source files.
pub fn graph(sources: &[Source]) -> Graph {
    let modules: BTreeSet<String> = sources.iter().map(Source::module).collect();
    let shipped: Vec<&Source> = sources.iter().filter(|source| !is_test(&source.path)).collect();
    let mut exports = BTreeMap::new();
    for source in &shipped {
        let module = source.module();
        for (is_public, leaf) in uses(&source.code).0 {
            if let (true, Some(path)) = (is_public, absolute(&module, &leaf, &modules)) {
                let name = path.rsplit("::").next().unwrap().to_owned();
                exports.insert(join(&module, &name), path);
            }
        }
    }
    let mut graph = Graph::new();
    for source in shipped {
        let module = source.module();
        let mut named: BTreeSet<String> = BTreeSet::new();
        let (leaves, rest) = uses(&source.code);
        for (is_public, leaf) in leaves {
            if !is_public {
                named.extend(absolute(&module, &leaf, &modules));
            }
        }
        named.extend(paths(&rest).filter_map(|path| absolute(&module, &path, &modules)));
        let mut imports: BTreeSet<String> = named
            .iter()
            .filter_map(|path| resolve(path, &modules, &exports))
            .filter(|found| *found != module)
            .collect();
        imports.remove("");
        graph.insert(module, imports);
    }
    graph
}

/// The module that a path leads to, through re-exports.
fn resolve(path: &str, modules: &BTreeSet<String>, exports: &BTreeMap<String, String>) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    for end in (1..=parts.len()).rev() {
        let start = parts.get(..end).unwrap().join("::");
        if modules.contains(&start) {
            return Some(start);
        }
        if let Some(target) = exports.get(&start).filter(|target| **target != start) {
            return resolve(target, modules, exports);
        }
    }
    None
}

/// A path as seen from a module, from the crate's root; `None` for what is not of this crate.
fn absolute(module: &str, path: &str, modules: &BTreeSet<String>) -> Option<String> {
    if let Some(path) = path.strip_prefix("crate::") {
        return Some(path.to_owned());
    }
    let mut parts: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut rest = path;
    if let Some(path) = rest.strip_prefix("self::") {
        rest = path;
    }
    let mut is_relative = rest != path;
    while let Some(path) = rest.strip_prefix("super::") {
        parts.pop();
        (rest, is_relative) = (path, true);
    }
    parts.push(rest);
    let joined = parts.join("::");
    let first = join(module, path.split("::").next().unwrap());
    (is_relative || modules.contains(&first)).then_some(joined)
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// The `use` declarations: each tree, and whether it is re-exported; and the code without them.
fn split_uses(code: &str) -> (Vec<(bool, &str)>, String) {
    let (mut trees, mut rest) = (Vec::new(), String::new());
    for part in code.split_inclusive(';') {
        let is_start = |start: &usize| {
            let line = part.get(..*start).unwrap().rsplit('\n').next().unwrap().trim();
            line.is_empty() || line.starts_with("pub")
        };
        let Some(start) = part.match_indices("use ").map(|(start, _)| start).find(is_start) else {
            rest.push_str(part);
            continue;
        };
        let (before, tree) = part.split_at(start);
        let is_public = before.rsplit('\n').next().unwrap().contains("pub");
        trees.push((is_public, tree.trim_start_matches("use ").trim_end_matches(';')));
        rest.push_str(before);
    }
    (trees, rest)
}

/// The leaves of all `use` declarations, each with whether it is re-exported; and the code without them.
fn uses(code: &str) -> (Vec<(bool, String)>, String) {
    let (trees, rest) = split_uses(code);
    let mut leaves = Vec::new();
    for (is_public, tree) in trees {
        flatten("", tree, &mut |leaf| leaves.push((is_public, leaf)));
    }
    (leaves, rest)
}

fn flatten(prefix: &str, tree: &str, take: &mut impl FnMut(String)) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let leaf = tree.split(" as ").next().unwrap().trim();
        take(format!("{prefix}{leaf}").trim_end_matches("::self").to_owned());
        return;
    };
    let group = group.trim_end().trim_end_matches('}');
    let prefix = format!("{prefix}{head}");
    let (mut depth, mut start) = (0, 0);
    for (at, character) in group.char_indices().chain([(group.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = group.get(start..at).unwrap();
                if !branch.trim().is_empty() {
                    flatten(&prefix, branch, take);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Every path in the code, such as `crate::a::b` or `child::function`.
fn paths(code: &str) -> impl Iterator<Item = String> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let words = code.split(move |character: char| !is_part(character));
    words.filter(|word| word.contains("::")).map(|word| word.trim_end_matches(':').to_owned())
}

/// Groups of modules that import each other in a circle, each sorted.
pub fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|module| (module.as_str(), from(graph, module))).collect();
    let mut found = BTreeSet::new();
    for (module, reached) in &reach {
        let back = reached.iter().filter(|other| reach.get(*other).is_some_and(|there| there.contains(module)));
        let mut group: BTreeSet<String> = back.map(|other| (*other).to_owned()).collect();
        if !group.is_empty() {
            group.insert((*module).to_owned());
            found.insert(group.into_iter().collect::<Vec<_>>());
        }
    }
    found.into_iter().collect()
}

/// Every module that can be reached from one.
fn from<'g>(graph: &'g Graph, module: &str) -> BTreeSet<&'g str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = graph.get(module).into_iter().flatten().map(String::as_str).collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(graph.get(next).into_iter().flatten().map(String::as_str));
        }
    }
    reached
}
