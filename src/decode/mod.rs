//! Decodes JSON bytes into records: song metadata, plays, and rejects with their reason and location.
//!
//! A record borrows from its chunk and goes to the caller's function as soon as it is decoded; no column is built here.
//! There are two parsers. `strict` decides every outcome. `fast_path` reads the records that look as they usually do,
//! and leaves all others to `strict`.
//!
//! Invariant: every record of a chunk is counted exactly once, as row, filtered or quarantined. The outcome of a record
//! does not depend on the order of its keys, on the records around it, or on where the file was cut (at the positions
//! that `framing` allows).
//!
//! If a record has several faults, the first in this order is reported: faults of the record as a whole (syntax, depth,
//! trailing bytes), then strings that are not valid text (UTF-8, control characters), then the page of an event (which
//! may also filter the event), then duplicate keys, then missing required keys, then values, in a fixed order of the
//! keys.

mod array_records;
mod array_splitter;
mod byte_search;
mod chunk_counts;
mod coercion;
mod decoded;
mod event;
mod fast_path;
pub(crate) mod framing;
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
use coercion::{NumberTexts, RecordSchema};
pub use decoded::{Decoded, Reject};
pub use event::Event;
use event::EventSchema;
use fast_path::FastPath;
pub use framing::{Cutter, Framing, cut, first_start, sniff};
pub use limits::Limits;
use record_sink::RecordSink;
pub use reject_reason::Reason;
pub use song::Song;
use song::SongSchema;
pub use text::Text;
use value_stream::ValueStream;

/// Decodes chunks. It reuses its buffers, and what it has learned about the order of the keys, for the next chunk; this
/// affects the speed only.
pub struct Decoder {
    limits: Limits,
    number_texts: NumberTexts,
    unknown_keys: Vec<Range<usize>>,
    events: FastPath<EventSchema>,
    songs: FastPath<SongSchema>,
}

impl Decoder {
    /// A decoder with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            number_texts: NumberTexts::default(),
            unknown_keys: Vec::new(),
            events: FastPath::new(),
            songs: FastPath::new(),
        }
    }

    /// A decoder without the fast path.
    #[cfg(test)]
    fn strict_only(limits: Limits) -> Self {
        Self { events: FastPath::disabled(), songs: FastPath::disabled(), ..Self::new(limits) }
    }

    /// Decodes a chunk of log events. `emit` gets the plays and the rejects. Events of other pages are only counted, unless
    /// the limits ask for them; then `emit` also gets those that can be read, and they count as filtered.
    pub fn events(
        &mut self,
        chunk: &[u8],
        framing: Framing,
        emit: &mut impl FnMut(Decoded<'_, Event<'_>>),
    ) -> ChunkCounts {
        let mut emit = |decoded: Decoded<'_, Event<'_>>| emit(decoded);
        let mut sink = RecordSink::new(chunk, &self.limits, &mut self.number_texts, &mut emit);
        decode(&mut sink, framing, &mut self.events, &mut self.unknown_keys)
    }

    /// Decodes a chunk of song metadata. `emit` gets the songs and the rejects.
    pub fn songs(
        &mut self,
        chunk: &[u8],
        framing: Framing,
        emit: &mut impl FnMut(Decoded<'_, Song<'_>>),
    ) -> ChunkCounts {
        let mut emit = |decoded: Decoded<'_, Song<'_>>| emit(decoded);
        let mut sink = RecordSink::new(chunk, &self.limits, &mut self.number_texts, &mut emit);
        decode(&mut sink, framing, &mut self.songs, &mut self.unknown_keys)
    }
}

fn decode<S, F>(
    sink: &mut RecordSink<'_, '_, S, F>,
    framing: Framing,
    fast: &mut FastPath<S>,
    unknown_keys: &mut Vec<Range<usize>>,
) -> ChunkCounts
where
    S: RecordSchema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    let end = sink.chunk.len();
    match framing {
        Framing::Values => ValueStream::new(sink, unknown_keys).run(fast),
        Framing::Array => array_records::decode_array(sink, fast, unknown_keys),
    }
    fast.flush_counts(sink);
    sink.count_lines_to(end);
    std::mem::take(&mut sink.counts)
}
