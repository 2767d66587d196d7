//! The quarantine: rejected records with their location, the reason, and their bytes.
//!
//! Workers write rejects to unnamed temporary files as they find them. After reading, the rejects become JSON lines,
//! one object per record (`docs/bad_input.md` describes it); the caller decides where the lines are written.
//!
//! Invariant: the lines are in the order of the input, so they do not depend on threads; memory holds a buffer and one
//! entry per chunk with rejects, never all rejects.

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

/// Bytes of a record that are kept; longer records are cut.
const MAX_KEPT_BYTES: usize = 64 << 10;

/// A worker writes its buffer to its temporary file above this size.
const MAX_BUFFER_BYTES: usize = 1 << 20;

/// Bytes of JSON lines after which a new file begins.
const FILE_BYTES: usize = 16 << 20;

/// The rejects of one worker, or of all workers after a merge.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    /// The folder of the temporary files; without one, no rejects are kept.
    folder: Option<PathBuf>,
    buffer: Vec<u8>,
    /// Where the buffer begins in the temporary file.
    buffer_start: u64,
    /// Where the rejects of the current chunk begin in the temporary file.
    chunk_start: u64,
    /// The first failure to keep a record. It is returned at the end of the chunk, because the decoder cannot stop for
    /// it.
    failure: Option<Error>,
    scratch_files: Vec<File>,
    chunks: Vec<ChunkRejects>,
}

/// The rejects of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ChunkRejects {
    file: usize,
    /// Where the chunk begins in the file.
    chunk: u64,
    scratch_file: usize,
    start: u64,
    length: u64,
}

/// The JSON object of a reject, except `file` and `line`, which are added when the lines are written.
#[derive(Serialize)]
struct RejectLine<'r> {
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

/// Header of each line in a temporary file: the line breaks before the record, and the length of the line.
const HEADER_BYTES: usize = 16;

impl Quarantine {
    /// Keeps rejects in a temporary file in `folder`, or keeps none.
    #[must_use]
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// Keeps one reject.
    pub(super) fn add(&mut self, chunk: &Chunk<'_>, reject: &Reject<'_>) {
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
    /// The failure to keep a reject of the chunk.
    pub(super) fn end(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let end = self.buffer_start + self.buffer.len() as u64;
        if end > self.chunk_start {
            let (start, length) = (self.chunk_start, end - self.chunk_start);
            self.chunks.push(ChunkRejects { file: chunk.file, chunk: chunk.offset, scratch_file: 0, start, length });
            self.chunk_start = end;
        }
        Ok(())
    }

    /// Ends the last chunk of a worker.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] if the temporary file cannot be written.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.buffer.is_empty() { Ok(()) } else { self.spill() }
    }

    /// Merges the rejects of another worker, after its [`Self::finish`].
    pub(super) fn merge(&mut self, other: Self) {
        let before = self.scratch_files.len();
        self.scratch_files.extend(other.scratch_files);
        let renumbered = |chunk: ChunkRejects| ChunkRejects { scratch_file: chunk.scratch_file + before, ..chunk };
        self.chunks.extend(other.chunks.into_iter().map(renumbered));
    }

    /// Writes the lines with `put`, in files that fit into memory. Returns true if there were any. `bad_files` are the
    /// files that were skipped as a whole; `shown` names a file, and `before` counts the line breaks before a chunk.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] if a temporary file cannot be read back, and any error of `put`.
    pub(super) fn write(
        &self,
        name: &str,
        bad_files: &[(usize, Cow<'static, str>)],
        shown: &dyn Fn(usize) -> String,
        before: &dyn Fn(usize, u64) -> u64,
        put: &mut dyn FnMut(&str, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        let mut out = LineWriter { name, number: 0, bytes: Vec::new(), put };
        let mut chunks = self.chunks.clone();
        chunks.sort_unstable();
        let mut chunks = chunks.into_iter().peekable();
        let mut bad_files = bad_files.iter().peekable();
        loop {
            let is_bad_file = match (chunks.peek(), bad_files.peek()) {
                (None, None) => return out.finish(),
                (chunk, bad) => chunk.is_none_or(|chunk| bad.is_some_and(|(file, _)| *file < chunk.file)),
            };
            if is_bad_file {
                let Some((file, reason)) = bad_files.next() else { continue };
                let line = RejectLine {
                    offset: None,
                    reason,
                    key: None,
                    found: None,
                    bytes: None,
                    bytes_base64: None,
                    bytes_total: None,
                };
                out.add(&shown(*file), None, &json(&line)?)?;
            } else if let Some(chunk) = chunks.next() {
                let (file, before) = (shown(chunk.file), before(chunk.file, chunk.chunk));
                self.each_line(chunk, |breaks, rest| out.add(&file, Some(before + breaks + 1), rest))?;
            }
        }
    }

    fn keep(&mut self, chunk: &Chunk<'_>, reject: &Reject<'_>) -> Result<()> {
        let total = reject.bytes.len();
        let (text, base64) = match text(reject.bytes) {
            Some(text) => (Some(text), None),
            None => {
                (None, Some(BASE64_STANDARD.encode(reject.bytes.get(..MAX_KEPT_BYTES.min(total)).unwrap_or_default())))
            }
        };
        let line = json(&RejectLine {
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
        if self.buffer.len() > MAX_BUFFER_BYTES { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let folder = self.folder.as_deref().unwrap_or_else(|| std::path::Path::new(""));
        if self.scratch_files.is_empty() {
            self.scratch_files.push(tempfile::tempfile_in(folder).map_err(failed)?);
        }
        if let Some(file) = self.scratch_files.last() {
            file.write_all_at(&self.buffer, self.buffer_start).map_err(failed)?;
        }
        self.buffer_start += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Reads the lines of a chunk back, each with the line breaks before it.
    fn each_line(&self, chunk: ChunkRejects, mut visit: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let missing = || Error::new(ErrorKind::Internal, "a temporary file of the quarantine is missing");
        let file = self.scratch_files.get(chunk.scratch_file).ok_or_else(missing)?;
        let mut source = BufReader::with_capacity(1 << 17, ScratchReader { file, at: chunk.start });
        let mut left = chunk.length;
        let mut line = Vec::new();
        while left > 0 {
            let mut header = [0; HEADER_BYTES];
            source.read_exact(&mut header).map_err(failed)?;
            let header = u128::from_le_bytes(header);
            #[expect(clippy::cast_possible_truncation, reason = "the two halves of the header")]
            let (breaks, length) = (header as u64, (header >> 64) as u64);
            line.resize(usize::try_from(length).unwrap_or_default(), 0);
            source.read_exact(&mut line).map_err(failed)?;
            visit(breaks, &line)?;
            left = left.saturating_sub(HEADER_BYTES as u64 + length);
        }
        Ok(())
    }
}

/// Reads a temporary file from a position.
struct ScratchReader<'f> {
    file: &'f File,
    at: u64,
}

impl Read for ScratchReader<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(room, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Writes JSON lines to numbered files.
struct LineWriter<'o> {
    name: &'o str,
    number: u32,
    bytes: Vec<u8>,
    put: &'o mut dyn FnMut(&str, &[u8]) -> Result<()>,
}

impl LineWriter<'_> {
    /// Adds a line: `rest` is the JSON object without `file` and `line`.
    fn add(&mut self, file: &str, line: Option<u64>, rest: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(b"{\"file\":");
        self.bytes.extend_from_slice(&json(&file)?);
        self.bytes.extend_from_slice(b",\"line\":");
        self.bytes.extend_from_slice(&json(&line)?);
        self.bytes.push(b',');
        self.bytes.extend_from_slice(rest.strip_prefix(b"{").unwrap_or(rest));
        self.bytes.push(b'\n');
        if self.bytes.len() >= FILE_BYTES { self.close() } else { Ok(()) }
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

/// The kept beginning of a record, if it is UTF-8.
fn text(bytes: &[u8]) -> Option<&str> {
    let kept = bytes.get(..MAX_KEPT_BYTES).unwrap_or(bytes);
    match str::from_utf8(kept) {
        Ok(text) => Some(text),
        // The text is valid except for the last character, which the limit cut.
        Err(error) if error.error_len().is_none() && kept.len() < bytes.len() => {
            kept.get(..error.valid_up_to()).and_then(|kept| str::from_utf8(kept).ok())
        }
        Err(_) => None,
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        Error::new(ErrorKind::Internal, "cannot serialize a rejected record as JSON").cause(error.to_string())
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn failed(error: std::io::Error) -> Error {
    Error::io_unnamed(ErrorKind::Storage, "use a temporary file", &error).hint("free some space for temporary files")
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
    fn lines_are_in_the_order_of_the_input_for_any_number_of_workers() {
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
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "temporary files have no name");
    }

    #[test]
    fn long_records_are_cut_and_invalid_utf8_is_encoded() {
        let folder = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::new(Some(folder.path().to_owned()));
        let long = "é".repeat(MAX_KEPT_BYTES);
        let long = ["x".as_bytes(), long.as_bytes()].concat();
        // Enough of them for several files, and for a buffer that overflows within a chunk.
        let many = FILE_BYTES / MAX_KEPT_BYTES + 2;
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
        assert_eq!(kept.len(), MAX_KEPT_BYTES - 1, "no half character");
        assert!(long.starts_with(kept.as_bytes()));
        assert_eq!(lines[0]["bytes_total"], long.len());
        let last = lines.last().unwrap();
        assert_eq!(BASE64_STANDARD.decode(last["bytes_base64"].as_str().unwrap()).unwrap(), b"{\"a\xff\0");
        assert!(last.get("bytes").is_none());
    }

    #[test]
    fn without_a_folder_nothing_is_written() {
        let mut quarantine = Quarantine::new(None);
        quarantine.add(&chunk(0, 0), &reject(0, b"x"));
        quarantine.end(&chunk(0, 0)).unwrap();
        quarantine.finish().unwrap();
        assert!(written(&quarantine, &[]).is_empty());
    }
}
