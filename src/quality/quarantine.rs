//! Records that were turned away, kept: where each lies, why it is not in the tables, and its bytes.
//!
//! Workers leave them in unnamed scratch files as they meet them; when all is read they are handed out as JSON lines,
//! one object a record. It judges nothing and does not know where the lines go.
//!
//! Invariant: the lines stand in the order of the input, so they do not depend on threads; memory holds one entry for
//! each chunk with rejects and a buffer, never the rejects.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::decode::Reject;
use crate::error::{Error, ErrorKind, Result};
use crate::input::read::Chunk;

/// Bytes of a record that are kept; of a longer one its beginning.
const KEPT: usize = 64 << 10;

/// A worker's buffer is written to its scratch file above this size.
const BUFFER: usize = 1 << 20;

/// Bytes after which another file of lines begins.
const FILE: usize = 16 << 20;

/// What a worker, or all of them, kept.
#[derive(Debug, Default)]
pub struct Quarantine {
    /// Where scratch files go; without, nothing is kept.
    folder: Option<PathBuf>,
    buffer: Vec<u8>,
    /// Where the buffer, and where the chunk that is being read, begin in the scratch file.
    written: u64,
    begun: u64,
    /// The first failure to keep a record: the decoder has no ear for it.
    failure: Option<Error>,
    scratch: Vec<File>,
    pieces: Vec<Piece>,
}

/// The rejects of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    file: usize,
    /// Where the chunk begins in the file.
    chunk: u64,
    scratch: usize,
    start: u64,
    length: u64,
}

/// What a reject looks like, but for the file's name and the line, which are known last.
#[derive(Serialize)]
struct Line<'r> {
    offset: Option<u64>,
    reason: &'r str,
    key: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_total: Option<u64>,
}

/// In front of each line in a scratch file: line breaks before the record, and the line's length.
const HEADER: usize = 16;

impl Quarantine {
    /// Keeps rejects in a scratch file in `folder`, or counts on nobody asking for them.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// Keeps one reject.
    pub fn add(&mut self, chunk: &Chunk<'_>, reject: &Reject<'_>) {
        if self.folder.is_none() || self.failure.is_some() {
            return;
        }
        if let Err(error) = self.keep(chunk, reject) {
            self.failure = Some(error);
        }
    }

    /// Ends a chunk.
    ///
    /// # Errors
    /// What stopped a reject from being kept.
    pub fn end(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let end = self.written + self.buffer.len() as u64;
        if end > self.begun {
            let (start, length) = (self.begun, end - self.begun);
            self.pieces.push(Piece { file: chunk.file, chunk: chunk.offset, scratch: 0, start, length });
            self.begun = end;
        }
        Ok(())
    }

    /// Ends the last chunk of a worker.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the scratch file cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.spill() }
    }

    /// Takes in what another worker kept and finished.
    pub fn merge(&mut self, other: Self) {
        let before = self.scratch.len();
        self.scratch.extend(other.scratch);
        self.pieces.extend(other.pieces.into_iter().map(|piece| Piece { scratch: piece.scratch + before, ..piece }));
    }

    /// Hands out the lines, in files of a size that fits into memory, and says whether there were any. `bad_files` were
    /// left out as a whole; `shown` names a file, `before` counts the line breaks in front of a chunk.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when a scratch file cannot be read back, and `put`'s.
    pub fn write(
        &self,
        name: &str,
        bad_files: &[(usize, Cow<'static, str>)],
        shown: &dyn Fn(usize) -> String,
        before: &dyn Fn(usize, u64) -> u64,
        put: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        let mut out = Lines { name, number: 0, bytes: Vec::new(), put };
        let mut pieces = self.pieces.clone();
        pieces.sort_unstable();
        let mut pieces = pieces.into_iter().peekable();
        let mut bad_files = bad_files.iter().peekable();
        loop {
            let is_bad = match (pieces.peek(), bad_files.peek()) {
                (None, None) => return out.finish(),
                (piece, bad) => piece.is_none_or(|piece| bad.is_some_and(|(file, _)| *file < piece.file)),
            };
            if is_bad {
                let Some((file, reason)) = bad_files.next() else { continue };
                let line = Line {
                    offset: None,
                    reason,
                    key: None,
                    found: None,
                    bytes: None,
                    bytes_base64: None,
                    bytes_total: None,
                };
                out.add(&shown(*file), None, &json(&line)?)?;
            } else if let Some(piece) = pieces.next() {
                let (file, before) = (shown(piece.file), before(piece.file, piece.chunk));
                self.each(piece, |line, rest| out.add(&file, Some(before + line + 1), rest))?;
            }
        }
    }

    fn keep(&mut self, chunk: &Chunk<'_>, reject: &Reject<'_>) -> Result<()> {
        let total = reject.bytes.len();
        let (text, base64) = match text(reject.bytes) {
            Some(text) => (Some(text), None),
            None => (None, Some(BASE64_STANDARD.encode(reject.bytes.get(..KEPT.min(total)).unwrap_or_default()))),
        };
        let line = json(&Line {
            offset: Some(chunk.offset + reject.offset),
            reason: reject.reason.as_str(),
            key: reject.key,
            found: reject.variant,
            bytes: text,
            bytes_base64: base64,
            bytes_total: Some(total as u64),
        })?;
        let breaks = chunk.lines_before.unwrap_or_default() + reject.line;
        self.buffer.extend_from_slice(&breaks.to_le_bytes());
        self.buffer.extend_from_slice(&(line.len() as u64).to_le_bytes());
        self.buffer.extend_from_slice(&line);
        if self.buffer.len() > BUFFER { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let folder = self.folder.as_deref().unwrap_or_else(|| std::path::Path::new(""));
        if self.scratch.is_empty() {
            self.scratch.push(tempfile::tempfile_in(folder).map_err(failed)?);
        }
        if let Some(file) = self.scratch.last() {
            file.write_all_at(&self.buffer, self.written).map_err(failed)?;
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// The lines of a chunk, each with the line breaks before it.
    fn each(&self, piece: Piece, mut visit: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let missing = || Error::new(ErrorKind::Internal, "a scratch file of the quarantine is missing");
        let file = self.scratch.get(piece.scratch).ok_or_else(missing)?;
        let mut source = BufReader::with_capacity(1 << 17, Span { file, at: piece.start });
        let mut left = piece.length;
        let mut line = Vec::new();
        while left > 0 {
            let mut header = [0; HEADER];
            source.read_exact(&mut header).map_err(failed)?;
            let header = u128::from_le_bytes(header);
            #[expect(clippy::cast_possible_truncation, reason = "the two halves of the header")]
            let (breaks, length) = (header as u64, (header >> 64) as u64);
            line.resize(usize::try_from(length).unwrap_or_default(), 0);
            source.read_exact(&mut line).map_err(failed)?;
            visit(breaks, &line)?;
            left = left.saturating_sub(HEADER as u64 + length);
        }
        Ok(())
    }
}

/// A file from some place on.
struct Span<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Span<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(room, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Lines on their way out.
struct Lines<'o> {
    name: &'o str,
    number: u32,
    bytes: Vec<u8>,
    put: &'o mut dyn FnMut(&str, &[u8]) -> Result<()>,
}

impl Lines<'_> {
    /// Adds a line: `rest` is an object that lacks the file and the line.
    fn add(&mut self, file: &str, line: Option<u64>, rest: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(b"{\"file\":");
        self.bytes.extend_from_slice(&json(&file)?);
        self.bytes.extend_from_slice(b",\"line\":");
        self.bytes.extend_from_slice(&json(&line)?);
        self.bytes.push(b',');
        self.bytes.extend_from_slice(rest.strip_prefix(b"{").unwrap_or(rest));
        self.bytes.push(b'\n');
        if self.bytes.len() >= FILE { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<()> {
        self.number += 1;
        let Self { name, number, bytes, put } = self;
        let name = if *number == 1 { format!("{name}.jsonl") } else { format!("{name}-{number}.jsonl") };
        put(&name, bytes)?;
        bytes.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<bool> {
        if !self.bytes.is_empty() {
            self.close()?;
        }
        Ok(self.number > 0)
    }
}

/// The beginning of a record as text, if it is text.
fn text(bytes: &[u8]) -> Option<&str> {
    let kept = bytes.get(..KEPT).unwrap_or(bytes);
    match str::from_utf8(kept) {
        Ok(text) => Some(text),
        // Only the last character is cut, and by us.
        Err(error) if error.error_len().is_none() && kept.len() < bytes.len() => {
            kept.get(..error.valid_up_to()).and_then(|kept| str::from_utf8(kept).ok())
        }
        Err(_) => None,
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| Error::new(ErrorKind::Internal, "a reject cannot be written as JSON").cause(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn failed(error: std::io::Error) -> Error {
    Error::io_unnamed(ErrorKind::Storage, "use a scratch file", &error).hint("free some space")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Framing, Reason};

    fn chunk(file: usize, offset: u64) -> Chunk<'static> {
        Chunk { file, offset, lines_before: Some(offset), framing: Framing::Values, bytes: b"" }
    }

    fn reject(offset: u64, bytes: &[u8]) -> Reject<'_> {
        Reject { reason: Reason::Syntax, key: None, variant: None, offset, line: 0, bytes }
    }

    fn written(quarantine: &Quarantine, bad_files: &[(usize, &'static str)]) -> Vec<(String, Vec<serde_json::Value>)> {
        let bad_files: Vec<_> = bad_files.iter().map(|(file, reason)| (*file, Cow::Borrowed(*reason))).collect();
        let mut files = Vec::new();
        let shown = |file| format!("{file}.json");
        quarantine
            .write("logs", &bad_files, &shown, &|_, _| 0, &mut |name, bytes| {
                let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                files.push((name.to_owned(), lines.map(|line| serde_json::from_slice(line).unwrap()).collect()));
                Ok(())
            })
            .unwrap();
        files
    }

    #[test]
    fn lines_stand_in_the_order_of_the_input_whoever_kept_them() {
        let folder = tempfile::tempdir().unwrap();
        let place = Some(folder.path().to_owned());
        let parts = [(2, 0, "c"), (0, 100, "b"), (0, 0, "a"), (4, 0, "e")];
        for split in 0..=parts.len() {
            let mut workers = [Quarantine::new(place.clone()), Quarantine::new(place.clone())];
            for (index, (file, offset, text)) in parts.into_iter().enumerate() {
                let worker = &mut workers[usize::from(index >= split)];
                worker.add(&chunk(file, offset), &reject(1, text.as_bytes()));
                worker.end(&chunk(file, offset)).unwrap();
            }
            let mut whole = Quarantine::default();
            for mut worker in workers {
                worker.finish().unwrap();
                whole.merge(worker);
            }
            let [(name, lines)] = &written(&whole, &[(3, "gzip_crc")])[..] else { panic!("one file") };
            assert_eq!(name, "logs.jsonl");
            let seen: Vec<(&str, Option<u64>, Option<&str>)> = lines
                .iter()
                .map(|line| (line["file"].as_str().unwrap(), line["offset"].as_u64(), line["bytes"].as_str()))
                .collect();
            let expected = [
                ("0.json", Some(1), Some("a")),
                ("0.json", Some(101), Some("b")),
                ("2.json", Some(1), Some("c")),
                ("3.json", None, None),
                ("4.json", Some(1), Some("e")),
            ];
            assert_eq!(seen, expected, "{split}");
            assert_eq!(lines[1]["line"], 101);
            assert_eq!((&lines[3]["line"], &lines[3]["reason"]), (&serde_json::Value::Null, &"gzip_crc".into()));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "scratch files have no name");
    }

    #[test]
    fn long_records_keep_their_beginning_and_foreign_bytes_are_packed() {
        let folder = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::new(Some(folder.path().to_owned()));
        let long = "é".repeat(KEPT);
        let long = ["x".as_bytes(), long.as_bytes()].concat();
        // Enough of them for several files, and for a buffer that overflows within a chunk.
        let many = FILE / KEPT + 2;
        for _ in 0..many {
            quarantine.add(&chunk(0, 0), &reject(0, &long));
        }
        quarantine.add(&chunk(0, 0), &reject(5, b"{\"a\xff\0"));
        quarantine.end(&chunk(0, 0)).unwrap();
        quarantine.finish().unwrap();
        let files = written(&quarantine, &[]);
        assert_eq!(files.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["logs.jsonl", "logs-2.jsonl"]);
        let lines: Vec<serde_json::Value> = files.into_iter().flat_map(|(_, lines)| lines).collect();
        assert_eq!(lines.len(), many + 1);
        let kept = lines[0]["bytes"].as_str().unwrap();
        assert_eq!(kept.len(), KEPT - 1, "no half character");
        assert!(long.starts_with(kept.as_bytes()));
        assert_eq!(lines[0]["bytes_total"], long.len());
        let last = lines.last().unwrap();
        assert_eq!(BASE64_STANDARD.decode(last["bytes_base64"].as_str().unwrap()).unwrap(), b"{\"a\xff\0");
        assert!(last.get("bytes").is_none());
    }

    #[test]
    fn nothing_kept_is_nothing_written() {
        let mut quarantine = Quarantine::new(None);
        quarantine.add(&chunk(0, 0), &reject(0, b"x"));
        quarantine.end(&chunk(0, 0)).unwrap();
        quarantine.finish().unwrap();
        assert!(written(&quarantine, &[]).is_empty());
    }
}
