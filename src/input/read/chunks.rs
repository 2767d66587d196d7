//! Files as chunks of bytes, with their origin.
//!
//! Invariant: the chunks of a file, in order, are its decompressed bytes, each byte once, and no chunk begins or ends
//! inside a record.

use memchr::memchr_iter;

use crate::decode::framing::{self, Cutter, Framing};
use crate::error::{Error, ErrorKind, Result};
use crate::input::decompress::{self, Unpacker};
use crate::input::list::{InputFile, Listing};

/// A record must end within this many bytes; the decoder refuses records far smaller than this one by one.
pub(super) const LARGEST_RECORD: usize = 64 << 20;

/// A file's decompressed size must not exceed this.
pub(super) const LARGEST_FILE: u64 = 16 << 30;

/// How much of a file tells what it is.
pub(super) const HEAD: usize = 4096;

/// Bytes with their origin.
#[derive(Debug)]
pub struct Chunk<'b> {
    /// Which file.
    pub file: usize,
    /// Where the bytes begin in the (decompressed) file.
    pub offset: u64,
    /// Line breaks before them; `None` in a file that is read in parts, side by side.
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

/// What takes the chunks.
pub type Visit<'v> = dyn FnMut(Fetched<'_>) -> Result<()> + 'v;

/// How files are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Bytes to a chunk, roughly.
    pub chunk_size: u64,
    /// Whether a compressed file is unpacked twice: first to see that all of it can be read.
    pub verify_first: bool,
    /// Whether a file's chunks come in order, from one worker.
    pub in_order: bool,
    /// Workers that will read.
    pub threads: usize,
    /// Bytes of objects that may be on their way, or waiting for a worker.
    pub ahead: u64,
}

/// A worker's buffer, reused from task to task.
#[derive(Debug, Default)]
pub struct Reader {
    pub(super) buffer: Vec<u8>,
}

impl Reader {
    /// Cuts the plain bytes of a file into chunks.
    pub(super) fn stream(
        &mut self,
        file: Listed<'_>,
        unpacker: &mut Unpacker<'_>,
        reading: Reading,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let index = file.index;
        let mut cutter = None;
        let (mut filled, mut offset, mut lines) = (0, 0, 0);
        loop {
            // What is left over from the last chunk lies in front.
            let room = filled + reading.chunk().max(HEAD);
            if self.buffer.len() < room {
                self.buffer.resize(room, 0);
            }
            let read = match unpacker.fill(self.buffer.get_mut(filled..room).unwrap_or_default()) {
                Ok(read) => read,
                Err(decompress::UnpackFailure::Broken(code)) => return visit(Fetched::Bad { file: index, code }),
                Err(decompress::UnpackFailure::Io(error)) => return Err(file.failed(error)),
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
                let framing = cutter.0;
                visit(Fetched::Chunk(Chunk { file: index, offset, lines_before: Some(lines), framing, bytes }))?;
                lines += memchr_iter(b'\n', bytes).count() as u64;
                offset += end as u64;
            }
            if is_last {
                return Ok(());
            }
            self.buffer.copy_within(end..filled + read, 0);
            filled = filled + read - end;
            let code = match (filled > LARGEST_RECORD, offset > LARGEST_FILE) {
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
        usize::try_from(self.chunk_size).unwrap_or(LARGEST_RECORD).min(LARGEST_RECORD)
    }
}

/// Hands over a plain file that was read whole.
pub(super) fn whole(index: usize, bytes: &[u8], visit: &mut Visit<'_>) -> Result<()> {
    match framing::sniff(bytes) {
        Err(code) => visit(Fetched::Bad { file: index, code }),
        Ok(framing) => visit(Fetched::Chunk(Chunk { file: index, offset: 0, lines_before: Some(0), framing, bytes })),
    }
}

/// The code of what is wrong with a compressed file, after unpacking all of it.
pub(super) fn broken(file: Listed<'_>, unpacker: &mut Unpacker<'_>) -> Result<Option<&'static str>> {
    let mut room = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        match unpacker.fill(&mut room) {
            Ok(0) => return Ok(None),
            Ok(read) => size += read as u64,
            Err(decompress::UnpackFailure::Broken(code)) => return Ok(Some(code)),
            Err(decompress::UnpackFailure::Io(error)) => return Err(file.failed(error)),
        }
        if size > LARGEST_FILE {
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
    /// The file number `index`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the list has no such file.
    pub fn new(listing: &'l Listing, index: usize) -> Result<Self> {
        let missing = || Error::new(ErrorKind::Internal, format!("file number {index} is not in the list"));
        Ok(Self { listing, index, file: listing.files.get(index).ok_or_else(missing)? })
    }

    /// The error for a file that cannot be read as JSON; `code` is a reason of the bad-input catalogue.
    #[must_use]
    pub fn refusal(self, code: &str) -> Error {
        let path = self.shown();
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

    pub(super) fn shown(self) -> String {
        self.listing.shown(self.index).unwrap_or_default()
    }

    /// A file that is gone, or shorter than listed, changed under our hands: that is temporary.
    pub(super) fn failed(self, error: std::io::Error) -> Error {
        match error.downcast::<Error>() {
            // What a bucket said is said already.
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
