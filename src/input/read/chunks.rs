//! Streams of bytes to chunks, and the errors of files that cannot be read.
//!
//! Invariant: the chunks of a file, in order, are its decompressed bytes, each byte once, and no chunk begins or ends
//! inside a record.

use memchr::memchr_iter;

use crate::decode::framing::{self, Cutter, Framing};
use crate::error::{Error, ErrorKind, Result};
use crate::input::decompress::{self, Unpacker};
use crate::input::list::{InputFile, Listing};
use crate::input::read::buffer::{ALIGNMENT, AlignedBuffer};

/// The size limit of a record while chunks are cut. The decoder rejects single records at a much lower limit.
pub(super) const MAX_RECORD_BYTES: usize = 64 << 20;

/// The size limit of a decompressed file.
pub(super) const MAX_UNPACKED_BYTES: u64 = 16 << 30;

/// The bytes at the beginning of a file that decide its format.
pub(super) const HEAD_BYTES: usize = 4096;

/// Bytes of a file with their origin.
#[derive(Debug)]
pub struct Chunk<'b> {
    /// The file's number in the listing.
    pub file: usize,
    /// Byte offset in the (decompressed) file.
    pub offset: u64,
    /// Line breaks before the chunk in the file; `None` if the file is read in independent ranges.
    pub lines_before: Option<u64>,
    /// How records are separated.
    pub framing: Framing,
    /// Whole records.
    pub bytes: &'b [u8],
}

/// A result of reading.
#[derive(Debug)]
pub enum Fetched<'b> {
    /// A chunk of a file.
    Chunk(Chunk<'b>),
    /// A file that cannot be read as JSON. None of its chunks were passed on.
    Bad {
        /// The file's number in the listing.
        file: usize,
        /// Reason code of `docs/bad_input.md`.
        code: &'static str,
    },
}

/// The consumer of the chunks.
pub type Visit<'v> = dyn FnMut(Fetched<'_>) -> Result<()> + 'v;

/// Settings for reading files.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Approximate size of a chunk in bytes.
    pub chunk_size: u64,
    /// Whether a compressed file is unpacked twice: first to verify it, then to read it.
    pub verify_first: bool,
    /// Whether one worker reads all chunks of a file, in order.
    pub in_order: bool,
    /// The number of workers that read.
    pub threads: usize,
    /// Bytes of objects that may be in flight or waiting for a worker.
    pub ahead: u64,
}

/// Reads the tasks of a worker, with one buffer.
#[derive(Debug, Default)]
pub struct Reader {
    pub(super) buffer: AlignedBuffer,
}

impl Reader {
    /// Cuts the unpacked bytes of a file into chunks. Before the last chunk is passed on, `check` gets it with its
    /// framing, and returns how many of its bytes are complete.
    pub(super) fn stream(
        &mut self,
        file: Listed<'_>,
        unpacker: &mut Unpacker<'_>,
        reading: Reading,
        check: &dyn Fn(Framing, &[u8]) -> Result<usize>,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let index = file.index;
        let mut cutter = None;
        let room = reading.chunk().max(HEAD_BYTES);
        let (mut filled, mut offset, mut lines) = (0_usize, 0, 0);
        loop {
            // New bytes are read where that is fast. The remainder of the previous chunk is directly before them.
            let at = filled.next_multiple_of(ALIGNMENT);
            self.buffer.grow_to(at + room);
            let read = match unpacker.fill(self.buffer.get_mut(at..at + room).unwrap_or_default()) {
                Ok(read) => read,
                Err(decompress::UnpackFailure::Broken(code)) => return visit(Fetched::Bad { file: index, code }),
                Err(decompress::UnpackFailure::Io(error)) => return Err(file.failed(error)),
            };
            let is_last = read < room;
            let bytes = self.buffer.get(at - filled..at + read).unwrap_or_default();
            let cutter = match &mut cutter {
                Some(cutter) => cutter,
                none => match framing::sniff(bytes) {
                    Ok(framing) => none.insert((framing, Cutter::new(framing))),
                    Err(code) => return visit(Fetched::Bad { file: index, code }),
                },
            };
            let end = match cutter {
                (framing, _) if is_last => check(*framing, bytes)?,
                (Framing::Values, _) => framing::cut(bytes).unwrap_or(0),
                (Framing::Array, cutter) => {
                    let new = bytes.get(filled..).unwrap_or_default();
                    cutter.feed(new).map_or(0, |position| filled + position)
                }
            };
            if end > 0 {
                let bytes = bytes.get(..end).unwrap_or_default();
                let framing = cutter.0;
                visit(Fetched::Chunk(Chunk { file: index, offset, lines_before: Some(lines), framing, bytes }))?;
                lines += memchr_iter(b'\n', bytes).count() as u64;
                offset += end as u64;
            }
            if is_last {
                return Ok(());
            }
            filled = filled + read - end;
            let remainder = at + read - filled..at + read;
            self.buffer.copy_within(remainder, filled.next_multiple_of(ALIGNMENT) - filled);
            let code = match (filled > MAX_RECORD_BYTES, offset > MAX_UNPACKED_BYTES) {
                (true, _) => "single_value_too_large",
                (_, true) => "decompressed_limit",
                _ => continue,
            };
            return if offset == 0 { visit(Fetched::Bad { file: index, code }) } else { Err(file.refusal(code)) };
        }
    }
}

impl Reading {
    pub(super) fn chunk(&self) -> usize {
        usize::try_from(self.chunk_size).unwrap_or(MAX_RECORD_BYTES).min(MAX_RECORD_BYTES)
    }
}

/// Passes on a plain file that was read whole, as one chunk.
pub(super) fn visit_whole(index: usize, bytes: &[u8], visit: &mut Visit<'_>) -> Result<()> {
    match framing::sniff(bytes) {
        Err(code) => visit(Fetched::Bad { file: index, code }),
        Ok(framing) => visit(Fetched::Chunk(Chunk { file: index, offset: 0, lines_before: Some(0), framing, bytes })),
    }
}

/// Unpacks a whole compressed file to verify it; returns the reason code if it is broken.
pub(super) fn verify(file: Listed<'_>, unpacker: &mut Unpacker<'_>) -> Result<Option<&'static str>> {
    let mut room = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        match unpacker.fill(&mut room) {
            Ok(0) => return Ok(None),
            Ok(read) => size += read as u64,
            Err(decompress::UnpackFailure::Broken(code)) => return Ok(Some(code)),
            Err(decompress::UnpackFailure::Io(error)) => return Err(file.failed(error)),
        }
        if size > MAX_UNPACKED_BYTES {
            return Ok(Some("decompressed_limit"));
        }
    }
}

/// A file of a listing, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'l> {
    pub(super) listing: &'l Listing,
    pub(super) index: usize,
    pub(super) file: &'l InputFile,
}

impl<'l> Listed<'l> {
    /// The file with the number `index`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the listing has no such file.
    pub fn new(listing: &'l Listing, index: usize) -> Result<Self> {
        let missing = || Error::new(ErrorKind::Internal, format!("file number {index} is not in the listing"));
        Ok(Self { listing, index, file: listing.files.get(index).ok_or_else(missing)? })
    }

    /// The error for a file that cannot be read as JSON; `code` is a reason of `docs/bad_input.md`.
    #[must_use]
    pub fn refusal(self, code: &str) -> Error {
        let path = self.shown();
        let hint = match code {
            "encoding_utf16" | "encoding_utf32" => "convert the file to UTF-8 (`iconv -t UTF-8`)",
            "single_value_too_large" => "check for a missing line break; a record must not be larger than 64 MiB",
            "decompressed_limit" => "split the file; it must not be larger than 16 GiB when decompressed",
            code if code.starts_with("unsupported_compression") => {
                "decompress the file, or compress it with gzip, bzip2 or zstd"
            }
            _ => "repair or remove the file, or set --on-bad-file quarantine to skip such files",
        };
        Error::new(ErrorKind::DataRefused, format!("{path} cannot be read as JSON: {code}"))
            .hint(hint)
            .context("path", path)
    }

    pub(super) fn shown(self) -> String {
        self.listing.shown(self.index).unwrap_or_default()
    }

    /// The error for a failed read. A file that is missing or shorter than listed has changed since the listing, which
    /// is temporary.
    pub(super) fn failed(self, error: std::io::Error) -> Error {
        match error.downcast::<Error>() {
            // An error of a bucket is complete.
            Ok(error) => error,
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof => self.changed(),
                _ => Error::io(ErrorKind::Storage, "read", &self.file.path, &error),
            },
        }
    }

    pub(super) fn changed(self) -> Error {
        let path = self.shown();
        Error::new(ErrorKind::Retry, format!("{path} changed while it was being read"))
            .hint("run again when the input is complete; no table was changed")
            .context("path", path)
    }
}
