//! The whole job on generated input: what it writes follows from the input alone, and it writes all of it or nothing.
//!
//! Bytes are compared, not rows: a lake that is the same byte for byte is the same for every reader.

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

use crate::scene::{SMALL, Scene, Tree, difference, tree};

fn written(report: &Report) -> u64 {
    report.tables.iter().map(|table| table.written).sum()
}

#[test]
fn neither_threads_nor_chunks_change_a_byte() {
    let scene = Scene::new(&SMALL);
    let report = scene.run("reference").unwrap();
    let reference = scene.tables("reference");
    // A guard against comparing nothing with nothing.
    assert!(reference.len() > 150, "{} files", reference.len());
    assert!(report.plays.rows > 4_000 && report.plays.matched > 0, "{:?}", report.plays);
    for (threads, chunk_size) in [(1, 4 << 20), (1, 1 << 10), (2, 20_000), (8, 1 << 10), (8, 4 << 20)] {
        let lake = format!("{threads}-{chunk_size}");
        let config = Config { threads, chunk_size, ..scene.config(&lake) };
        let other = run(config, &Context::default()).unwrap();
        assert_eq!(difference(&reference, &scene.tables(&lake)), None, "{threads} threads, chunks of {chunk_size}");
        assert_eq!(other.records, report.records);
    }
}

#[test]
fn how_records_lie_in_files_changes_no_row() {
    let scene = Scene::new(&SampleSpec { songs: 20, events: 400, days: 1, ..SMALL });
    scene.run("reference").unwrap();
    let reference = scene.tables("reference");
    let log = scene.input().join("log_data/2018/11/2018-11-01-events.json");
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (head, tail) = lines.split_at(100);
    let forms = [
        ("windows", lines.join("\r\n")),
        ("array", format!("[{}]", lines.join(","))),
        ("tall array", format!("[\n{}\n]\n", lines.join(",\n"))),
        ("pretty", text.replace(",\"", ",\n  \"")),
        ("one line", lines.concat()),
        ("array, then lines", format!("[{}]\n{}", head.join(","), tail.join("\n"))),
        ("lines, then array", format!("{}\n[{}]", head.join("\n"), tail.join(","))),
        ("byte order mark", format!("\u{feff}{text}")),
    ];
    for (form, text) in forms {
        fs::write(&log, text).unwrap();
        for chunk_size in [4 << 20, 1 << 10, 50_000] {
            let lake = format!("{form}-{chunk_size}");
            let report = run(Config { chunk_size, ..scene.config(&lake) }, &Context::default()).unwrap();
            assert_eq!(report.records["logs"].read, 400, "{form} in chunks of {chunk_size}: {:?}", report.reasons);
            assert_eq!(difference(&reference, &scene.tables(&lake)), None, "{form} in chunks of {chunk_size}");
        }
    }
}

#[test]
fn a_second_run_touches_nothing() {
    let scene = Scene::new(&SMALL);
    let identity = || -> BTreeSet<(String, u64, i64, i64)> {
        let lake = scene.lake("lake");
        let files = scene.tables("lake");
        let of = |path: &String| {
            let metadata = fs::metadata(lake.join(path)).unwrap();
            (path.clone(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        };
        files.keys().map(of).collect()
    };
    let first = scene.run("lake").unwrap();
    let before = identity();
    let second = scene.run("lake").unwrap();
    assert!(written(&first) > 0);
    for (table, before) in second.tables.iter().zip(&first.tables) {
        assert_eq!((table.written, table.removed), (0, 0), "{}", table.name);
        assert_eq!(table.unchanged, before.written, "{}", table.name);
        assert_eq!((table.rows, table.bytes), (before.rows, before.bytes), "{}", table.name);
    }
    assert!(identity() == before, "a file was replaced by the same bytes");
    let mut control: Vec<String> = tree(&scene.lake("lake").join("_etl")).into_keys().collect();
    let state = control.len();
    control.retain(|path| !path.starts_with("state/"));
    assert_eq!(state - control.len(), 6, "songs, users, and users and tracks of two months");
    let version = |kind: &str| format!("{kind}/00000000000000000001.json");
    let expected = ["FORMAT".to_owned(), version("done"), "lock".to_owned(), version("log")];
    assert_eq!(control, expected, "the second run made no version, and nothing else is left of a run");
}

#[test]
fn a_changed_input_leaves_no_stale_partition() {
    let scene = Scene::new(&SMALL);
    scene.run("lake").unwrap();
    assert!(scene.tables("lake").keys().any(|path| path.contains("month=12")));
    // Other songs, and no December: every partition of December and of songs that went has to go.
    let input = scene.input();
    drop(fs::remove_dir_all(&input));
    write_sample(&input, &SampleSpec { days: 20, seed: 8, ..SMALL }, 2, &|| false, &|_| ()).unwrap();
    let second = scene.run("lake").unwrap();
    scene.run("fresh").unwrap();
    assert_eq!(difference(&scene.tables("lake"), &scene.tables("fresh")), None);
    assert!(second.tables.iter().map(|table| table.removed).sum::<u64>() > 100);
    assert!(!scene.tables("lake").keys().any(|path| path.contains("month=12")));

    // Another compression gives files of another name.
    let config = Config { compression: Compression::Zstd, ..scene.config("lake") };
    run(config, &Context::default()).unwrap();
    assert!(scene.tables("lake").keys().all(|path| path.ends_with("_SUCCESS") || path.ends_with(".zstd.parquet")));
}

#[test]
fn little_memory_gives_the_same_bytes() {
    // More plays than one row group holds, in one month: the largest file is joined from several batches.
    let scene = Scene::new(&SampleSpec { songs: 100, events: 200_000, days: 5, users: 300, seed: 3 });
    // One thread takes them in order; of several, the one with the smaller batch is done first.
    let report = run(Config { threads: 1, ..scene.config("memory") }, &Context::default()).unwrap();
    assert!(report.plays.rows > 131_072, "{:?}", report.plays);
    for threads in [2, 3, 8] {
        let lake = format!("disk-{threads}");
        run(Config { memory_limit: 0, threads, ..scene.config(&lake) }, &Context::default()).unwrap();
        assert_eq!(difference(&scene.tables("memory"), &scene.tables(&lake)), None, "{threads} threads");
    }

    let path = scene.lake("memory").join("songplays_table/year=2018/month=11/part-00000.snappy.parquet");
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    assert_eq!(reader.num_row_groups(), 2);
    let rows = reader.metadata().row_groups().iter().map(|group| group.num_rows().unsigned_abs()).sum::<u64>();
    assert_eq!(rows, report.plays.rows);
    // The large file is compared with the one in place, too.
    assert_eq!(written(&scene.run("memory").unwrap()), 0);
}

#[test]
fn a_run_stopped_before_it_publishes_changes_no_table() {
    let scene = Scene::new(&SMALL);
    scene.run("old").unwrap();
    let (old, lake) = (scene.tables("old"), tree(&scene.lake("old")));
    let input = scene.input();
    drop(fs::remove_dir_all(&input));
    write_sample(&input, &SampleSpec { seed: 9, ..SMALL }, 2, &|| false, &|_| ()).unwrap();
    scene.run("new").unwrap();
    let new = scene.tables("new");

    let control = Context::default();
    control.cancel.cancel();
    assert_eq!(run(scene.config("old"), &control).unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(difference(&scene.tables("old"), &old), None);

    for stage in ["discover", "songs", "logs", "write"] {
        // Stopping races with the run, so it is tried until the run loses; a few times are always enough.
        let stopped = (0..50).any(|_| stop_at(&scene, stage, (&old, &lake), &new));
        assert!(stopped, "no run could be stopped at {stage}");
    }
    scene.run("old").unwrap();
    assert_eq!(difference(&scene.tables("old"), &new), None, "the next run converges");
}

/// RunBuffer into the lake `old` and stops the run once it is at that stage. Says whether it stopped before it published;
/// if it did not, the old lake is put back, its log included.
fn stop_at(scene: &Scene, stage: &str, (old, old_lake): (&Tree, &Tree), new: &Tree) -> bool {
    let progress = Progress::default();
    let control = Context { progress: Some(&progress), ..Context::default() };
    let cancel = control.cancel.clone();
    let is_over = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if progress.snapshot().stage == stage {
                    return cancel.cancel();
                }
                std::thread::yield_now();
            }
        });
        let config = Config { chunk_size: 1 << 10, ..scene.config("old") };
        let outcome = run(config, &control);
        is_over.store(true, Ordering::Relaxed);
        outcome
    });
    let lake = scene.lake("old");
    match outcome {
        Err(error) if error.message().contains("publishing") => {
            assert_eq!(error.kind(), ErrorKind::Interrupted);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            assert_eq!(difference(&scene.tables("old"), old), None, "stopped at {stage}");
            return true;
        }
        Ok(_) => assert_eq!(difference(&scene.tables("old"), new), None, "stopped too late at {stage}"),
    }
    // Whole folders go: a new partition that is only emptied would be a difference of its own.
    drop(fs::remove_dir_all(&lake));
    for (path, bytes) in old_lake.iter().filter(|(path, _)| !path.ends_with('/')) {
        fs::create_dir_all(lake.join(path).parent().unwrap()).unwrap();
        fs::write(lake.join(path), bytes).unwrap();
    }
    false
}

#[test]
fn a_preview_creates_nothing() {
    let scene = Scene::new(&SampleSpec { songs: 5, events: 50, days: 1, ..SMALL });
    let seen = plan(scene.config("lake"), &Context::default()).unwrap();
    assert!(!scene.lake("lake").exists());
    assert_eq!(seen.tables.len(), 5);
    assert!(seen.tables.iter().all(|table| !table.exists && table.files == 0));
    scene.run("lake").unwrap();
    let seen = plan(scene.config("lake"), &Context::default()).unwrap();
    let files: u64 = seen.tables.iter().map(|table| table.files).sum();
    assert_eq!(files, scene.tables("lake").len() as u64);
}

#[test]
fn a_run_of_chosen_tables_leaves_the_others_alone() {
    let scene = Scene::new(&SampleSpec { songs: 20, events: 500, days: 2, ..SMALL });
    scene.run("lake").unwrap();
    let all = scene.tables("lake");
    drop(fs::remove_dir_all(scene.lake("lake").join("user_table")));
    let tables = vec![Table::Users];
    let config = Config { tables, ..scene.config("lake") };
    let report = run(config, &Context::default()).unwrap();
    assert_eq!(report.tables.iter().map(|table| table.name).collect::<Vec<_>>(), ["users"]);
    assert_eq!(difference(&scene.tables("lake"), &all), None);
}
