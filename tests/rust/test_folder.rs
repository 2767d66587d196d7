//! The input and output folders of a test: creates sample data, runs the job, and reads the tables as a reader of the
//! lake would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sparkify_lake::config::{Config, Settings};
use sparkify_lake::error::Result;
use sparkify_lake::job::run::run;
use sparkify_lake::report::run_report::Report;
use sparkify_lake::runtime::context::Context;
use sparkify_lake::sample::{SampleSpec, write_sample};
use tempfile::TempDir;

/// A temporary folder that contains `input` and any number of lakes.
pub struct TestFolder {
    folder: TempDir,
}

/// Files by their path below a folder.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// A sample for tests of about a second, with plays in two months and a few sessions per user.
pub const SMALL: SampleSpec = SampleSpec { songs: 200, events: 6_000, days: 40, users: 40, seed: 7 };

impl TestFolder {
    pub fn new(spec: &SampleSpec) -> Self {
        let test = Self { folder: tempfile::tempdir().unwrap() };
        write_sample(&test.input(), spec, 2, &|| false, &|_| ()).unwrap();
        test
    }

    pub fn input(&self) -> PathBuf {
        self.folder.path().join("input")
    }

    pub fn lake(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The default options, with two threads, from this input to the lake with this name.
    pub fn config(&self, lake: &str) -> Config {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let settings = [("input", text(self.input())), ("output", text(self.lake(lake))), ("threads", "2".to_owned())];
        let settings: Settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Config::from_settings(&settings).unwrap()
    }

    /// Runs the job with the default options.
    pub fn run(&self, lake: &str) -> Result<Report> {
        run(self.config(lake), &Context::default())
    }

    /// The files of the tables in the lake with this name.
    pub fn tables(&self, lake: &str) -> Tree {
        tables(&self.lake(lake))
    }
}

/// All files of a lake, except those in `_etl`.
pub fn tables(lake: &Path) -> Tree {
    let mut tree = tree(lake);
    tree.retain(|path, _| !path.starts_with("_etl/"));
    tree
}

/// All files below a folder; an empty folder has a path that ends in `/`.
pub fn tree(root: &Path) -> Tree {
    let mut files = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut is_empty = true;
        for entry in entries {
            is_empty = false;
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(relative(root, &path), fs::read(&path).unwrap());
            }
        }
        if is_empty && folder != root {
            files.insert(format!("{}/", relative(root, &folder)), Vec::new());
        }
    }
    files
}

/// The first path at which two trees differ; keeps failure messages short.
pub fn difference(left: &Tree, right: &Tree) -> Option<String> {
    left.keys().chain(right.keys()).find(|path| left.get(*path) != right.get(*path)).cloned()
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}
