//! Records as a sequence of values: JSON lines, pretty-printed objects, several on a line, arrays among them.
//!
//! Not a grammar: `careful` decides what an object is. This decides where records begin and end when some are
//! broken. Invariant: a line break directly followed by `{` or `[` begins a record, whatever stands before it;
//! so a chunk may end there (see `framing::cut`), and no broken record reaches further.

use std::ops::Range;

use crate::decode::Decoded;
use crate::decode::byte_search::BOM;
use crate::decode::byte_search::{blanks_end, is_break, line_end, space_end};
use crate::decode::coercion::Schema;
use crate::decode::fast_path::{Checked, FastPath};
use crate::decode::framing::next_start;
use crate::decode::record_sink::RecordSink;
use crate::decode::reject_reason::Reason;
use crate::decode::strict::{Stop, balanced_end, is_value, nested_end, object};

/// So many NUL bytes in a row are padding, wherever they stand.
const PADDING: [u8; 8] = [0; 8];

/// Decodes a chunk value by value.
pub struct ValueStream<'v, 'd, 'a, S: Schema, F> {
    out: &'v mut RecordSink<'d, 'a, S, F>,
    unknown: &'v mut Vec<Range<usize>>,
    at: usize,
    /// The next line that begins a record, and the next padding: no record reaches further.
    next_start: usize,
    next_padding: usize,
    /// In this region brackets were found that never close; looking for the next ones again and again could
    /// take forever.
    unbalanced: bool,
}

impl<'v, 'd, 'a, S, F> ValueStream<'v, 'd, 'a, S, F>
where
    S: Schema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    pub fn new(out: &'v mut RecordSink<'d, 'a, S, F>, unknown: &'v mut Vec<Range<usize>>) -> Self {
        Self { out, unknown, at: 0, next_start: 0, next_padding: 0, unbalanced: false }
    }

    /// Decodes the chunk, the usual records by the fast path.
    pub fn run(&mut self, fast: &mut FastPath<S>) {
        let chunk = self.out.chunk;
        let mut checked = Checked::new(chunk);
        let mut at = 0;
        while at < chunk.len() {
            at = space_end(chunk, at);
            checked.advance(chunk, at);
            at = match fast.line(self.out, checked, at) {
                Some(next) => next,
                None => self.step(at),
            };
        }
    }

    /// Decodes what comes next at `at`, and returns the position behind it: a record or the records of an array,
    /// or the white space at the end.
    fn step(&mut self, at: usize) -> usize {
        self.at = at;
        self.skip_to_value();
        let chunk = self.out.chunk;
        let start = self.at;
        let Some(&first) = chunk.get(start) else {
            return start;
        };
        if self.next_start <= start {
            self.next_start = next_start(chunk, start + 1).unwrap_or(chunk.len());
            self.unbalanced = false;
        }
        if self.next_padding <= start {
            self.next_padding = padding(chunk, start + 1);
        }
        match first {
            b'{' => self.record(start),
            b'[' => self.array(start),
            0 => {
                let end = chunk.iter().skip(start).position(|byte| !matches!(byte, 0 | b' ' | b'\t' | b'\n' | b'\r'));
                self.at = end.map_or(chunk.len(), |length| start + length);
                self.out.reject(Reason::NulPadding, start..self.at);
            }
            _ => self.line(start),
        }
        self.at
    }

    /// The bytes up to where no record reaches any more.
    fn bytes(&self) -> &'a [u8] {
        self.out.chunk.get(..self.next_start.min(self.next_padding)).unwrap_or_default()
    }

    /// Skips white space and byte order marks.
    fn skip_to_value(&mut self) {
        let chunk = self.out.chunk;
        loop {
            self.at = space_end(chunk, self.at);
            if !chunk.get(self.at..).is_some_and(|rest| rest.starts_with(&BOM)) {
                return;
            }
            self.out.tally.bom += 1;
            self.at += BOM.len();
        }
    }

    /// A line that is neither object nor array.
    fn line(&mut self, start: usize) {
        let end = line_end(self.bytes(), start);
        let line = self.bytes().get(..end).unwrap_or_default();
        let reason = if is_value(line, start, self.out.limits) { Reason::NotAnObject } else { Reason::Syntax };
        self.at = end;
        self.out.reject(reason, start..end);
    }

    fn record(&mut self, start: usize) {
        match object::<S>(self.bytes(), start, self.out.limits, self.unknown) {
            Ok(object) => {
                self.at = object.end;
                if self.ends_here() {
                    self.out.complete(&object, start, self.unknown);
                } else {
                    self.at = line_end(self.bytes(), self.at);
                    self.out.reject(Reason::TrailingBytes, start..self.at);
                }
            }
            Err(stop) => self.broken(start, start, stop),
        }
    }

    /// The elements of an array are records.
    fn array(&mut self, start: usize) {
        self.out.tally.arrays += 1;
        let bytes = self.bytes();
        let mut at = space_end(bytes, start + 1);
        if bytes.get(at) != Some(&b']') {
            loop {
                at = match self.element(start, at) {
                    Some(end) => space_end(bytes, end),
                    None => return,
                };
                match bytes.get(at) {
                    Some(b',') => at = space_end(bytes, at + 1),
                    Some(b']') => break,
                    _ => return self.broken(start, at, Stop::At(at)),
                }
            }
        }
        self.out.tally.arrays_closed += 1;
        self.at = at + 1;
        if !self.ends_here() {
            let trailer = blanks_end(bytes, self.at);
            self.at = line_end(bytes, trailer);
            self.out.reject(Reason::TrailingBytes, trailer..self.at);
        }
    }

    /// One element, and its end; none if the rest of the array was given up.
    fn element(&mut self, array: usize, start: usize) -> Option<usize> {
        let bytes = self.bytes();
        let limits = self.out.limits;
        let stop = match bytes.get(start) {
            Some(b'{') => match object::<S>(bytes, start, limits, self.unknown) {
                Ok(object) => {
                    self.out.complete(&object, start, self.unknown);
                    return Some(object.end);
                }
                Err(stop) => stop,
            },
            _ => match nested_end(bytes, start, limits) {
                Ok(end) => {
                    self.out.reject(Reason::NotAnObject, start..end);
                    return Some(end);
                }
                Err(stop) => stop,
            },
        };
        if let Some(end) = self.closing(start, stop) {
            self.out.reject(stop.reason(), start..end);
            return Some(end);
        }
        self.broken(array, start, stop);
        None
    }

    /// Whether what ends at `at` may end there: nothing else follows on its line but another value.
    fn ends_here(&mut self) -> bool {
        let bytes = self.bytes();
        let next = blanks_end(bytes, self.at);
        match bytes.get(next) {
            None | Some(b'\n' | b'\r' | 0) => true,
            Some(b'{' | b'[') => {
                self.out.tally.several_on_a_line += 1;
                true
            }
            Some(_) => bytes.get(next..).is_some_and(|rest| rest.starts_with(&BOM)),
        }
    }

    /// The end of a value that is too much to be parsed, by its brackets.
    fn closing(&mut self, start: usize, stop: Stop) -> Option<usize> {
        if self.unbalanced || matches!(stop, Stop::At(_)) {
            return None;
        }
        let end = balanced_end(self.bytes(), start);
        self.unbalanced = end.is_none();
        end
    }

    /// Turns away what begins at `start` and goes on where a record can begin again. `value` is where the value
    /// began that `start` is a part of.
    #[cold]
    fn broken(&mut self, value: usize, start: usize, stop: Stop) {
        let bytes = self.bytes();
        if let Some(end) = self.closing(start, stop) {
            self.at = end;
            if !self.ends_here() {
                self.at = line_end(bytes, end);
            }
            return self.out.reject(stop.reason(), start..self.at);
        }
        let unfinished = stop == Stop::At(bytes.len());
        let torn = unfinished && bytes.len() == self.out.chunk.len() && !bytes.last().copied().is_some_and(is_break);
        let reason = if torn { Reason::TruncatedTail } else { stop.reason() };
        self.at = if torn { bytes.len() } else { resume(bytes, value).max(line_end(bytes, start)) };
        self.out.reject(reason, start..self.at);
    }
}

/// Where the next padding begins, from `from` on.
fn padding(chunk: &[u8], from: usize) -> usize {
    let found = memchr::memmem::find(chunk.get(from..).unwrap_or_default(), &PADDING);
    found.map_or(chunk.len(), |at| from + at)
}

/// The line break behind a broken value that began at `start`: the first one whose next line does not look like
/// the middle of a pretty-printed object. A closing brace at the margin is the last line of one.
fn resume(bytes: &[u8], start: usize) -> usize {
    let mut end = line_end(bytes, start);
    loop {
        let line = match bytes.get(end..) {
            Some([b'\r', b'\n', ..]) => end + 2,
            Some([_, ..]) => end + 1,
            _ => return end,
        };
        match bytes.get(line) {
            Some(b'}' | b']') => return line_end(bytes, line),
            _ => match bytes.get(blanks_end(bytes, line)) {
                Some(b'"' | b'}' | b']' | b',' | b':') => end = line_end(bytes, line),
                _ => return end,
            },
        }
    }
}
