//! The careful parser: one JSON object, strictly by RFC 8259, from any bytes. Its word is final.
//!
//! Not fast, and not a judge of values: it finds where the object ends and which tokens it holds. It does not
//! recurse. Invariant: it reads nothing outside the slice it is given, and where the grammar breaks it says at
//! which byte, so "the slice ends too early" is a fault at its very end.

use std::ops::Range;

use crate::decode::byte_search::{is_break, space_end, string_stop};
use crate::decode::coercion::Schema;
use crate::decode::limits::Limits;
use crate::decode::number::scan_number;
use crate::decode::reject_reason::Reason;
use crate::decode::text::{Text, hex4};
use crate::decode::token::{Members, Token};

/// Why there is no object here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The grammar breaks at this byte; at the end of the slice, the object is not finished.
    At(usize),
    /// Nested deeper than allowed, at this byte.
    TooDeep(usize),
    /// More members than allowed, up to this byte.
    TooManyKeys(usize),
}

impl Stop {
    /// The reason that this amounts to, unless it is where the input ends.
    pub const fn reason(self) -> Reason {
        match self {
            Self::At(_) => Reason::Syntax,
            Self::TooDeep(_) => Reason::TooDeep,
            Self::TooManyKeys(_) => Reason::TooManyKeys,
        }
    }
}

/// A complete object.
pub struct Object<'a> {
    /// The position behind the closing brace.
    pub end: usize,
    pub members: Members<'a>,
    /// A string that is no proper text (not UTF-8, or a raw control character in it), and the slot it is in.
    pub spoiled: Option<(Reason, usize)>,
}

/// The slot of whatever no table uses.
const NO_SLOT: usize = usize::MAX;

/// Reads the object that begins at `start`. The places of unknown keys are put into `unknown`.
pub fn object<'a, S: Schema>(
    bytes: &'a [u8],
    start: usize,
    limits: &Limits,
    unknown: &mut Vec<Range<usize>>,
) -> Result<Object<'a>, Stop> {
    unknown.clear();
    let mut parser = Parser { bytes, max_depth: limits.max_depth, at: start + 1, slot: NO_SLOT, spoiled: None };
    let mut members = Members::EMPTY;
    let mut name = String::new();
    parser.skip_space();
    if parser.peek() == Some(b'}') {
        return Ok(Object { end: parser.at + 1, members, spoiled: None });
    }
    for _ in 0..limits.max_keys {
        parser.slot = NO_SLOT;
        let key = parser.key()?;
        let resolved = key.text.resolve(&mut name);
        match S::KEYS.iter().position(|known| *known == resolved) {
            Some(slot) if slot < S::USED => {
                parser.slot = slot;
                let token = parser.value()?;
                if let Some(place) = members.slots.get_mut(slot) {
                    if place.is_absent() {
                        *place = token;
                    } else if place.same(token) {
                        *place = place.plainer(token);
                    } else {
                        members.conflicts |= 1 << slot;
                    }
                }
            }
            Some(_) => {
                parser.value()?;
            }
            None => {
                unknown.push(key.place);
                note_variant::<S>(&mut members, key.text.raw());
                parser.value()?;
            }
        }
        parser.skip_space();
        match parser.peek() {
            Some(b'}') => {
                return Ok(Object { end: parser.at + 1, members, spoiled: parser.spoiled });
            }
            Some(b',') => parser.at += 1,
            _ => return Err(Stop::At(parser.at)),
        }
        parser.skip_space();
    }
    Err(Stop::TooManyKeys(parser.at))
}

/// Remembers a key that differs from a required one in case only; of several the bytewise smallest.
fn note_variant<'a, S: Schema>(members: &mut Members<'a>, key: &'a str) {
    let required = S::KEYS.iter().take(S::REQUIRED);
    let slot = required.zip(&mut members.variants).find(|(name, _)| name.eq_ignore_ascii_case(key));
    if let Some((_, variant)) = slot {
        *variant = Some(variant.map_or(key, |known| known.min(key)));
    }
}

/// Whether the slice at `start` is one JSON value, of any kind, and nothing else but white space behind it.
pub fn is_value(bytes: &[u8], start: usize, limits: &Limits) -> bool {
    let mut parser = Parser { bytes, max_depth: limits.max_depth, at: start, slot: NO_SLOT, spoiled: None };
    parser.value().is_ok() && space_end(bytes, parser.at) == bytes.len()
}

/// The end of the array or object at `start`.
pub fn nested_end(bytes: &[u8], start: usize, limits: &Limits) -> Result<usize, Stop> {
    let mut parser = Parser { bytes, max_depth: limits.max_depth, at: start, slot: NO_SLOT, spoiled: None };
    parser.value().map(|_| parser.at)
}

/// The end of the brackets that open at `start`, by counting alone: for what is too deep to be parsed. A line
/// break inside a string means that the count cannot be trusted.
pub fn balanced_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'"' => at = string_end(bytes, at)?,
            _ => {}
        }
    }
    None
}

/// The position behind the closing quote of a string whose content begins at `at`, by quotes and backslashes
/// alone.
pub fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = string_stop(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            byte if is_break(*byte) => return None,
            _ => at += 1,
        }
    }
}

/// A member's key.
struct Key<'a> {
    text: Text<'a>,
    place: Range<usize>,
}

struct Parser<'a> {
    bytes: &'a [u8],
    max_depth: u32,
    at: usize,
    /// The slot of the member that is being read.
    slot: usize,
    spoiled: Option<(Reason, usize)>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        self.at = space_end(self.bytes, self.at);
    }

    /// Notes a string that is no proper text; of several the one whose reason, then whose slot comes first.
    fn spoil(&mut self, reason: Reason) {
        let fault = (reason, self.slot);
        self.spoiled = Some(self.spoiled.map_or(fault, |known| known.min(fault)));
    }

    /// A key, its colon and the white space around that.
    fn key(&mut self) -> Result<Key<'a>, Stop> {
        if self.peek() != Some(b'"') {
            return Err(Stop::At(self.at));
        }
        let start = self.at + 1;
        let (text, _) = self.string()?;
        let place = start..self.at - 1;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(Stop::At(self.at));
        }
        self.at += 1;
        self.skip_space();
        Ok(Key { text, place })
    }

    fn value(&mut self) -> Result<Token<'a>, Stop> {
        match self.peek() {
            Some(b'{' | b'[') => self.nested(),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<Token<'a>, Stop> {
        match self.peek() {
            Some(b'"') => self.string().map(|(text, lone)| Token::Text { text, lone }),
            Some(b'n') => self.literal("null", Token::Null),
            Some(b't') => self.literal("true", Token::Bool(true)),
            Some(b'f') => self.literal("false", Token::Bool(false)),
            _ => {
                let end = scan_number(self.bytes, self.at).map_err(Stop::At)?;
                let token = self.bytes.get(self.at..end).and_then(|digits| str::from_utf8(digits).ok());
                self.at = end;
                Ok(Token::Number(token.unwrap_or("0")))
            }
        }
    }

    fn literal(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, Stop> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(Stop::At(self.at));
            }
            self.at += 1;
        }
        Ok(token)
    }

    /// A string, and whether it holds half a surrogate pair.
    fn string(&mut self) -> Result<(Text<'a>, bool), Stop> {
        let start = self.at + 1;
        let (mut escaped, mut lone) = (false, false);
        self.at = start;
        loop {
            self.at = string_stop(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    lone |= self.escape()?;
                }
                // A string never spans lines: this record was torn, and the next line may be sound.
                Some(byte) if !is_break(byte) => {
                    self.spoil(Reason::ControlChar);
                    self.at += 1;
                }
                _ => return Err(Stop::At(self.at)),
            }
        }
        let content = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        let raw = simdutf8::basic::from_utf8(content).unwrap_or_else(|_| {
            self.spoil(Reason::InvalidUtf8);
            ""
        });
        Ok((Text::from_json(raw, escaped), lone))
    }

    /// One escape, or two that make a surrogate pair; whether it is half of one.
    fn escape(&mut self) -> Result<bool, Stop> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(false)
            }
            Some(b'u') => {
                let unit = self.unit(self.at)?;
                self.at += 6;
                if !(0xD800..0xDC00).contains(&unit) {
                    return Ok((0xDC00..0xE000).contains(&unit));
                }
                if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Ok(true);
                }
                if !(0xDC00..0xE000).contains(&self.unit(self.at)?) {
                    return Ok(true);
                }
                self.at += 6;
                Ok(false)
            }
            _ => Err(Stop::At(self.at + 1)),
        }
    }

    /// The code unit of the `\u` escape at `at`.
    fn unit(&self, at: usize) -> Result<u16, Stop> {
        let digits = self.bytes.get(at + 2..).unwrap_or_default();
        let sound = digits.iter().take(4).take_while(|digit| digit.is_ascii_hexdigit()).count();
        hex4(digits).ok_or(Stop::At(at + 2 + sound))
    }

    /// An array or object inside the record, checked but not kept apart.
    fn nested(&mut self) -> Result<Token<'a>, Stop> {
        let start = self.at;
        // One bit for each level below the record: set for an object, clear for an array.
        let (mut kinds, mut depth) = (0u128, 0u32);
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    // The record itself is the first level.
                    if depth + 1 >= self.max_depth.min(128) {
                        return Err(Stop::TooDeep(self.at));
                    }
                    kinds = kinds << 1 | u128::from(open == b'{');
                    depth += 1;
                    self.at += 1;
                    self.skip_space();
                    let close = if open == b'{' { b'}' } else { b']' };
                    if self.peek() != Some(close) {
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            // Behind a value, or in front of the bracket that closes an empty array or object.
            loop {
                if depth == 0 {
                    return Ok(Token::Nested(self.bytes.get(start..self.at).unwrap_or_default()));
                }
                self.skip_space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.skip_space();
                        if kinds & 1 == 1 {
                            self.key()?;
                        }
                        break;
                    }
                    Some(close @ (b'}' | b']')) if (close == b'}') == (kinds & 1 == 1) => {
                        self.at += 1;
                        depth -= 1;
                        kinds >>= 1;
                    }
                    _ => return Err(Stop::At(self.at)),
                }
            }
        }
    }
}
