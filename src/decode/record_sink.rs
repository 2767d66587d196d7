//! Turns records into rows and rejects, counts them, and emits them to the caller.
//!
//! The parsers find the records; this module only receives them. Invariant: each record is counted once, as exactly one
//! of row, filtered and quarantined.

use std::ops::Range;

use crate::decode::byte_search::count_newlines;
use crate::decode::chunk_counts::ChunkCounts;
use crate::decode::coercion::{Conversion, Fault, NumberTexts, RecordSchema};
use crate::decode::limits::Limits;
use crate::decode::reject_reason::Reason;
use crate::decode::strict::Object;
use crate::decode::text::Text;
use crate::decode::token::Members;
use crate::decode::{Decoded, Reject};

/// The output of one chunk: the counts, and the caller's function for rows and rejects.
pub struct RecordSink<'d, 'a, S: RecordSchema, F> {
    pub chunk: &'a [u8],
    pub limits: &'d Limits,
    pub counts: ChunkCounts,
    number_texts: &'d mut NumberTexts,
    emit: &'d mut F,
    /// The position up to which line feeds are counted.
    lines_counted_to: usize,
    schema: std::marker::PhantomData<S>,
}

impl<'d, 'a, S, F> RecordSink<'d, 'a, S, F>
where
    S: RecordSchema,
    F: for<'r> FnMut(Decoded<'r, S::Row<'r>>),
{
    pub fn new(chunk: &'a [u8], limits: &'d Limits, number_texts: &'d mut NumberTexts, emit: &'d mut F) -> Self {
        let schema = std::marker::PhantomData;
        Self { chunk, limits, counts: ChunkCounts::default(), number_texts, emit, lines_counted_to: 0, schema }
    }

    /// Counts the line feeds before `at`.
    #[inline]
    pub fn count_lines_to(&mut self, at: usize) {
        self.counts.newlines += count_newlines(self.chunk.get(self.lines_counted_to..at).unwrap_or_default());
        self.lines_counted_to = self.lines_counted_to.max(at);
    }

    /// Counts the line feed of a record on one line, which begins at `start`; `next` is the position after the line
    /// feed.
    #[inline]
    pub fn count_single_line(&mut self, start: usize, next: usize) {
        if self.lines_counted_to == start {
            self.counts.newlines += 1;
            self.lines_counted_to = next;
        }
    }

    /// Converts a well-formed object and emits the result.
    #[inline]
    pub fn convert_object(&mut self, members: &Members<'_>, span: Range<usize>) {
        self.number_texts.clear();
        self.counts.read += 1;
        match &S::convert(members, self.limits, self.number_texts) {
            Conversion::Row { row, coerced } => {
                self.counts.rows += 1;
                self.counts.coerced += u64::from(*coerced);
                (self.emit)(Decoded::Row(row));
            }
            Conversion::Filtered => self.counts.filtered += 1,
            Conversion::FilteredRow(row) => {
                self.counts.filtered += 1;
                (self.emit)(Decoded::Row(row));
            }
            Conversion::Fault(fault) => self.emit_reject(*fault, members, span),
        }
    }

    /// Converts an object that the strict parser has read, unless it is too long or one of its strings is not valid
    /// text.
    pub fn check_and_convert(&mut self, object: &Object<'_>, start: usize, unknown_keys: &[Range<usize>]) {
        let span = start..object.end;
        if span.len() > self.limits.max_record {
            return self.reject(Reason::LineTooLong, span);
        }
        if let Some(fault) = object.bad_string {
            self.counts.read += 1;
            return self.emit_reject(fault, &object.members, span);
        }
        let mut scratch = String::new();
        for key in unknown_keys {
            let key = self.chunk.get(key.clone()).and_then(|key| str::from_utf8(key).ok()).unwrap_or_default();
            let key = Text::from_json(key, key.contains('\\')).resolve(&mut scratch);
            self.counts.unknown_keys.add(key, 1);
        }
        let mut required = object.members.variants.iter().zip(&object.members.slots);
        let has_both = required.any(|(variant, exact)| variant.is_some() && !exact.is_absent());
        self.counts.case_variants += u64::from(has_both);
        self.convert_object(&object.members, span);
    }

    /// Rejects bytes that are not a complete object.
    #[cold]
    pub fn reject(&mut self, reason: Reason, span: Range<usize>) {
        self.counts.read += 1;
        let reason = if span.len() > self.limits.max_record { Reason::LineTooLong } else { reason };
        self.emit_reject(Fault { reason, slot: usize::MAX }, &Members::EMPTY, span);
    }

    #[cold]
    fn emit_reject(&mut self, fault: Fault, members: &Members<'_>, span: Range<usize>) {
        self.counts.quarantined += 1;
        let offset = span.start;
        let missing = fault.reason == Reason::MissingRequired;
        let variant = members.variants.get(fault.slot).copied().flatten().filter(|_| missing);
        self.count_lines_to(offset);
        let bytes = self.chunk.get(span).unwrap_or_default().trim_ascii_end();
        (self.emit)(Decoded::Reject(Reject {
            reason: fault.reason,
            key: S::KEYS.get(fault.slot).copied(),
            variant,
            offset: offset as u64,
            line: self.counts.newlines,
            bytes,
        }));
    }
}
