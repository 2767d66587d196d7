//! A TCP proxy with latency, like a long cable: in both directions, every byte arrives half a round trip after it was
//! sent, and a new connection takes one round trip.
//!
//! It is not an HTTP proxy: it does not inspect the bytes, so signatures, framing and TLS do not change.
//!
//! Invariant: bytes keep their order; if a direction is full, the sender waits.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// The number of blocks in flight in one direction.
const MAX_BLOCKS_IN_FLIGHT: usize = 256;

/// The size of a block.
const MAX_BLOCK_BYTES: usize = 64 * 1024;

/// Forwards all connections to `to`, and delays each response by `round_trip`.
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
            tokio::spawn(forward(from_client, to_server, round_trip / 2));
            forward(from_server, to_client, round_trip / 2).await;
        });
    }
}

/// Forwards one direction of a connection.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(MAX_BLOCKS_IN_FLIGHT);
    let reading = tokio::spawn(async move {
        loop {
            let mut block = BytesMut::with_capacity(MAX_BLOCK_BYTES);
            match from.read_buf(&mut block).await {
                Ok(count) if count > 0 => {}
                _ => return,
            }
            if sender.send((Instant::now() + delay, block.freeze())).await.is_err() {
                return;
            }
        }
    });
    while let Some((due, block)) = receiver.recv().await {
        sleep_until(due).await;
        if to.write_all(&block).await.is_err() {
            reading.abort();
            return;
        }
    }
    // An error here means that the other side has already disconnected.
    drop(to.shutdown().await);
}
