//! A committed version is published by the next run or by `recover`, no matter where its run was stopped.
//!
//! The tests simulate a run that stopped after its commit: they start from a finished run, remove the done marker, move
//! the new files to the staging area, and restore the old files. A crash can leave every state in between.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sparkify_lake::error::{ErrorKind, Result};
use sparkify_lake::job::check::check;
use sparkify_lake::job::recover::recover;
use sparkify_lake::lake::{Lake, LakeCheck, Problem};
use sparkify_lake::location::Location;
use sparkify_lake::runtime::cancel::Cancel;
use sparkify_lake::runtime::context::Context;
use sparkify_lake::s3::settings::StoreSettings;
use sparkify_lake::s3::stores::Stores;
use sparkify_lake::sample::{SampleSpec, write_sample};

use crate::test_folder::{SMALL, TestFolder, Tree, difference, tables, tree};

/// A lake whose second run stopped right after its commit, with the tables before and after that run.
struct Stopped {
    test: TestFolder,
    before: Tree,
    after: Tree,
    /// Staged files and their final paths, relative to the lake.
    staged: Vec<(String, String)>,
}

impl Stopped {
    fn new() -> Self {
        let test = TestFolder::new(&SMALL);
        test.run("lake").unwrap();
        let before = test.tables("lake");
        fs::remove_dir_all(test.input()).unwrap();
        write_sample(&test.input(), &SampleSpec { days: 20, seed: 8, ..SMALL }, 2, &|| false, &|_| ()).unwrap();
        test.run("lake").unwrap();
        let after = test.tables("lake");
        let lake = test.lake("lake");
        fs::remove_file(lake.join("_etl/done/00000000000000000002.json")).unwrap();
        let record = record(&lake, 2);
        let mut staged = Vec::new();
        for (folder, table) in record["tables"].as_object().unwrap() {
            for (path, file) in table["files"].as_object().unwrap() {
                if file.get("image").is_some() {
                    let place = format!("{folder}/{path}");
                    staged.push((format!("_etl/stage/{}/tables/{place}", record["run"].as_str().unwrap()), place));
                }
            }
        }
        assert!(staged.len() > 20, "{} files changed", staged.len());
        for (stage, place) in &staged {
            put(&lake.join(stage), &after[place]);
        }
        for folder in record["tables"].as_object().unwrap().keys() {
            fs::remove_dir_all(lake.join(folder)).unwrap();
        }
        for (path, bytes) in &before {
            put(&lake.join(path), bytes);
        }
        Self { test, before, after, staged }
    }

    /// Opens the lake; returns the version that this recovered.
    fn open(&self) -> Result<Option<u64>> {
        let (place, cancel) = (Location::Local(self.test.lake("lake")), Cancel::default());
        let lake = Lake::open(&place, &Stores::new(&StoreSettings::default(), &cancel), &cancel)?;
        Ok(lake.recovered())
    }

    fn check(&self) -> LakeCheck {
        check(&self.test.config("lake"), &Context::default()).unwrap()
    }

    fn assert_published(&self) {
        let checked = self.check();
        assert_eq!((checked.exit_code, checked.problem_count, checked.version), (0, 0, 2), "{:?}", checked.problems);
        assert_eq!(difference(&self.test.tables("lake"), &self.after), None);
        assert_eq!(self.open().unwrap(), None, "there is nothing left to recover");
        let report = self.test.run("lake").unwrap();
        assert_eq!(report.tables.iter().map(|table| table.written + table.removed).sum::<u64>(), 0);
        let control_files: Vec<String> = tree(&self.test.lake("lake").join("_etl")).into_keys().collect();
        assert!(!control_files.iter().any(|path| path.starts_with("stage")), "{control_files:?}");
    }
}

fn record(lake: &Path, version: u64) -> Value {
    let bytes = fs::read(lake.join(format!("_etl/log/{version:020}.json"))).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["record"].take()
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn recover_publishes_a_run_that_stopped_after_its_commit() {
    let stopped = Stopped::new();
    assert_ne!(difference(&stopped.before, &stopped.after), None);
    let checked = stopped.check();
    assert_eq!((checked.exit_code, checked.is_published, checked.version), (75, false, 2));
    assert!(checked.problem_count >= stopped.staged.len() as u64, "old files and missing files");
    let recovered = recover(&stopped.test.config("lake"), &Context::default()).unwrap();
    assert_eq!((recovered.exit_code, recovered.is_published), (0, true));
    stopped.assert_published();
}

#[test]
fn opening_a_lake_recovers_a_publish_that_stopped_at_any_file() {
    // After each eighth of the files.
    for part in 0..=8 {
        let stopped = Stopped::new();
        let lake = stopped.test.lake("lake");
        let count = stopped.staged.len() * part / 8;
        for (stage, place) in stopped.staged.iter().take(count) {
            fs::create_dir_all(lake.join(place).parent().unwrap()).unwrap();
            fs::rename(lake.join(stage), lake.join(place)).unwrap();
        }
        assert_eq!(stopped.open().unwrap(), Some(2), "after {count} files");
        stopped.assert_published();
    }
}

#[test]
fn the_next_run_also_publishes_it() {
    let stopped = Stopped::new();
    let report = stopped.test.run("lake").unwrap();
    assert_eq!(report.version, Some(2), "the input has not changed");
    stopped.assert_published();
}

#[test]
fn an_incomplete_staging_area_is_not_published() {
    let stopped = Stopped::new();
    let lake = stopped.test.lake("lake");
    fs::remove_file(lake.join(&stopped.staged[3].0)).unwrap();
    assert_eq!(stopped.open().unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(difference(&tables(&lake), &stopped.before), None, "no table was changed");
}

#[test]
fn a_copied_lake_is_accepted() {
    let test = TestFolder::new(&SMALL);
    test.run("lake").unwrap();
    for (path, bytes) in tree(&test.lake("lake")) {
        put(&test.lake("copy").join(path), &bytes);
    }
    let report = test.run("copy").unwrap();
    assert_eq!(report.tables.iter().map(|table| table.written + table.removed).sum::<u64>(), 0);
    // A file that was changed in place counts as foreign.
    let (path, mut bytes) = test.tables("copy").into_iter().find(|(path, _)| path.ends_with(".parquet")).unwrap();
    bytes[4] ^= 1;
    put(&test.lake("copy").join(&path), &bytes);
    let checked = check(&test.config("copy"), &Context::default()).unwrap();
    assert_eq!((checked.exit_code, checked.problems), (76, vec![Problem { path, what: "changed" }]));
    assert_eq!(test.run("copy").unwrap_err().kind(), ErrorKind::Protocol);
}
