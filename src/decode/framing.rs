//! Detects how the records of a file follow each other, and where a chunk of the file may end.
//!
//! Invariant: decoding a file in chunks that end at these positions gives exactly the records and rejects of decoding
//! it as a whole.
//!
//! In a sequence of values, a chunk ends after a line break (LF or CR) that is directly followed by `{` or `[`. No
//! string spans lines, and pretty printers indent the lines inside an object, so such a line begins a record;
//! `value_stream` treats it as one even if that breaks the record before it. So no state is needed, and a file can be
//! read from the middle. A line break at the end of the buffer does not end a chunk, because the next byte is not
//! known; cutting there could tear an object that is printed over several lines.
//!
//! An array that fills the file has no such positions, so `Cutter` follows it from the beginning.

use crate::decode::array_splitter::ArraySplitter;
use crate::decode::byte_search::{BOM, is_line_break, line_end, space_end};
use crate::decode::strict::balanced_end;

/// The way in which the records of a file follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Values with white space between them: JSON lines, pretty-printed objects, several on a line.
    Values,
    /// One array, whose elements are the records.
    Array,
}

/// The first bytes of files that are not JSON, and the reason code that rejects them. Compressed files are not listed:
/// the caller has already decompressed or rejected them.
const OTHER_FORMATS: &[(&[u8], &str)] = &[
    (b"PAR1", "not_json:parquet"),
    (b"PK\x03\x04", "not_json:zip"),
    (b"PK\x05\x06", "not_json:zip"),
    (b"\x7fELF", "not_json:elf"),
    (b"MZ", "not_json:exe"),
    (b"%PDF-", "not_json:pdf"),
    (b"\x89PNG", "not_json:png"),
    (b"\xFF\xD8\xFF", "not_json:jpeg"),
    (b"GIF8", "not_json:gif"),
    (b"SQLite format 3\0", "not_json:sqlite"),
    (b"Obj\x01", "not_json:avro"),
    (b"ORC", "not_json:orc"),
    (b"ARROW1", "not_json:arrow"),
    (b"\x00\x00\xFE\xFF", "encoding_utf32"),
    (b"\xFF\xFE\x00\x00", "encoding_utf32"),
    (b"\xFE\xFF", "encoding_utf16"),
    (b"\xFF\xFE", "encoding_utf16"),
];

/// Detects the framing of a file from its first bytes (a few KiB, or the entire file if it is shorter).
///
/// # Errors
///
/// The reason code for rejecting the file, such as `not_json:parquet` or `encoding_utf16`.
///
/// # Which framing
///
/// A file that begins with an array is one array, unless the array ends on its first line and more follows: then
/// it is a sequence of values, some of which are arrays.
pub fn sniff(head: &[u8]) -> Result<Framing, &'static str> {
    if let Some((_, code)) = OTHER_FORMATS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(code);
    }
    if let Some(code) = utf16_or_utf32(head) {
        return Err(code);
    }
    let text = head.strip_prefix(&BOM).unwrap_or(head);
    let start = space_end(text, 0);
    let text = text.get(start..).unwrap_or_default();
    if looks_like_markup(text) {
        return Err("not_json:html");
    }
    if text.first() != Some(&b'[') {
        return Ok(Framing::Values);
    }
    let line = text.get(..line_end(text, 0)).unwrap_or_default();
    let more = space_end(text, line.len()) < text.len();
    match balanced_end(line, 0) {
        Some(end) if more || space_end(line, end) < line.len() => Ok(Framing::Values),
        _ => Ok(Framing::Array),
    }
}

/// Detects UTF-16 and UTF-32 without a byte order mark: JSON begins with ASCII, whose other bytes are then NUL.
fn utf16_or_utf32(head: &[u8]) -> Option<&'static str> {
    match *head {
        [0, 0, 0, first, ..] | [first, 0, 0, 0, ..] if first != 0 => Some("encoding_utf32"),
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] if first != 0 && second != 0 => Some("encoding_utf16"),
        [first, 0] | [0, first] if first != 0 => Some("encoding_utf16"),
        _ => None,
    }
}

/// Detects HTML and XML, such as an error page that was saved under the name of a data file.
fn looks_like_markup(text: &[u8]) -> bool {
    match *text {
        [b'<', second, ..] => second.is_ascii_alphabetic() || second == b'!' || second == b'?',
        _ => false,
    }
}

/// The last position in `bytes` at which a chunk may end because a record begins there. For sequences of values only;
/// the position is never 0.
#[must_use]
pub fn cut(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    while let Some(found) = memchr::memrchr2(b'{', b'[', bytes.get(1..end).unwrap_or_default()) {
        let at = found + 1;
        if begins_record(bytes, at) {
            return Some(at);
        }
        end = at;
    }
    None
}

/// The end of the last complete record in the bytes of a file that is still being written: a record is complete when
/// the line with its end is. For sequences of values only.
#[must_use]
pub fn complete_end(bytes: &[u8]) -> usize {
    let lines = memchr::memrchr2(b'\n', b'\r', bytes).map_or(0, |end| end + 1);
    let bytes = bytes.get(..lines).unwrap_or_default();
    let last = cut(bytes).unwrap_or(0);
    match bytes.get(last..).map(|record| (space_end(record, 0), record)) {
        Some((start, record)) if !matches!(record.get(start), Some(b'{' | b'[')) => last + record.len(),
        Some((start, record)) if balanced_end(record, start).is_some() => lines,
        _ => last,
    }
}

/// The first position in `bytes`, from 1 on, at which a record begins. For sequences of values only.
///
/// To read a range of a file from position `k` on, pass the bytes from `k - 1` on: `first_start` then finds the first
/// record that begins at `k` or later. The previous range ends at the same position.
#[must_use]
pub fn first_start(bytes: &[u8]) -> Option<usize> {
    next_start(bytes, 1)
}

/// The first position from `from` on, not 0, at which a record begins.
pub(super) fn next_start(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.max(1) - 1;
    loop {
        at = line_end(bytes, at) + 1;
        match bytes.get(at) {
            Some(b'{' | b'[') => return Some(at),
            Some(_) => {}
            None => return None,
        }
    }
}

fn begins_record(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at - 1..=at), Some([b'\n' | b'\r', b'{' | b'[']))
}

/// Follows a file from its beginning, buffer by buffer, and finds where chunks may end. In an array it tracks strings
/// and brackets across buffers; in a sequence of values it only remembers whether the last byte was a line break.
#[derive(Clone, Debug)]
pub struct Cutter {
    framing: Framing,
    splitter: ArraySplitter,
    after_line_break: bool,
}

impl Cutter {
    /// A cutter at the beginning of a file.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, splitter: ArraySplitter::new(), after_line_break: false }
    }

    /// Processes the next bytes of the file, and returns the last position in them at which a chunk may end. The
    /// position can be 0: then the chunk ends with the bytes of the previous call.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.framing {
            Framing::Values => {
                let at_start = self.after_line_break && matches!(bytes.first(), Some(b'{' | b'['));
                self.after_line_break = bytes.last().map_or(self.after_line_break, |byte| is_line_break(*byte));
                cut(bytes).or(at_start.then_some(0))
            }
            Framing::Array => self.splitter.last_cut(bytes),
        }
    }
}
