//! An HTTP server whose responses are defined by the test; it records the requests.
//!
//! It supports just enough of HTTP for one client, and nothing of S3: the tests define the responses of a store.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sparkify_lake::runtime::cancel::Cancel;
use sparkify_lake::s3::bucket::Bucket;
use sparkify_lake::s3::settings::{Keys, Secret, StoreSettings};
use sparkify_lake::s3::stores::Stores;

/// A request, as it was received.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query, encoded.
    pub target: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// The response of the server to a request.
pub enum Reply {
    /// Status, additional header lines, body.
    Answer(u16, String, Vec<u8>),
    /// Announces `0` bytes more than the server sends.
    Truncated(usize, Vec<u8>),
    /// Closes the connection.
    Close,
    /// Keeps the connection open without a response.
    NoAnswer,
}

/// A response with an `ETag`.
pub fn tagged(tag: &str, body: &[u8]) -> Reply {
    let headers = format!("ETag: \"{tag}\"\r\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT\r\n");
    Reply::Answer(200, headers, body.to_vec())
}

/// An error response of S3.
pub fn error(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    Reply::Answer(status, String::new(), body.into_bytes())
}

/// A page of a listing with these keys, which are already encoded.
pub fn page(keys: &[&str]) -> Vec<u8> {
    tagged_page(keys.iter().map(|key| (*key, "0f")))
}

/// A page of a listing, of keys with `ETag`s.
pub fn tagged_page<'k>(keys: impl Iterator<Item = (&'k str, &'k str)>) -> Vec<u8> {
    let entry = |(key, tag): (&str, &str)| {
        let time = "<LastModified>2020-01-01T00:00:00Z</LastModified>";
        format!("<Contents><Key>{key}</Key>{time}<ETag>&quot;{tag}&quot;</ETag><Size>1</Size></Contents>")
    };
    let start =
        "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>";
    let entries: String = keys.map(entry).collect();
    format!("{start}{entries}</ListBucketResult>").into_bytes()
}

/// A server and the requests that it has received.
pub struct ScriptedServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    pub cancel: Cancel,
}

impl ScriptedServer {
    /// Starts a server; `script` gets the number of the request, from 0, and the request.
    pub fn start(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Self { address: listener.local_addr().unwrap(), requests: Arc::default(), cancel: Cancel::default() };
        let (requests, script) = (Arc::clone(&server.requests), Arc::new(script));
        // These threads end with the process of the test, because there is no last request.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, script) = (Arc::clone(&requests), Arc::clone(&script));
                std::thread::spawn(move || serve(&stream, &requests, &*script));
            }
        });
        server
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The methods of the requests so far.
    pub fn methods(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.method).collect()
    }

    /// Settings for this server, with keys.
    pub fn settings(&self) -> StoreSettings {
        let keys = Keys {
            access_key_id: Secret::new("AKID"),
            secret_access_key: Secret::new("s3cr3t"),
            session_token: None,
            origin: "dl.cfg".to_owned(),
        };
        StoreSettings {
            endpoint_url: Some(format!("http://{}", self.address)),
            allow_http: true,
            patience: Duration::from_secs(20),
            keys: Some(keys),
            ..StoreSettings::default()
        }
    }

    /// A bucket on this server. It works as long as the `Stores` exist.
    pub fn bucket(&self) -> (Bucket, Stores) {
        let stores = Stores::new(&self.settings(), &self.cancel);
        (stores.open("b").unwrap(), stores)
    }
}

fn serve(stream: &TcpStream, requests: &Mutex<Vec<Request>>, script: &dyn Fn(usize, &Request) -> Reply) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let (status, headers, promised, body) = match script(number, &request) {
            Reply::Answer(status, headers, body) => (status, headers, body.len(), body),
            Reply::Truncated(missing, body) => (200, tag_header(), body.len() + missing, body),
            Reply::Close => return,
            Reply::NoAnswer => return std::thread::sleep(Duration::from_secs(60)),
        };
        let cut = promised > body.len();
        let date = chrono::Utc::now().to_rfc2822();
        let head = format!("HTTP/1.1 {status} X\r\nDate: {date}\r\n{headers}Content-Length: {promised}\r\n\r\n");
        let mut writer = stream;
        if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body)).is_err() || cut {
            return;
        }
    }
}

fn tag_header() -> String {
    "ETag: \"0f\"\r\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT\r\n".to_owned()
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut first = head.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let mut request = Request { method, target, head, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
