//! The fast path: records on one line with nothing unusual about them. An optimisation, and nothing else.
//!
//! Not an authority: whatever it does not expect it leaves to `careful`, and nobody can tell that it tried.
//! Invariant: what it accepts, `careful` accepts with the same outcome; a property test compares the two.
//!
//! Producers write the keys of all records in one order. So what stands between two values (comma, key, colon,
//! blanks) is remembered by the key in front of it, and the next time it is compared as a whole.

use std::marker::PhantomData;

use crate::decode::Decoded;
use crate::decode::byte_search::{blanks_end, space_end, string_stop};
use crate::decode::coercion::Schema;
use crate::decode::key_names::{KeyNames, SLOTS};
use crate::decode::key_prediction::KeyPrediction;
use crate::decode::number::scan_number;
use crate::decode::record_sink::RecordSink;
use crate::decode::text::{Text, hex4};
use crate::decode::token::{MAX_USED, Members, Token};

/// Up to so many members of a record may stand elsewhere than in the one before.
const MISSES: u32 = 4;
/// After so many records in a row with more, the order is given up.
const SURPRISES: u32 = 8;
/// For so many records.
const REST: u32 = 500;
/// Where the glue in front of the first member is kept.
const FIRST: usize = SLOTS;

/// Reads the usual records of one schema.
pub struct FastPath<S> {
    names: KeyNames<S>,
    /// What stood behind the value of each slot.
    behind: [KeyPrediction; SLOTS + 1],
    /// Records in a row whose order surprised.
    surprises: u32,
    /// Records that are still to be read without expecting any order.
    resting: u32,
    /// Gives up on everything.
    #[cfg(test)]
    off: bool,
    /// How many records it has delivered.
    #[cfg(test)]
    pub delivered: u64,
    schema: PhantomData<S>,
}

/// The part of a chunk that is known to be UTF-8.
#[derive(Clone, Copy)]
pub struct Checked<'a> {
    pub text: &'a str,
    /// Where it begins in the chunk.
    pub start: usize,
}

impl<'a> Checked<'a> {
    /// The longest text at the start of the chunk.
    pub fn new(chunk: &'a [u8]) -> Self {
        match simdutf8::basic::from_utf8(chunk) {
            Ok(text) => Self { text, start: 0 },
            Err(_) => Self::from(chunk, 0),
        }
    }

    /// The longest text that begins at `start`.
    fn from(chunk: &'a [u8], start: usize) -> Self {
        let rest = chunk.get(start..).unwrap_or_default();
        let text = match simdutf8::compat::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => rest.get(..error.valid_up_to()).and_then(|sound| str::from_utf8(sound).ok()).unwrap_or(""),
        };
        Self { text, start }
    }

    /// Goes on behind a fault if `at` is there already.
    #[inline]
    pub fn advance(&mut self, chunk: &'a [u8], at: usize) {
        if at >= self.start + self.text.len() && at < chunk.len() {
            *self = Self::from(chunk, at);
        }
    }
}

/// An object that was read, and which keys it has: a bit for each slot.
struct Found {
    end: usize,
    seen: u32,
}

impl<S: Schema> FastPath<S> {
    pub fn new() -> Self {
        Self {
            names: KeyNames::new(),
            behind: [KeyPrediction::NONE; SLOTS + 1],
            surprises: 0,
            resting: 0,
            #[cfg(test)]
            off: false,
            #[cfg(test)]
            delivered: 0,
            schema: PhantomData,
        }
    }

    /// A fast path that gives up on everything.
    #[cfg(test)]
    pub fn giving_up() -> Self {
        Self { off: true, ..Self::new() }
    }

    /// Hands over how often unknown keys occurred since the last time.
    pub fn finish<F>(&mut self, out: &mut RecordSink<'_, '_, S, F>) {
        self.names.hand_over(&mut out.tally.unknown_keys);
    }

    /// Reads and delivers a record that has its line to itself, from its brace on; the position behind the line.
    #[inline]
    pub fn line<F>(&mut self, out: &mut RecordSink<'_, '_, S, F>, checked: Checked<'_>, start: usize) -> Option<usize>
    where
        F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
    {
        let mut members = Members::EMPTY;
        let found = self.object(checked, start, &mut members)?;
        let next = match out.chunk.get(found.end..)? {
            [b'\n', ..] => found.end + 1,
            [b'\r', b'\n', ..] => found.end + 2,
            [] | [b'\r', ..] => found.end,
            _ => return None,
        };
        self.deliver(out, &members, start, &found)?;
        if next > found.end {
            out.count_line(start, next);
        }
        Some(next)
    }

    /// Reads and delivers an element of an array, from its brace on; the position of the comma or bracket behind.
    #[inline]
    pub fn element<F>(
        &mut self,
        out: &mut RecordSink<'_, '_, S, F>,
        checked: Checked<'_>,
        start: usize,
    ) -> Option<usize>
    where
        F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
    {
        let mut members = Members::EMPTY;
        let found = self.object(checked, start, &mut members)?;
        let next = space_end(out.chunk, found.end);
        let Some(b',' | b']') = out.chunk.get(next) else {
            return None;
        };
        self.deliver(out, &members, start, &found)?;
        Some(next)
    }

    #[inline]
    fn deliver<F>(
        &mut self,
        out: &mut RecordSink<'_, '_, S, F>,
        members: &Members<'_>,
        start: usize,
        found: &Found,
    ) -> Option<()>
    where
        F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
    {
        let limits = out.limits;
        if found.end - start > limits.max_record || found.seen.count_ones() as usize > limits.max_keys {
            return None;
        }
        #[cfg(test)]
        {
            self.delivered += 1;
        }
        self.names.count(found.seen);
        out.object(members, start..found.end);
        Some(())
    }

    /// Reads the object at `start`, a place in the chunk. Gives up on everything unusual.
    #[inline]
    fn object<'a>(&mut self, checked: Checked<'a>, start: usize, members: &mut Members<'a>) -> Option<Found> {
        #[cfg(test)]
        if self.off {
            return None;
        }
        let text = checked.text;
        let bytes = text.as_bytes();
        let mut at = start - checked.start;
        let mut seen = 0u32;
        let mut before = FIRST;
        let trusting = self.resting == 0;
        let mut misses = 0;
        loop {
            let expected = self.behind.get(before)?;
            // A blank behind the expected bytes is one more than was expected.
            let (slot, place) = if trusting
                && expected.is_at(bytes, at)
                && !matches!(bytes.get(at + expected.len()), Some(b' ' | b'\t'))
            {
                (expected.slot(), at + expected.len())
            } else {
                let close = blanks_end(bytes, at);
                if bytes.get(close) == Some(&b'}') && before != FIRST {
                    self.learn_trust(misses);
                    return Some(Found { end: checked.start + close + 1, seen });
                }
                misses += 1;
                let (slot, place) = self.member(bytes, at, before == FIRST)?;
                if trusting {
                    *self.behind.get_mut(before)? = KeyPrediction::new(bytes.get(at..place)?, slot);
                }
                (slot, place)
            };
            let (token, end) = value(text, place)?;
            if seen >> slot & 1 == 1 {
                return None;
            }
            seen |= 1 << slot;
            before = slot;
            if slot < S::USED {
                *members.slots.get_mut(slot)? = token;
            }
            at = end;
        }
    }

    /// Stops looking for an order where there is none, for a while: to remember one costs more than it saves.
    #[inline]
    fn learn_trust(&mut self, misses: u32) {
        if self.resting > 0 {
            self.resting -= 1;
        } else if misses <= MISSES {
            self.surprises = 0;
        } else {
            self.surprises += 1;
            if self.surprises == SURPRISES {
                (self.surprises, self.resting) = (0, REST);
            }
        }
    }

    /// Reads what stands between two values, whatever key it is; the slot, and where the value begins.
    #[inline]
    fn member(&mut self, bytes: &[u8], at: usize, first: bool) -> Option<(usize, usize)> {
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

/// A scalar, and its end.
#[inline]
fn value(text: &str, at: usize) -> Option<(Token<'_>, usize)> {
    let bytes = text.as_bytes();
    match bytes.get(at)? {
        b'"' => {
            let (close, escaped) = string(bytes, at + 1)?;
            let text = Text::from_json(text.get(at + 1..close)?, escaped);
            Some((Token::Text { text, lone: false }, close + 1))
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

/// The position of the quote that ends a string whose content begins at `at`, and whether there are escapes in
/// it. Escapes of surrogates are left to the careful parser.
#[inline]
fn string(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
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

const _: () = assert!(MAX_USED <= SLOTS);
