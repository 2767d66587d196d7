//! Files to chunks of bytes, with their origin.
//!
//! Small files are read whole, many to a piece of work; a large plain file is divided into ranges that are read and
//! decoded independently; compressed files and top-level arrays are streamed. What a file is, its bytes say, not its
//! name. Nothing is parsed here beyond finding where one record may end and the next begin.
//!
//! Invariant: the chunks of a file, in order, are its (decompressed) bytes, each byte once, and no chunk begins or
//! ends inside a record. A file that is not what was listed ends the run: nothing half-read is loaded.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use memchr::memchr_iter;

use crate::compression::{self, Unpacker};
use crate::decode::framing::{self, Cutter, Framing};
use crate::discover::{InputFile, modified};
use crate::error::{Error, ErrorKind, Result, shown};

/// A record must end within this many bytes; the decoder refuses records far smaller than this one by one.
const LARGEST_RECORD: usize = 64 << 20;

/// A file's decompressed size must not exceed this.
const LARGEST_FILE: u64 = 16 << 30;

/// How much of a file tells what it is.
const HEAD: usize = 4096;

/// How far a range is first read beyond its end, to find the end of its last record.
const LOOK_AHEAD: usize = 16 << 10;

/// Files to a piece of work at most.
const FILES: usize = 256;

/// A piece of work for one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Whole files.
    Files(Range<usize>),
    /// The records that begin in a range of a plain file.
    Part {
        /// Which file.
        file: usize,
        /// Which bytes.
        range: Range<u64>,
    },
}

/// Bytes with their origin.
#[derive(Debug)]
pub struct Chunk<'b> {
    /// Which file.
    pub file: usize,
    /// Where the bytes begin in the (decompressed) file.
    pub offset: u64,
    /// Line breaks before them, where that is known without reading them.
    pub lines_before: Option<u64>,
    /// How records follow each other.
    pub framing: Framing,
    /// The bytes.
    pub bytes: &'b [u8],
}

/// What reading yields.
#[derive(Debug)]
pub enum Fetched<'b> {
    /// Some of a file.
    Chunk(Chunk<'b>),
    /// A file that cannot be read as JSON at all; none of it was yielded.
    Bad {
        /// Which file.
        file: usize,
        /// Reason code of the bad-input catalogue.
        code: &'static str,
    },
}

/// Divides files into pieces of work of about `chunk_size` bytes.
///
/// # Errors
/// The operating system's, when a large file cannot be opened to see what it is.
pub fn divide(files: &[InputFile], chunk_size: u64) -> Result<Vec<Work>> {
    let mut work = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for (index, file) in files.iter().enumerate() {
        if file.size > chunk_size && can_be_divided(file)? {
            if start < index {
                work.push(Work::Files(start..index));
            }
            let mut from = 0;
            while from < file.size {
                let to = file.size.min(from + chunk_size);
                work.push(Work::Part { file: index, range: from..to });
                from = to;
            }
            (start, bytes) = (index + 1, 0);
            continue;
        }
        bytes += file.size;
        if bytes >= chunk_size || index + 1 - start >= FILES {
            work.push(Work::Files(start..index + 1));
            (start, bytes) = (index + 1, 0);
        }
    }
    if start < files.len() {
        work.push(Work::Files(start..files.len()));
    }
    Ok(work)
}

/// Whether the file is plain and holds a sequence of values. Anything else is looked at again when it is read.
fn can_be_divided(file: &InputFile) -> Result<bool> {
    let mut head = Vec::with_capacity(HEAD);
    open(file)?
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(|error| Error::io(ErrorKind::Storage, "read", &file.path, &error))?;
    Ok(compression::format(&head).is_none() && framing::sniff(&head) == Ok(Framing::Values))
}

/// Reads pieces of work; one to a worker, because it reuses its buffer.
#[derive(Debug)]
pub struct Reader<'f> {
    files: &'f [InputFile],
    chunk_size: usize,
    /// Whether a compressed file is read twice: first to see that all of it can be read.
    verify_first: bool,
    buffer: Vec<u8>,
}

impl<'f> Reader<'f> {
    /// A reader of `files`. With `verify_first` a broken compressed file is found before any of it is yielded.
    #[must_use]
    pub fn new(files: &'f [InputFile], chunk_size: u64, verify_first: bool) -> Self {
        let chunk_size = usize::try_from(chunk_size).unwrap_or(LARGEST_RECORD).min(LARGEST_RECORD);
        Self { files, chunk_size, verify_first, buffer: Vec::new() }
    }

    /// Reads one piece of work, chunk by chunk.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when a file changed since it was listed, the operating system's errors, and `visit`'s.
    pub fn read(&mut self, work: &Work, visit: &mut dyn FnMut(Fetched<'_>) -> Result<()>) -> Result<()> {
        match work {
            Work::Files(range) => range.clone().try_for_each(|file| self.whole(file, visit)),
            Work::Part { file, range } => self.part(*file, range, visit),
        }
    }

    fn whole(&mut self, index: usize, visit: &mut dyn FnMut(Fetched<'_>) -> Result<()>) -> Result<()> {
        let listed = listed(self.files, index)?;
        let size = usize::try_from(listed.size).unwrap_or(usize::MAX);
        if size > self.chunk_size {
            return self.stream(index, visit);
        }
        let mut file = open(listed)?;
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        let read = read_up_to(&mut file, self.buffer.get_mut(..size).unwrap_or_default(), listed)?;
        must_be_as_listed(&file, listed, read as u64)?;
        let bytes = self.buffer.get(..read).unwrap_or_default();
        if compression::format(bytes).is_some() {
            return self.stream(index, visit);
        }
        match framing::sniff(bytes) {
            Err(code) => visit(Fetched::Bad { file: index, code }),
            Ok(framing) => {
                visit(Fetched::Chunk(Chunk { file: index, offset: 0, lines_before: Some(0), framing, bytes }))
            }
        }
    }

    fn part(
        &mut self,
        index: usize,
        range: &Range<u64>,
        visit: &mut dyn FnMut(Fetched<'_>) -> Result<()>,
    ) -> Result<()> {
        let listed = listed(self.files, index)?;
        let file = open(listed)?;
        // The byte before the range tells whether a record begins at its first byte.
        let from = range.start.saturating_sub(1);
        let skipped = usize::from(range.start > 0);
        let mut wanted = usize::try_from(range.end - from).unwrap_or(usize::MAX) + LOOK_AHEAD;
        let target = usize::try_from(range.end - from).unwrap_or(usize::MAX);
        let mut filled = 0;
        let end = loop {
            let size = wanted.min(usize::try_from(listed.size - from).unwrap_or(usize::MAX));
            if self.buffer.len() < size {
                self.buffer.resize(size, 0);
            }
            let room = self.buffer.get_mut(filled..size).unwrap_or_default();
            file.read_exact_at(room, from + filled as u64).map_err(|error| read_failed(listed, &error))?;
            filled = size;
            if from + filled as u64 == listed.size && range.end == listed.size {
                break filled;
            }
            let bytes = self.buffer.get(..filled).unwrap_or_default();
            if let Some(end) = next_record(bytes, target) {
                break end;
            }
            if from + filled as u64 == listed.size {
                break filled;
            }
            if filled - target > LARGEST_RECORD {
                // Other ranges of the file may have been yielded: too late to leave all of it out.
                return Err(refusal(listed, "single_value_too_large"));
            }
            wanted = filled * 2;
        };
        must_be_as_listed(&file, listed, listed.size)?;
        let bytes = self.buffer.get(..end).unwrap_or_default();
        let start = if skipped == 0 { Some(0) } else { next_record(bytes, skipped) };
        let Some(start) = start.filter(|start| *start < target.max(1)) else {
            // No record begins in this range: the one that spans it belongs to an earlier range.
            return Ok(());
        };
        let chunk = Chunk {
            file: index,
            offset: from + start as u64,
            lines_before: None,
            framing: Framing::Values,
            bytes: bytes.get(start..).unwrap_or_default(),
        };
        visit(Fetched::Chunk(chunk))
    }

    fn stream(&mut self, index: usize, visit: &mut dyn FnMut(Fetched<'_>) -> Result<()>) -> Result<()> {
        let listed = listed(self.files, index)?;
        if self.verify_first
            && let Some(code) = broken(listed)?
        {
            return visit(Fetched::Bad { file: index, code });
        }
        let file = open(listed)?;
        let mut unpacker = Unpacker::new(&file).map_err(|error| read_failed(listed, &error))?;
        let mut cutter = None;
        let (mut filled, mut offset, mut lines) = (0, 0, 0);
        loop {
            // What is left over from the last chunk lies in front.
            let room = filled + self.chunk_size.max(HEAD);
            if self.buffer.len() < room {
                self.buffer.resize(room, 0);
            }
            let read = match unpacker.fill(self.buffer.get_mut(filled..room).unwrap_or_default()) {
                Ok(read) => read,
                Err(compression::Failure::Broken(code)) => return visit(Fetched::Bad { file: index, code }),
                Err(compression::Failure::Io(error)) => return Err(read_failed(listed, &error)),
            };
            let is_last = filled + read < room;
            let bytes = self.buffer.get(..filled + read).unwrap_or_default();
            let cutter = match &mut cutter {
                Some(cutter) => cutter,
                none => match framing::sniff(bytes) {
                    Ok(framing) => none.insert((framing, Cutter::new(framing))),
                    Err(code) => return visit(Fetched::Bad { file: index, code }),
                },
            };
            let end = match cutter {
                _ if is_last => bytes.len(),
                (Framing::Values, _) => framing::cut(bytes).unwrap_or(0),
                (Framing::Array, cutter) => {
                    let new = bytes.get(filled..).unwrap_or_default();
                    cutter.feed(new).map_or(0, |position| filled + position)
                }
            };
            if end > 0 {
                let bytes = bytes.get(..end).unwrap_or_default();
                visit(Fetched::Chunk(Chunk {
                    file: index,
                    offset,
                    lines_before: Some(lines),
                    framing: cutter.0,
                    bytes,
                }))?;
                lines += memchr_iter(b'\n', bytes).count() as u64;
                offset += end as u64;
            }
            if is_last {
                return must_be_as_listed(&file, listed, listed.size);
            }
            self.buffer.copy_within(end..filled + read, 0);
            filled = filled + read - end;
            let code = match (filled > LARGEST_RECORD, offset > LARGEST_FILE) {
                (true, _) => "single_value_too_large",
                (_, true) => "decompressed_limit",
                _ => continue,
            };
            return if offset == 0 { visit(Fetched::Bad { file: index, code }) } else { Err(refusal(listed, code)) };
        }
    }
}

/// A file by its number.
///
/// # Errors
/// [`ErrorKind::Internal`] when the list has no such file.
pub fn listed(files: &[InputFile], index: usize) -> Result<&InputFile> {
    let missing = || Error::new(ErrorKind::Internal, format!("file number {index} is not in the list"));
    files.get(index).ok_or_else(missing)
}

/// The first position from `from` on, not 0, at which a record begins.
fn next_record(bytes: &[u8], from: usize) -> Option<usize> {
    let before = from.checked_sub(1)?;
    framing::first_start(bytes.get(before..)?).map(|position| before + position)
}

/// The code of what is wrong with a compressed file, after reading all of it.
fn broken(listed: &InputFile) -> Result<Option<&'static str>> {
    let file = open(listed)?;
    let mut unpacker = Unpacker::new(&file).map_err(|error| read_failed(listed, &error))?;
    let mut room = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        match unpacker.fill(&mut room) {
            Ok(0) => return Ok(None),
            Ok(read) => size += read as u64,
            Err(compression::Failure::Broken(code)) => return Ok(Some(code)),
            Err(compression::Failure::Io(error)) => return Err(read_failed(listed, &error)),
        }
        if size > LARGEST_FILE {
            return Ok(Some("decompressed_limit"));
        }
    }
}

fn open(listed: &InputFile) -> Result<File> {
    File::open(&listed.path).map_err(|error| read_failed(listed, &error))
}

/// A file that is gone, or shorter than listed, changed under our hands: that is temporary.
fn read_failed(listed: &InputFile, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof => changed(listed),
        _ => Error::io(ErrorKind::Storage, "read", &listed.path, error),
    }
}

/// The error for a file that cannot be read as JSON; `code` is a reason of the bad-input catalogue.
#[must_use]
pub fn refusal(listed: &InputFile, code: &str) -> Error {
    let path = shown(&listed.path);
    let hint = match code {
        "encoding_utf16" | "encoding_utf32" => "convert it to UTF-8 (`iconv -t UTF-8`)",
        "single_value_too_large" => "a record has at most 64 MiB; is a line break missing?",
        "decompressed_limit" => "a file unpacks to at most 16 GiB; split it",
        code if code.starts_with("unsupported_compression") => "unpack it, or pack it as gzip, bzip2 or zstd",
        _ => "repair or remove it; or leave it out and say so with --on-bad-file quarantine",
    };
    Error::new(ErrorKind::DataRefused, format!("{path} cannot be read as JSON: {code}"))
        .hint(hint)
        .context("path", path)
}

fn changed(listed: &InputFile) -> Error {
    Error::new(ErrorKind::Retry, format!("{} changed while it was being read", shown(&listed.path)))
        .hint("run again when the input is complete; no table was changed")
        .context("path", shown(&listed.path))
}

/// Reads until the buffer is full or the file ends.
fn read_up_to(file: &mut File, buffer: &mut [u8], listed: &InputFile) -> Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_failed(listed, &error)),
        }
        // A regular file gives what it has; less than the room means its end.
        if filled as u64 == listed.size {
            break;
        }
    }
    Ok(filled)
}

fn must_be_as_listed(file: &File, listed: &InputFile, read: u64) -> Result<()> {
    let metadata = file.metadata().map_err(|error| read_failed(listed, &error))?;
    if read == listed.size && metadata.len() == listed.size && modified(&metadata) == listed.modified {
        return Ok(());
    }
    Err(changed(listed))
}
