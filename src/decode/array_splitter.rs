//! Finds where the elements of an array that fills a file begin and end, by brackets, quotes and commas only.
//!
//! It does not parse: an element may turn out not to be JSON. Invariant: the state after some bytes does not depend on
//! how they were divided among calls, and the state after the first brace of an element is always the same, so that a
//! chunk can begin there.
//!
//! A torn element must not swallow the elements after it: a line whose first byte is `{` begins an element, and once a
//! string has run into a line break (which JSON does not allow), an indented `{` does too.

use crate::decode::byte_search::{BOM, is_line_break, string_stop};

/// The effect of one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No element or array begins or ends.
    Continue,
    /// An array begins.
    ArrayBegins,
    /// An element begins.
    ElementBegins,
    /// The element ends before this comma (or this line break, outside of arrays).
    ElementEnds,
    /// The element ends before this byte because the next one begins with it.
    NextElementBegins,
    /// The element ends before this bracket, and the array ends with it.
    ElementAndArrayEnd,
    /// The array ends, and has no element.
    EmptyArrayEnds,
    /// An element is missing before this comma.
    ElementMissing,
    /// An element is missing before this bracket, which ends the array.
    LastElementMissing,
}

/// Follows arrays byte by byte.
#[derive(Clone, Debug)]
pub struct ArraySplitter {
    state: State,
    /// Open brackets inside the element.
    depth: usize,
    line_prefix: LinePrefix,
    /// In an array, rather than before, between or after arrays.
    in_array: bool,
    /// An array has begun since the start of the file.
    array_seen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before, between or after arrays.
    Outside,
    /// After the opening bracket.
    ArrayStart,
    /// After a comma.
    AfterComma,
    /// In an element, or after it.
    Element,
    /// In a string.
    InString,
    /// After a backslash in a string.
    InEscape,
    /// In an element in which a string ran into a line break.
    Torn,
}

/// The content of the current line so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinePrefix {
    Empty,
    Blanks,
    Text,
}

impl ArraySplitter {
    /// A splitter at the beginning of a file, or between two arrays.
    pub const fn new() -> Self {
        Self { state: State::Outside, depth: 0, line_prefix: LinePrefix::Text, in_array: false, array_seen: false }
    }

    /// A splitter in the state at the start of this chunk. Only a chunk that begins after a comma begins with a brace.
    pub fn for_chunk(chunk: &[u8]) -> Self {
        if chunk.first() == Some(&b'{') {
            Self { state: State::AfterComma, in_array: true, ..Self::new() }
        } else {
            Self::new()
        }
    }

    /// The last position in `bytes` at which a chunk may end. `bytes` follow those of the last call.
    pub fn last_cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let (mut at, mut cut) = (0, None);
        loop {
            at = self.skip_text(bytes, at);
            let Some(&byte) = bytes.get(at) else { return cut };
            let after_array = self.array_seen;
            match self.step(byte) {
                Step::ElementBegins | Step::NextElementBegins if self.in_array && byte == b'{' => cut = Some(at),
                Step::ArrayBegins if after_array => cut = Some(at),
                _ => {}
            }
            at += 1;
        }
    }

    /// Returns true inside an array, where a comma or a bracket ends an element.
    pub const fn in_array(&self) -> bool {
        self.in_array
    }

    /// Continues after an object that the fast path has read. The last step was its opening brace; the next byte is the
    /// one after its closing brace.
    pub const fn skip_object(&mut self) {
        self.state = State::Element;
        self.depth = 0;
    }

    /// The next position whose byte matters. Most bytes of a string do not.
    #[inline]
    pub fn skip_text(&self, bytes: &[u8], at: usize) -> usize {
        if self.state == State::InString { string_stop(bytes, at) } else { at }
    }

    /// Processes one byte.
    #[inline]
    pub fn step(&mut self, byte: u8) -> Step {
        let line_prefix = self.line_prefix;
        self.line_prefix = match byte {
            b'\n' | b'\r' => LinePrefix::Empty,
            b' ' | b'\t' if line_prefix != LinePrefix::Text => LinePrefix::Blanks,
            _ => LinePrefix::Text,
        };
        let space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.state {
            State::Element if byte == b'{' && line_prefix == LinePrefix::Empty => {
                self.begin_element(byte, Step::NextElementBegins)
            }
            State::Element => self.inside(byte),
            State::InString | State::InEscape if is_line_break(byte) => self.go_to(State::Torn, Step::Continue),
            State::InString if byte == b'"' => self.go_to(State::Element, Step::Continue),
            State::InString if byte == b'\\' => self.go_to(State::InEscape, Step::Continue),
            State::InEscape => self.go_to(State::InString, Step::Continue),
            State::Torn if byte == b'{' && line_prefix != LinePrefix::Text => {
                self.begin_element(byte, Step::NextElementBegins)
            }
            State::InString | State::Torn => Step::Continue,
            State::Outside | State::ArrayStart | State::AfterComma if space => Step::Continue,
            State::Outside if BOM.contains(&byte) => Step::Continue,
            State::Outside if byte == b'[' => {
                (self.in_array, self.array_seen) = (true, true);
                self.go_to(State::ArrayStart, Step::ArrayBegins)
            }
            State::ArrayStart if byte == b']' => self.end_array(Step::EmptyArrayEnds),
            State::AfterComma if byte == b']' => self.end_array(Step::LastElementMissing),
            State::ArrayStart | State::AfterComma if byte == b',' => {
                self.go_to(State::AfterComma, Step::ElementMissing)
            }
            State::Outside | State::ArrayStart | State::AfterComma => self.begin_element(byte, Step::ElementBegins),
        }
    }

    /// Processes a byte of an element, outside of strings.
    #[inline]
    fn inside(&mut self, byte: u8) -> Step {
        match byte {
            b'"' => return self.go_to(State::InString, Step::Continue),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => self.depth -= 1,
            b']' if self.in_array => return self.end_array(Step::ElementAndArrayEnd),
            b',' if self.in_array && self.depth == 0 => return self.go_to(State::AfterComma, Step::ElementEnds),
            _ if !self.in_array && self.depth == 0 && is_line_break(byte) => {
                return self.go_to(State::Outside, Step::ElementEnds);
            }
            _ => {}
        }
        Step::Continue
    }

    fn begin_element(&mut self, byte: u8, step: Step) -> Step {
        self.state = State::Element;
        self.depth = 0;
        self.inside(byte);
        step
    }

    fn end_array(&mut self, step: Step) -> Step {
        self.in_array = false;
        self.go_to(State::Outside, step)
    }

    const fn go_to(&mut self, state: State, step: Step) -> Step {
        self.state = state;
        step
    }
}
