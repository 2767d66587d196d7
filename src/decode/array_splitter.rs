//! Where the elements of a file-sized array begin and end, by brackets, quotes and commas alone.
//!
//! Not a parser: an element may turn out to be no JSON. Invariant: the state after some bytes does not depend on
//! how they were divided among calls, and the state behind the first brace of an element is always the same, so
//! that a chunk can begin there.
//!
//! A torn element must not swallow its neighbours: a line that begins with `{` at the margin begins an element,
//! and once a string has run into a line break (which no string may), an indented one does too.

use crate::decode::byte_search::BOM;
use crate::decode::byte_search::{is_break, string_stop};

/// What a byte does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing that matters outside the element.
    Goes,
    /// An array begins.
    Opens,
    /// An element begins.
    Begins,
    /// The element ends in front of this comma (or of this line break, outside of arrays).
    Ends,
    /// The element ends in front of this byte because another one begins with it.
    Follows,
    /// The element ends in front of this bracket, and so does the array.
    Closes,
    /// The array ends, with no element in front of the bracket.
    ClosesEmpty,
    /// An element should be in front of this comma.
    Lacks,
    /// An element should be in front of this bracket, which ends the array.
    ClosesLacking,
}

/// Follows arrays byte by byte.
#[derive(Clone, Debug)]
pub struct ArraySplitter {
    state: State,
    /// Open brackets inside the element.
    depth: usize,
    margin: Margin,
    /// In an array, rather than between or behind arrays.
    enclosed: bool,
    /// An array has begun at some time.
    opened: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between arrays.
    Outside,
    /// Behind the opening bracket.
    Opened,
    /// Behind a comma.
    Comma,
    /// In an element, or behind it.
    Element,
    /// In a string.
    Quoted,
    /// Behind a backslash in a string.
    Escaped,
    /// In an element in which a string ran into a line break.
    Torn,
}

/// What stands on this line so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Margin {
    Nothing,
    Blanks,
    Text,
}

impl ArraySplitter {
    /// At the beginning of a file, or between two arrays.
    pub const fn outside() -> Self {
        Self { state: State::Outside, depth: 0, margin: Margin::Text, enclosed: false, opened: false }
    }

    /// In the state that a chunk begins in: only one that begins behind a comma begins with a brace.
    pub fn at_chunk(chunk: &[u8]) -> Self {
        if chunk.first() == Some(&b'{') {
            Self { state: State::Comma, enclosed: true, ..Self::outside() }
        } else {
            Self::outside()
        }
    }

    /// The last position in `bytes` at which a chunk may end. `bytes` follow those of the last call.
    pub fn last_cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let (mut at, mut cut) = (0, None);
        loop {
            at = self.skip_text(bytes, at);
            let Some(&byte) = bytes.get(at) else { return cut };
            let later = self.opened;
            match self.step(byte) {
                Step::Begins | Step::Follows if self.enclosed && byte == b'{' => cut = Some(at),
                Step::Opens if later => cut = Some(at),
                _ => {}
            }
            at += 1;
        }
    }

    /// Whether this is in an array, so that a comma or a bracket ends an element.
    pub const fn enclosed(&self) -> bool {
        self.enclosed
    }

    /// Goes on at the byte behind an object that was read in another way, from the brace that began an element.
    pub const fn object_read(&mut self) {
        self.state = State::Element;
        self.depth = 0;
    }

    /// The next position whose byte matters: inside strings most do not.
    #[inline]
    pub fn skip_text(&self, bytes: &[u8], at: usize) -> usize {
        if self.state == State::Quoted { string_stop(bytes, at) } else { at }
    }

    /// Takes one byte.
    #[inline]
    pub fn step(&mut self, byte: u8) -> Step {
        let margin = self.margin;
        self.margin = match byte {
            b'\n' | b'\r' => Margin::Nothing,
            b' ' | b'\t' if margin != Margin::Text => Margin::Blanks,
            _ => Margin::Text,
        };
        let space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.state {
            State::Element if byte == b'{' && margin == Margin::Nothing => self.begins(byte, Step::Follows),
            State::Element => self.inside(byte),
            State::Quoted | State::Escaped if is_break(byte) => self.becomes(State::Torn, Step::Goes),
            State::Quoted if byte == b'"' => self.becomes(State::Element, Step::Goes),
            State::Quoted if byte == b'\\' => self.becomes(State::Escaped, Step::Goes),
            State::Escaped => self.becomes(State::Quoted, Step::Goes),
            State::Torn if byte == b'{' && margin != Margin::Text => self.begins(byte, Step::Follows),
            State::Quoted | State::Torn => Step::Goes,
            State::Outside | State::Opened | State::Comma if space => Step::Goes,
            State::Outside if BOM.contains(&byte) => Step::Goes,
            State::Outside if byte == b'[' => {
                (self.enclosed, self.opened) = (true, true);
                self.becomes(State::Opened, Step::Opens)
            }
            State::Opened if byte == b']' => self.closes(Step::ClosesEmpty),
            State::Comma if byte == b']' => self.closes(Step::ClosesLacking),
            State::Opened | State::Comma if byte == b',' => self.becomes(State::Comma, Step::Lacks),
            State::Outside | State::Opened | State::Comma => self.begins(byte, Step::Begins),
        }
    }

    /// A byte of an element, outside of strings.
    #[inline]
    fn inside(&mut self, byte: u8) -> Step {
        match byte {
            b'"' => return self.becomes(State::Quoted, Step::Goes),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => self.depth -= 1,
            b']' if self.enclosed => return self.closes(Step::Closes),
            b',' if self.enclosed && self.depth == 0 => return self.becomes(State::Comma, Step::Ends),
            _ if !self.enclosed && self.depth == 0 && is_break(byte) => {
                return self.becomes(State::Outside, Step::Ends);
            }
            _ => {}
        }
        Step::Goes
    }

    fn begins(&mut self, byte: u8, step: Step) -> Step {
        self.state = State::Element;
        self.depth = 0;
        self.inside(byte);
        step
    }

    fn closes(&mut self, step: Step) -> Step {
        self.enclosed = false;
        self.becomes(State::Outside, step)
    }

    const fn becomes(&mut self, state: State, step: Step) -> Step {
        self.state = state;
        step
    }
}
