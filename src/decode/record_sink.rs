//! Handing records over: rows and rejects to the sink, everything to the tally.
//!
//! Not a parser: it is told where records are. Invariant: each record is counted once, and as exactly one of row,
//! filtered and quarantined.

use std::ops::Range;

use crate::decode::byte_search::newlines;
use crate::decode::chunk_counts::ChunkCounts;
use crate::decode::coercion::{Fault, Schema, Spill, Verdict};
use crate::decode::limits::Limits;
use crate::decode::reject_reason::Reason;
use crate::decode::strict::Object;
use crate::decode::text::Text;
use crate::decode::token::Members;
use crate::decode::{Decoded, Reject};

/// The way out of one chunk.
pub struct RecordSink<'d, 'a, S: Schema, F> {
    pub chunk: &'a [u8],
    pub limits: &'d Limits,
    pub tally: ChunkCounts,
    spill: &'d mut Spill,
    sink: &'d mut F,
    /// Line feeds are counted up to here.
    counted: usize,
    schema: std::marker::PhantomData<S>,
}

impl<'d, 'a, S, F> RecordSink<'d, 'a, S, F>
where
    S: Schema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    pub fn new(chunk: &'a [u8], limits: &'d Limits, spill: &'d mut Spill, sink: &'d mut F) -> Self {
        let schema = std::marker::PhantomData;
        Self { chunk, limits, tally: ChunkCounts::default(), spill, sink, counted: 0, schema }
    }

    /// Counts the line feeds in front of `at`.
    #[inline]
    pub fn count_lines(&mut self, at: usize) {
        self.tally.newlines += newlines(self.chunk.get(self.counted..at).unwrap_or_default());
        self.counted = self.counted.max(at);
    }

    /// Notes that `at` is behind a record without line feeds and the one that ends it.
    #[inline]
    pub fn count_line(&mut self, start: usize, at: usize) {
        if self.counted == start {
            self.tally.newlines += 1;
            self.counted = at;
        }
    }

    /// Judges a well-formed object and hands over what it became.
    #[inline]
    pub fn object(&mut self, members: &Members<'_>, place: Range<usize>) {
        self.spill.clear();
        self.tally.read += 1;
        match S::judge(members, self.limits, self.spill) {
            Verdict::Row(row, coerced) => {
                self.tally.rows += 1;
                self.tally.coerced += u64::from(coerced);
                (self.sink)(Decoded::Row(row));
            }
            Verdict::Filtered => self.tally.filtered += 1,
            Verdict::Fault(fault) => self.hand_over(fault, members, place),
        }
    }

    /// What the careful parser found complete: still a reject if a string in it is no text, or if it is too long.
    pub fn complete(&mut self, object: &Object<'_>, start: usize, unknown: &[Range<usize>]) {
        let place = start..object.end;
        if place.len() > self.limits.max_record {
            return self.reject(Reason::LineTooLong, place);
        }
        if let Some((reason, slot)) = object.spoiled {
            self.tally.read += 1;
            return self.hand_over(Fault { reason, slot }, &object.members, place);
        }
        let mut name = String::new();
        for key in unknown {
            let key = self.chunk.get(key.clone()).and_then(|key| str::from_utf8(key).ok()).unwrap_or_default();
            let key = Text::from_json(key, key.contains('\\')).resolve(&mut name);
            self.tally.unknown_keys.add(key, 1);
        }
        let beside = object.members.variants.iter().zip(&object.members.slots);
        self.tally.case_variants +=
            u64::from(beside.into_iter().any(|(variant, exact)| variant.is_some() && !exact.is_absent()));
        self.object(&object.members, place);
    }

    /// Hands over what is no object, or not a whole one.
    #[cold]
    pub fn reject(&mut self, reason: Reason, place: Range<usize>) {
        self.tally.read += 1;
        let reason = if place.len() > self.limits.max_record { Reason::LineTooLong } else { reason };
        self.hand_over(Fault { reason, slot: usize::MAX }, &Members::EMPTY, place);
    }

    #[cold]
    fn hand_over(&mut self, fault: Fault, members: &Members<'_>, place: Range<usize>) {
        self.tally.quarantined += 1;
        let offset = place.start;
        let missing = fault.reason == Reason::MissingRequired;
        let variant = members.variants.get(fault.slot).copied().flatten().filter(|_| missing);
        self.count_lines(offset);
        let bytes = self.chunk.get(place).unwrap_or_default().trim_ascii_end();
        (self.sink)(Decoded::Reject(Reject {
            reason: fault.reason,
            key: S::KEYS.get(fault.slot).copied(),
            variant,
            offset: offset as u64,
            line: self.tally.newlines,
            bytes,
        }));
    }
}
