//! Tests of the decoder as a whole; tests of its parts stand beside them.
//!
//! Not tests of the tables. Invariant: no test reads a file.

mod agreement;
mod bad_input;
mod fuzz;
mod grammar;
mod records;
mod rows;
mod splits;

use crate::decode::{ChunkCounts, Decoded, Decoder, Framing, Limits};

/// What a chunk came to: each row and reject with everything in it, and the tally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    records: Vec<String>,
    tally: ChunkCounts,
}

/// Which schema a test decodes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Events,
    Songs,
}

/// Writes down everything about a row, or about a reject, whose place is counted from `base` (bytes and lines).
fn write_down<T: std::fmt::Debug>(decoded: &Decoded<'_, T>, base: (u64, u64)) -> String {
    match decoded {
        Decoded::Row(row) => format!("{row:?}"),
        Decoded::Reject(reject) => format!(
            "{reject} at {} line {}: {}",
            base.0 + reject.offset,
            base.1 + reject.line,
            reject.bytes.escape_ascii()
        ),
    }
}

fn decode_at(decoder: &mut Decoder, kind: Kind, chunk: &[u8], framing: Framing, base: (u64, u64)) -> Outcome {
    let mut records = Vec::new();
    let tally = match kind {
        Kind::Events => decoder.events(chunk, framing, &mut |decoded| records.push(write_down(&decoded, base))),
        Kind::Songs => decoder.songs(chunk, framing, &mut |decoded| records.push(write_down(&decoded, base))),
    };
    assert_eq!(tally.read, tally.rows + tally.filtered + tally.quarantined);
    assert_eq!(tally.rows + tally.quarantined, records.len() as u64);
    assert_eq!(tally.newlines, chunk.split(|&byte| byte == b'\n').count() as u64 - 1);
    Outcome { records, tally }
}

fn decode(kind: Kind, chunk: &[u8], framing: Framing) -> Outcome {
    decode_at(&mut Decoder::new(Limits::default()), kind, chunk, framing, (0, 0))
}

/// The outcomes in short: `row`, or the reject's code and key; and how many records were filtered.
fn codes(kind: Kind, chunk: &[u8], framing: Framing) -> (Vec<String>, u64) {
    fn code<T>(decoded: &Decoded<'_, T>) -> String {
        match decoded {
            Decoded::Row(_) => "row".to_owned(),
            Decoded::Reject(reject) => reject.to_string(),
        }
    }
    let mut decoder = Decoder::new(Limits::default());
    let mut codes = Vec::new();
    let tally = match kind {
        Kind::Events => decoder.events(chunk, framing, &mut |decoded| codes.push(code(&decoded))),
        Kind::Songs => decoder.songs(chunk, framing, &mut |decoded| codes.push(code(&decoded))),
    };
    (codes, tally.filtered)
}
