//! A version that was committed is published by whoever comes next, from wherever its run was stopped.
//!
//! A run that stops between its commit and its end is rebuilt from a finished one: the marker goes, new files go back to
//! the stage, the old ones return. Every state in between is one that a crash can leave.

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

use crate::scene::{SMALL, Scene, Tree, difference, tables, tree};

/// Two versions of a lake: the tables before, the tables after, and the lake as if the second run had stopped right
/// after its commit.
struct Stopped {
    scene: Scene,
    before: Tree,
    after: Tree,
    /// Staged files, relative to the lake, with where they belong.
    staged: Vec<(String, String)>,
}

impl Stopped {
    fn new() -> Self {
        let scene = Scene::new(&SMALL);
        scene.run("lake").unwrap();
        let before = scene.tables("lake");
        fs::remove_dir_all(scene.input()).unwrap();
        write_sample(&scene.input(), &SampleSpec { days: 20, seed: 8, ..SMALL }, 2, &|| false, &|_| ()).unwrap();
        scene.run("lake").unwrap();
        let after = scene.tables("lake");
        let lake = scene.lake("lake");
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
        Self { scene, before, after, staged }
    }

    /// What the next one to open the lake recovers.
    fn open(&self) -> Result<Option<u64>> {
        let (place, cancel) = (Location::Local(self.scene.lake("lake")), Cancel::default());
        let lake = Lake::open(&place, &Stores::new(&StoreSettings::default(), &cancel), &cancel)?;
        Ok(lake.recovered())
    }

    fn check(&self) -> LakeCheck {
        check(&self.scene.config("lake"), &Context::default()).unwrap()
    }

    fn must_be_after(&self) {
        let checkup = self.check();
        assert_eq!((checkup.exit_code, checkup.problem_count, checkup.version), (0, 0, 2), "{:?}", checkup.problems);
        assert_eq!(difference(&self.scene.tables("lake"), &self.after), None);
        assert_eq!(self.open().unwrap(), None, "there is nothing left to recover");
        let report = self.scene.run("lake").unwrap();
        assert_eq!(report.tables.iter().map(|table| table.written + table.removed).sum::<u64>(), 0);
        let control: Vec<String> = tree(&self.scene.lake("lake").join("_etl")).into_keys().collect();
        assert!(!control.iter().any(|path| path.starts_with("stage")), "{control:?}");
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
fn a_run_that_stopped_after_its_commit_is_finished() {
    let stopped = Stopped::new();
    assert_ne!(difference(&stopped.before, &stopped.after), None);
    let checkup = stopped.check();
    assert_eq!((checkup.exit_code, checkup.is_published, checkup.version), (75, false, 2));
    assert!(checkup.problem_count >= stopped.staged.len() as u64, "old files, and missing ones");
    let recovered = recover(&stopped.scene.config("lake"), &Context::default()).unwrap();
    assert_eq!((recovered.exit_code, recovered.is_published), (0, true));
    stopped.must_be_after();
}

#[test]
fn wherever_it_stopped() {
    // In eighths of the files.
    for part in 0..=8 {
        let stopped = Stopped::new();
        let lake = stopped.scene.lake("lake");
        let count = stopped.staged.len() * part / 8;
        for (stage, place) in stopped.staged.iter().take(count) {
            fs::create_dir_all(lake.join(place).parent().unwrap()).unwrap();
            fs::rename(lake.join(stage), lake.join(place)).unwrap();
        }
        assert_eq!(stopped.open().unwrap(), Some(2), "after {count} files");
        stopped.must_be_after();
    }
}

#[test]
fn the_next_run_finishes_it_as_well() {
    let stopped = Stopped::new();
    let report = stopped.scene.run("lake").unwrap();
    assert_eq!(report.version, Some(2), "the same input: nothing new");
    stopped.must_be_after();
}

#[test]
fn half_a_stage_is_not_taken_for_a_whole_one() {
    let stopped = Stopped::new();
    let lake = stopped.scene.lake("lake");
    fs::remove_file(lake.join(&stopped.staged[3].0)).unwrap();
    assert_eq!(stopped.open().unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(difference(&tables(&lake), &stopped.before), None, "nothing was changed");
}

#[test]
fn a_lake_that_was_copied_is_still_ours() {
    let scene = Scene::new(&SMALL);
    scene.run("lake").unwrap();
    for (path, bytes) in tree(&scene.lake("lake")) {
        put(&scene.lake("copy").join(path), &bytes);
    }
    let report = scene.run("copy").unwrap();
    assert_eq!(report.tables.iter().map(|table| table.written + table.removed).sum::<u64>(), 0);
    // A file that was changed in place is somebody else's now.
    let (path, mut bytes) = scene.tables("copy").into_iter().find(|(path, _)| path.ends_with(".parquet")).unwrap();
    bytes[4] ^= 1;
    put(&scene.lake("copy").join(&path), &bytes);
    let checkup = check(&scene.config("copy"), &Context::default()).unwrap();
    assert_eq!((checkup.exit_code, checkup.problems), (76, vec![Problem { path, what: "changed" }]));
    assert_eq!(scene.run("copy").unwrap_err().kind(), ErrorKind::Protocol);
}
