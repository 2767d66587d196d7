//! RetainedFiles of many files in few: zstd frames, one behind the other, so that the parts of a file, put together, are a
//! zstd file.
//!
//! Invariant: a pack is written once, when nothing more goes into it, and read only when its checksum is that of the
//! record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::checkpoint::{FileCopy, Part, StateFile};
use crate::lake::commit_record::hex;
use crate::lake::{Lake, Stage};

/// A pack of so many bytes is full.
pub(super) const FULL: usize = 16 << 20;

/// zstd's own choice between speed and size.
const LEVEL: i32 = 3;

/// The packs that a run makes.
#[derive(Debug)]
pub(super) struct Packs<'s> {
    stage: &'s Stage,
    next: AtomicU32,
    made: Mutex<BTreeMap<u32, StateFile>>,
}

impl<'s> Packs<'s> {
    /// `first` is the number of the first of them.
    pub(super) fn new(stage: &'s Stage, first: u32) -> Self {
        Self { stage, next: AtomicU32::new(first), made: Mutex::default() }
    }

    pub(super) fn lake(&self) -> &'s Lake {
        self.stage.lake()
    }

    pub(super) fn made(self) -> BTreeMap<u32, StateFile> {
        self.made.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's pack, and the copies in it.
#[derive(Debug)]
pub(super) struct Packer<'p> {
    packs: &'p Packs<'p>,
    number: Option<u32>,
    bytes: Vec<u8>,
    open: Option<Open>,
    copies: Vec<(usize, FileCopy)>,
}

/// The file that is being copied.
struct Open {
    file: usize,
    sha256: Context,
    parts: Vec<Part>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Open").field("file", &self.file).field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl<'p> Packer<'p> {
    pub(super) const fn new(packs: &'p Packs<'p>) -> Self {
        Self { packs, number: None, bytes: Vec::new(), open: None, copies: Vec::new() }
    }

    /// Adds the next bytes of a file; all of them come before those of another.
    pub(super) fn add(&mut self, file: usize, bytes: &[u8]) -> Result<()> {
        if self.open.as_ref().is_none_or(|open| open.file != file) {
            self.close();
        }
        let frame = zstd::bulk::compress(bytes, LEVEL).map_err(|error| {
            Error::new(ErrorKind::Internal, "a copy of a file cannot be packed").cause(error.to_string())
        })?;
        let part = self.append(&frame);
        let begin = || Open { file, sha256: Context::new(&SHA256), parts: Vec::new() };
        let open = self.open.get_or_insert_with(begin);
        open.sha256.update(bytes);
        match open.parts.last_mut() {
            Some(last) if last.0 == part.0 && last.1 + last.2 == part.1 => last.2 += part.2,
            _ => open.parts.push(part),
        }
        self.put_if(FULL)
    }

    /// Takes over frames of an older pack.
    pub(super) fn take_over(&mut self, frames: &[u8]) -> Result<Part> {
        let part = self.append(frames);
        self.put_if(FULL).map(|()| part)
    }

    /// Writes what is left.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.close();
        self.put_if(1)
    }

    pub(super) fn into_copies(self) -> Vec<(usize, FileCopy)> {
        self.copies
    }

    fn close(&mut self) {
        if let Some(Open { file, sha256, parts }) = self.open.take() {
            self.copies.push((file, FileCopy { sha256: hex(sha256.finish().as_ref()), parts }));
        }
    }

    fn append(&mut self, frames: &[u8]) -> Part {
        let number = *self.number.get_or_insert_with(|| self.packs.next.fetch_add(1, Ordering::Relaxed));
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(frames);
        Part(number, start, frames.len() as u64)
    }

    fn put_if(&mut self, least: usize) -> Result<()> {
        if self.bytes.len() < least {
            return Ok(());
        }
        let Some(number) = self.number.take() else { return Ok(()) };
        let file = self.packs.stage.put_state(&format!("pack-{number}.zst"), &self.bytes)?;
        self.bytes.clear();
        self.packs.made.lock().unwrap_or_else(PoisonError::into_inner).insert(number, file);
        Ok(())
    }
}

/// Packs that are read, one at a time.
#[derive(Debug)]
pub(super) struct Loaded<'l> {
    lake: &'l Lake,
    packs: &'l BTreeMap<u32, StateFile>,
    last: Option<(u32, Bytes)>,
}

impl<'l> Loaded<'l> {
    pub(super) const fn new(lake: &'l Lake, packs: &'l BTreeMap<u32, StateFile>) -> Self {
        Self { lake, packs, last: None }
    }

    /// The frames of a part.
    pub(super) fn part(&mut self, Part(number, start, size): Part) -> Result<Bytes> {
        let bytes = match &self.last {
            Some((last, bytes)) if *last == number => bytes.clone(),
            _ => {
                let file = self.packs.get(&number).ok_or_else(|| self.damaged(number))?;
                let bytes = self.lake.read_state(file)?.ok_or_else(|| self.damaged(number))?;
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
        let name = self.packs.get(&number).map(|file| crate::lake::commit_record::state_path(&file.name));
        let shown = self.lake.shown(&name.unwrap_or_default());
        Error::new(ErrorKind::Protocol, format!("{shown} is not what the newest version says"))
            .cause("it holds the copies of files that are gone")
            .hint("bring it, or those files, back; or say --allow-shrink without --keep-gone, and their rows leave")
            .context("path", shown)
    }
}
