//! Files to chunks of bytes, with their origin.
//!
//! [`local`] reads a disk, [`remote`] a bucket; what both find is cut into chunks here. What a file is, its bytes say,
//! not its name. Nothing is parsed beyond finding where one record may end and the next begin.
//!
//! Invariant: the chunks of a file, in order, are its (decompressed) bytes, each byte once, and no chunk begins or
//! ends inside a record. A file that is not what was listed ends the run: nothing half-read is loaded.

mod local;
mod ranges;
mod remote;

use memchr::memchr_iter;

use crate::cancel::Cancel;
use crate::compression::{self, Unpacker};
use crate::decode::framing::{self, Cutter, Framing};
use crate::discover::{InputFile, Listing, Selection};
use crate::error::{Error, ErrorKind, Result};
use local::Work;
use remote::Prefetch;

pub use remote::requests;

/// A record must end within this many bytes; the decoder refuses records far smaller than this one by one.
const LARGEST_RECORD: usize = 64 << 20;

/// A file's decompressed size must not exceed this.
const LARGEST_FILE: u64 = 16 << 30;

/// How much of a file tells what it is.
const HEAD: usize = 4096;

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

/// The files of a listing, as tasks for workers.
#[derive(Debug)]
pub struct Feed<'l> {
    listing: &'l Listing,
    selected: usize,
    reading: Reading,
    supply: Supply,
}

#[derive(Debug)]
enum Supply {
    Local(Vec<Work>),
    Remote(Prefetch),
}

impl<'l> Feed<'l> {
    /// Divides the selected files into pieces of work, or begins to fetch them.
    ///
    /// # Errors
    /// The operating system's, when a large file cannot be opened to see what it is.
    pub fn new(listing: &'l Listing, selection: &Selection, reading: Reading) -> Result<Self> {
        let supply = match &listing.bucket {
            None => Supply::Local(local::divide(listing, selection, reading)?),
            Some(bucket) => Supply::Remote(Prefetch::start(bucket, &listing.files, selection, reading)),
        };
        Ok(Self { listing, selected: selection.len(), reading, supply })
    }

    /// How many times [`Feed::read`] has to be called.
    #[must_use]
    pub fn tasks(&self) -> usize {
        match &self.supply {
            Supply::Local(work) => work.len(),
            Supply::Remote(_) => self.selected,
        }
    }

    /// Reads one piece of work, chunk by chunk. On a disk `task` says which; of a bucket it is whatever has arrived.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] when a file changed since it was listed, the operating system's and the store's errors, and
    /// `visit`'s.
    pub fn read(&self, reader: &mut Reader, task: usize, cancel: &Cancel, visit: &mut Visit<'_>) -> Result<()> {
        match &self.supply {
            Supply::Local(work) => {
                work.get(task).map_or(Ok(()), |work| reader.read_local(self.listing, work, self.reading, visit))
            }
            Supply::Remote(prefetch) => {
                let read = match prefetch.next(cancel)? {
                    Some(arrived) => reader.read_arrived(self.listing, arrived, self.reading, visit),
                    None => Ok(()),
                };
                if read.is_err() {
                    prefetch.stop();
                }
                read
            }
        }
    }
}

/// A worker's buffer, reused from task to task.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Cuts the plain bytes of a file into chunks.
    fn stream(
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
                Err(compression::Failure::Broken(code)) => return visit(Fetched::Bad { file: index, code }),
                Err(compression::Failure::Io(error)) => return Err(file.failed(error)),
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
    fn chunk(&self) -> usize {
        usize::try_from(self.chunk_size).unwrap_or(LARGEST_RECORD).min(LARGEST_RECORD)
    }
}

/// Hands over a plain file that was read whole.
fn whole(index: usize, bytes: &[u8], visit: &mut Visit<'_>) -> Result<()> {
    match framing::sniff(bytes) {
        Err(code) => visit(Fetched::Bad { file: index, code }),
        Ok(framing) => visit(Fetched::Chunk(Chunk { file: index, offset: 0, lines_before: Some(0), framing, bytes })),
    }
}

/// The code of what is wrong with a compressed file, after unpacking all of it.
fn broken(file: Listed<'_>, unpacker: &mut Unpacker<'_>) -> Result<Option<&'static str>> {
    let mut room = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        match unpacker.fill(&mut room) {
            Ok(0) => return Ok(None),
            Ok(read) => size += read as u64,
            Err(compression::Failure::Broken(code)) => return Ok(Some(code)),
            Err(compression::Failure::Io(error)) => return Err(file.failed(error)),
        }
        if size > LARGEST_FILE {
            return Ok(Some("decompressed_limit"));
        }
    }
}

/// A file of a listing, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'l> {
    listing: &'l Listing,
    index: usize,
    file: &'l InputFile,
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

    fn shown(self) -> String {
        self.listing.shown(self.index).unwrap_or_default()
    }

    /// A file that is gone, or shorter than listed, changed under our hands: that is temporary.
    fn failed(self, error: std::io::Error) -> Error {
        match error.downcast::<Error>() {
            // What a bucket said is said already.
            Ok(error) => error,
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof => self.changed(),
                _ => Error::io(ErrorKind::Storage, "read", &self.file.path, &error),
            },
        }
    }

    fn changed(self) -> Error {
        let path = self.shown();
        Error::new(ErrorKind::Retry, format!("{path} changed while it was being read"))
            .hint("run again when the input is complete; no table was changed")
            .context("path", path)
    }
}
