//! The fast path: reads records on one line that have nothing unusual. It is only an optimization.
//!
//! It leaves every record with anything unexpected to `strict`, with no effect on the result. Invariant: `strict`
//! accepts every record that the fast path accepts, with the same outcome. A property test compares the two.
//!
//! Producers write the keys of all records in the same order. So the bytes between two values (comma, key, colon,
//! blanks) are stored per preceding key, and compared as a whole in the next record.

use std::marker::PhantomData;

use crate::decode::Decoded;
use crate::decode::byte_search::{blanks_end, space_end, string_stop};
use crate::decode::coercion::RecordSchema;
use crate::decode::key_names::{KeyNames, MAX_SLOTS};
use crate::decode::key_prediction::KeyPrediction;
use crate::decode::number::scan_number;
use crate::decode::record_sink::RecordSink;
use crate::decode::text::{Text, hex4};
use crate::decode::token::{MAX_USED, Members, Token};

/// A record with more mispredicted keys than this counts as mispredicted.
const MAX_MISSES: u32 = 4;
/// After this many mispredicted records in a row, key prediction is paused.
const MAX_MISPREDICTED: u32 = 8;
/// The number of records for which key prediction is paused.
const PAUSE_RECORDS: u32 = 500;
/// The index of the prediction for the first key of a record.
const FIRST_KEY: usize = MAX_SLOTS;

/// The fast path for one schema.
pub struct FastPath<S> {
    names: KeyNames<S>,
    /// The prediction of the next key after the value of each slot.
    predictions: [KeyPrediction; MAX_SLOTS + 1],
    /// The number of mispredicted records in a row.
    mispredicted: u32,
    /// The number of records until key prediction resumes.
    paused: u32,
    /// Reads no record.
    #[cfg(test)]
    disabled: bool,
    /// The number of records that the fast path has read.
    #[cfg(test)]
    pub records_read: u64,
    schema: PhantomData<S>,
}

/// A part of a chunk that is valid UTF-8.
#[derive(Clone, Copy)]
pub struct ValidUtf8<'a> {
    pub text: &'a str,
    /// The position of `text` in the chunk.
    pub start: usize,
}

impl<'a> ValidUtf8<'a> {
    /// The longest valid part at the start of the chunk.
    pub fn new(chunk: &'a [u8]) -> Self {
        match simdutf8::basic::from_utf8(chunk) {
            Ok(text) => Self { text, start: 0 },
            Err(_) => Self::from(chunk, 0),
        }
    }

    /// The longest valid part that begins at `start`.
    fn from(chunk: &'a [u8], start: usize) -> Self {
        let rest = chunk.get(start..).unwrap_or_default();
        let text = match simdutf8::compat::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => rest.get(..error.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok()).unwrap_or(""),
        };
        Self { text, start }
    }

    /// Moves on to the next valid part if `at` is after the current one.
    #[inline]
    pub fn advance(&mut self, chunk: &'a [u8], at: usize) {
        if at >= self.start + self.text.len() && at < chunk.len() {
            *self = Self::from(chunk, at);
        }
    }
}

/// The end of a parsed object, and the keys that it has: one bit per slot.
struct ParsedObject {
    end: usize,
    seen: u32,
}

impl<S: RecordSchema> FastPath<S> {
    pub fn new() -> Self {
        Self {
            names: KeyNames::new(),
            predictions: [KeyPrediction::NONE; MAX_SLOTS + 1],
            mispredicted: 0,
            paused: 0,
            #[cfg(test)]
            disabled: false,
            #[cfg(test)]
            records_read: 0,
            schema: PhantomData,
        }
    }

    /// A fast path that reads no record.
    #[cfg(test)]
    pub fn disabled() -> Self {
        Self { disabled: true, ..Self::new() }
    }

    /// Moves the counts of unknown keys to the sink.
    pub fn flush_counts<F>(&mut self, sink: &mut RecordSink<'_, '_, S, F>) {
        self.names.flush_counts(&mut sink.counts.unknown_keys);
    }

    /// Reads and converts a record that is alone on its line. `start` is the position of its opening brace. Returns the
    /// position after the line, or none if the strict parser must read the record.
    #[inline]
    pub fn read_line<F>(
        &mut self,
        sink: &mut RecordSink<'_, '_, S, F>,
        utf8: ValidUtf8<'_>,
        start: usize,
    ) -> Option<usize>
    where
        F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
    {
        let mut members = Members::EMPTY;
        let object = self.parse_object(utf8, start, &mut members)?;
        let next = match sink.chunk.get(object.end..)? {
            [b'\n', ..] => object.end + 1,
            [b'\r', b'\n', ..] => object.end + 2,
            [] | [b'\r', ..] => object.end,
            _ => return None,
        };
        self.convert(sink, &members, start, &object)?;
        if next > object.end {
            sink.count_single_line(start, next);
        }
        Some(next)
    }

    /// Reads and converts an element of an array. `start` is the position of its opening brace. Returns the position of
    /// the comma or bracket after it, or none if the strict parser must read the element.
    #[inline]
    pub fn read_element<F>(
        &mut self,
        sink: &mut RecordSink<'_, '_, S, F>,
        utf8: ValidUtf8<'_>,
        start: usize,
    ) -> Option<usize>
    where
        F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
    {
        let mut members = Members::EMPTY;
        let object = self.parse_object(utf8, start, &mut members)?;
        let next = space_end(sink.chunk, object.end);
        let Some(b',' | b']') = sink.chunk.get(next) else {
            return None;
        };
        self.convert(sink, &members, start, &object)?;
        Some(next)
    }

    #[inline]
    fn convert<F>(
        &mut self,
        sink: &mut RecordSink<'_, '_, S, F>,
        members: &Members<'_>,
        start: usize,
        object: &ParsedObject,
    ) -> Option<()>
    where
        F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
    {
        let limits = sink.limits;
        if object.end - start > limits.max_record || object.seen.count_ones() as usize > limits.max_keys {
            return None;
        }
        #[cfg(test)]
        {
            self.records_read += 1;
        }
        self.names.count_unknown(object.seen);
        sink.convert_object(members, start..object.end);
        Some(())
    }

    /// Parses the object at `start`, a position in the chunk. Returns none for anything unusual.
    #[inline]
    fn parse_object<'a>(
        &mut self,
        utf8: ValidUtf8<'a>,
        start: usize,
        members: &mut Members<'a>,
    ) -> Option<ParsedObject> {
        #[cfg(test)]
        if self.disabled {
            return None;
        }
        let text = utf8.text;
        let bytes = text.as_bytes();
        let mut at = start - utf8.start;
        let mut seen = 0u32;
        let mut previous = FIRST_KEY;
        let predicting = self.paused == 0;
        let mut misses = 0;
        loop {
            let prediction = self.predictions.get(previous)?;
            // A blank after the predicted bytes is part of the separator, so the prediction does not apply.
            let (slot, value_start) = if predicting
                && prediction.is_at(bytes, at)
                && !matches!(bytes.get(at + prediction.len()), Some(b' ' | b'\t'))
            {
                (prediction.slot(), at + prediction.len())
            } else {
                let close = blanks_end(bytes, at);
                if bytes.get(close) == Some(&b'}') && previous != FIRST_KEY {
                    self.update_prediction_use(misses);
                    return Some(ParsedObject { end: utf8.start + close + 1, seen });
                }
                misses += 1;
                let (slot, value_start) = self.parse_key(bytes, at, previous == FIRST_KEY)?;
                if predicting {
                    *self.predictions.get_mut(previous)? = KeyPrediction::new(bytes.get(at..value_start)?, slot);
                }
                (slot, value_start)
            };
            let (token, end) = parse_scalar(text, value_start)?;
            if seen >> slot & 1 == 1 {
                return None;
            }
            seen |= 1 << slot;
            previous = slot;
            if slot < S::USED {
                *members.slots.get_mut(slot)? = token;
            }
            at = end;
        }
    }

    /// Pauses key prediction if the keys have no stable order: storing predictions would then cost more than it saves.
    #[inline]
    fn update_prediction_use(&mut self, misses: u32) {
        if self.paused > 0 {
            self.paused -= 1;
        } else if misses <= MAX_MISSES {
            self.mispredicted = 0;
        } else {
            self.mispredicted += 1;
            if self.mispredicted == MAX_MISPREDICTED {
                (self.mispredicted, self.paused) = (0, PAUSE_RECORDS);
            }
        }
    }

    /// Parses the bytes between two values, for any key. Returns the slot and the position of the value.
    #[inline]
    fn parse_key(&mut self, bytes: &[u8], at: usize, first: bool) -> Option<(usize, usize)> {
        let opening = if first { b'{' } else { b',' };
        let at = if first { at } else { blanks_end(bytes, at) };
        if bytes.get(at) != Some(&opening) {
            return None;
        }
        let quote = blanks_end(bytes, at + 1);
        if bytes.get(quote) != Some(&b'"') {
            return None;
        }
        let close = string_stop(bytes, quote + 1);
        if bytes.get(close) != Some(&b'"') {
            return None;
        }
        let colon = blanks_end(bytes, close + 1);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let slot = self.names.slot(bytes.get(quote + 1..close)?)?;
        Some((slot, blanks_end(bytes, colon + 1)))
    }
}

/// Parses a scalar. Returns its token and its end.
#[expect(clippy::inline_always, reason = "runs for every value of every record")]
#[inline(always)]
fn parse_scalar(text: &str, at: usize) -> Option<(Token<'_>, usize)> {
    let bytes = text.as_bytes();
    match bytes.get(at)? {
        b'"' => {
            let (close, escaped) = string_end(bytes, at + 1)?;
            let text = Text::from_json(text.get(at + 1..close)?, escaped);
            Some((Token::Text { text, lone_surrogate: false }, close + 1))
        }
        b'n' if bytes.get(at..at + 4)? == b"null" => Some((Token::Null, at + 4)),
        b't' if bytes.get(at..at + 4)? == b"true" => Some((Token::Bool(true), at + 4)),
        b'f' if bytes.get(at..at + 5)? == b"false" => Some((Token::Bool(false), at + 5)),
        _ => {
            let end = scan_number(bytes, at).ok()?;
            Some((Token::Number(text.get(at..end)?), end))
        }
    }
}

/// The position of the quote that ends a string whose content begins at `at`, and true if it contains escapes. Escapes
/// of surrogates are left to the strict parser.
#[expect(clippy::inline_always, reason = "runs for nearly every value of every record")]
#[inline(always)]
fn string_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at = string_stop(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some((at, escaped)),
            b'\\' => {
                escaped = true;
                match bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    b'u' if !(0xD800..0xE000).contains(&hex4(bytes.get(at + 2..)?)?) => at += 6,
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}

const _: () = assert!(MAX_USED <= MAX_SLOTS);
