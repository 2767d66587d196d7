//! What it is: a line with a delay, as a long cable has: every byte arrives half a round trip after it was
//! sent, in both directions, and a new connection costs a round trip first.
//!
//! What it is not: an HTTP proxy. It looks at nothing, so signatures, framing and TLS stay as they are.
//!
//! Invariant: bytes keep their order; a line that is full makes the sender wait.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// Pieces of up to [`PIECE`] bytes that may be under way in one direction.
const IN_FLIGHT: usize = 256;
const PIECE: usize = 64 * 1024;

/// Passes everything on to `to`, each answer `round_trip` later than it would have come.
pub async fn serve(listener: TcpListener, to: SocketAddr, round_trip: Duration) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(async move {
            sleep(round_trip).await;
            let Ok(server) = TcpStream::connect(to).await else { return };
            if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
                return;
            }
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(line(from_client, to_server, round_trip / 2));
            line(from_server, to_client, round_trip / 2).await;
        });
    }
}

/// One direction.
async fn line(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(IN_FLIGHT);
    let reading = tokio::spawn(async move {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            match from.read_buf(&mut piece).await {
                Ok(count) if count > 0 => {}
                _ => return,
            }
            if sender.send((Instant::now() + delay, piece.freeze())).await.is_err() {
                return;
            }
        }
    });
    while let Some((due, piece)) = receiver.recv().await {
        sleep_until(due).await;
        if to.write_all(&piece).await.is_err() {
            reading.abort();
            return;
        }
    }
    // An error here means that the other side is gone already.
    drop(to.shutdown().await);
}
