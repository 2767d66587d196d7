//! Every record accounted for, seen from outside: the quarantine, the ledger, and inputs that are refused as a whole.

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

use crate::scene::{Scene, difference, tree};

const TINY: SampleSpec = SampleSpec { songs: 20, events: 400, days: 3, users: 9, seed: 5 };

fn go(config: Config) -> Result<Report> {
    run(config, &Context::default())
}

fn logs(scene: &Scene) -> PathBuf {
    scene.input().join("log_data/2018/11")
}

/// The lines of the run's quarantine, by file.
fn rejects(report: &Report) -> BTreeMap<String, Vec<Value>> {
    let Some(place) = &report.quarantine else { return BTreeMap::new() };
    read(Path::new(place))
}

fn read(place: &Path) -> BTreeMap<String, Vec<Value>> {
    let files = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
        })
        .collect()
}

fn ledger(scene: &Scene, version: u64) -> CommitRecord {
    let path = scene.lake("lake").join(format!("_etl/log/{version:020}.json"));
    CommitRecord::from_bytes(&fs::read(path).unwrap(), version, "the record").unwrap()
}

fn refused(config: Config) -> Error {
    let error = go(config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataRefused, "{error}");
    error
}

#[test]
fn every_reject_is_kept_once_and_in_order() {
    let scene = Scene::new(&TINY);
    let good = fs::read_to_string(logs(&scene).join("2018-11-01-events.json")).unwrap();
    // Three faults among the events, again and again, in a file of many chunks.
    let mut text = Vec::new();
    let mut faults = 0;
    for (number, line) in good.lines().cycle().take(900).enumerate() {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        let fault: &[u8] = match number % 30 {
            0 => b"{\"page\": oops}\n",
            10 => b"{\"page\":\"NextSong\",\n \"TS\":1}\n",
            20 => b"{\"page\":\"\xff\"}\n",
            _ => continue,
        };
        text.extend_from_slice(fault);
        faults += 1;
    }
    let large = logs(&scene).join("2018-11-09-events.json");
    fs::write(&large, &text).unwrap();
    fs::write(scene.input().join("song_data/bad.json"), "[]\n7\n{\"title\":\"x\"}\n").unwrap();

    let mut seen = Vec::new();
    for (threads, chunk_size) in [(1, 4 << 20), (2, 4 << 20), (1, 1 << 10), (3, 1 << 10), (2, 5000)] {
        let lake = format!("lake-{threads}-{chunk_size}");
        let config = Config { threads, chunk_size, ..scene.config(&lake) };
        let report = go(config.clone()).unwrap();
        assert_eq!(report.records["logs"].quarantined, faults);
        let files = rejects(&report);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["logs.jsonl", "songs.jsonl"]);
        let place = Path::new(report.quarantine.as_ref().unwrap());
        assert_eq!(place, scene.lake(&lake).join("_etl/quarantine").join(&report.run_id));
        let mode = fs::metadata(place.join("logs.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "records of the input are their owner's");
        for (name, lines) in &files {
            let content = name.strip_suffix(".jsonl").unwrap();
            assert_eq!(lines.len() as u64, report.records[content].quarantined, "{name}");
        }
        for line in &files["logs.jsonl"] {
            let (offset, total) = (line["offset"].as_u64().unwrap(), line["bytes_total"].as_u64().unwrap());
            let span = &text[usize::try_from(offset).unwrap()..usize::try_from(offset + total).unwrap()];
            match line["reason"].as_str().unwrap() {
                "invalid_utf8" => assert_eq!(line["bytes_base64"], "eyJwYWdlIjoi/yJ9"),
                reason => {
                    assert_eq!(line["bytes"].as_str().unwrap().as_bytes(), span);
                    assert_eq!(reason == "missing_required", line["found"] == "TS", "{line}");
                }
            }
            let breaks = text[..usize::try_from(offset).unwrap()].split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(line["line"], breaks + 1, "{line}");
            assert_eq!(line["file"], large.to_str().unwrap());
        }
        for (first, line) in
            report.rejects.iter().filter(|reject| reject.file.contains("log_data")).zip(&files["logs.jsonl"])
        {
            assert_eq!((first.line, first.offset), (line["line"].as_u64().unwrap(), line["offset"].as_u64().unwrap()));
        }
        seen.push(files);

        // In memory nothing is kept.
        let (_, report) = build(Config { output: None, ..config }, &Context::default()).unwrap();
        assert_eq!((report.records["logs"].quarantined, report.quarantine), (faults, None));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "neither threads nor chunks show");
    let reasons: Vec<&str> = seen[0]["songs.jsonl"].iter().map(|line| line["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["not_an_object", "missing_required"]);
}

#[test]
fn a_refused_run_says_where_its_rejects_are() {
    let scene = Scene::new(&TINY);
    let report = scene.run("lake").unwrap();
    assert_eq!(report.quarantine, None);
    assert!(!scene.lake("lake").join("_etl/quarantine").exists(), "no rejects, no file");
    let before = scene.tables("lake");

    fs::write(logs(&scene).join("bad.json"), "nonsense\n".repeat(200)).unwrap();
    let error = refused(scene.config("lake"));
    let places: Vec<PathBuf> =
        fs::read_dir(scene.lake("lake").join("_etl/quarantine")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [place] = &places[..] else { panic!("{places:?}") };
    assert!(error.hint_text().unwrap().ends_with(&format!("in {}", place.display())), "{error:?}");
    let kept = read(place);
    assert_eq!(kept["logs.jsonl"].len(), 200);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept["logs.jsonl"][1]["bytes"], "nonsense");
    assert_eq!(difference(&scene.tables("lake"), &before), None);
}

#[test]
fn a_bad_file_is_one_line_of_the_quarantine() {
    let scene = Scene::new(&TINY);
    let bad = logs(&scene).join("2018-11-02-events.json");
    fs::write(&bad, b"PAR1....").unwrap();
    let report = go(Config { on_bad_file: OnBadFile::Quarantine, ..scene.config("lake") }).unwrap();
    let lines = &rejects(&report)["logs.jsonl"];
    let expected = serde_json::json!(
        {"file": bad.to_str().unwrap(), "line": null, "offset": null, "reason": "not_json:parquet", "key": null}
    );
    assert_eq!(*lines, [expected]);
}

#[test]
fn the_ledger_names_every_file_and_its_sums_are_the_report_s() {
    let scene = Scene::new(&TINY);
    fs::write(logs(&scene).join("empty.json"), "").unwrap();
    fs::write(logs(&scene).join("odd.json"), "{\"page\":\"Home\"}\nnonsense\n").unwrap();
    let report = scene.run("lake").unwrap();
    let record = ledger(&scene, 1);
    for (content, ledger) in &record.checkpoints[0].input {
        let sum = |of: fn(&sparkify_lake::lake::checkpoint::ManifestEntry) -> u64| ledger.files.values().map(of).sum();
        let (loaded, filtered, quarantined) =
            (sum(|file| file.loaded), sum(|file| file.filtered), sum(|file| file.quarantined));
        let read = loaded + filtered + quarantined;
        assert_eq!(report.records[content.as_str()], Records { read, loaded, filtered, quarantined }, "{content}");
        assert_eq!(report.input[content.as_str()].files, ledger.files.len() as u64);
        assert_eq!(report.input[content.as_str()].bytes, sum(|file| file.size));
        assert_eq!(
            ledger.location,
            scene.input().join(content[..content.len() - 1].to_owned() + "_data").to_str().unwrap()
        );
    }
    let logs = &record.manifest("logs").unwrap().files;
    let odd = &logs["2018/11/odd.json"];
    assert_eq!((odd.loaded, odd.filtered, odd.quarantined), (0, 1, 1));
    assert_eq!(logs["2018/11/empty.json"].size, 0);

    // The same again is no new version; other input is, even if no table changes.
    assert_eq!(scene.run("lake").unwrap().version, Some(1));
    fs::write(scene.input().join("log_data/2018/11/odd.json"), "{\"page\":\"Help\"}\n").unwrap();
    assert_eq!(scene.run("lake").unwrap().version, Some(2));
    // Songs alone leave the ledger of the logs as it was.
    let songs = Config { tables: vec![Table::Songs], ..scene.config("lake") };
    fs::write(scene.input().join("song_data/more.json"), "{\"song_id\":\"SO1\"}").unwrap();
    assert_eq!(go(songs).unwrap().version, Some(3));
    assert_eq!(ledger(&scene, 3).manifest("logs"), ledger(&scene, 2).manifest("logs"));
}

#[test]
fn a_log_file_that_is_there_twice_is_refused_or_counts_twice() {
    let scene = Scene::new(&TINY);
    let plays = scene.run("once").unwrap().plays.rows;
    let log = logs(&scene).join("2018-11-01-events.json");
    let copy = scene.input().join("log_data/backup.json");
    fs::copy(&log, &copy).unwrap();
    for chunk_size in [4 << 20, 1 << 10] {
        let error = refused(Config { chunk_size, ..scene.config("lake") });
        assert!(error.message().contains("duplicate_input"), "{error}");
        assert!(error.message().contains(log.to_str().unwrap()) && error.message().contains(copy.to_str().unwrap()));
    }
    assert!(scene.tables("lake").is_empty());
    let report = go(Config { allow_duplicates: true, ..scene.config("lake") }).unwrap();
    assert!(report.plays.rows > plays);

    // One byte makes another file, and so does nothing at all: empty files say nothing twice.
    let mut text = fs::read(&copy).unwrap();
    *text.last_mut().unwrap() = b' ';
    fs::write(&copy, text).unwrap();
    for number in 0..2 {
        fs::write(scene.input().join(format!("log_data/empty-{number}.json")), "").unwrap();
        fs::write(scene.input().join(format!("log_data/blank-{number}.json")), "\n\n").unwrap();
    }
    scene.run("lake").unwrap();

    // A song that is there twice is one song.
    let before = scene.tables("lake");
    let songs = tree(&scene.input().join("song_data"));
    fs::write(scene.input().join("song_data/copy.json"), songs.values().next().unwrap()).unwrap();
    scene.run("lake").unwrap();
    assert_eq!(difference(&scene.tables("lake"), &before), None);
}

#[test]
fn an_input_that_shrank_is_refused_until_it_is_meant() {
    let scene = Scene::new(&SampleSpec { days: 5, ..TINY });
    scene.run("lake").unwrap();
    let before = scene.tables("lake");
    let files: Vec<PathBuf> = fs::read_dir(logs(&scene)).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 5);
    fs::remove_file(&files[0]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    let half = Config { tables: vec![Table::Users], ..scene.config("lake") };
    go(half).expect("three of five files are more than half");
    fs::remove_file(&files[2]).unwrap();
    fs::remove_file(&files[3]).unwrap();
    let error = refused(scene.config("lake"));
    assert!(error.hint_text().unwrap().contains("--allow-shrink"), "{error:?}");
    assert!(error.cause_text().unwrap().starts_with("1 files with "), "{error:?}");
    let songs = Config { tables: vec![Table::Songs, Table::Artists], ..scene.config("lake") };
    go(songs).expect("the songs are all there");
    assert_ne!(scene.tables("lake").len(), 0);
    go(Config { allow_shrink: true, ..scene.config("lake") }).unwrap();
    assert!(difference(&scene.tables("lake"), &before).is_some());
}

#[test]
fn more_partitions_than_readers_can_list_are_refused() {
    let scene = Scene::new(&TINY);
    let songs: Vec<String> =
        (0..=200_000).map(|number| format!("{{\"song_id\":\"S{number}\",\"artist_id\":\"A{number}\"}}")).collect();
    fs::write(scene.input().join("song_data/all.json"), songs.join("\n")).unwrap();
    let error = refused(scene.config("lake"));
    assert!(error.message().contains("too_many_partitions"), "{error}");
    assert!(scene.tables("lake").is_empty());
    go(Config { tables: vec![Table::Artists], ..scene.config("lake") }).expect("artists has no partitions");
}

#[test]
fn names_that_a_file_system_takes_for_one_are_refused_where_it_does() {
    let scene = Scene::new(&TINY);
    let song = |number: u32, artist: &str| {
        let text = format!("{{\"song_id\":\"S{number}\",\"artist_id\":\"{artist}\",\"year\":1999}}");
        fs::write(scene.input().join(format!("song_data/{number}.json")), text).unwrap();
    };
    song(1, "ARa");
    scene.run("lake").unwrap();
    // What a file system without upper and lower case looks like to the program.
    let control = scene.lake("lake").join("_etl");
    fs::hard_link(control.join("lock"), control.join("LOCK")).unwrap();
    scene.run("lake").expect("no two names collide");
    let before = scene.tables("lake");
    song(2, "ARA");
    let error = go(scene.config("lake")).unwrap_err();
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Output, 73));
    assert!(error.message().contains("artist_id=ARA") && error.message().contains("artist_id=ARa"), "{error}");
    // Its predecessor would be removed after it was put in place.
    fs::remove_file(scene.input().join("song_data/1.json")).unwrap();
    assert_eq!(go(scene.config("lake")).unwrap_err().kind(), ErrorKind::Output);
    assert_eq!(difference(&scene.tables("lake"), &before), None);
    fs::remove_file(control.join("LOCK")).unwrap();
    scene.run("lake").expect("case counts again");
}
