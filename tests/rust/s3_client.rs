//! The S3 client against a server that fails on purpose: which failures are retried, and how the others are reported.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sparkify_lake::error::{ErrorKind, Result};
use sparkify_lake::s3::bucket::{Bucket, MULTIPART_THRESHOLD};
use sparkify_lake::s3::object::{Put, Tag, Written};
use sparkify_lake::s3::settings::StoreSettings;
use sparkify_lake::s3::stores::Stores;

use crate::scripted_server::{Reply, Request, ScriptedServer, error, page, tagged};

fn put(bucket: &Bucket, body: &'static [u8], put: Put<'_>) -> Result<Written> {
    bucket.wait(bucket.put("k", Bytes::from_static(body), put))
}

fn done(tag: &str) -> Written {
    Written::Done(Tag::spelled(tag))
}

#[test]
fn a_read_survives_temporary_failures() {
    let server = ScriptedServer::start(|number, _| match number {
        0 => error(500, "InternalError"),
        1 => error(503, "SlowDown"),
        2 => error(400, "RequestTimeout"),
        3 => Reply::Close,
        4 => Reply::Truncated(3, b"who".to_vec()),
        5 => tagged("other", b"another"),
        _ => tagged("0f", b"whole"),
    });
    let (bucket, stores) = server.bucket();
    let read = bucket.wait(bucket.get("k", None, Some(&Tag::spelled("0f")))).unwrap();
    assert_eq!(&*read, b"whole");
    let usage = stores.usage();
    assert_eq!((usage.get, usage.retries, usage.throttled), (7, 6, 1));
    let signatures: Vec<_> =
        server.requests().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert!(signatures.iter().all(Option::is_some), "every attempt is signed");
    assert!(server.requests().iter().all(|request| request.header("if-match") == Some("\"0f\"")));
}

#[test]
fn a_truncated_page_is_requested_again_and_odd_keys_survive() {
    let whole = page(&["a%2F%2Fb", "c%09d"]);
    let half = whole[..whole.len() / 2].to_vec();
    let server = ScriptedServer::start(move |number, _| match number {
        0 => Reply::Truncated(100, half.clone()),
        1 => Reply::Answer(200, String::new(), half.clone()),
        _ => Reply::Answer(200, String::new(), whole.clone()),
    });
    let (bucket, stores) = server.bucket();
    let listed = bucket.wait(bucket.list("", false, Some("a"), None)).unwrap();
    let keys: Vec<&str> = listed.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["a//b", "c\td"]);
    assert_eq!((stores.usage().list, stores.usage().retries), (3, 2));
    assert!(server.requests()[0].target.contains("start-after=a"), "{}", server.requests()[0].target);
}

#[test]
fn our_own_write_is_recognized_after_a_lost_response() {
    for (stored, expected) in [(&b"mine"[..], done("0f")), (&b"theirs"[..], Written::Refused)] {
        for (condition, header) in [(Put::Create, "if-none-match"), (Put::Replace(&Tag::spelled("1")), "if-match")] {
            let server = ScriptedServer::start(move |number, _| match number {
                0 => Reply::Close,
                1 => error(412, "PreconditionFailed"),
                _ => tagged("0f", stored),
            });
            let (bucket, _stores) = server.bucket();
            assert_eq!(put(&bucket, b"mine", condition).unwrap(), expected);
            assert_eq!(server.methods(), ["PUT", "PUT", "GET"]);
            assert!(server.requests()[1].header(header).is_some(), "{header}");
            assert!(server.requests()[1].header("x-amz-checksum-sha256").is_some());
        }
    }
}

#[test]
fn a_condition_that_fails_at_the_first_attempt_is_refused() {
    let server = ScriptedServer::start(|_, _| error(412, "PreconditionFailed"));
    let (bucket, _stores) = server.bucket();
    assert_eq!(put(&bucket, b"mine", Put::Create).unwrap(), Written::Refused);
    assert_eq!(server.methods(), ["PUT"], "the object is not read back");
}

#[test]
fn a_conflict_and_an_error_with_status_200_are_retried() {
    let server = ScriptedServer::start(|number, _| match number {
        0 => error(409, "ConditionalRequestConflict"),
        1 => error(200, "InternalError"),
        _ => tagged("0f", b""),
    });
    let (bucket, stores) = server.bucket();
    assert_eq!(put(&bucket, b"mine", Put::Create).unwrap(), done("0f"));
    assert_eq!((stores.usage().put, stores.usage().bytes_out), (3, 12));
}

#[test]
fn replacing_a_missing_object_is_refused() {
    let server = ScriptedServer::start(|_, _| error(404, "NoSuchKey"));
    let (bucket, _stores) = server.bucket();
    assert_eq!(put(&bucket, b"mine", Put::Replace(&Tag::spelled("1"))).unwrap(), Written::Refused);
    assert_eq!(bucket.wait(bucket.get_optional("k")).unwrap(), None);
}

#[test]
fn deleting_a_missing_object_succeeds() {
    let server = ScriptedServer::start(|number, _| match number {
        0 | 2 => error(412, "PreconditionFailed"),
        1 => error(404, "NoSuchKey"),
        _ => tagged("0f", b"another"),
    });
    let (bucket, _stores) = server.bucket();
    let tag = Tag::spelled("1");
    assert!(bucket.wait(bucket.delete("k", Some(&tag))).unwrap(), "it is absent");
    assert!(!bucket.wait(bucket.delete("k", Some(&tag))).unwrap(), "it is another version");
    assert_eq!(server.requests()[2].header("if-match"), Some("\"1\""));
}

#[test]
fn retries_end_with_the_patience() {
    let server = ScriptedServer::start(|_, _| error(500, "InternalError"));
    let settings = StoreSettings { patience: Duration::from_secs(1), ..server.settings() };
    let stores = Stores::new(&settings, &server.cancel);
    let bucket = stores.open("b").unwrap();
    let failed = bucket.wait(bucket.get("k", None, None)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Retry);
    assert!(failed.cause_text().unwrap().contains("InternalError"), "{failed}");
    assert!(stores.usage().get >= 4, "{:?}", stores.usage());
}

#[test]
fn permanent_failures_are_not_retried() {
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::Access),
        (403, "SignatureDoesNotMatch", ErrorKind::Access),
        (400, "ExpiredToken", ErrorKind::Access),
        (404, "NoSuchBucket", ErrorKind::Configuration),
        (301, "PermanentRedirect", ErrorKind::Configuration),
    ] {
        let server = ScriptedServer::start(move |_, _| error(status, code));
        let (bucket, stores) = server.bucket();
        let failed = bucket.wait(bucket.get_optional("k")).unwrap_err();
        assert_eq!(failed.kind(), kind, "{code}");
        assert!(!format!("{failed:?} {bucket:?} {stores:?}").contains("s3cr3t"));
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[test]
fn a_changed_object_is_reported() {
    for (reply, status) in [("PreconditionFailed", 412), ("NoSuchKey", 404), ("InvalidRange", 416)] {
        let server = ScriptedServer::start(move |_, _| error(status, reply));
        let (bucket, _stores) = server.bucket();
        let failed = bucket.wait(bucket.get("k", Some(0..5), Some(&Tag::spelled("1")))).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Retry);
        assert!(failed.message().contains("has changed"), "{failed}");
    }
}

#[test]
fn a_silent_server_does_not_delay_a_cancellation() {
    let server = ScriptedServer::start(|_, _| Reply::NoAnswer);
    let (bucket, stores) = server.bucket();
    let begun = Instant::now();
    let failed = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            server.cancel.cancel();
        });
        bucket.wait(bucket.get("k", None, None)).unwrap_err()
    });
    drop(stores);
    assert_eq!(failed.kind(), ErrorKind::Interrupted);
    assert!(begun.elapsed() < Duration::from_secs(5), "the call does not wait for the server");
    let late = bucket.wait(bucket.get("k", None, None)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Internal, "an error, not a panic");
}

#[test]
fn anonymous_requests_are_not_signed() {
    let server = ScriptedServer::start(|number, _| match number {
        0 => tagged("0f", b"x"),
        _ => Reply::Answer(200, String::new(), page(&[])),
    });
    let settings = StoreSettings { anonymous: true, keys: None, ..server.settings() };
    let stores = Stores::new(&settings, &server.cancel);
    let bucket = stores.open("b").unwrap();
    bucket.wait(bucket.get("k", None, None)).unwrap();
    bucket.wait(bucket.list("", false, None, None)).unwrap();
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(stores.credentials().as_deref(), Some("anonymous"));
}

/// The responses of a store to a multipart upload, except for its completion.
fn multipart(request: &Request) -> Option<Reply> {
    match request.method.as_str() {
        "POST" if request.target.contains("uploads") => {
            let body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            Some(Reply::Answer(200, String::new(), body.into()))
        }
        "PUT" => Some(tagged("part", b"")),
        "DELETE" => Some(Reply::Answer(204, String::new(), Vec::new())),
        _ => None,
    }
}

#[test]
fn a_large_object_is_uploaded_in_parts_even_if_the_last_response_is_lost() {
    let body = Bytes::from(vec![7; MULTIPART_THRESHOLD + 1]);
    let uploaded = body.clone();
    let server = ScriptedServer::start(move |number, request| match multipart(request) {
        Some(reply) => reply,
        None if request.method == "GET" => tagged("0f-5", &uploaded),
        None if number == 6 => Reply::Close,
        None => error(404, "NoSuchUpload"),
    });
    let (bucket, stores) = server.bucket();
    assert_eq!(bucket.wait(bucket.put("k", body, Put::Create)).unwrap(), done("0f-5"));
    assert_eq!((stores.usage().put, stores.usage().other, stores.usage().get), (5, 3, 1));
    let completions: Vec<Request> =
        server.requests().into_iter().filter(|request| request.target.ends_with("uploadId=u")).collect();
    let completion = completions.iter().find(|request| request.method == "POST").unwrap();
    assert_eq!(completion.header("if-none-match"), Some("*"));
    let text = String::from_utf8_lossy(&completion.body);
    assert!(text.contains("<PartNumber>5</PartNumber>") && text.contains("<ChecksumSHA256>"), "{text}");
}

#[test]
fn a_failed_upload_is_aborted() {
    let server = ScriptedServer::start(|_, request| match multipart(request) {
        Some(_) if request.method == "PUT" => error(403, "AccessDenied"),
        Some(reply) => reply,
        None => error(500, "InternalError"),
    });
    let (bucket, _stores) = server.bucket();
    let failed = bucket.wait(bucket.put_in_parts("k", Bytes::from_static(b"x"), Put::Always)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Access);
    assert_eq!(server.methods(), ["POST", "PUT", "DELETE"]);
}

#[test]
fn plain_http_and_wrong_names_are_refused_before_any_request() {
    let server = ScriptedServer::start(|_, _| Reply::Close);
    let settings = StoreSettings { allow_http: false, ..server.settings() };
    let refused = Stores::new(&settings, &server.cancel).open("b").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    let named = Stores::new(&server.settings(), &server.cancel).open("b?x=1").unwrap_err();
    assert_eq!(named.kind(), ErrorKind::Configuration);
    let (bucket, _stores) = server.bucket();
    let odd = bucket.wait(bucket.get("a//b", None, None)).unwrap_err();
    assert_eq!(odd.kind(), ErrorKind::Configuration);
    assert!(server.requests().is_empty());
}
