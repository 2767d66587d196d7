//! A large object as a stream: ranges of it, fetched ahead of the reader, in order.
//!
//! Invariant: every range is asked for on the condition that the object is the one that was listed.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::input::list::{InputFile, Version};
use crate::s3::bucket::Bucket;

/// Bytes of an object that one request asks for.
pub(super) const RANGE: u64 = 8 << 20;

/// An object's bytes from the first to the last.
#[derive(Debug)]
pub(super) struct Ranges<'o> {
    bucket: &'o Bucket,
    file: &'o InputFile,
    /// Requests under way at the same time.
    depth: usize,
    /// Up to where ranges have been asked for.
    asked: u64,
    under_way: VecDeque<JoinHandle<Result<Bytes>>>,
    current: Bytes,
}

impl<'o> Ranges<'o> {
    pub(super) fn new(bucket: &'o Bucket, file: &'o InputFile, depth: usize) -> Self {
        Self { bucket, file, depth, asked: 0, under_way: VecDeque::new(), current: Bytes::new() }
    }

    /// The next range; empty at the end.
    fn next(&mut self) -> Result<Bytes> {
        while self.under_way.len() < self.depth && self.asked < self.file.size {
            let range = self.asked..self.file.size.min(self.asked + RANGE);
            self.asked = range.end;
            let (bucket, key, tag) = (self.bucket.clone(), key(self.file)?.to_owned(), self.file.version.clone());
            let get = async move {
                let Version::Tag(tag) = tag else { return bucket.get(&key, Some(range), None).await };
                bucket.get(&key, Some(range), Some(&tag)).await
            };
            self.under_way.push_back(self.bucket.spawn(get));
        }
        let Some(first) = self.under_way.pop_front() else { return Ok(Bytes::new()) };
        self.bucket.wait(async {
            first.await.unwrap_or_else(|error| {
                Err(Error::new(ErrorKind::Internal, "a request ended without an answer").cause(error.to_string()))
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
        self.under_way.iter().for_each(JoinHandle::abort);
    }
}

/// The key of an object.
pub(super) fn key(file: &InputFile) -> Result<&str> {
    let broken = || Error::new(ErrorKind::Internal, "a key is not text");
    file.path.to_str().ok_or_else(broken)
}
