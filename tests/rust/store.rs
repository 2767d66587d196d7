//! The store against a server that misbehaves on purpose: what is retried, what is not, and what people are told.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sparkify_lake::error::{ErrorKind, Result};
use sparkify_lake::s3::bucket::{Bucket, MULTIPART_THRESHOLD};
use sparkify_lake::s3::object::{Put, Tag, Written};
use sparkify_lake::s3::settings::StoreSettings;
use sparkify_lake::s3::stores::Stores;

use crate::shop::{Asked, Reply, Shop, error, page, tagged};

fn put(bucket: &Bucket, body: &'static [u8], put: Put<'_>) -> Result<Written> {
    bucket.wait(bucket.put("k", Bytes::from_static(body), put))
}

fn done(tag: &str) -> Written {
    Written::Done(Tag::spelled(tag))
}

#[test]
fn a_read_survives_what_passes() {
    let shop = Shop::open(|number, _| match number {
        0 => error(500, "InternalError"),
        1 => error(503, "SlowDown"),
        2 => error(400, "RequestTimeout"),
        3 => Reply::Hang,
        4 => Reply::Cut(3, b"who".to_vec()),
        5 => tagged("other", b"another"),
        _ => tagged("0f", b"whole"),
    });
    let (bucket, stores) = shop.bucket();
    let read = bucket.wait(bucket.get("k", None, Some(&Tag::spelled("0f")))).unwrap();
    assert_eq!(&*read, b"whole");
    let usage = stores.usage();
    assert_eq!((usage.get, usage.retries, usage.throttled), (7, 6, 1));
    let dates: Vec<_> = shop.asked().iter().map(|asked| asked.header("authorization").map(str::to_owned)).collect();
    assert!(dates.iter().all(Option::is_some), "every attempt is signed");
    assert!(shop.asked().iter().all(|asked| asked.header("if-match") == Some("\"0f\"")));
}

#[test]
fn a_cut_page_is_asked_for_again_and_odd_keys_survive() {
    let whole = page(&["a%2F%2Fb", "c%09d"]);
    let half = whole[..whole.len() / 2].to_vec();
    let shop = Shop::open(move |number, _| match number {
        0 => Reply::Cut(100, half.clone()),
        1 => Reply::Say(200, String::new(), half.clone()),
        _ => Reply::Say(200, String::new(), whole.clone()),
    });
    let (bucket, stores) = shop.bucket();
    let listed = bucket.wait(bucket.list("", false, Some("a"), None)).unwrap();
    let keys: Vec<&str> = listed.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["a//b", "c\td"]);
    assert_eq!((stores.usage().list, stores.usage().retries), (3, 2));
    assert!(shop.asked()[0].target.contains("start-after=a"), "{}", shop.asked()[0].target);
}

#[test]
fn ones_own_write_is_recognized_after_a_lost_answer() {
    for (there, expected) in [(&b"mine"[..], done("0f")), (&b"theirs"[..], Written::Refused)] {
        for (condition, header) in [(Put::Create, "if-none-match"), (Put::Replace(&Tag::spelled("1")), "if-match")] {
            let shop = Shop::open(move |number, _| match number {
                0 => Reply::Hang,
                1 => error(412, "PreconditionFailed"),
                _ => tagged("0f", there),
            });
            let (bucket, _stores) = shop.bucket();
            assert_eq!(put(&bucket, b"mine", condition).unwrap(), expected);
            assert_eq!(shop.methods(), ["PUT", "PUT", "GET"]);
            assert!(shop.asked()[1].header(header).is_some(), "{header}");
            assert!(shop.asked()[1].header("x-amz-checksum-sha256").is_some());
        }
    }
}

#[test]
fn a_refusal_at_once_is_a_refusal() {
    let shop = Shop::open(|_, _| error(412, "PreconditionFailed"));
    let (bucket, _stores) = shop.bucket();
    assert_eq!(put(&bucket, b"mine", Put::Create).unwrap(), Written::Refused);
    assert_eq!(shop.methods(), ["PUT"], "nobody looks who wrote");
}

#[test]
fn a_conflict_and_an_error_that_says_200_are_tried_again() {
    let shop = Shop::open(|number, _| match number {
        0 => error(409, "ConditionalRequestConflict"),
        1 => error(200, "InternalError"),
        _ => tagged("0f", b""),
    });
    let (bucket, stores) = shop.bucket();
    assert_eq!(put(&bucket, b"mine", Put::Create).unwrap(), done("0f"));
    assert_eq!((stores.usage().put, stores.usage().bytes_out), (3, 12));
}

#[test]
fn what_was_to_be_replaced_is_gone() {
    let shop = Shop::open(|_, _| error(404, "NoSuchKey"));
    let (bucket, _stores) = shop.bucket();
    assert_eq!(put(&bucket, b"mine", Put::Replace(&Tag::spelled("1"))).unwrap(), Written::Refused);
    assert_eq!(bucket.wait(bucket.get_optional("k")).unwrap(), None);
}

#[test]
fn deleting_what_is_absent_has_succeeded() {
    let shop = Shop::open(|number, _| match number {
        0 | 2 => error(412, "PreconditionFailed"),
        1 => error(404, "NoSuchKey"),
        _ => tagged("0f", b"another"),
    });
    let (bucket, _stores) = shop.bucket();
    let tag = Tag::spelled("1");
    assert!(bucket.wait(bucket.delete("k", Some(&tag))).unwrap(), "it is absent");
    assert!(!bucket.wait(bucket.delete("k", Some(&tag))).unwrap(), "it is another version");
    assert_eq!(shop.asked()[2].header("if-match"), Some("\"1\""));
}

#[test]
fn patience_ends() {
    let shop = Shop::open(|_, _| error(500, "InternalError"));
    let settings = StoreSettings { patience: Duration::from_secs(1), ..shop.settings() };
    let stores = Stores::new(&settings, &shop.cancel);
    let bucket = stores.open("b").unwrap();
    let failed = bucket.wait(bucket.get("k", None, None)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Retry);
    assert!(failed.cause_text().unwrap().contains("InternalError"), "{failed}");
    assert!(stores.usage().get >= 4, "{:?}", stores.usage());
}

#[test]
fn what_cannot_help_is_not_tried_again() {
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::Access),
        (403, "SignatureDoesNotMatch", ErrorKind::Access),
        (400, "ExpiredToken", ErrorKind::Access),
        (404, "NoSuchBucket", ErrorKind::Configuration),
        (301, "PermanentRedirect", ErrorKind::Configuration),
    ] {
        let shop = Shop::open(move |_, _| error(status, code));
        let (bucket, stores) = shop.bucket();
        let failed = bucket.wait(bucket.get_optional("k")).unwrap_err();
        assert_eq!(failed.kind(), kind, "{code}");
        assert!(!format!("{failed:?} {bucket:?} {stores:?}").contains("s3cr3t"));
        assert_eq!(shop.asked().len(), 1, "{code}");
    }
}

#[test]
fn a_changed_object_says_so() {
    for (reply, status) in [("PreconditionFailed", 412), ("NoSuchKey", 404), ("InvalidRange", 416)] {
        let shop = Shop::open(move |_, _| error(status, reply));
        let (bucket, _stores) = shop.bucket();
        let failed = bucket.wait(bucket.get("k", Some(0..5), Some(&Tag::spelled("1")))).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Retry);
        assert!(failed.message().contains("has changed"), "{failed}");
    }
}

#[test]
fn a_silent_server_holds_nobody() {
    let shop = Shop::open(|_, _| Reply::Silence);
    let (bucket, stores) = shop.bucket();
    let begun = Instant::now();
    let failed = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            shop.cancel.cancel();
        });
        bucket.wait(bucket.get("k", None, None)).unwrap_err()
    });
    drop(stores);
    assert_eq!(failed.kind(), ErrorKind::Interrupted);
    assert!(begun.elapsed() < Duration::from_secs(5), "the server would be waited for longer");
    let late = bucket.wait(bucket.get("k", None, None)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Internal, "an error, not a panic");
}

#[test]
fn anonymous_requests_carry_no_name() {
    let shop = Shop::open(|number, _| match number {
        0 => tagged("0f", b"x"),
        _ => Reply::Say(200, String::new(), page(&[])),
    });
    let settings = StoreSettings { anonymous: true, keys: None, ..shop.settings() };
    let stores = Stores::new(&settings, &shop.cancel);
    let bucket = stores.open("b").unwrap();
    bucket.wait(bucket.get("k", None, None)).unwrap();
    bucket.wait(bucket.list("", false, None, None)).unwrap();
    assert!(shop.asked().iter().all(|asked| asked.header("authorization").is_none()));
    assert_eq!(stores.credentials().as_deref(), Some("anonymous"));
}

/// What a store says to an upload in parts, apart from its end.
fn part(asked: &Asked) -> Option<Reply> {
    match asked.method.as_str() {
        "POST" if asked.target.contains("uploads") => {
            let body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            Some(Reply::Say(200, String::new(), body.into()))
        }
        "PUT" => Some(tagged("part", b"")),
        "DELETE" => Some(Reply::Say(204, String::new(), Vec::new())),
        _ => None,
    }
}

#[test]
fn a_large_object_goes_in_parts_and_its_end_may_be_lost() {
    let body = Bytes::from(vec![7; MULTIPART_THRESHOLD + 1]);
    let there = body.clone();
    let shop = Shop::open(move |number, asked| match part(asked) {
        Some(reply) => reply,
        None if asked.method == "GET" => tagged("0f-5", &there),
        None if number == 6 => Reply::Hang,
        None => error(404, "NoSuchUpload"),
    });
    let (bucket, stores) = shop.bucket();
    assert_eq!(bucket.wait(bucket.put("k", body, Put::Create)).unwrap(), done("0f-5"));
    assert_eq!((stores.usage().put, stores.usage().other, stores.usage().get), (5, 3, 1));
    let ends: Vec<Asked> = shop.asked().into_iter().filter(|asked| asked.target.ends_with("uploadId=u")).collect();
    let end = ends.iter().find(|asked| asked.method == "POST").unwrap();
    assert_eq!(end.header("if-none-match"), Some("*"));
    let text = String::from_utf8_lossy(&end.body);
    assert!(text.contains("<PartNumber>5</PartNumber>") && text.contains("<ChecksumSHA256>"), "{text}");
}

#[test]
fn an_upload_that_fails_is_given_up() {
    let shop = Shop::open(|_, asked| match part(asked) {
        Some(_) if asked.method == "PUT" => error(403, "AccessDenied"),
        Some(reply) => reply,
        None => error(500, "InternalError"),
    });
    let (bucket, _stores) = shop.bucket();
    let failed = bucket.wait(bucket.put_in_parts("k", Bytes::from_static(b"x"), Put::Always)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Access);
    assert_eq!(shop.methods(), ["POST", "PUT", "DELETE"]);
}

#[test]
fn plain_http_and_wrong_names_are_refused_before_anything_is_asked() {
    let shop = Shop::open(|_, _| Reply::Hang);
    let settings = StoreSettings { allow_http: false, ..shop.settings() };
    let refused = Stores::new(&settings, &shop.cancel).open("b").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    let named = Stores::new(&shop.settings(), &shop.cancel).open("b?x=1").unwrap_err();
    assert_eq!(named.kind(), ErrorKind::Configuration);
    let (bucket, _stores) = shop.bucket();
    let odd = bucket.wait(bucket.get("a//b", None, None)).unwrap_err();
    assert_eq!(odd.kind(), ErrorKind::Configuration);
    assert!(shop.asked().is_empty());
}
