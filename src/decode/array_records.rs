//! Decodes a file that is one array whose elements are the records.
//!
//! `array_splitter` finds where an element begins and ends, and `strict` parses it. Invariant: the outcome of an
//! element depends on its own bytes only, not on the elements around it.

use std::ops::Range;

use crate::decode::Decoded;
use crate::decode::array_splitter::{ArraySplitter, Step};
use crate::decode::byte_search::{BOM, is_line_break, space_end};
use crate::decode::coercion::RecordSchema;
use crate::decode::fast_path::{FastPath, ValidUtf8};
use crate::decode::record_sink::RecordSink;
use crate::decode::reject_reason::Reason;
use crate::decode::strict::{is_value, nested_end, parse_object};

/// Decodes a chunk of an array, element by element.
pub fn decode_array<S, F>(
    sink: &mut RecordSink<'_, '_, S, F>,
    fast: &mut FastPath<S>,
    unknown_keys: &mut Vec<Range<usize>>,
) where
    S: RecordSchema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    let chunk = sink.chunk;
    let mut splitter = ArraySplitter::for_chunk(chunk);
    // The start of the current element; none between elements and after the fast path has read one.
    let mut start = None;
    let mut at = 0;
    let mut utf8 = ValidUtf8::new(chunk);
    loop {
        at = splitter.skip_text(chunk, at);
        let Some(&byte) = chunk.get(at) else { break };
        let step = splitter.step(byte);
        if let Step::ElementEnds | Step::ElementAndArrayEnd | Step::NextElementBegins = step
            && let Some(start) = start.take()
        {
            decode_element(sink, unknown_keys, start..at, false);
        }
        match step {
            Step::ArrayBegins => sink.counts.arrays += 1,
            Step::ElementAndArrayEnd | Step::EmptyArrayEnds => sink.counts.arrays_closed += 1,
            Step::ElementMissing => sink.reject(Reason::Syntax, at..at),
            Step::LastElementMissing => {
                sink.reject(Reason::Syntax, at..at);
                sink.counts.arrays_closed += 1;
            }
            Step::ElementBegins | Step::NextElementBegins => {
                utf8.advance(chunk, at);
                if byte == b'{'
                    && splitter.in_array()
                    && let Some(terminator) = fast.read_element(sink, utf8, at)
                {
                    splitter.skip_object();
                    at = terminator;
                    continue;
                }
                start = Some(at);
            }
            Step::Continue if byte == BOM[0] && start.is_none() => {
                sink.counts.bom += u64::from(chunk.get(at..).is_some_and(|rest| rest.starts_with(&BOM)));
            }
            Step::Continue | Step::ElementEnds => {}
        }
        at += 1;
    }
    // A chunk may end after a comma or a line break. If it ends anywhere else, the rest of the file is missing.
    let line_ended = chunk.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t')).copied().is_none_or(is_line_break);
    if let Some(start) = start {
        let finished = decode_element(sink, unknown_keys, start..chunk.len(), !line_ended);
        if finished && !line_ended && splitter.in_array() {
            sink.reject(Reason::TruncatedTail, chunk.len()..chunk.len());
        }
    }
}

/// Decodes one element, and returns true if the element is finished. `torn`: the input ends here, in the middle of a
/// line.
fn decode_element<S, F>(
    sink: &mut RecordSink<'_, '_, S, F>,
    unknown_keys: &mut Vec<Range<usize>>,
    span: Range<usize>,
    torn: bool,
) -> bool
where
    S: RecordSchema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    let bytes = sink.chunk.get(..span.end).unwrap_or_default();
    let (start, end) = (span.start, span.end);
    // The reason for the reject, and where its syntax ends or breaks.
    let (reason, stopped_at) = match bytes.get(start) {
        Some(b'{') => match parse_object::<S>(bytes, start, sink.limits, unknown_keys) {
            Ok(object) if space_end(bytes, object.end) == end => {
                sink.check_and_convert(&object, start, unknown_keys);
                return true;
            }
            Ok(object) => (Reason::TrailingBytes, Some(object.end)),
            Err(error) => (error.reason(), error.syntax_position()),
        },
        _ if is_value(bytes, start, sink.limits) => (Reason::NotAnObject, Some(start)),
        _ => match nested_end(bytes, start, sink.limits) {
            Ok(value_end) => (Reason::Syntax, Some(value_end)),
            Err(error) => (error.reason(), error.syntax_position()),
        },
    };
    let unfinished = stopped_at == Some(end);
    sink.reject(if unfinished && torn { Reason::TruncatedTail } else { reason }, span);
    !unfinished
}
