//! Bytes to typed, located records: song metadata and plays, and what is wrong with the rest.
//!
//! Not a JSON library, and it builds no columns: rows borrow from the chunk and go to a sink one by one. There
//! are two layers. `careful` is the source of truth for every outcome. `fast` reads the records that are as they
//! always are, and gives up without a trace on all others. Invariants: every record of a chunk reaches the tally
//! exactly once, as row, filtered or quarantined; the outcome of a record does not depend on the order of its
//! keys, on its neighbours, or on where the file was cut (at the places that `framing` allows).
//!
//! Of several faults in one record the first in this order is reported: what breaks the record itself (syntax,
//! depth, trailing bytes), then strings that are no text (UTF-8, control characters), then the page of an event,
//! which may also filter it, then keys that came twice, then what is required, then values, in a fixed order of
//! the keys.

mod array_records;
mod array_splitter;
mod byte_search;
mod chunk_counts;
mod coercion;
mod decoded;
mod event;
mod fast_path;
pub mod framing;
mod key_names;
mod key_prediction;
mod limits;
mod number;
mod record_sink;
mod reject_reason;
mod song;
mod strict;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod value_stream;

use std::ops::Range;

pub use chunk_counts::{ChunkCounts, UnknownKeys};
use coercion::{Schema, Spill};
pub use decoded::{Decoded, Reject};
pub use event::Event;
use event::Events;
use fast_path::FastPath;
pub use framing::{Cutter, Framing, cut, first_start, sniff};
pub use limits::Limits;
use record_sink::RecordSink;
pub use reject_reason::Reason;
pub use song::Song;
use song::Songs;
pub use text::Text;
use value_stream::ValueStream;

/// Decodes chunks. Keeps its scratch space from one chunk to the next, and what it has learned about the order of
/// the keys; neither shows in any outcome.
pub struct Decoder {
    limits: Limits,
    spill: Spill,
    unknown: Vec<Range<usize>>,
    events: FastPath<Events>,
    songs: FastPath<Songs>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, spill: Spill::default(), unknown: Vec::new(), events: FastPath::new(), songs: FastPath::new() }
    }

    /// A decoder without the fast path.
    #[cfg(test)]
    fn careful(limits: Limits) -> Self {
        Self { events: FastPath::giving_up(), songs: FastPath::giving_up(), ..Self::new(limits) }
    }

    /// Decodes a chunk of log events. Plays reach the sink as rows, events of other pages are filtered.
    pub fn events(
        &mut self,
        chunk: &[u8],
        framing: Framing,
        sink: &mut impl FnMut(Decoded<'_, Event<'_>>),
    ) -> ChunkCounts {
        let mut sink = |decoded: Decoded<'_, Event<'_>>| sink(decoded);
        let mut out = RecordSink::new(chunk, &self.limits, &mut self.spill, &mut sink);
        decode(&mut out, framing, &mut self.events, &mut self.unknown)
    }

    /// Decodes a chunk of song metadata.
    pub fn songs(
        &mut self,
        chunk: &[u8],
        framing: Framing,
        sink: &mut impl FnMut(Decoded<'_, Song<'_>>),
    ) -> ChunkCounts {
        let mut sink = |decoded: Decoded<'_, Song<'_>>| sink(decoded);
        let mut out = RecordSink::new(chunk, &self.limits, &mut self.spill, &mut sink);
        decode(&mut out, framing, &mut self.songs, &mut self.unknown)
    }
}

fn decode<S, F>(
    out: &mut RecordSink<'_, '_, S, F>,
    framing: Framing,
    fast: &mut FastPath<S>,
    unknown: &mut Vec<Range<usize>>,
) -> ChunkCounts
where
    S: Schema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    let end = out.chunk.len();
    match framing {
        Framing::Values => ValueStream::new(out, unknown).run(fast),
        Framing::Array => array_records::array(out, fast, unknown),
    }
    fast.finish(out);
    out.count_lines(end);
    std::mem::take(&mut out.tally)
}
