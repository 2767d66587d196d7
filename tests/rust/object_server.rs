//! An S3 server in memory, on a real socket, which supports only listing and reading.
//!
//! It checks no signatures. It counts requests, and can be slow, refuse keys, change objects, or list keys in another
//! order.

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

/// The objects, faults and counters of the server.
#[derive(Debug, Default)]
pub struct Behavior {
    /// Objects by key.
    pub objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Keys without permission to read.
    pub denied: Mutex<BTreeSet<String>>,
    /// Keys whose objects change between a listing and a read.
    pub rewritten: Mutex<BTreeSet<String>>,
    /// Latency of each response, in milliseconds.
    pub latency: AtomicU64,
    /// Whether reads get no response.
    pub is_silent: AtomicBool,
    /// Whether keys are sorted by path component, as in stores that keep a tree of folders.
    pub is_sorted_by_component: AtomicBool,
    /// LIST requests so far.
    pub lists: AtomicU64,
    /// GET requests of objects so far.
    pub gets: AtomicU64,
    /// The highest number of concurrent GET requests.
    pub max_concurrent: AtomicU64,
    concurrent: AtomicU64,
}

/// A running server; it ends with the process of the test.
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
                // A client that disconnects is not an error.
                thread::spawn(move || drop(shared.serve(&stream.unwrap())));
            }
        });
        Self { behavior, address }
    }

    /// Settings for this server.
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

struct Response {
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
            let Response { status, headers, mut body } = if query.contains("list-type=2") {
                self.lists.fetch_add(1, Ordering::SeqCst);
                self.list(query)
            } else {
                self.gets.fetch_add(1, Ordering::SeqCst);
                let concurrent = self.concurrent.fetch_add(1, Ordering::SeqCst) + 1;
                self.max_concurrent.fetch_max(concurrent, Ordering::SeqCst);
                while self.is_silent.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(10));
                }
                let answer = self.get(&key, &headers);
                self.concurrent.fetch_sub(1, Ordering::SeqCst);
                answer
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
            let mut answer = head.into_bytes();
            answer.append(&mut body);
            (&*stream).write_all(&answer)?;
        }
    }

    fn get(&self, key: &str, headers: &BTreeMap<String, String>) -> Response {
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
        let mut response_headers = format!("ETag: {tag}\r\nLast-Modified: Wed, 21 Nov 2018 07:28:00 GMT\r\n");
        let Some((first, last)) = headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        else {
            return Response { status: "200 OK", headers: response_headers, body: body.clone() };
        };
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let last = last.min(body.len() - 1);
        write!(response_headers, "Content-Range: bytes {first}-{last}/{}\r\n", body.len()).unwrap();
        Response { status: "206 Partial Content", headers: response_headers, body: body[first..=last].to_vec() }
    }

    fn list(&self, query: &str) -> Response {
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
        if self.is_sorted_by_component.load(Ordering::SeqCst) {
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
        Response { status: "200 OK", headers: String::new(), body: xml.into_bytes() }
    }
}

fn failure(status: &'static str, code: &str, message: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>").into_bytes();
    Response { status, headers: String::new(), body }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
}

fn tag(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
