//! RunBuffer whose shards an executor does: the same lake, however often, in whatever order and however late they are done.

use std::fs;
use std::sync::Mutex;

use sparkify_lake::config::{Config, Settings};
use sparkify_lake::distributed::protocol::{FileWork, ShardResult};
use sparkify_lake::distributed::{protocol, split, worker};
use sparkify_lake::error::{ErrorKind, Result};
use sparkify_lake::input::list::{InputFile, Version};
use sparkify_lake::job::run::run;
use sparkify_lake::report::run_report::Report;
use sparkify_lake::runtime::context::Context;
use sparkify_lake::runtime::executor::Executor;

use crate::scene::{SMALL, Scene, difference, tree};

/// Does every shard twice, from the last to the first, and remembers them.
#[derive(Debug, Default)]
struct Backwards {
    slots: usize,
    seen: Mutex<Vec<Vec<u8>>>,
}

impl Executor for Backwards {
    fn name(&self) -> &'static str {
        "backwards"
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn threads(&self) -> usize {
        2
    }

    fn map(&self, shards: Vec<Vec<u8>>, take: &mut dyn FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        for (number, shard) in shards.iter().enumerate().rev() {
            let early = worker::work(shard, Settings::new(), &Context::default())?;
            take(number, &worker::work(shard, Settings::new(), &Context::default())?)?;
            take(number, &early)?;
        }
        self.seen.lock().unwrap().extend(shards);
        Ok(())
    }
}

fn sharded(scene: &Scene, lake: &str, executor: &Backwards, config: impl FnOnce(Config) -> Config) -> Result<Report> {
    run(config(scene.config(lake)), &Context { executor: Some(executor), ..Context::default() })
}

#[test]
fn neither_shards_nor_their_order_change_a_byte() {
    let scene = Scene::new(&SMALL);
    let report = scene.run("reference").unwrap();
    let reference = scene.tables("reference");
    assert!(reference.len() > 150, "{} files", reference.len());
    for (slots, shard_size) in [(1, Some(1)), (2, Some(100_000)), (3, None)] {
        let executor = Backwards { slots, ..Backwards::default() };
        let lake = format!("{slots}");
        let other = sharded(&scene, &lake, &executor, |config| Config { shard_size, ..config }).unwrap();
        assert_eq!(difference(&reference, &scene.tables(&lake)), None, "{slots} slots, {shard_size:?}");
        assert_eq!((other.records, other.plays), (report.records.clone(), report.plays));
        assert_eq!(other.executor, "backwards");
        let shards = executor.seen.lock().unwrap().len();
        assert!(if slots == 1 { shards > 200 } else { shards >= 3 }, "{shards} shards");
    }
}

#[test]
fn a_worker_that_outlives_its_run_changes_nothing() {
    let scene = Scene::new(&SMALL);
    let executor = Backwards { slots: 2, ..Backwards::default() };
    sharded(&scene, "lake", &executor, |config| Config { shard_size: Some(100_000), ..config }).unwrap();
    let before = tree(&scene.lake("lake"));
    for shard in executor.seen.lock().unwrap().iter() {
        let (told, _) =
            protocol::from_bytes(&worker::work(shard, Settings::new(), &Context::default()).unwrap()).unwrap();
        let ShardResult::Failed(failure) = told else { panic!("there is no stage to work in") };
        assert_eq!(failure.into_error().kind(), ErrorKind::Output);
    }
    assert_eq!(difference(&before, &tree(&scene.lake("lake"))), None);
}

#[test]
fn what_a_dead_run_left_is_removed_by_the_next() {
    let scene = Scene::new(&SMALL);
    scene.run("lake").unwrap();
    let before = tree(&scene.lake("lake"));
    for name in ["plays/0a", "songs/0b", "results/0c", "scratch/.tmp1", "tables/songplays_table/year=2018/x.parquet"] {
        let path = scene.lake("lake").join("_etl/stage/20181101T000000Z-00000000").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    scene.run("lake").unwrap();
    assert_eq!(difference(&before, &tree(&scene.lake("lake"))), None);
}

#[test]
fn a_large_input_is_divided_in_little_time_and_memory() {
    // A tenth of a year of the logs that the documentation plans with: 8,000 files of 128 MiB.
    let files: Vec<InputFile> = (0..8_000)
        .map(|number| InputFile {
            path: format!(
                "logs/2018/{:02}/2018-{:02}-{:02}/part-{number:05}.json.gz",
                1 + number / 6_000,
                1 + number / 6_000,
                1 + number % 6_000 / 220
            )
            .into(),
            size: 128 << 20,
            version: Version::Modified(0),
            is_missing: false,
        })
        .collect();
    let all: Vec<usize> = (0..files.len()).collect();
    let shards = split::divide(&files, &all, split::target(split::weight(files.iter()), 400, None));
    assert_eq!(shards.iter().flatten().copied().collect::<Vec<_>>(), all, "every file once, in order");
    assert!((1_600..=2_800).contains(&shards.len()), "{} shards", shards.len());
    let longest = shards.iter().map(Vec::len).max().unwrap();
    assert!(longest <= 5, "{longest} files in a shard");
    let bytes = serde_json::to_vec(&FileWork::new(&files[0], false).unwrap()).unwrap().len();
    assert!(bytes < 200, "{bytes} bytes a file");
}
