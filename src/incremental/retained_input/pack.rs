//! Packs: files that contain the copies of many input files, as concatenated zstd frames. The parts of a copy,
//! concatenated, are a valid zstd file.
//!
//! Invariant: a pack is written once, when it is full or the run has no more copies, and is used only if its checksum
//! matches the commit record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::checkpoint::{FileCopy, Part, StateFile};
use crate::lake::{Stage, StateReader};

/// A pack that has reached this size is written, and the next copies go to another pack.
pub(super) const MAX_PACK_BYTES: usize = 16 << 20;

/// The default level of zstd.
const ZSTD_LEVEL: i32 = 3;

/// The packs that a run writes; shared between threads.
#[derive(Debug)]
pub(super) struct NewPacks<'s> {
    stage: &'s Stage,
    next_number: AtomicU32,
    written: Mutex<BTreeMap<u32, StateFile>>,
}

impl<'s> NewPacks<'s> {
    /// Starts without packs; the first one gets the number `first`.
    pub(super) fn new(stage: &'s Stage, first: u32) -> Self {
        Self { stage, next_number: AtomicU32::new(first), written: Mutex::default() }
    }

    pub(super) fn state(&self) -> StateReader<'s> {
        self.stage.lake().state()
    }

    /// Returns the packs that were written, by number.
    pub(super) fn into_written(self) -> BTreeMap<u32, StateFile> {
        self.written.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the packs of one worker.
#[derive(Debug)]
pub(super) struct PackWriter<'p> {
    packs: &'p NewPacks<'p>,
    number: Option<u32>,
    bytes: Vec<u8>,
    current: Option<OpenCopy>,
    copies: Vec<(usize, FileCopy)>,
}

/// The copy of the file that is being read.
#[derive(Debug)]
struct OpenCopy {
    file: usize,
    parts: Vec<Part>,
}

impl<'p> PackWriter<'p> {
    pub(super) const fn new(packs: &'p NewPacks<'p>) -> Self {
        Self { packs, number: None, bytes: Vec::new(), current: None, copies: Vec::new() }
    }

    /// Adds the next bytes of a file. All bytes of a file have to be added before those of another file.
    pub(super) fn add(&mut self, file: usize, bytes: &[u8]) -> Result<()> {
        if self.current.as_ref().is_none_or(|current| current.file != file) {
            self.finish_copy();
        }
        let frame = zstd::bulk::compress(bytes, ZSTD_LEVEL).map_err(|error| {
            Error::new(ErrorKind::Internal, "a copy of an input file cannot be compressed").cause(error.to_string())
        })?;
        let part = self.append(&frame);
        let begin = || OpenCopy { file, parts: Vec::new() };
        let current = self.current.get_or_insert_with(begin);
        match current.parts.last_mut() {
            Some(last) if last.0 == part.0 && last.1 + last.2 == part.1 => last.2 += part.2,
            _ => current.parts.push(part),
        }
        self.write_if_at_least(MAX_PACK_BYTES)
    }

    /// Adds frames of an older pack without compressing them again.
    pub(super) fn add_frames(&mut self, frames: &[u8]) -> Result<Part> {
        let part = self.append(frames);
        self.write_if_at_least(MAX_PACK_BYTES).map(|()| part)
    }

    /// Writes the remaining bytes.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.finish_copy();
        self.write_if_at_least(1)
    }

    /// Returns the copies with the numbers of their files.
    pub(super) fn into_copies(self) -> Vec<(usize, FileCopy)> {
        self.copies
    }

    fn finish_copy(&mut self) {
        if let Some(OpenCopy { file, parts }) = self.current.take() {
            self.copies.push((file, FileCopy { parts }));
        }
    }

    fn append(&mut self, frames: &[u8]) -> Part {
        let number = *self.number.get_or_insert_with(|| self.packs.next_number.fetch_add(1, Ordering::Relaxed));
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(frames);
        Part(number, start, frames.len() as u64)
    }

    fn write_if_at_least(&mut self, min_bytes: usize) -> Result<()> {
        if self.bytes.len() < min_bytes {
            return Ok(());
        }
        let Some(number) = self.number.take() else { return Ok(()) };
        let file = self.packs.stage.put_state(&format!("pack-{number}.zst"), &self.bytes)?;
        self.bytes.clear();
        self.packs.written.lock().unwrap_or_else(PoisonError::into_inner).insert(number, file);
        Ok(())
    }
}

/// Reads parts of packs; keeps the pack that was read last in memory.
#[derive(Debug)]
pub(super) struct PackReader<'l> {
    state: StateReader<'l>,
    packs: &'l BTreeMap<u32, StateFile>,
    last: Option<(u32, Bytes)>,
}

impl<'l> PackReader<'l> {
    pub(super) const fn new(state: StateReader<'l>, packs: &'l BTreeMap<u32, StateFile>) -> Self {
        Self { state, packs, last: None }
    }

    /// Returns the frames of a part.
    pub(super) fn frames(&mut self, Part(number, start, size): Part) -> Result<Bytes> {
        let bytes = match &self.last {
            Some((last, bytes)) if *last == number => bytes.clone(),
            _ => {
                let file = self.packs.get(&number).ok_or_else(|| self.damaged(number))?;
                let bytes = self.state.read(file)?.ok_or_else(|| self.damaged(number))?;
                self.last.insert((number, bytes)).1.clone()
            }
        };
        let range = usize::try_from(start).ok().zip(usize::try_from(start.saturating_add(size)).ok());
        match range {
            Some((start, end)) if start <= end && end <= bytes.len() => Ok(bytes.slice(start..end)),
            _ => Err(self.damaged(number)),
        }
    }

    fn damaged(&self, number: u32) -> Error {
        let shown = self.packs.get(&number).map(|file| self.state.shown(file)).unwrap_or_default();
        Error::new(ErrorKind::Protocol, format!("{shown} is missing, or does not match the newest version of the lake"))
            .cause("it contains the copies of missing input files")
            .hint(
                "restore it, or restore the input files and run with --rebuild; or set --allow-shrink without \
                 --keep-gone, which removes the rows of these files permanently",
            )
            .context("path", shown)
    }
}
