//! The strict parser: reads one JSON object, strictly by RFC 8259, from any bytes. It decides every outcome.
//!
//! It finds the end of the object and its tokens; `coercion` converts the values. It does not recurse. Invariant: it
//! reads nothing outside of its slice, and a syntax error has the position of the byte at which the grammar breaks. So
//! an object that the slice cuts off is an error at the end of the slice.

use std::ops::Range;

use crate::decode::byte_search::{is_line_break, space_end, string_stop};
use crate::decode::coercion::{Fault, RecordSchema};
use crate::decode::limits::Limits;
use crate::decode::number::scan_number;
use crate::decode::reject_reason::Reason;
use crate::decode::text::{Text, hex4};
use crate::decode::token::{Members, Token};

/// The reason why a value cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The grammar breaks at this byte. At the end of the slice, the value is not finished.
    Syntax(usize),
    /// The value is nested deeper than allowed.
    TooDeep,
    /// The object has more members than allowed.
    TooManyKeys,
}

impl ParseError {
    /// The reason for rejecting the record, unless the end of the input cuts it off.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Syntax(_) => Reason::Syntax,
            Self::TooDeep => Reason::TooDeep,
            Self::TooManyKeys => Reason::TooManyKeys,
        }
    }

    /// The position at which the grammar breaks.
    pub const fn syntax_position(self) -> Option<usize> {
        match self {
            Self::Syntax(at) => Some(at),
            Self::TooDeep | Self::TooManyKeys => None,
        }
    }
}

/// A complete object.
pub struct Object<'a> {
    /// The position after the closing brace.
    pub end: usize,
    pub members: Members<'a>,
    /// The fault of a string that is not valid text: not UTF-8, or with a raw control character.
    pub bad_string: Option<Fault>,
}

/// The slot of a key that no table uses.
const NO_SLOT: usize = usize::MAX;

/// Parses the object that begins at `start`. Stores the spans of unknown keys in `unknown_keys`.
pub fn parse_object<'a, S: RecordSchema>(
    bytes: &'a [u8],
    start: usize,
    limits: &Limits,
    unknown_keys: &mut Vec<Range<usize>>,
) -> Result<Object<'a>, ParseError> {
    unknown_keys.clear();
    let mut parser = Parser { bytes, max_depth: limits.max_depth, at: start + 1, slot: NO_SLOT, bad_string: None };
    let mut members = Members::EMPTY;
    let mut scratch = String::new();
    parser.skip_space();
    if parser.peek() == Some(b'}') {
        return Ok(Object { end: parser.at + 1, members, bad_string: None });
    }
    for _ in 0..limits.max_keys {
        parser.slot = NO_SLOT;
        let key = parser.key()?;
        let name = key.text.resolve(&mut scratch);
        match S::KEYS.iter().position(|known| *known == name) {
            Some(slot) if slot < S::USED => {
                parser.slot = slot;
                let token = parser.value()?;
                if let Some(known) = members.slots.get_mut(slot) {
                    if known.is_absent() {
                        *known = token;
                    } else if known.is_same_value(token) {
                        *known = known.smaller_spelling(token);
                    } else {
                        members.conflicts |= 1 << slot;
                    }
                }
            }
            Some(_) => {
                parser.value()?;
            }
            None => {
                unknown_keys.push(key.span);
                note_variant::<S>(&mut members, key.text.raw());
                parser.value()?;
            }
        }
        parser.skip_space();
        match parser.peek() {
            Some(b'}') => {
                return Ok(Object { end: parser.at + 1, members, bad_string: parser.bad_string });
            }
            Some(b',') => parser.at += 1,
            _ => return Err(ParseError::Syntax(parser.at)),
        }
        parser.skip_space();
    }
    Err(ParseError::TooManyKeys)
}

/// Notes a key that differs from a required one in case only. Of several, the smallest (by bytes) is kept.
fn note_variant<'a, S: RecordSchema>(members: &mut Members<'a>, key: &'a str) {
    let required = S::KEYS.iter().take(S::REQUIRED);
    let slot = required.zip(&mut members.variants).find(|(name, _)| name.eq_ignore_ascii_case(key));
    if let Some((_, variant)) = slot {
        *variant = Some(variant.map_or(key, |known| known.min(key)));
    }
}

/// Returns true if the rest of the slice from `start` on is one JSON value of any kind, followed by white space only.
pub fn is_value(bytes: &[u8], start: usize, limits: &Limits) -> bool {
    let mut parser = Parser { bytes, max_depth: limits.max_depth, at: start, slot: NO_SLOT, bad_string: None };
    parser.value().is_ok() && space_end(bytes, parser.at) == bytes.len()
}

/// The end of the array or object at `start`.
pub fn nested_end(bytes: &[u8], start: usize, limits: &Limits) -> Result<usize, ParseError> {
    let mut parser = Parser { bytes, max_depth: limits.max_depth, at: start, slot: NO_SLOT, bad_string: None };
    parser.value().map(|_| parser.at)
}

/// The end of the array or object at `start`, found by counting brackets: for values that exceed a limit of the parser.
/// None if it does not end, or if a line break inside a string makes the count unreliable.
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

/// The position after the closing quote of a string whose content begins at `at`, found by quotes and backslashes only.
pub fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = string_stop(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            byte if is_line_break(*byte) => return None,
            _ => at += 1,
        }
    }
}

/// The key of a member, and its span without the quotes.
struct Key<'a> {
    text: Text<'a>,
    span: Range<usize>,
}

struct Parser<'a> {
    bytes: &'a [u8],
    max_depth: u32,
    at: usize,
    /// The slot of the current member.
    slot: usize,
    bad_string: Option<Fault>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        self.at = space_end(self.bytes, self.at);
    }

    /// Notes a string that is not valid text. Of several, the one with the first reason, then the first slot is kept.
    fn note_bad_string(&mut self, reason: Reason) {
        let fault = Fault { reason, slot: self.slot };
        self.bad_string = Some(self.bad_string.map_or(fault, |known| known.min(fault)));
    }

    /// Parses a key, its colon, and the white space around the colon.
    fn key(&mut self) -> Result<Key<'a>, ParseError> {
        if self.peek() != Some(b'"') {
            return Err(ParseError::Syntax(self.at));
        }
        let start = self.at + 1;
        let (text, _) = self.string()?;
        let span = start..self.at - 1;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(ParseError::Syntax(self.at));
        }
        self.at += 1;
        self.skip_space();
        Ok(Key { text, span })
    }

    fn value(&mut self) -> Result<Token<'a>, ParseError> {
        match self.peek() {
            Some(b'{' | b'[') => self.nested(),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<Token<'a>, ParseError> {
        match self.peek() {
            Some(b'"') => self.string().map(|(text, lone_surrogate)| Token::Text { text, lone_surrogate }),
            Some(b'n') => self.literal("null", Token::Null),
            Some(b't') => self.literal("true", Token::Bool(true)),
            Some(b'f') => self.literal("false", Token::Bool(false)),
            _ => {
                let end = scan_number(self.bytes, self.at).map_err(ParseError::Syntax)?;
                let token = self.bytes.get(self.at..end).and_then(|digits| str::from_utf8(digits).ok());
                self.at = end;
                Ok(Token::Number(token.unwrap_or("0")))
            }
        }
    }

    fn literal(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, ParseError> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(ParseError::Syntax(self.at));
            }
            self.at += 1;
        }
        Ok(token)
    }

    /// Parses a string; the flag is true if it contains half a surrogate pair.
    fn string(&mut self) -> Result<(Text<'a>, bool), ParseError> {
        let start = self.at + 1;
        let (mut escaped, mut lone_surrogate) = (false, false);
        self.at = start;
        loop {
            self.at = string_stop(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    lone_surrogate |= self.escape()?;
                }
                // A string never spans lines: this record is torn, and the next line may be valid.
                Some(byte) if !is_line_break(byte) => {
                    self.note_bad_string(Reason::ControlChar);
                    self.at += 1;
                }
                _ => return Err(ParseError::Syntax(self.at)),
            }
        }
        let content = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        let raw = simdutf8::basic::from_utf8(content).unwrap_or_else(|_| {
            self.note_bad_string(Reason::InvalidUtf8);
            ""
        });
        Ok((Text::from_json(raw, escaped), lone_surrogate))
    }

    /// Parses one escape, or two that form a surrogate pair. Returns true if it is only half of a pair.
    fn escape(&mut self) -> Result<bool, ParseError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(false)
            }
            Some(b'u') => {
                let unit = self.code_unit(self.at)?;
                self.at += 6;
                if !(0xD800..0xDC00).contains(&unit) {
                    return Ok((0xDC00..0xE000).contains(&unit));
                }
                if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Ok(true);
                }
                if !(0xDC00..0xE000).contains(&self.code_unit(self.at)?) {
                    return Ok(true);
                }
                self.at += 6;
                Ok(false)
            }
            _ => Err(ParseError::Syntax(self.at + 1)),
        }
    }

    /// The code unit of the `\u` escape at `at`.
    fn code_unit(&self, at: usize) -> Result<u16, ParseError> {
        let digits = self.bytes.get(at + 2..).unwrap_or_default();
        let valid = digits.iter().take(4).take_while(|digit| digit.is_ascii_hexdigit()).count();
        hex4(digits).ok_or(ParseError::Syntax(at + 2 + valid))
    }

    /// Parses an array or object inside the record. Checks it, but keeps its bytes only.
    fn nested(&mut self) -> Result<Token<'a>, ParseError> {
        let start = self.at;
        // One bit per level below the record: set for an object, clear for an array.
        let (mut kinds, mut depth) = (0u128, 0u32);
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    // The record itself is the first level.
                    if depth + 1 >= self.max_depth.min(128) {
                        return Err(ParseError::TooDeep);
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
            // After a value, or before the bracket that closes an empty array or object.
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
                    _ => return Err(ParseError::Syntax(self.at)),
                }
            }
        }
    }
}
