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

mod array;
mod careful;
mod delivery;
mod elements;
mod event;
mod fast;
mod fields;
pub mod framing;
mod glue;
mod limits;
mod names;
mod number;
mod reason;
mod scan;
mod song;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod values;

use std::ops::Range;

pub use event::Event;
pub use framing::{Cutter, Framing, cut, first_start, sniff};
pub use limits::Limits;
pub use reason::Reason;
pub use song::Song;
pub use tally::{Tally, UnknownKeys};
pub use text::Text;

use delivery::Delivery;
use event::Events;
use fast::Fast;
use fields::{Schema, Spill};
use song::Songs;
use values::Values;

/// What became of one record that is not filtered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decoded<'r, T> {
    /// A row.
    Row(T),
    /// Turned away.
    Reject(Reject<'r>),
}

/// A record that was turned away, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject<'r> {
    /// Why.
    pub reason: Reason,
    /// The key at fault, if it is one that tables use.
    pub key: Option<&'r str>,
    /// For a missing key: the same key in another case, which the record does have.
    pub variant: Option<&'r str>,
    /// Bytes from the start of the chunk.
    pub offset: u64,
    /// Line feeds between the start of the chunk and the record.
    pub line: u64,
    /// The record as it stands in the input, without white space at its end.
    pub bytes: &'r [u8],
}

/// The code with its key, and the variant if there is one: `missing_required:ts (found "TS")`.
impl std::fmt::Display for Reject<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.reason)?;
        if let Some(key) = self.key {
            write!(formatter, ":{key}")?;
        }
        if let Some(variant) = self.variant {
            write!(formatter, " (found {variant:?})")?;
        }
        Ok(())
    }
}

/// Decodes chunks. Keeps its scratch space from one chunk to the next, and what it has learned about the order of
/// the keys; neither shows in any outcome.
pub struct Decoder {
    limits: Limits,
    spill: Spill,
    unknown: Vec<Range<usize>>,
    events: Fast<Events>,
    songs: Fast<Songs>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, spill: Spill::default(), unknown: Vec::new(), events: Fast::new(), songs: Fast::new() }
    }

    /// A decoder without the fast path.
    #[cfg(test)]
    fn careful(limits: Limits) -> Self {
        Self { events: Fast::giving_up(), songs: Fast::giving_up(), ..Self::new(limits) }
    }

    /// Decodes a chunk of log events. Plays reach the sink as rows, events of other pages are filtered.
    pub fn events(&mut self, chunk: &[u8], framing: Framing, sink: &mut impl FnMut(Decoded<'_, Event<'_>>)) -> Tally {
        let mut sink = |decoded: Decoded<'_, Event<'_>>| sink(decoded);
        let mut out = Delivery::new(chunk, &self.limits, &mut self.spill, &mut sink);
        decode(&mut out, framing, &mut self.events, &mut self.unknown)
    }

    /// Decodes a chunk of song metadata.
    pub fn songs(&mut self, chunk: &[u8], framing: Framing, sink: &mut impl FnMut(Decoded<'_, Song<'_>>)) -> Tally {
        let mut sink = |decoded: Decoded<'_, Song<'_>>| sink(decoded);
        let mut out = Delivery::new(chunk, &self.limits, &mut self.spill, &mut sink);
        decode(&mut out, framing, &mut self.songs, &mut self.unknown)
    }
}

fn decode<S, F>(
    out: &mut Delivery<'_, '_, S, F>,
    framing: Framing,
    fast: &mut Fast<S>,
    unknown: &mut Vec<Range<usize>>,
) -> Tally
where
    S: Schema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    let end = out.chunk.len();
    match framing {
        Framing::Values => Values::new(out, unknown).run(fast),
        Framing::Array => array::array(out, fast, unknown),
    }
    fast.finish(out);
    out.count_lines(end);
    std::mem::take(&mut out.tally)
}
