//! Servers for tests and measurements: `memory` is an S3 server in memory; `delay` is a TCP proxy that adds latency
//! between a client and any server.
//!
//! This is a separate package, so sparkify-lake neither compiles nor locks its dependencies.
//!
//! Invariant: a server prints one line, `listening on ADDRESS`, when it is ready, and ends when its standard input is
//! closed, so it never outlives the process that started it.

mod delay;
mod memory;

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpSocket;

const USAGE: &str = "usage: servers memory [--port N] [--bucket NAME] [--delay-ms N] (keys from \
     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without keys, signatures are not checked)\n       \
     servers delay --to ADDRESS [--port N] [--delay-ms N]";

/// The options of the command line.
#[derive(Debug, Default)]
struct Options {
    port: u16,
    bucket: Option<String>,
    delay: Duration,
    to: Option<SocketAddr>,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let bad = || format!("{word} cannot be {value:?}");
            match word.as_str() {
                "--port" => options.port = value.parse().map_err(|_| bad())?,
                "--bucket" => options.bucket = Some(value),
                "--delay-ms" => options.delay = Duration::from_millis(value.parse().map_err(|_| bad())?),
                "--to" => options.to = Some(value.parse().map_err(|_| bad())?),
                _ => return Err(format!("there is no option {word}")),
            }
        }
        Ok(options)
    }
}

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_default();
    let options = Options::read(words).unwrap_or_else(|fault| {
        eprintln!("{fault}\n{USAGE}");
        std::process::exit(64)
    });
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while io::stdin().read(&mut nothing).is_ok_and(|count| count > 0) {}
        std::process::exit(0)
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], options.port)))?;
        // Hundreds of connections arrive at the same time. A client that finds the queue full retries after one
        // second, then two, then four.
        let listener = socket.listen(4_096)?;
        println!("listening on {}", listener.local_addr()?);
        match (mode.as_str(), options.to) {
            ("memory", None) => memory::serve(listener, options.bucket, options.delay).await,
            ("delay", Some(to)) => delay::serve(listener, to, options.delay).await,
            _ => {
                eprintln!("{USAGE}");
                std::process::exit(64)
            }
        }
    })
}
