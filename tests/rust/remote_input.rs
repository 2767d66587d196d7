//! Reading from a bucket: the same lake as from a folder, for as many requests as were promised.
//!
//! The bucket is in memory, the requests go over a real socket. Answers are counted, never timed.

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
use crate::scene::{SMALL, Scene, difference, tree};

const TINY: SampleSpec = SampleSpec { songs: 20, events: 400, days: 3, users: 9, seed: 5 };

/// The scene's input as objects below `data/`.
fn uploaded(scene: &Scene) -> ObjectServer {
    let files = tree(&scene.input());
    ObjectServer::start(files.into_iter().map(|(path, body)| (format!("data/{path}"), body)).collect())
}

fn config(scene: &Scene, server: &ObjectServer, lake: &str) -> Config {
    Config { input: Some(format!("s3a://{BUCKET}/data/")), store: server.settings(), ..scene.config(lake) }
}

fn refused(scene: &Scene, server: &ObjectServer) -> Error {
    run(config(scene, server, "refused"), &Context::default()).unwrap_err()
}

/// Lists everything below `key`, or what matches the glob.
fn list(server: &ObjectServer, key: &str, glob: Option<&str>) -> Result<Vec<String>> {
    let location = format!("s3://{BUCKET}/{key}");
    let source = Source {
        content: Content::Songs,
        root: Location::parse("input", &location)?,
        glob: glob.map(str::to_owned),
        shown: location,
    };
    let stores = Stores::new(&server.settings(), &Cancel::default());
    let Listing { files, .. } = list::list(&source, 2, &stores, &Cancel::default())?;
    Ok(files.iter().map(|file| file.path.to_str().unwrap().to_owned()).collect())
}

#[test]
fn a_bucket_and_a_folder_give_the_same_bytes() {
    let scene = Scene::new(&SMALL);
    // Also packed, empty, and as one array.
    let packed = scene.input().join("log_data/2018/11/2018-11-03-events.json");
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(&fs::read(&packed).unwrap()).unwrap();
    fs::write(&packed, encoder.finish().unwrap()).unwrap();
    let array = scene.input().join("log_data/2018/11/2018-11-04-events.json");
    let lines = fs::read_to_string(&array).unwrap();
    fs::write(&array, format!("[{}]", lines.trim_end().replace('\n', ","))).unwrap();
    fs::write(scene.input().join("song_data/empty.json"), "").unwrap();
    fs::write(scene.input().join("song_data/.hidden.json"), "{").unwrap();

    let local = scene.run("local").unwrap();
    let server = uploaded(&scene);
    let remote = run(config(&scene, &server, "remote"), &Context::default()).unwrap();
    assert!(scene.tables("local").len() > 150);
    assert_eq!(difference(&scene.tables("local"), &scene.tables("remote")), None);
    assert_eq!(remote.records, local.records);
    let [files, there] = [&local, &remote].map(|report| report.input.values().map(|input| input.files).sum::<u64>());
    assert_eq!(files, there);
    assert_eq!(remote.input["songs"].location, "s3://bucket/data/song_data");
    // All of them but the empty one; two listings find the folders, two list them.
    assert_eq!((server.gets(), server.lists()), (files - 1, 4));

    for (threads, chunk_size, memory_limit) in [(1, 1 << 10, 0), (8, 50_000, 1 << 30)] {
        let lake = format!("{threads}");
        let config = Config { threads, chunk_size, memory_limit, ..config(&scene, &server, &lake) };
        run(config, &Context::default()).unwrap();
        assert_eq!(difference(&scene.tables("local"), &scene.tables(&lake)), None, "{threads} threads");
    }
}

#[test]
fn large_objects_are_streamed_in_ranges() {
    const MANY: usize = 24 << 20;
    let scene = Scene::new(&TINY);
    let log = scene.input().join("log_data/2018/11/2018-11-01-events.json");
    let lines = fs::read(&log).unwrap();
    let mut text = lines.repeat(MANY / lines.len() + 1);
    text.extend(b"{\"page\":1}\n");
    fs::write(&log, &text).unwrap();
    // Larger than a whole read, although it is packed.
    let packed = scene.input().join("log_data/2018/11/2018-11-02-events.json.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Level::none());
    encoder.write_all(&text).unwrap();
    let gzip = encoder.finish().unwrap();
    fs::write(&packed, &gzip).unwrap();

    let sizes: Vec<u64> = tree(&scene.input()).values().map(|body| body.len() as u64).collect();
    let expected: u64 = sizes.iter().map(|size| read::requests(*size)).sum();
    assert_eq!(expected, sizes.len() as u64 - 2 + 2 * 4, "two files of four ranges: {sizes:?}");
    let local = scene.run("local").unwrap();
    let server = uploaded(&scene);
    let remote = run(config(&scene, &server, "remote"), &Context::default()).unwrap();
    assert_eq!(difference(&scene.tables("local"), &scene.tables("remote")), None);
    assert_eq!(server.gets(), expected);
    let lines = |rejects: &[sparkify_lake::lake::read_summary::LocatedReject]| -> Vec<(u64, u64)> {
        rejects.iter().map(|reject| (reject.line, reject.offset)).collect()
    };
    assert_eq!(lines(&remote.rejects), lines(&local.rejects));
    assert_eq!(remote.rejects.len(), 2);
    assert!(remote.rejects[0].file.starts_with("s3://bucket/data/log_data/"), "{:?}", remote.rejects[0]);

    // The end is missing: none of it is loaded, which takes reading it twice.
    let key = "data/log_data/2018/11/2018-11-02-events.json.gz";
    server.behavior.objects.lock().unwrap().insert(key.to_owned(), gzip[..gzip.len() - 9].to_vec());
    server.gets();
    let quarantine = Config { on_bad_file: OnBadFile::Quarantine, ..config(&scene, &server, "quarantine") };
    let report = run(quarantine, &Context::default()).unwrap();
    assert_eq!(report.bad_files[0].reason, "gzip_truncated");
    fs::remove_file(packed).unwrap();
    scene.run("without").unwrap();
    assert_eq!(difference(&scene.tables("without"), &scene.tables("quarantine")), None);
    assert_eq!(refused(&scene, &server).kind(), ErrorKind::DataRefused);
}

#[test]
fn many_keys_take_few_more_requests_than_pages() {
    let letters = || 'A'..='Z';
    let deep = || {
        letters().flat_map(move |a| letters().flat_map(move |b| (0..23).map(move |n| format!("A/{a}/{b}/{n}.json"))))
    };
    let trees: [(&str, Vec<String>, u64); 5] = [
        ("one page", (0..1000).map(|n| format!("{n:05}.json")).collect(), 1),
        ("one folder", (0..5500).map(|n| format!("{n:05}.json")).collect(), 6 + 3),
        ("as songs lie", deep().collect(), 16 + 32 + 3),
        ("a folder each", (0..20_000).map(|n| format!("{n:05}/x.json")).collect(), 20 + 32 + 2),
        (
            "months",
            (0..120).flat_map(|m| (0..100).map(move |n| format!("{}/{:02}/{n}.json", m / 12, m % 12))).collect(),
            12 + 32 + 13,
        ),
    ];
    for (name, mut keys, most) in trees {
        keys.sort_by_key(|key| key.split('/').map(str::to_owned).collect::<Vec<_>>());
        let objects = keys.iter().map(|key| (format!("x/{key}"), vec![b'{'])).collect();
        let server = ObjectServer::start(objects);
        let expected: Vec<String> = keys.iter().map(|key| format!("x/{key}")).collect();
        assert!(list(&server, "x", None).unwrap() == expected, "{name}");
        let lists = server.lists();
        assert!(lists <= most, "{name}: {lists} requests");
    }
}

#[test]
fn a_store_with_an_order_of_its_own_loses_nothing() {
    let mut objects = BTreeMap::new();
    for folder in 0..40 {
        for number in 0..100 {
            // Beside a folder, and before it in the order of keys: - and . come before the slash.
            for key in [format!("x/{folder}/{number}.json"), format!("x/{folder}-{number}.json")] {
                objects.insert(key, vec![b'{']);
            }
        }
    }
    let server = ObjectServer::start(objects);
    let expected = list(&server, "x", None).unwrap();
    assert_eq!(expected.len(), 8000);
    server.behavior.is_disorderly.store(true, Ordering::SeqCst);
    assert!(list(&server, "x", None).unwrap() == expected);
}

#[test]
fn keys_enter_by_their_names() {
    let keys =
        ["x/", "x/a/", "x/a/1.json", "x/a/2.JSON.gz", "x/_tmp/3.json", "x/a/.4.json", "x/b.txt", "y.json", "xx/5.json"];
    let server = ObjectServer::start(keys.iter().map(|key| ((*key).to_owned(), b"{}".to_vec())).collect());
    assert_eq!(list(&server, "x", None).unwrap(), ["x/a/1.json", "x/a/2.JSON.gz"]);
    assert_eq!(list(&server, "x/a/1.json", None).unwrap(), ["x/a/1.json"], "an object by its name");
    assert_eq!(list(&server, "x/b.txt", None).unwrap(), ["x/b.txt"], "whatever its ending");
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
    assert_eq!(list(&server, "x", None).unwrap().len(), 2, "what is not read need not be addressed");
}

#[test]
fn what_cannot_be_read_is_named() {
    let scene = Scene::new(&TINY);
    let server = uploaded(&scene);
    let keys: Vec<String> = server.behavior.objects.lock().unwrap().keys().cloned().collect();
    let songs: Vec<&String> = keys.iter().filter(|key| key.contains("song_data")).collect();

    server.behavior.rewritten.lock().unwrap().insert(songs[3].clone());
    let error = refused(&scene, &server);
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert!(error.message().contains(songs[3].as_str()), "{error}");
    server.behavior.rewritten.lock().unwrap().clear();

    server.behavior.denied.lock().unwrap().insert(songs[5].clone());
    let error = refused(&scene, &server);
    assert_eq!(error.kind(), ErrorKind::Access);
    assert!(error.message().contains(songs[5].as_str()), "{error}");

    // So slow that all requests are under way before the first answer.
    server.behavior.latency.store(200, Ordering::SeqCst);
    server.behavior.denied.lock().unwrap().extend(songs.iter().map(|key| (*key).clone()));
    let error = refused(&scene, &server);
    assert_eq!(error.kind(), ErrorKind::Access);
    for key in &songs[..10] {
        assert!(error.message().contains(key.as_str()), "{error}");
    }
    assert_eq!(error.message().matches("s3://").count(), 10, "{error}");
    server.behavior.latency.store(0, Ordering::SeqCst);

    let config = Config { input: Some(format!("s3://{BUCKET}/dat")), ..config(&scene, &server, "nothing") };
    let error = run(config, &Context::default()).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::NoInput, "there is no song_data in s3://bucket/dat"));
}

#[test]
fn a_run_is_stopped_while_a_store_is_silent() {
    let scene = Scene::new(&TINY);
    let server = uploaded(&scene);
    server.behavior.is_silent.store(true, Ordering::SeqCst);
    let cancel = Cancel::default();
    let control = Context { cancel: cancel.clone(), ..Context::default() };
    let config = config(&scene, &server, "lake");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(config, &control).unwrap_err());
        while server.behavior.gets.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        cancel.cancel();
        assert_eq!(running.join().unwrap().kind(), ErrorKind::Interrupted);
    });
    server.behavior.is_silent.store(false, Ordering::SeqCst);
}

#[test]
fn a_preview_tells_the_requests() {
    let scene = Scene::new(&TINY);
    let server = uploaded(&scene);
    let files = tree(&scene.input()).len() as u64;
    let found = plan(config(&scene, &server, "lake"), &Context::default()).unwrap();
    let requests = found.requests.unwrap();
    assert_eq!((requests.list, requests.get, requests.put), (4, files, 0), "the output is local");
    assert_eq!(server.gets(), 0, "nothing was read");
    let local = plan(scene.config("lake"), &Context::default()).unwrap();
    assert!(local.requests.is_none());
}
