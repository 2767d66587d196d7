//! Decodes a sequence of values: JSON lines, pretty-printed objects, several values on a line, and arrays of records.
//!
//! `strict` parses the objects; this module decides where a record begins and ends if some records are broken.
//! Invariant: a line break directly followed by `{` or `[` begins a record, regardless of the bytes before it. So a
//! chunk may end there (see `framing::cut`), and no broken record extends past it.

use std::ops::Range;

use crate::decode::Decoded;
use crate::decode::byte_search::{BOM, blanks_end, is_line_break, line_end, space_end};
use crate::decode::coercion::RecordSchema;
use crate::decode::fast_path::{FastPath, ValidUtf8};
use crate::decode::framing::next_start;
use crate::decode::record_sink::RecordSink;
use crate::decode::reject_reason::Reason;
use crate::decode::strict::{ParseError, balanced_end, is_value, nested_end, parse_object};

/// This many NUL bytes in a row are padding, even in the middle of a record.
const NUL_PADDING: [u8; 8] = [0; 8];

/// Decodes one chunk, value by value.
pub struct ValueStream<'v, 'd, 'a, S: RecordSchema, F> {
    sink: &'v mut RecordSink<'d, 'a, S, F>,
    unknown_keys: &'v mut Vec<Range<usize>>,
    at: usize,
    /// The start of the next line that begins a record. No record extends past it.
    next_start: usize,
    /// The start of the next NUL padding before `next_start`, or that position. No record extends past it.
    next_padding: usize,
    /// This region has brackets that never close. They are searched for once only: a search for each broken value would
    /// take quadratic time.
    unbalanced: bool,
}

impl<'v, 'd, 'a, S, F> ValueStream<'v, 'd, 'a, S, F>
where
    S: RecordSchema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    pub fn new(sink: &'v mut RecordSink<'d, 'a, S, F>, unknown_keys: &'v mut Vec<Range<usize>>) -> Self {
        Self { sink, unknown_keys, at: 0, next_start: 0, next_padding: 0, unbalanced: false }
    }

    /// Decodes the chunk, with the fast path where it applies.
    pub fn run(&mut self, fast: &mut FastPath<S>) {
        let chunk = self.sink.chunk;
        let mut utf8 = ValidUtf8::new(chunk);
        let mut at = 0;
        while at < chunk.len() {
            at = space_end(chunk, at);
            utf8.advance(chunk, at);
            at = if let Some(next) = fast.read_line(self.sink, utf8, at) {
                next
            } else {
                let next = space_end(chunk, self.step(at));
                // So the line feeds of the next lines are counted as these are read, not in a second pass.
                self.sink.count_lines_to(next);
                next
            };
        }
    }

    /// Decodes the next value at `at` (a record, an array of records, or the white space at the end of the chunk), and
    /// returns the position after it.
    fn step(&mut self, at: usize) -> usize {
        self.at = at;
        self.skip_to_value();
        let chunk = self.sink.chunk;
        let start = self.at;
        let Some(&first) = chunk.get(start) else {
            return start;
        };
        if self.next_start <= start {
            self.next_start = next_start(chunk, start + 1).unwrap_or(chunk.len());
            self.unbalanced = false;
        }
        if self.next_padding <= start {
            // Most records that the fast path leaves are single ones: no more than the record is searched.
            self.next_padding = next_padding(chunk, start + 1, self.next_start);
        }
        match first {
            b'{' => self.record(start),
            b'[' => self.array(start),
            0 => {
                let end = chunk.iter().skip(start).position(|byte| !matches!(byte, 0 | b' ' | b'\t' | b'\n' | b'\r'));
                self.at = end.map_or(chunk.len(), |length| start + length);
                self.sink.reject(Reason::NulPadding, start..self.at);
            }
            _ => self.other_line(start),
        }
        self.at
    }

    /// The bytes up to the position that no record extends past.
    fn region(&self) -> &'a [u8] {
        self.sink.chunk.get(..self.next_padding).unwrap_or_default()
    }

    /// Skips white space and byte order marks.
    fn skip_to_value(&mut self) {
        let chunk = self.sink.chunk;
        loop {
            self.at = space_end(chunk, self.at);
            if !chunk.get(self.at..).is_some_and(|rest| rest.starts_with(&BOM)) {
                return;
            }
            self.sink.counts.bom += 1;
            self.at += BOM.len();
        }
    }

    /// Rejects a line that is neither an object nor an array.
    fn other_line(&mut self, start: usize) {
        let end = line_end(self.region(), start);
        let line = self.region().get(..end).unwrap_or_default();
        let reason = if is_value(line, start, self.sink.limits) { Reason::NotAnObject } else { Reason::Syntax };
        self.at = end;
        self.sink.reject(reason, start..end);
    }

    fn record(&mut self, start: usize) {
        match parse_object::<S>(self.region(), start, self.sink.limits, self.unknown_keys) {
            Ok(object) => {
                self.at = object.end;
                if self.check_end_of_value() {
                    self.sink.check_and_convert(&object, start, self.unknown_keys);
                } else {
                    self.at = line_end(self.region(), self.at);
                    self.sink.reject(Reason::TrailingBytes, start..self.at);
                }
            }
            Err(error) => self.reject_broken(start, start, error),
        }
    }

    /// Decodes the elements of an array as records.
    fn array(&mut self, start: usize) {
        self.sink.counts.arrays += 1;
        let bytes = self.region();
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
                    _ => return self.reject_broken(start, at, ParseError::Syntax(at)),
                }
            }
        }
        self.sink.counts.arrays_closed += 1;
        self.at = at + 1;
        if !self.check_end_of_value() {
            let trailer = blanks_end(bytes, self.at);
            self.at = line_end(bytes, trailer);
            self.sink.reject(Reason::TrailingBytes, trailer..self.at);
        }
    }

    /// Decodes one element and returns its end, or none if the rest of the array was rejected.
    fn element(&mut self, array: usize, start: usize) -> Option<usize> {
        let bytes = self.region();
        let limits = self.sink.limits;
        let error = match bytes.get(start) {
            Some(b'{') => match parse_object::<S>(bytes, start, limits, self.unknown_keys) {
                Ok(object) => {
                    self.sink.check_and_convert(&object, start, self.unknown_keys);
                    return Some(object.end);
                }
                Err(error) => error,
            },
            _ => match nested_end(bytes, start, limits) {
                Ok(end) => {
                    self.sink.reject(Reason::NotAnObject, start..end);
                    return Some(end);
                }
                Err(error) => error,
            },
        };
        if let Some(end) = self.closing_bracket(start, error) {
            self.sink.reject(error.reason(), start..end);
            return Some(end);
        }
        self.reject_broken(array, start, error);
        None
    }

    /// Returns true if a value may end here: the rest of the line is blank, or begins with another value, a byte order
    /// mark or a NUL byte. Counts the other value.
    fn check_end_of_value(&mut self) -> bool {
        let bytes = self.region();
        let next = blanks_end(bytes, self.at);
        match bytes.get(next) {
            None | Some(b'\n' | b'\r' | 0) => true,
            Some(b'{' | b'[') => {
                self.sink.counts.several_on_a_line += 1;
                true
            }
            Some(_) => bytes.get(next..).is_some_and(|rest| rest.starts_with(&BOM)),
        }
    }

    /// The end of a value that exceeds a limit of the parser, found by counting brackets.
    fn closing_bracket(&mut self, start: usize, error: ParseError) -> Option<usize> {
        if self.unbalanced || matches!(error, ParseError::Syntax(_)) {
            return None;
        }
        let end = balanced_end(self.region(), start);
        self.unbalanced = end.is_none();
        end
    }

    /// Rejects the broken value at `start`, and continues where the next record can begin. `outer` is the start of the
    /// value that contains `start`.
    #[cold]
    fn reject_broken(&mut self, outer: usize, start: usize, error: ParseError) {
        let bytes = self.region();
        if let Some(end) = self.closing_bracket(start, error) {
            self.at = end;
            if !self.check_end_of_value() {
                self.at = line_end(bytes, end);
            }
            return self.sink.reject(error.reason(), start..self.at);
        }
        let unfinished = error == ParseError::Syntax(bytes.len());
        let torn =
            unfinished && bytes.len() == self.sink.chunk.len() && !bytes.last().copied().is_some_and(is_line_break);
        let reason = if torn { Reason::TruncatedTail } else { error.reason() };
        self.at = if torn { bytes.len() } else { resume_position(bytes, outer).max(line_end(bytes, start)) };
        self.sink.reject(reason, start..self.at);
    }
}

/// The start of the first NUL padding from `from` to `end`, or the end.
fn next_padding(chunk: &[u8], from: usize, end: usize) -> usize {
    let found = memchr::memmem::find(chunk.get(from..end).unwrap_or_default(), &NUL_PADDING);
    found.map_or(end, |at| from + at)
}

/// The line break at which decoding continues after a broken value that began at `start`: the first one whose next line
/// does not look like the middle of a pretty-printed object. An unindented closing bracket is the last line of one.
fn resume_position(bytes: &[u8], start: usize) -> usize {
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
