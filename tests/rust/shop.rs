//! A server for tests of the store: it answers as it is told and remembers what it was asked.
//!
//! It knows HTTP as far as one client needs it and nothing of S3: what a store would say is in the tests.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sparkify_lake::runtime::cancel::Cancel;
use sparkify_lake::s3::bucket::Bucket;
use sparkify_lake::s3::settings::{Keys, Secret, StoreSettings};
use sparkify_lake::s3::stores::Stores;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query, encoded.
    pub target: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// What the server does.
pub enum Reply {
    /// Status, additional header lines, body.
    Say(u16, String, Vec<u8>),
    /// Promises `0` bytes more than it sends.
    Cut(usize, Vec<u8>),
    /// Closes the connection.
    Hang,
    /// Says nothing.
    Silence,
}

/// An answer with an `ETag`.
pub fn tagged(tag: &str, body: &[u8]) -> Reply {
    let headers = format!("ETag: \"{tag}\"\r\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT\r\n");
    Reply::Say(200, headers, body.to_vec())
}

/// S3's way to say no.
pub fn error(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    Reply::Say(status, String::new(), body.into_bytes())
}

/// A page of a listing with these keys, encoded.
pub fn page(keys: &[&str]) -> Vec<u8> {
    let entry = |key: &&str| {
        let time = "<LastModified>2020-01-01T00:00:00Z</LastModified>";
        format!("<Contents><Key>{key}</Key>{time}<ETag>&quot;0f&quot;</ETag><Size>1</Size></Contents>")
    };
    let start =
        "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>";
    let entries: String = keys.iter().map(entry).collect();
    format!("{start}{entries}</ListBucketResult>").into_bytes()
}

/// A server and the requests it got.
pub struct Shop {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    pub cancel: Cancel,
}

impl Shop {
    /// Starts a server that answers the n-th request, from 0, by `script`.
    pub fn open(script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shop = Self { address: listener.local_addr().unwrap(), asked: Arc::default(), cancel: Cancel::default() };
        let (asked, script) = (Arc::clone(&shop.asked), Arc::new(script));
        // These threads end with the test's process: a server has no last request.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, script) = (Arc::clone(&asked), Arc::clone(&script));
                std::thread::spawn(move || serve(&stream, &asked, &*script));
            }
        });
        shop
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Their methods.
    pub fn methods(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.method).collect()
    }

    /// Settings that lead here, with keys.
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

    /// A bucket here; it lives as long as what comes with it.
    pub fn bucket(&self) -> (Bucket, Stores) {
        let stores = Stores::new(&self.settings(), &self.cancel);
        (stores.open("b").unwrap(), stores)
    }
}

fn serve(stream: &TcpStream, asked: &Mutex<Vec<Asked>>, script: &dyn Fn(usize, &Asked) -> Reply) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(request.clone());
            asked.len() - 1
        };
        let (status, headers, promised, body) = match script(number, &request) {
            Reply::Say(status, headers, body) => (status, headers, body.len(), body),
            Reply::Cut(missing, body) => (200, tag_header(), body.len() + missing, body),
            Reply::Hang => return,
            Reply::Silence => return std::thread::sleep(Duration::from_secs(60)),
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

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut first = head.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let mut asked = Asked { method, target, head, body: Vec::new() };
    let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    asked.body.resize(length, 0);
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}
