//! Records as the elements of one array that is the whole file.
//!
//! Not a grammar, nor a finder of elements: `elements` says where one begins and ends, `careful` what it is.
//! Invariant: an element is judged by its own bytes alone, so its neighbours cannot change its outcome.

use std::ops::Range;

use crate::decode::Decoded;
use crate::decode::array_splitter::{ArraySplitter, Step};
use crate::decode::byte_search::BOM;
use crate::decode::byte_search::{is_break, space_end};
use crate::decode::coercion::Schema;
use crate::decode::fast_path::{Checked, FastPath};
use crate::decode::record_sink::RecordSink;
use crate::decode::reject_reason::Reason;
use crate::decode::strict::{Stop, is_value, nested_end, object};

/// Decodes a chunk of an array, element by element.
pub fn array<S, F>(out: &mut RecordSink<'_, '_, S, F>, fast: &mut FastPath<S>, unknown: &mut Vec<Range<usize>>)
where
    S: Schema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    let chunk = out.chunk;
    let mut elements = ArraySplitter::at_chunk(chunk);
    // Where the element begins that is being followed; none if it is handed over already.
    let mut start = None;
    let mut at = 0;
    let mut checked = Checked::new(chunk);
    loop {
        at = elements.skip_text(chunk, at);
        let Some(&byte) = chunk.get(at) else { break };
        let step = elements.step(byte);
        if let Step::Ends | Step::Closes | Step::Follows = step
            && let Some(start) = start.take()
        {
            element(out, unknown, start..at, false);
        }
        match step {
            Step::Opens => out.tally.arrays += 1,
            Step::Closes | Step::ClosesEmpty => out.tally.arrays_closed += 1,
            Step::Lacks => out.reject(Reason::Syntax, at..at),
            Step::ClosesLacking => {
                out.reject(Reason::Syntax, at..at);
                out.tally.arrays_closed += 1;
            }
            Step::Begins | Step::Follows => {
                checked.advance(chunk, at);
                if byte == b'{'
                    && elements.enclosed()
                    && let Some(terminator) = fast.element(out, checked, at)
                {
                    elements.object_read();
                    at = terminator;
                    continue;
                }
                start = Some(at);
            }
            Step::Goes if byte == BOM[0] && start.is_none() => {
                out.tally.bom += u64::from(chunk.get(at..).is_some_and(|rest| rest.starts_with(&BOM)));
            }
            Step::Goes | Step::Ends => {}
        }
        at += 1;
    }
    // A chunk may end behind a comma or a line break; anywhere else, the rest is missing.
    let line_ended = chunk.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t')).copied().is_none_or(is_break);
    if let Some(start) = start {
        let finished = element(out, unknown, start..chunk.len(), !line_ended);
        if finished && !line_ended && elements.enclosed() {
            out.reject(Reason::TruncatedTail, chunk.len()..chunk.len());
        }
    }
}

/// Judges one element, and tells whether it is finished. `torn`: the input ends here, in the middle of a line.
fn element<S, F>(
    out: &mut RecordSink<'_, '_, S, F>,
    unknown: &mut Vec<Range<usize>>,
    place: Range<usize>,
    torn: bool,
) -> bool
where
    S: Schema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    let bytes = out.chunk.get(..place.end).unwrap_or_default();
    let (start, end) = (place.start, place.end);
    let (reason, at) = match bytes.get(start) {
        Some(b'{') => match object::<S>(bytes, start, out.limits, unknown) {
            Ok(object) if space_end(bytes, object.end) == end => {
                out.complete(&object, start, unknown);
                return true;
            }
            Ok(object) => (Reason::TrailingBytes, Stop::At(object.end)),
            Err(stop) => (stop.reason(), stop),
        },
        _ if is_value(bytes, start, out.limits) => (Reason::NotAnObject, Stop::At(start)),
        _ => match nested_end(bytes, start, out.limits) {
            Ok(value_end) => (Reason::Syntax, Stop::At(value_end)),
            Err(stop) => (stop.reason(), stop),
        },
    };
    let unfinished = at == Stop::At(end);
    out.reject(if unfinished && torn { Reason::TruncatedTail } else { reason }, place);
    !unfinished
}
