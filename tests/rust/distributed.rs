//! A run on an executor writes the same lake, even if shards are processed twice, in another order, or too late.

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

use crate::test_folder::{SMALL, TestFolder, difference, tree};

/// An executor that processes every shard twice, from the last to the first, and records them.
#[derive(Debug, Default)]
struct ReverseExecutor {
    slots: usize,
    seen: Mutex<Vec<Vec<u8>>>,
}

impl Executor for ReverseExecutor {
    fn name(&self) -> &'static str {
        "reverse"
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

fn sharded(
    test: &TestFolder,
    lake: &str,
    executor: &ReverseExecutor,
    config: impl FnOnce(Config) -> Config,
) -> Result<Report> {
    run(config(test.config(lake)), &Context { executor: Some(executor), ..Context::default() })
}

#[test]
fn shards_and_their_order_change_no_byte() {
    let test = TestFolder::new(&SMALL);
    let report = test.run("reference").unwrap();
    let reference = test.tables("reference");
    assert!(reference.len() > 150, "{} files", reference.len());
    for (slots, shard_size) in [(1, Some(1)), (2, Some(100_000)), (3, None)] {
        let executor = ReverseExecutor { slots, ..ReverseExecutor::default() };
        let lake = format!("{slots}");
        let other = sharded(&test, &lake, &executor, |config| Config { shard_size, ..config }).unwrap();
        assert_eq!(difference(&reference, &test.tables(&lake)), None, "{slots} slots, {shard_size:?}");
        assert_eq!((other.records, other.plays), (report.records.clone(), report.plays));
        assert_eq!(other.executor, "reverse");
        let shards = executor.seen.lock().unwrap().len();
        assert!(if slots == 1 { shards > 200 } else { shards >= 3 }, "{shards} shards");
    }
}

#[test]
fn a_worker_that_outlives_its_run_changes_nothing() {
    let test = TestFolder::new(&SMALL);
    let executor = ReverseExecutor { slots: 2, ..ReverseExecutor::default() };
    sharded(&test, "lake", &executor, |config| Config { shard_size: Some(100_000), ..config }).unwrap();
    let before = tree(&test.lake("lake"));
    for shard in executor.seen.lock().unwrap().iter() {
        let (result, _) =
            protocol::from_bytes(&worker::work(shard, Settings::new(), &Context::default()).unwrap()).unwrap();
        let ShardResult::Failed(failure) = result else { panic!("the staging area no longer exists") };
        assert_eq!(failure.into_error().kind(), ErrorKind::Output);
    }
    assert_eq!(difference(&before, &tree(&test.lake("lake"))), None);
}

#[test]
fn the_next_run_removes_the_files_of_a_dead_run() {
    let test = TestFolder::new(&SMALL);
    test.run("lake").unwrap();
    let before = tree(&test.lake("lake"));
    for name in ["plays/0a", "songs/0b", "results/0c", "scratch/.tmp1", "tables/songplays_table/year=2018/x.parquet"] {
        let path = test.lake("lake").join("_etl/stage/20181101T000000Z-00000000").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    test.run("lake").unwrap();
    assert_eq!(difference(&before, &tree(&test.lake("lake"))), None);
}

#[test]
fn a_large_input_is_divided_into_small_shards() {
    // A tenth of the logs in the estimate of docs/executors.md: 8,000 files of 128 MiB.
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
    let bytes = serde_json::to_vec(&FileWork::new(&files[0]).unwrap()).unwrap().len();
    assert!(bytes < 200, "{bytes} bytes per file");
}
