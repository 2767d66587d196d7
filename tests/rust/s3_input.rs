//! Reading from a bucket gives the same lake as reading from a folder, with the promised number of requests.
//!
//! The bucket is in memory, and the requests use a real socket. The tests count requests and measure no times.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::sync::atomic::Ordering;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use sparkify_lake::config::{Config, OnBadFile};
use sparkify_lake::error::{Error, ErrorKind, Result};
use sparkify_lake::input::list::Listing;
use sparkify_lake::input::sources::{Content, Source};
use sparkify_lake::input::{list, read};
use sparkify_lake::job::plan::plan;
use sparkify_lake::job::run::run;
use sparkify_lake::location::Location;
use sparkify_lake::runtime::cancel::Cancel;
use sparkify_lake::runtime::context::Context;
use sparkify_lake::s3::stores::Stores;
use sparkify_lake::sample::SampleSpec;

use crate::object_server::{BUCKET, ObjectServer};
use crate::test_folder::{SMALL, TestFolder, difference, tree};

const TINY: SampleSpec = SampleSpec { songs: 20, events: 400, days: 3, users: 9, seed: 5 };

/// A server with the input as objects below `data/`.
fn uploaded(test: &TestFolder) -> ObjectServer {
    let files = tree(&test.input());
    ObjectServer::start(files.into_iter().map(|(path, body)| (format!("data/{path}"), body)).collect())
}

fn config(test: &TestFolder, server: &ObjectServer, lake: &str) -> Config {
    Config { input: Some(format!("s3a://{BUCKET}/data/")), store: server.settings(), ..test.config(lake) }
}

fn refused(test: &TestFolder, server: &ObjectServer) -> Error {
    run(config(test, server, "refused"), &Context::default()).unwrap_err()
}

/// Lists all keys below `key`, or those that match the glob.
fn list(server: &ObjectServer, key: &str, glob: Option<&str>) -> Result<Vec<String>> {
    let location = format!("s3://{BUCKET}/{key}");
    let source = Source {
        content: Content::Songs,
        root: Location::parse("input", &location)?,
        glob: glob.map(str::to_owned),
        shown: location,
    };
    let stores = Stores::new(&server.settings(), &Cancel::default());
    let Listing { files, .. } = list::list(&source, false, 2, &stores, &Cancel::default())?;
    Ok(files.iter().map(|file| file.path.to_str().unwrap().to_owned()).collect())
}

#[test]
fn a_bucket_and_a_folder_give_the_same_bytes() {
    let test = TestFolder::new(&SMALL);
    // Also a compressed file, an empty file, and one array.
    let compressed = test.input().join("log_data/2018/11/2018-11-03-events.json");
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(&fs::read(&compressed).unwrap()).unwrap();
    fs::write(&compressed, encoder.finish().unwrap()).unwrap();
    let array = test.input().join("log_data/2018/11/2018-11-04-events.json");
    let lines = fs::read_to_string(&array).unwrap();
    fs::write(&array, format!("[{}]", lines.trim_end().replace('\n', ","))).unwrap();
    fs::write(test.input().join("song_data/empty.json"), "").unwrap();
    fs::write(test.input().join("song_data/.hidden.json"), "{").unwrap();

    let local = test.run("local").unwrap();
    let server = uploaded(&test);
    let remote = run(config(&test, &server, "remote"), &Context::default()).unwrap();
    assert!(test.tables("local").len() > 150);
    assert_eq!(difference(&test.tables("local"), &test.tables("remote")), None);
    assert_eq!(remote.records, local.records);
    let [files, remote_files] =
        [&local, &remote].map(|report| report.input.values().map(|input| input.files).sum::<u64>());
    assert_eq!(files, remote_files);
    assert_eq!(remote.input["songs"].location, "s3://bucket/data/song_data");
    // One GET for each file except the empty one. Two LIST requests find the folders, and two list them.
    assert_eq!((server.gets(), server.lists()), (files - 1, 4));

    for (threads, chunk_size, memory_limit) in [(1, 1 << 10, 0), (8, 50_000, 1 << 30)] {
        let lake = format!("{threads}");
        let config = Config { threads, chunk_size, memory_limit, ..config(&test, &server, &lake) };
        run(config, &Context::default()).unwrap();
        assert_eq!(difference(&test.tables("local"), &test.tables(&lake)), None, "{threads} threads");
    }
}

#[test]
fn large_objects_are_streamed_in_ranges() {
    const LARGE: usize = 24 << 20;
    let test = TestFolder::new(&TINY);
    let log = test.input().join("log_data/2018/11/2018-11-01-events.json");
    let lines = fs::read(&log).unwrap();
    let mut content = lines.repeat(LARGE / lines.len() + 1);
    content.extend(b"{\"page\":1}\n");
    fs::write(&log, &content).unwrap();
    // The compressed file is also larger than a single read.
    let compressed = test.input().join("log_data/2018/11/2018-11-02-events.json.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Level::none());
    // Other content, because the same content in another packing is a duplicate.
    encoder.write_all(&[&content[..], b"\n"].concat()).unwrap();
    let gzip = encoder.finish().unwrap();
    fs::write(&compressed, &gzip).unwrap();

    let sizes: Vec<u64> = tree(&test.input()).values().map(|body| body.len() as u64).collect();
    let expected: u64 = sizes.iter().map(|size| read::requests(*size)).sum();
    assert_eq!(expected, sizes.len() as u64 - 2 + 2 * 4, "two files of four ranges: {sizes:?}");
    let local = test.run("local").unwrap();
    let server = uploaded(&test);
    let remote = run(config(&test, &server, "remote"), &Context::default()).unwrap();
    assert_eq!(difference(&test.tables("local"), &test.tables("remote")), None);
    assert_eq!(server.gets(), expected);
    let lines = |rejects: &[sparkify_lake::lake::read_summary::LocatedReject]| -> Vec<(u64, u64)> {
        rejects.iter().map(|reject| (reject.line, reject.offset)).collect()
    };
    assert_eq!(lines(&remote.rejects), lines(&local.rejects));
    assert_eq!(remote.rejects.len(), 2);
    assert!(remote.rejects[0].file.starts_with("s3://bucket/data/log_data/"), "{:?}", remote.rejects[0]);

    // The end is missing, so nothing of the file is loaded.
    let key = "data/log_data/2018/11/2018-11-02-events.json.gz";
    server.behavior.objects.lock().unwrap().insert(key.to_owned(), gzip[..gzip.len() - 9].to_vec());
    server.gets();
    let quarantine = Config { on_bad_file: OnBadFile::Quarantine, ..config(&test, &server, "quarantine") };
    let report = run(quarantine, &Context::default()).unwrap();
    assert_eq!(report.bad_files[0].reason, "gzip_truncated");
    fs::remove_file(compressed).unwrap();
    test.run("without").unwrap();
    assert_eq!(difference(&test.tables("without"), &test.tables("quarantine")), None);
    assert_eq!(refused(&test, &server).kind(), ErrorKind::DataRefused);
}

#[test]
fn listing_many_keys_takes_few_more_requests_than_pages() {
    let letters = || 'A'..='Z';
    let deep = || {
        letters().flat_map(move |a| letters().flat_map(move |b| (0..23).map(move |n| format!("A/{a}/{b}/{n}.json"))))
    };
    let trees: [(&str, Vec<String>, u64); 5] = [
        ("one page", (0..1000).map(|n| format!("{n:05}.json")).collect(), 1),
        ("one folder", (0..5500).map(|n| format!("{n:05}.json")).collect(), 6 + 3),
        ("like songs", deep().collect(), 16 + 32 + 3),
        ("one folder per file", (0..20_000).map(|n| format!("{n:05}/x.json")).collect(), 20 + 32 + 2),
        (
            "months",
            (0..120).flat_map(|m| (0..100).map(move |n| format!("{}/{:02}/{n}.json", m / 12, m % 12))).collect(),
            12 + 32 + 13,
        ),
    ];
    for (name, mut keys, max_requests) in trees {
        keys.sort_by_key(|key| key.split('/').map(str::to_owned).collect::<Vec<_>>());
        let objects = keys.iter().map(|key| (format!("x/{key}"), vec![b'{'])).collect();
        let server = ObjectServer::start(objects);
        let expected: Vec<String> = keys.iter().map(|key| format!("x/{key}")).collect();
        assert!(list(&server, "x", None).unwrap() == expected, "{name}");
        let lists = server.lists();
        assert!(lists <= max_requests, "{name}: {lists} requests");
    }
}

#[test]
fn a_store_with_another_key_order_loses_no_key() {
    let mut objects = BTreeMap::new();
    for folder in 0..40 {
        for number in 0..100 {
            // Next to a folder, and before it in the order of keys, because - and . sort before the slash.
            for key in [format!("x/{folder}/{number}.json"), format!("x/{folder}-{number}.json")] {
                objects.insert(key, vec![b'{']);
            }
        }
    }
    let server = ObjectServer::start(objects);
    let expected = list(&server, "x", None).unwrap();
    assert_eq!(expected.len(), 8000);
    server.behavior.is_sorted_by_component.store(true, Ordering::SeqCst);
    assert!(list(&server, "x", None).unwrap() == expected);
}

#[test]
fn keys_are_selected_by_name() {
    let keys =
        ["x/", "x/a/", "x/a/1.json", "x/a/2.JSON.gz", "x/_tmp/3.json", "x/a/.4.json", "x/b.txt", "y.json", "xx/5.json"];
    let server = ObjectServer::start(keys.iter().map(|key| ((*key).to_owned(), b"{}".to_vec())).collect());
    assert_eq!(list(&server, "x", None).unwrap(), ["x/a/1.json", "x/a/2.JSON.gz"]);
    assert_eq!(list(&server, "x/a/1.json", None).unwrap(), ["x/a/1.json"], "an object with this key");
    assert_eq!(list(&server, "x/b.txt", None).unwrap(), ["x/b.txt"], "regardless of its extension");
    assert_eq!(list(&server, "", Some("x*/*.json")).unwrap(), ["xx/5.json"]);
    assert_eq!(list(&server, "", Some("x/*/1*")).unwrap(), ["x/a/1.json"]);
    for nothing in ["z", "x/a/1.jso", "y"] {
        assert_eq!(list(&server, nothing, None).unwrap_err().kind(), ErrorKind::NoInput, "{nothing}");
    }
    for odd in ["x//6.json", "x/../6.json", "x/a\tb/6.json"] {
        server.behavior.objects.lock().unwrap().insert(odd.to_owned(), Vec::new());
        let error = list(&server, "x", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataRefused, "{error}");
        assert!(error.message().contains("6.json") && !error.message().contains('\t'), "{error}");
        server.behavior.objects.lock().unwrap().remove(odd);
    }
    server.behavior.objects.lock().unwrap().insert("x//7.txt".to_owned(), Vec::new());
    assert_eq!(list(&server, "x", None).unwrap().len(), 2, "a key that is not read may be invalid");
}

#[test]
fn an_unreadable_object_is_named_in_the_error() {
    let test = TestFolder::new(&TINY);
    let server = uploaded(&test);
    let keys: Vec<String> = server.behavior.objects.lock().unwrap().keys().cloned().collect();
    let songs: Vec<&String> = keys.iter().filter(|key| key.contains("song_data")).collect();

    server.behavior.rewritten.lock().unwrap().insert(songs[3].clone());
    let error = refused(&test, &server);
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert!(error.message().contains(songs[3].as_str()), "{error}");
    server.behavior.rewritten.lock().unwrap().clear();

    server.behavior.denied.lock().unwrap().insert(songs[5].clone());
    let error = refused(&test, &server);
    assert_eq!(error.kind(), ErrorKind::Access);
    assert!(error.message().contains(songs[5].as_str()), "{error}");

    // So slow that all requests are sent before the first response.
    server.behavior.latency.store(200, Ordering::SeqCst);
    server.behavior.denied.lock().unwrap().extend(songs.iter().map(|key| (*key).clone()));
    let error = refused(&test, &server);
    assert_eq!(error.kind(), ErrorKind::Access);
    for key in &songs[..10] {
        assert!(error.message().contains(key.as_str()), "{error}");
    }
    assert_eq!(error.message().matches("s3://").count(), 10, "{error}");
    server.behavior.latency.store(0, Ordering::SeqCst);

    let config = Config { input: Some(format!("s3://{BUCKET}/dat")), ..config(&test, &server, "nothing") };
    let error = run(config, &Context::default()).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::NoInput, "there is no song_data in s3://bucket/dat"));
}

#[test]
fn a_run_can_be_stopped_while_a_store_does_not_answer() {
    let test = TestFolder::new(&TINY);
    let server = uploaded(&test);
    server.behavior.is_silent.store(true, Ordering::SeqCst);
    let cancel = Cancel::default();
    let context = Context { cancel: cancel.clone(), ..Context::default() };
    let config = config(&test, &server, "lake");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(config, &context).unwrap_err());
        while server.behavior.gets.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        cancel.cancel();
        assert_eq!(running.join().unwrap().kind(), ErrorKind::Interrupted);
    });
    server.behavior.is_silent.store(false, Ordering::SeqCst);
}

#[test]
fn a_dry_run_reports_the_requests() {
    let test = TestFolder::new(&TINY);
    let server = uploaded(&test);
    let files = tree(&test.input()).len() as u64;
    let dry_run = plan(config(&test, &server, "lake"), &Context::default()).unwrap();
    let requests = dry_run.requests.unwrap();
    assert_eq!((requests.list, requests.get, requests.put), (4, files, 0), "the output is local");
    assert_eq!(server.gets(), 0, "nothing was read");
    let local = plan(test.config("lake"), &Context::default()).unwrap();
    assert!(local.requests.is_none());
}
