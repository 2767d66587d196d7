//! A large object as a stream: its ranges are fetched ahead of the reader and returned in order.
//!
//! Invariant: every request has the condition that the object still has the `ETag` of the listing.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::input::list::{InputFile, Version};
use crate::s3::bucket::Bucket;

/// The size of a range in bytes; each range is one request.
pub(super) const RANGE_BYTES: u64 = 8 << 20;

/// The bytes of an object in order.
#[derive(Debug)]
pub(super) struct Ranges<'o> {
    bucket: &'o Bucket,
    file: &'o InputFile,
    /// How many requests may be in flight.
    max_in_flight: usize,
    /// The end of the last range that was requested.
    requested: u64,
    in_flight: VecDeque<JoinHandle<Result<Bytes>>>,
    current: Bytes,
}

impl<'o> Ranges<'o> {
    pub(super) fn new(bucket: &'o Bucket, file: &'o InputFile, max_in_flight: usize) -> Self {
        Self { bucket, file, max_in_flight, requested: 0, in_flight: VecDeque::new(), current: Bytes::new() }
    }

    /// The next range; empty at the end.
    fn next(&mut self) -> Result<Bytes> {
        while self.in_flight.len() < self.max_in_flight && self.requested < self.file.size {
            let range = self.requested..self.file.size.min(self.requested + RANGE_BYTES);
            self.requested = range.end;
            let (bucket, key, tag) = (self.bucket.clone(), key(self.file)?.to_owned(), self.file.version.clone());
            let get = async move {
                let Version::Tag(tag) = tag else { return bucket.get(&key, Some(range), None).await };
                bucket.get(&key, Some(range), Some(&tag)).await
            };
            self.in_flight.push_back(self.bucket.spawn(get));
        }
        let Some(first) = self.in_flight.pop_front() else { return Ok(Bytes::new()) };
        self.bucket.wait(async {
            first.await.unwrap_or_else(|error| {
                Err(Error::new(ErrorKind::Internal, "a request ended without a result").cause(error.to_string()))
            })
        })
    }
}

impl Read for Ranges<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            self.current = self.next().map_err(io::Error::other)?;
        }
        let length = room.len().min(self.current.len());
        if let Some(room) = room.get_mut(..length) {
            self.current.copy_to_slice(room);
        }
        Ok(length)
    }
}

impl Drop for Ranges<'_> {
    fn drop(&mut self) {
        self.in_flight.iter().for_each(JoinHandle::abort);
    }
}

/// The key of a listed object.
pub(super) fn key(file: &InputFile) -> Result<&str> {
    file.path.to_str().ok_or_else(|| Error::new(ErrorKind::Internal, "an object key is not valid UTF-8"))
}
