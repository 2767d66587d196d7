//! Local files: small files are read whole, many per task; a large plain file is read in ranges that are decoded
//! independently; compressed files and large top-level arrays are read as streams.
//!
//! A log that is still being written grows after the listing. It is read up to its listed size, to the last complete
//! line; the next run reads the rest.
//!
//! Invariant: the size and the modification time of a file are compared with the listing after its last byte is read,
//! before its last chunk is passed on. The bytes of a file that has grown are read twice, and must be the same.

use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::decode::framing;
use crate::decode::framing::Framing;
use crate::error::{Error, ErrorKind, Result};
use crate::input::decompress;
use crate::input::decompress::Unpacker;
use crate::input::list::{Listing, Version, modified};
use crate::input::read::buffer::ALIGNMENT;
use crate::input::read::chunks::{HEAD_BYTES, MAX_RECORD_BYTES, verify, visit_whole};
use crate::input::read::{Chunk, Fetched, Listed, Reader, Reading, Visit};

/// Bytes that are first read past the end of a range, to find the end of its last record.
const LOOK_AHEAD_BYTES: usize = 4 << 10;

/// A task of whole files has at most this many files.
const MAX_FILES_PER_TASK: usize = 256;

/// A task for one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadTask {
    /// Whole files.
    Files(Vec<usize>),
    /// The records that begin in a range of a plain file.
    Part { file: usize, range: Range<u64> },
}

/// Divides the selected files into tasks of about the size of a chunk.
pub(super) fn divide(listing: &Listing, selection: &[usize], reading: Reading) -> Result<Vec<ReadTask>> {
    let chunk_size = reading.chunk_size;
    let mut tasks = Vec::new();
    let (mut files, mut bytes) = (Vec::new(), 0);
    for index in selection {
        let Some(file) = listing.files.get(*index) else { continue };
        if file.size > chunk_size && !reading.in_order && can_be_divided(Listed::new(listing, *index)?)? {
            let mut from = 0;
            while from < file.size {
                let to = file.size.min(from + chunk_size);
                tasks.push(ReadTask::Part { file: *index, range: from..to });
                from = to;
            }
            continue;
        }
        files.push(*index);
        bytes += file.size;
        if bytes >= chunk_size || files.len() >= MAX_FILES_PER_TASK {
            tasks.push(ReadTask::Files(std::mem::take(&mut files)));
            bytes = 0;
        }
    }
    if !files.is_empty() {
        tasks.push(ReadTask::Files(files));
    }
    Ok(tasks)
}

/// Returns true if the file is not compressed and contains a sequence of values, not one array.
fn can_be_divided(listed: Listed<'_>) -> Result<bool> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    open(listed)?
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|error| Error::io(ErrorKind::Storage, "read", &listed.file.path, &error))?;
    Ok(decompress::format(&head).is_none() && framing::sniff(&head) == Ok(Framing::Values))
}

impl Reader {
    /// Reads the files or the range of one task.
    pub(super) fn read_local(
        &mut self,
        listing: &Listing,
        task: &ReadTask,
        reading: Reading,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        match task {
            ReadTask::Files(files) => {
                files.iter().try_for_each(|index| self.file(Listed::new(listing, *index)?, reading, visit))
            }
            ReadTask::Part { file, range } => self.part(Listed::new(listing, *file)?, range, visit),
        }
    }

    fn file(&mut self, listed: Listed<'_>, reading: Reading, visit: &mut Visit<'_>) -> Result<()> {
        let size = usize::try_from(listed.file.size).unwrap_or(usize::MAX);
        if size > reading.chunk() {
            return self.stream_local(listed, reading, visit);
        }
        let mut file = open(listed)?;
        self.buffer.grow_to(size);
        let read = read_up_to(&mut file, self.buffer.get_mut(..size).unwrap_or_default(), listed)?;
        if read < size {
            return Err(listed.changed());
        }
        let bytes = self.buffer.get(..read).unwrap_or_default();
        if decompress::format(bytes).is_some() {
            return self.stream_local(listed, reading, visit);
        }
        let end = match framing::sniff(bytes) {
            Ok(framing) => complete_end(&file, listed, framing, (0, bytes))?,
            Err(_) => must_be_unchanged(&file, listed).map(|()| bytes.len())?,
        };
        visit_whole(listed.index, bytes.get(..end).unwrap_or_default(), visit)
    }

    fn part(&mut self, listed: Listed<'_>, range: &Range<u64>, visit: &mut Visit<'_>) -> Result<()> {
        let size = listed.file.size;
        let file = open(listed)?;
        // The byte before the range shows whether a record begins at the first byte of the range. The read begins a few
        // bytes earlier, because it is slow otherwise.
        let from = range.start.saturating_sub(1) / ALIGNMENT as u64 * ALIGNMENT as u64;
        let skipped = usize::try_from(range.start - from).unwrap_or(usize::MAX);
        let target = usize::try_from(range.end - from).unwrap_or(usize::MAX);
        let mut wanted = target.saturating_add(LOOK_AHEAD_BYTES);
        let mut filled = 0;
        let end = loop {
            let room = wanted.min(usize::try_from(size - from).unwrap_or(usize::MAX));
            self.buffer.grow_to(room);
            let buffer = self.buffer.get_mut(filled..room).unwrap_or_default();
            file.read_exact_at(buffer, from + filled as u64).map_err(|error| listed.failed(error))?;
            filled = room;
            if from + filled as u64 == size && range.end == size {
                break filled;
            }
            let bytes = self.buffer.get(..filled).unwrap_or_default();
            if let Some(end) = next_record(bytes, target) {
                break end;
            }
            if from + filled as u64 == size {
                break filled;
            }
            if filled - target > MAX_RECORD_BYTES {
                // Other ranges of the file may be loaded already, so it is too late to skip the visit_whole file.
                return Err(listed.refusal("single_value_too_large"));
            }
            wanted = filled * 2;
        };
        let bytes = self.buffer.get(..end).unwrap_or_default();
        let complete = complete_end(&file, listed, Framing::Values, (from, bytes))?;
        let start = if skipped == 0 { Some(0) } else { next_record(bytes, skipped) };
        let Some(start) = start.filter(|start| *start < target.max(1)) else {
            // No record begins in this range; the record that spans it belongs to an earlier range.
            return Ok(());
        };
        let chunk = Chunk {
            file: listed.index,
            offset: from + start as u64,
            lines_before: None,
            framing: Framing::Values,
            bytes: bytes.get(start..complete).unwrap_or_default(),
        };
        if chunk.bytes.is_empty() { Ok(()) } else { visit(Fetched::Chunk(chunk)) }
    }

    fn stream_local(&mut self, listed: Listed<'_>, reading: Reading, visit: &mut Visit<'_>) -> Result<()> {
        let open_listed = || open(listed).map(|file| file.take(listed.file.size));
        if reading.verify_first {
            let mut file = open_listed()?;
            let mut unpacker = Unpacker::new(&mut file).map_err(|error| listed.failed(error))?;
            if let Some(code) = verify(listed, &mut unpacker)? {
                drop(unpacker);
                must_be_unchanged(file.get_ref(), listed)?;
                return visit(Fetched::Bad { file: listed.index, code });
            }
        }
        let file = open(listed)?;
        let mut unpacker = Unpacker::new((&file).take(listed.file.size)).map_err(|error| listed.failed(error))?;
        let is_packed = unpacker.is_packed();
        let check = |framing, bytes: &[u8]| {
            if is_packed {
                return must_be_unchanged(&file, listed).map(|()| bytes.len());
            }
            let start = listed.file.size.checked_sub(bytes.len() as u64).ok_or_else(|| listed.changed())?;
            complete_end(&file, listed, framing, (start, bytes))
        };
        self.stream(listed, &mut unpacker, reading, &check, visit)
    }
}

/// The first position at or after `from`, other than 0, where a record begins.
fn next_record(bytes: &[u8], from: usize) -> Option<usize> {
    let before = from.checked_sub(1)?;
    framing::first_start(bytes.get(before..)?).map(|position| before + position)
}

fn open(listed: Listed<'_>) -> Result<File> {
    File::open(&listed.file.path).map_err(|error| listed.failed(error))
}

/// Reads until the buffer is full or the file ends.
fn read_up_to(file: &mut File, buffer: &mut [u8], listed: Listed<'_>) -> Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(listed.failed(error)),
        }
        // The file has the listed size: no further read is needed to detect its end.
        if filled as u64 == listed.file.size {
            break;
        }
    }
    Ok(filled)
}

fn must_be_unchanged(file: &File, listed: Listed<'_>) -> Result<()> {
    if is_unchanged(&file.metadata().map_err(|error| listed.failed(error))?, listed) {
        return Ok(());
    }
    Err(listed.changed())
}

fn is_unchanged(metadata: &Metadata, listed: Listed<'_>) -> bool {
    metadata.len() == listed.file.size && Version::Modified(modified(metadata)) == listed.file.version
}

/// How many of the bytes at `start` of a plain file are complete records: all of them, unless the file has grown since
/// the listing. Then a record at its listed end may have been written only in part.
fn complete_end(file: &File, listed: Listed<'_>, framing: Framing, (start, bytes): (u64, &[u8])) -> Result<usize> {
    let metadata = file.metadata().map_err(|error| listed.failed(error))?;
    let end = start + bytes.len() as u64;
    if is_unchanged(&metadata, listed) {
        return Ok(bytes.len());
    }
    let has_grown = metadata.len() > listed.file.size && framing == Framing::Values;
    if !has_grown || !contains_at(file, start, bytes).map_err(|error| listed.failed(error))? {
        return Err(listed.changed());
    }
    Ok(if end == listed.file.size { framing::complete_end(bytes) } else { bytes.len() })
}

/// Returns true if the file has these bytes at `start`.
fn contains_at(file: &File, start: u64, bytes: &[u8]) -> std::io::Result<bool> {
    let mut again = vec![0; bytes.len()];
    file.read_exact_at(&mut again, start)?;
    Ok(again == bytes)
}
