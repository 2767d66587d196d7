//! The fence of writes: a look at the log precedes every attempt of every request that changes a table.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sparkify_lake::error::ErrorKind;
use sparkify_lake::runtime::clock::Moment;
use sparkify_lake::s3::bucket::{Bucket, MULTIPART_THRESHOLD};
use sparkify_lake::s3::fence::Fence;
use sparkify_lake::s3::object::{Put, Tag};

use crate::scripted_server::{Reply, Request, ScriptedServer, error, page, tagged};

const OWN: &str = "log/2.json";

fn with_fence(bucket: &Bucket, max_age: Duration, looked: Option<Moment>) -> Bucket {
    bucket.with_fence(Fence::new("log/".to_owned(), OWN.to_owned(), max_age, looked))
}

fn looks(server: &ScriptedServer) -> usize {
    server.requests().iter().filter(|request| request.target.contains("start-after=log%2F2.json")).count()
}

fn is_list(request: &Request) -> bool {
    request.target.contains("list-type")
}

/// A server whose log has a newer entry after this number of writes, which all fail.
fn overtaken_after(writes: usize) -> ScriptedServer {
    let seen = AtomicUsize::new(0);
    ScriptedServer::start(move |_, request| {
        if is_list(request) {
            // Some stores ignore `start-after`, and other names are no entries.
            let newest = if seen.load(Ordering::SeqCst) < writes { "log/foreign" } else { "log/3.json" };
            return Reply::Answer(200, String::new(), page(&["log/1.json", OWN, newest]));
        }
        seen.fetch_add(1, Ordering::SeqCst);
        error(500, "InternalError")
    })
}

#[test]
fn every_attempt_is_preceded_by_a_look() {
    for writes in [0, 1, 3] {
        let server = overtaken_after(writes);
        let (bucket, _stores) = server.bucket();
        let written = with_fence(&bucket, Duration::ZERO, None);
        let ended = written.wait(written.put("k", Bytes::from_static(b"x"), Put::Replace(&Tag::spelled("1"))));
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Retry);
        let sent = server.methods().iter().filter(|method| *method == "PUT").count();
        assert_eq!(sent, writes, "nothing is sent once the log has a newer entry");
    }
}

#[test]
fn deletes_and_multipart_uploads_pass_the_fence_too() {
    let server = overtaken_after(0);
    let (bucket, _stores) = server.bucket();
    let written = with_fence(&bucket, Duration::from_secs(60), None);
    assert_eq!(written.wait(written.delete("k", None)).unwrap_err().kind(), ErrorKind::Retry);
    assert!(server.requests().iter().all(is_list), "the delete is not sent");

    let server = ScriptedServer::start(|_, request| match request.method.as_str() {
        _ if is_list(request) => Reply::Answer(200, String::new(), page(&["log/3.json"])),
        "POST" => Reply::Answer(200, String::new(), b"<Upload><UploadId>u</UploadId></Upload>".to_vec()),
        _ => tagged("part", b""),
    });
    let (bucket, _stores) = server.bucket();
    let written = with_fence(&bucket, Duration::from_secs(60), None);
    let large = Bytes::from(vec![0; MULTIPART_THRESHOLD + 1]);
    assert_eq!(written.wait(written.put("k", large, Put::Create)).unwrap_err().kind(), ErrorKind::Retry);
    let completions = server.requests().into_iter().filter(|request| request.method == "POST").count();
    assert_eq!(completions, 1, "the upload was started and not completed");
}

#[test]
fn a_young_look_is_shared() {
    let server = ScriptedServer::start(|_, request| {
        if is_list(request) { Reply::Answer(200, String::new(), page(&[OWN])) } else { tagged("0f", b"") }
    });
    let (bucket, _stores) = server.bucket();
    let written = with_fence(&bucket, Duration::from_secs(60), Some(Moment::now()));
    for _ in 0..5 {
        written.wait(written.put("k", Bytes::new(), Put::Always)).unwrap();
    }
    assert_eq!(looks(&server), 0);
    std::thread::sleep(Duration::from_millis(30));
    let written = with_fence(&bucket, Duration::from_millis(20), Some(Moment::now()));
    std::thread::sleep(Duration::from_millis(30));
    written.wait(written.put("k", Bytes::new(), Put::Always)).unwrap();
    assert!(looks(&server) >= 1, "the look was too old");
}

#[test]
fn a_store_that_answers_looks_too_late_is_not_waited_for_forever() {
    let server = ScriptedServer::start(|_, request| {
        if is_list(request) {
            std::thread::sleep(Duration::from_millis(20));
            return Reply::Answer(200, String::new(), page(&[OWN]));
        }
        tagged("0f", b"")
    });
    let (bucket, _stores) = server.bucket();
    let written = with_fence(&bucket, Duration::from_millis(1), None);
    written.wait(written.put("k", Bytes::new(), Put::Always)).unwrap();
    assert_eq!(looks(&server), 3);
}
