//! The job on generated input: its output depends only on the input, and it writes all of it or nothing.
//!
//! The tests compare bytes, not rows: a lake with the same bytes is the same for every reader.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::file::reader::{FileReader, SerializedFileReader};
use sparkify_lake::config::{Compression, Config};
use sparkify_lake::error::ErrorKind;
use sparkify_lake::job::plan::plan;
use sparkify_lake::job::run::run;
use sparkify_lake::report::run_report::Report;
use sparkify_lake::runtime::context::Context;
use sparkify_lake::runtime::progress::Progress;
use sparkify_lake::sample::{SampleSpec, write_sample};
use sparkify_lake::schema::Table;

use crate::test_folder::{SMALL, TestFolder, Tree, difference, tree};

fn written(report: &Report) -> u64 {
    report.tables.iter().map(|table| table.written).sum()
}

#[test]
fn threads_and_chunks_change_no_byte() {
    let test = TestFolder::new(&SMALL);
    let report = test.run("reference").unwrap();
    let reference = test.tables("reference");
    // Ensures that there are enough files to compare.
    assert!(reference.len() > 150, "{} files", reference.len());
    assert!(report.plays.rows > 4_000 && report.plays.matched > 0, "{:?}", report.plays);
    for (threads, chunk_size) in [(1, 4 << 20), (1, 1 << 10), (2, 20_000), (8, 1 << 10), (8, 4 << 20)] {
        let lake = format!("{threads}-{chunk_size}");
        let config = Config { threads, chunk_size, ..test.config(&lake) };
        let other = run(config, &Context::default()).unwrap();
        assert_eq!(difference(&reference, &test.tables(&lake)), None, "{threads} threads, chunks of {chunk_size}");
        assert_eq!(other.records, report.records);
    }
}

#[test]
fn the_layout_of_a_file_changes_no_row() {
    let test = TestFolder::new(&SampleSpec { songs: 20, events: 400, days: 1, ..SMALL });
    test.run("reference").unwrap();
    let reference = test.tables("reference");
    let log = test.input().join("log_data/2018/11/2018-11-01-events.json");
    let content = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = content.lines().collect();
    let (head, tail) = lines.split_at(100);
    let forms = [
        ("windows", lines.join("\r\n")),
        ("array", format!("[{}]", lines.join(","))),
        ("tall array", format!("[\n{}\n]\n", lines.join(",\n"))),
        ("pretty", content.replace(",\"", ",\n  \"")),
        ("one line", lines.concat()),
        ("array, then lines", format!("[{}]\n{}", head.join(","), tail.join("\n"))),
        ("lines, then array", format!("{}\n[{}]", head.join("\n"), tail.join(","))),
        ("byte order mark", format!("\u{feff}{content}")),
    ];
    for (form, content) in forms {
        fs::write(&log, content).unwrap();
        for chunk_size in [4 << 20, 1 << 10, 50_000] {
            let lake = format!("{form}-{chunk_size}");
            let report = run(Config { chunk_size, ..test.config(&lake) }, &Context::default()).unwrap();
            assert_eq!(report.records["logs"].read, 400, "{form} in chunks of {chunk_size}: {:?}", report.reasons);
            assert_eq!(difference(&reference, &test.tables(&lake)), None, "{form} in chunks of {chunk_size}");
        }
    }
}

#[test]
fn a_second_run_rewrites_no_file() {
    let test = TestFolder::new(&SMALL);
    let identity = || -> BTreeSet<(String, u64, i64, i64)> {
        let lake = test.lake("lake");
        let files = test.tables("lake");
        let of = |path: &String| {
            let metadata = fs::metadata(lake.join(path)).unwrap();
            (path.clone(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        };
        files.keys().map(of).collect()
    };
    let first = test.run("lake").unwrap();
    let before = identity();
    let second = test.run("lake").unwrap();
    assert!(written(&first) > 0);
    for (table, before) in second.tables.iter().zip(&first.tables) {
        assert_eq!((table.written, table.removed), (0, 0), "{}", table.name);
        assert_eq!(table.unchanged, before.written, "{}", table.name);
        assert_eq!((table.rows, table.bytes), (before.rows, before.bytes), "{}", table.name);
    }
    assert!(identity() == before, "a file was replaced by the same bytes");
    let mut control_files: Vec<String> = tree(&test.lake("lake").join("_etl")).into_keys().collect();
    let state = control_files.len();
    control_files.retain(|path| !path.starts_with("state/"));
    assert_eq!(state - control_files.len(), 6, "songs, users, and users and tracks of two months");
    let version = |kind: &str| format!("{kind}/00000000000000000001.json");
    let expected = ["FORMAT".to_owned(), version("done"), "lock".to_owned(), version("log")];
    assert_eq!(control_files, expected, "the second run creates no version, and a run leaves no other files");
}

#[test]
fn a_changed_input_leaves_no_stale_partition() {
    let test = TestFolder::new(&SMALL);
    test.run("lake").unwrap();
    assert!(test.tables("lake").keys().any(|path| path.contains("month=12")));
    // Other songs, and no December: the partitions of December and of the old songs have to be removed.
    let input = test.input();
    drop(fs::remove_dir_all(&input));
    write_sample(&input, &SampleSpec { days: 20, seed: 8, ..SMALL }, 2, &|| false, &|_| ()).unwrap();
    let second = test.run("lake").unwrap();
    test.run("fresh").unwrap();
    assert_eq!(difference(&test.tables("lake"), &test.tables("fresh")), None);
    assert!(second.tables.iter().map(|table| table.removed).sum::<u64>() > 100);
    assert!(!test.tables("lake").keys().any(|path| path.contains("month=12")));

    // Another compression changes the names of the files.
    let config = Config { compression: Compression::Zstd, ..test.config("lake") };
    run(config, &Context::default()).unwrap();
    assert!(test.tables("lake").keys().all(|path| path.ends_with("_SUCCESS") || path.ends_with(".zstd.parquet")));
}

#[test]
fn a_small_memory_limit_gives_the_same_bytes() {
    // One month has more plays than a row group, so the largest file is joined from several batches.
    let test = TestFolder::new(&SampleSpec { songs: 100, events: 200_000, days: 5, users: 300, seed: 3 });
    // One thread encodes them in order; with several threads, the smaller batch is finished first.
    let report = run(Config { threads: 1, ..test.config("memory") }, &Context::default()).unwrap();
    assert!(report.plays.rows > 131_072, "{:?}", report.plays);
    for threads in [2, 3, 8] {
        let lake = format!("disk-{threads}");
        run(Config { memory_limit: 0, threads, ..test.config(&lake) }, &Context::default()).unwrap();
        assert_eq!(difference(&test.tables("memory"), &test.tables(&lake)), None, "{threads} threads");
    }

    let path = test.lake("memory").join("songplays_table/year=2018/month=11/part-00000.snappy.parquet");
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    assert_eq!(reader.num_row_groups(), 2);
    let rows = reader.metadata().row_groups().iter().map(|group| group.num_rows().unsigned_abs()).sum::<u64>();
    assert_eq!(rows, report.plays.rows);
    // The large file is also compared with the existing one.
    assert_eq!(written(&test.run("memory").unwrap()), 0);
}

#[test]
fn a_run_stopped_before_it_publishes_changes_no_table() {
    let test = TestFolder::new(&SMALL);
    test.run("old").unwrap();
    let (old, lake) = (test.tables("old"), tree(&test.lake("old")));
    let input = test.input();
    drop(fs::remove_dir_all(&input));
    write_sample(&input, &SampleSpec { seed: 9, ..SMALL }, 2, &|| false, &|_| ()).unwrap();
    test.run("new").unwrap();
    let new = test.tables("new");

    let context = Context::default();
    context.cancel.cancel();
    assert_eq!(run(test.config("old"), &context).unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(difference(&test.tables("old"), &old), None);

    for phase in ["discover", "songs", "logs", "write"] {
        // Stopping races with the run, so it is repeated until it succeeds; a few attempts are always enough.
        let stopped = (0..50).any(|_| stop_at(&test, phase, (&old, &lake), &new));
        assert!(stopped, "no run could be stopped at {phase}");
    }
    test.run("old").unwrap();
    assert_eq!(difference(&test.tables("old"), &new), None, "the next run converges");
}

/// Runs into the lake `old` and stops the run in this phase. Returns true if it stopped before it published; otherwise
/// restores the old lake, including its commit log.
fn stop_at(test: &TestFolder, phase: &str, (old, old_lake): (&Tree, &Tree), new: &Tree) -> bool {
    let progress = Progress::default();
    let context = Context { progress: Some(&progress), ..Context::default() };
    let cancel = context.cancel.clone();
    let is_over = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if progress.snapshot().stage == phase {
                    return cancel.cancel();
                }
                std::thread::yield_now();
            }
        });
        let config = Config { chunk_size: 1 << 10, ..test.config("old") };
        let result = run(config, &context);
        is_over.store(true, Ordering::Relaxed);
        result
    });
    let lake = test.lake("old");
    match result {
        Err(error) if error.message().contains("publishing") => {
            assert_eq!(error.kind(), ErrorKind::Interrupted);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            assert_eq!(difference(&test.tables("old"), old), None, "stopped at {phase}");
            return true;
        }
        Ok(_) => assert_eq!(difference(&test.tables("old"), new), None, "stopped too late at {phase}"),
    }
    // Removes entire folders: a new partition without files would be a difference.
    drop(fs::remove_dir_all(&lake));
    for (path, bytes) in old_lake.iter().filter(|(path, _)| !path.ends_with('/')) {
        fs::create_dir_all(lake.join(path).parent().unwrap()).unwrap();
        fs::write(lake.join(path), bytes).unwrap();
    }
    false
}

#[test]
fn a_dry_run_creates_no_file() {
    let test = TestFolder::new(&SampleSpec { songs: 5, events: 50, days: 1, ..SMALL });
    let dry_run = plan(test.config("lake"), &Context::default()).unwrap();
    assert!(!test.lake("lake").exists());
    assert_eq!(dry_run.tables.len(), 5);
    assert!(dry_run.tables.iter().all(|table| !table.exists && table.files == 0));
    test.run("lake").unwrap();
    let dry_run = plan(test.config("lake"), &Context::default()).unwrap();
    let files: u64 = dry_run.tables.iter().map(|table| table.files).sum();
    let markers = dry_run.tables.len() as u64;
    assert_eq!(files + markers, test.tables("lake").len() as u64, "`_SUCCESS` is not a file of the table");
}

#[test]
fn a_run_of_some_tables_does_not_change_the_others() {
    let test = TestFolder::new(&SampleSpec { songs: 20, events: 500, days: 2, ..SMALL });
    test.run("lake").unwrap();
    let all = test.tables("lake");
    drop(fs::remove_dir_all(test.lake("lake").join("user_table")));
    let tables = vec![Table::Users];
    let config = Config { tables, ..test.config("lake") };
    let report = run(config, &Context::default()).unwrap();
    assert_eq!(report.tables.iter().map(|table| table.name).collect::<Vec<_>>(), ["users"]);
    assert_eq!(difference(&test.tables("lake"), &all), None);
}
