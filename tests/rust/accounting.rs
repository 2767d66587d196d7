//! Every record is accounted for: the quarantine, the manifest, and inputs that are refused as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sparkify_lake::config::{Config, OnBadFile};
use sparkify_lake::error::{Error, ErrorKind, Result};
use sparkify_lake::job::build::build;
use sparkify_lake::job::run::run;
use sparkify_lake::lake::commit_record::CommitRecord;
use sparkify_lake::lake::read_summary::Records;
use sparkify_lake::report::run_report::Report;
use sparkify_lake::runtime::context::Context;
use sparkify_lake::sample::SampleSpec;
use sparkify_lake::schema::Table;

use crate::test_folder::{TestFolder, difference, tree};

const TINY: SampleSpec = SampleSpec { songs: 20, events: 400, days: 3, users: 9, seed: 5 };

fn run_with(config: Config) -> Result<Report> {
    run(config, &Context::default())
}

fn logs(test: &TestFolder) -> PathBuf {
    test.input().join("log_data/2018/11")
}

/// The objects in the quarantine of a run, by file name.
fn rejects(report: &Report) -> BTreeMap<String, Vec<Value>> {
    let Some(folder) = &report.quarantine else { return BTreeMap::new() };
    read(Path::new(folder))
}

fn read(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
        })
        .collect()
}

fn commit_record(test: &TestFolder, version: u64) -> CommitRecord {
    let path = test.lake("lake").join(format!("_etl/log/{version:020}.json"));
    CommitRecord::from_bytes(&fs::read(path).unwrap(), version, "the record").unwrap()
}

fn refused(config: Config) -> Error {
    let error = run_with(config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataRefused, "{error}");
    error
}

#[test]
fn every_reject_is_quarantined_once_and_in_order() {
    let test = TestFolder::new(&TINY);
    let good = fs::read_to_string(logs(&test).join("2018-11-01-events.json")).unwrap();
    // Three kinds of faults, repeated in a file of many chunks.
    let mut content = Vec::new();
    let mut faults = 0;
    for (number, line) in good.lines().cycle().take(900).enumerate() {
        content.extend_from_slice(line.as_bytes());
        content.push(b'\n');
        let fault: &[u8] = match number % 30 {
            0 => b"{\"page\": oops}\n",
            10 => b"{\"page\":\"NextSong\",\n \"TS\":1}\n",
            20 => b"{\"page\":\"\xff\"}\n",
            _ => continue,
        };
        content.extend_from_slice(fault);
        faults += 1;
    }
    let large = logs(&test).join("2018-11-09-events.json");
    fs::write(&large, &content).unwrap();
    fs::write(test.input().join("song_data/bad.json"), "[]\n7\n{\"title\":\"x\"}\n").unwrap();

    let mut seen = Vec::new();
    for (threads, chunk_size) in [(1, 4 << 20), (2, 4 << 20), (1, 1 << 10), (3, 1 << 10), (2, 5000)] {
        let lake = format!("lake-{threads}-{chunk_size}");
        let config = Config { threads, chunk_size, ..test.config(&lake) };
        let report = run_with(config.clone()).unwrap();
        assert_eq!(report.records["logs"].quarantined, faults);
        let files = rejects(&report);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["logs.jsonl", "songs.jsonl"]);
        let folder = Path::new(report.quarantine.as_ref().unwrap());
        assert_eq!(folder, test.lake(&lake).join("_etl/quarantine").join(&report.run_id));
        let mode = fs::metadata(folder.join("logs.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "only the owner can read records of the input");
        for (name, lines) in &files {
            let content = name.strip_suffix(".jsonl").unwrap();
            assert_eq!(lines.len() as u64, report.records[content].quarantined, "{name}");
        }
        for line in &files["logs.jsonl"] {
            let (offset, total) = (line["offset"].as_u64().unwrap(), line["bytes_total"].as_u64().unwrap());
            let span = &content[usize::try_from(offset).unwrap()..usize::try_from(offset + total).unwrap()];
            match line["reason"].as_str().unwrap() {
                "invalid_utf8" => assert_eq!(line["bytes_base64"], "eyJwYWdlIjoi/yJ9"),
                reason => {
                    assert_eq!(line["bytes"].as_str().unwrap().as_bytes(), span);
                    assert_eq!(reason == "missing_required", line["found"] == "TS", "{line}");
                }
            }
            let breaks = content[..usize::try_from(offset).unwrap()].split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(line["line"], breaks + 1, "{line}");
            assert_eq!(line["file"], large.to_str().unwrap());
        }
        for (first, line) in
            report.rejects.iter().filter(|reject| reject.file.contains("log_data")).zip(&files["logs.jsonl"])
        {
            assert_eq!((first.line, first.offset), (line["line"].as_u64().unwrap(), line["offset"].as_u64().unwrap()));
        }
        seen.push(files);

        // A build in memory keeps no rejects.
        let (_, report) = build(Config { output: None, ..config }, &Context::default()).unwrap();
        assert_eq!((report.records["logs"].quarantined, report.quarantine), (faults, None));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "the same for all threads and chunk sizes");
    let reasons: Vec<&str> = seen[0]["songs.jsonl"].iter().map(|line| line["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["not_an_object", "missing_required"]);
}

#[test]
fn a_refused_run_reports_the_path_of_its_rejects() {
    let test = TestFolder::new(&TINY);
    let report = test.run("lake").unwrap();
    assert_eq!(report.quarantine, None);
    assert!(!test.lake("lake").join("_etl/quarantine").exists(), "without rejects, there is no file");
    let before = test.tables("lake");

    fs::write(logs(&test).join("bad.json"), "nonsense\n".repeat(200)).unwrap();
    let error = refused(test.config("lake"));
    let folders: Vec<PathBuf> =
        fs::read_dir(test.lake("lake").join("_etl/quarantine")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [folder] = &folders[..] else { panic!("{folders:?}") };
    assert!(error.hint_text().unwrap().ends_with(&format!("in {}", folder.display())), "{error:?}");
    let kept = read(folder);
    assert_eq!(kept["logs.jsonl"].len(), 200);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept["logs.jsonl"][1]["bytes"], "nonsense");
    assert_eq!(difference(&test.tables("lake"), &before), None);
}

#[test]
fn a_bad_file_is_one_line_of_the_quarantine() {
    let test = TestFolder::new(&TINY);
    let bad = logs(&test).join("2018-11-02-events.json");
    fs::write(&bad, b"PAR1....").unwrap();
    let report = run_with(Config { on_bad_file: OnBadFile::Quarantine, ..test.config("lake") }).unwrap();
    let lines = &rejects(&report)["logs.jsonl"];
    let expected = serde_json::json!(
        {"file": bad.to_str().unwrap(), "line": null, "offset": null, "reason": "not_json:parquet", "key": null}
    );
    assert_eq!(*lines, [expected]);
}

#[test]
fn the_manifest_lists_every_file_and_its_sums_equal_the_report() {
    let test = TestFolder::new(&TINY);
    fs::write(logs(&test).join("empty.json"), "").unwrap();
    fs::write(logs(&test).join("odd.json"), "{\"page\":\"Home\"}\nnonsense\n").unwrap();
    let report = test.run("lake").unwrap();
    let record = commit_record(&test, 1);
    for (content, manifest) in &record.checkpoints[0].input {
        let sum =
            |of: fn(&sparkify_lake::lake::checkpoint::ManifestEntry) -> u64| manifest.files.values().map(of).sum();
        let (loaded, filtered, quarantined) =
            (sum(|file| file.loaded), sum(|file| file.filtered), sum(|file| file.quarantined));
        let read = loaded + filtered + quarantined;
        assert_eq!(report.records[content.as_str()], Records { read, loaded, filtered, quarantined }, "{content}");
        assert_eq!(report.input[content.as_str()].files, manifest.files.len() as u64);
        assert_eq!(report.input[content.as_str()].bytes, sum(|file| file.size));
        assert_eq!(
            manifest.location,
            test.input().join(content[..content.len() - 1].to_owned() + "_data").to_str().unwrap()
        );
    }
    let logs = &record.manifest("logs").unwrap().files;
    let odd = &logs["2018/11/odd.json"];
    assert_eq!((odd.loaded, odd.filtered, odd.quarantined), (0, 1, 1));
    assert_eq!(logs["2018/11/empty.json"].size, 0);

    // The same input creates no version; changed input creates one, even if no table changes.
    assert_eq!(test.run("lake").unwrap().version, Some(1));
    fs::write(test.input().join("log_data/2018/11/odd.json"), "{\"page\":\"Help\"}\n").unwrap();
    assert_eq!(test.run("lake").unwrap().version, Some(2));
    // A run of songs does not change the manifest of the logs.
    let songs = Config { tables: vec![Table::Songs], ..test.config("lake") };
    fs::write(test.input().join("song_data/more.json"), "{\"song_id\":\"SO1\"}").unwrap();
    assert_eq!(run_with(songs).unwrap().version, Some(3));
    assert_eq!(commit_record(&test, 3).manifest("logs"), commit_record(&test, 2).manifest("logs"));
}

#[test]
fn a_duplicate_log_file_is_refused_or_counts_twice() {
    let test = TestFolder::new(&TINY);
    let plays = test.run("once").unwrap().plays.rows;
    let log = logs(&test).join("2018-11-01-events.json");
    let copy = test.input().join("log_data/backup.json");
    fs::copy(&log, &copy).unwrap();
    for chunk_size in [4 << 20, 1 << 10] {
        let error = refused(Config { chunk_size, ..test.config("lake") });
        assert!(error.message().contains("duplicate_input"), "{error}");
        assert!(error.message().contains(log.to_str().unwrap()) && error.message().contains(copy.to_str().unwrap()));
    }
    assert!(test.tables("lake").is_empty());
    let report = run_with(Config { allow_duplicates: true, ..test.config("lake") }).unwrap();
    assert!(report.plays.rows > plays);

    // Files that differ in one byte are not duplicates, and neither are empty or blank files.
    let mut content = fs::read(&copy).unwrap();
    *content.last_mut().unwrap() = b' ';
    fs::write(&copy, content).unwrap();
    for number in 0..2 {
        fs::write(test.input().join(format!("log_data/empty-{number}.json")), "").unwrap();
        fs::write(test.input().join(format!("log_data/blank-{number}.json")), "\n\n").unwrap();
    }
    test.run("lake").unwrap();

    // A duplicate song counts once.
    let before = test.tables("lake");
    let songs = tree(&test.input().join("song_data"));
    fs::write(test.input().join("song_data/copy.json"), songs.values().next().unwrap()).unwrap();
    test.run("lake").unwrap();
    assert_eq!(difference(&test.tables("lake"), &before), None);
}

#[test]
fn an_input_that_shrank_is_refused_unless_allowed() {
    let test = TestFolder::new(&SampleSpec { days: 5, ..TINY });
    test.run("lake").unwrap();
    let before = test.tables("lake");
    let files: Vec<PathBuf> = fs::read_dir(logs(&test)).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 5);
    fs::remove_file(&files[0]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    let half = Config { tables: vec![Table::Users], ..test.config("lake") };
    run_with(half).expect("three of five files are more than half");
    fs::remove_file(&files[2]).unwrap();
    fs::remove_file(&files[3]).unwrap();
    let error = refused(test.config("lake"));
    assert!(error.hint_text().unwrap().contains("--allow-shrink"), "{error:?}");
    assert!(error.cause_text().unwrap().starts_with("now 1 files with "), "{error:?}");
    let songs = Config { tables: vec![Table::Songs, Table::Artists], ..test.config("lake") };
    run_with(songs).expect("no song file is missing");
    assert_ne!(test.tables("lake").len(), 0);
    run_with(Config { allow_shrink: true, ..test.config("lake") }).unwrap();
    assert!(difference(&test.tables("lake"), &before).is_some());
}

#[test]
fn too_many_partitions_are_refused() {
    let test = TestFolder::new(&TINY);
    let songs: Vec<String> =
        (0..=200_000).map(|number| format!("{{\"song_id\":\"S{number}\",\"artist_id\":\"A{number}\"}}")).collect();
    fs::write(test.input().join("song_data/all.json"), songs.join("\n")).unwrap();
    let error = refused(test.config("lake"));
    assert!(error.message().contains("too_many_partitions"), "{error}");
    assert!(test.tables("lake").is_empty());
    run_with(Config { tables: vec![Table::Artists], ..test.config("lake") }).expect("artists has no partitions");
}

#[test]
fn partitions_that_differ_only_in_case_are_refused_where_case_is_ignored() {
    let test = TestFolder::new(&TINY);
    let song = |number: u32, artist: &str| {
        let content = format!("{{\"song_id\":\"S{number}\",\"artist_id\":\"{artist}\",\"year\":1999}}");
        fs::write(test.input().join(format!("song_data/{number}.json")), content).unwrap();
    };
    song(1, "ARa");
    test.run("lake").unwrap();
    // With this link, the file system appears to ignore case.
    let control_folder = test.lake("lake").join("_etl");
    fs::hard_link(control_folder.join("lock"), control_folder.join("LOCK")).unwrap();
    test.run("lake").expect("no names collide");
    let before = test.tables("lake");
    song(2, "ARA");
    let error = run_with(test.config("lake")).unwrap_err();
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Output, 73));
    assert!(error.message().contains("artist_id=ARA") && error.message().contains("artist_id=ARa"), "{error}");
    // The old partition would be removed after the new one has been put into the same place.
    fs::remove_file(test.input().join("song_data/1.json")).unwrap();
    assert_eq!(run_with(test.config("lake")).unwrap_err().kind(), ErrorKind::Output);
    assert_eq!(difference(&test.tables("lake"), &before), None);
    fs::remove_file(control_folder.join("LOCK")).unwrap();
    test.run("lake").expect("case matters again");
}
