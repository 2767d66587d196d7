//! A bucket in memory behind a real socket: listings and reads, as S3 answers them, and nothing else.
//!
//! It checks no signature and keeps no time; it counts requests, and can be slow, forgetful or disorderly on request.

#![expect(clippy::disallowed_methods, reason = "a server's threads outlive the call, and a slow server sleeps")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sparkify_lake::s3::settings::StoreSettings;

/// The one bucket.
pub const BUCKET: &str = "bucket";

/// What the server has and does.
#[derive(Debug, Default)]
pub struct Behavior {
    /// Objects by key.
    pub objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Keys that nobody may read.
    pub denied: Mutex<BTreeSet<String>>,
    /// Keys that are written again, with other bytes, between being listed and being read.
    pub rewritten: Mutex<BTreeSet<String>>,
    /// How long each answer takes, in milliseconds.
    pub latency: AtomicU64,
    /// Whether reads are never answered.
    pub is_silent: AtomicBool,
    /// Whether folders are listed before the files beside them, as stores do that keep a tree.
    pub is_disorderly: AtomicBool,
    /// LIST requests so far.
    pub lists: AtomicU64,
    /// GET requests of objects so far.
    pub gets: AtomicU64,
    /// The most GET requests at the same time.
    pub most_at_once: AtomicU64,
    at_once: AtomicU64,
}

/// A running server; it ends with the test's process.
#[derive(Debug)]
pub struct ObjectServer {
    pub behavior: Arc<Behavior>,
    address: String,
}

impl ObjectServer {
    pub fn start(objects: BTreeMap<String, Vec<u8>>) -> Self {
        let behavior = Arc::new(Behavior { objects: Mutex::new(objects), ..Behavior::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::clone(&behavior);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                // A client that goes away is no failure of the server.
                thread::spawn(move || drop(shared.serve(&stream.unwrap())));
            }
        });
        Self { behavior, address }
    }

    /// How to reach it.
    pub fn settings(&self) -> StoreSettings {
        StoreSettings {
            endpoint_url: Some(format!("http://{}", self.address)),
            allow_http: true,
            anonymous: true,
            patience: Duration::from_secs(2),
            ..StoreSettings::default()
        }
    }

    pub fn lists(&self) -> u64 {
        self.behavior.lists.swap(0, Ordering::SeqCst)
    }

    pub fn gets(&self) -> u64 {
        self.behavior.gets.swap(0, Ordering::SeqCst)
    }
}

struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Behavior {
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                let line = line.trim_end().to_owned();
                if line.is_empty() {
                    break;
                }
                lines.push(line);
            }
            let target = lines[0].split(' ').nth(1).unwrap();
            let headers: BTreeMap<String, String> = lines[1..]
                .iter()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let path = percent_decode_str(path).decode_utf8().unwrap().into_owned();
            let key = path.strip_prefix(&format!("/{BUCKET}")).unwrap_or(&path).trim_start_matches('/').to_owned();
            thread::sleep(Duration::from_millis(self.latency.load(Ordering::Relaxed)));
            let Answer { status, headers, mut body } = if query.contains("list-type=2") {
                self.lists.fetch_add(1, Ordering::SeqCst);
                self.list(query)
            } else {
                self.gets.fetch_add(1, Ordering::SeqCst);
                let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
                while self.is_silent.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(10));
                }
                let answer = self.get(&key, &headers);
                self.at_once.fetch_sub(1, Ordering::SeqCst);
                answer
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
            let mut answer = head.into_bytes();
            answer.append(&mut body);
            (&*stream).write_all(&answer)?;
        }
    }

    fn get(&self, key: &str, headers: &BTreeMap<String, String>) -> Answer {
        if self.denied.lock().unwrap().contains(key) {
            return failure("403 Forbidden", "AccessDenied", "Access Denied");
        }
        let mut objects = self.objects.lock().unwrap();
        let Some(body) = objects.get_mut(key) else {
            return failure("404 Not Found", "NoSuchKey", "The specified key does not exist");
        };
        if self.rewritten.lock().unwrap().contains(key) {
            body.push(b'\n');
        }
        let tag = tag(body);
        if headers.get("if-match").is_some_and(|wanted| *wanted != tag) {
            return failure("412 Precondition Failed", "PreconditionFailed", "A pre-condition did not hold");
        }
        let mut headers_back = format!("ETag: {tag}\r\nLast-Modified: Wed, 21 Nov 2018 07:28:00 GMT\r\n");
        let Some((first, last)) = headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return Answer { status: "200 OK", headers: headers_back, body: body.clone() };
        };
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let last = last.min(body.len() - 1);
        write!(headers_back, "Content-Range: bytes {first}-{last}/{}\r\n", body.len()).unwrap();
        Answer { status: "206 Partial Content", headers: headers_back, body: body[first..=last].to_vec() }
    }

    fn list(&self, query: &str) -> Answer {
        let of = |wanted: &str| -> String {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| decoded(value)).collect()
        };
        let (prefix, has_delimiter) = (of("prefix"), !of("delimiter").is_empty());
        let objects = self.objects.lock().unwrap();
        let mut keys: Vec<(String, Option<&Vec<u8>>)> = Vec::new();
        for (key, body) in objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            match key[prefix.len()..].split_once('/').filter(|_| has_delimiter) {
                None => keys.push((key.clone(), Some(body))),
                Some((folder, _)) => {
                    let folder = format!("{prefix}{folder}/");
                    if keys.last().is_none_or(|(last, _)| *last != folder) {
                        keys.push((folder, None));
                    }
                }
            }
        }
        if self.is_disorderly.load(Ordering::SeqCst) {
            keys.sort_by_key(|(key, _)| key.split('/').map(str::to_owned).collect::<Vec<_>>());
        }
        let (after, token) = (of("start-after"), of("continuation-token"));
        let skip = match token.parse() {
            Ok(skip) => skip,
            Err(_) => keys.iter().position(|(key, _)| *key > after).unwrap_or(keys.len()),
        };
        let mut xml = "<ListBucketResult><EncodingType>url</EncodingType>".to_owned();
        for (key, body) in keys.iter().skip(skip).take(1000) {
            let name = utf8_percent_encode(key, NON_ALPHANUMERIC);
            match body {
                None => write!(xml, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>").unwrap(),
                Some(body) => write!(
                    xml,
                    "<Contents><Key>{name}</Key><LastModified>2018-11-21T07:28:00.000Z</LastModified>\
                     <ETag>{}</ETag><Size>{}</Size></Contents>",
                    tag(body).replace('"', "&quot;"),
                    body.len()
                )
                .unwrap(),
            }
        }
        let next = skip + 1000;
        if next < keys.len() {
            write!(xml, "<NextContinuationToken>{next}</NextContinuationToken>").unwrap();
        }
        write!(xml, "<IsTruncated>{}</IsTruncated></ListBucketResult>", next < keys.len()).unwrap();
        Answer { status: "200 OK", headers: String::new(), body: xml.into_bytes() }
    }
}

fn failure(status: &'static str, code: &str, message: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>").into_bytes();
    Answer { status, headers: String::new(), body }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
}

fn tag(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
