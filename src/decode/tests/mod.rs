//! Tests of the decoder as a whole. Its modules have their own tests. No test reads a file.

mod agreement;
mod bad_input;
mod damaged_files;
mod generated_records;
mod grammar;
mod rows;
mod splits;

use crate::decode::{ChunkCounts, Decoded, Decoder, Framing, Limits};

/// The result of decoding a chunk: the full text of each row and reject, and the counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DecodedChunk {
    records: Vec<String>,
    counts: ChunkCounts,
}

/// The schema of a test's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Events,
    Songs,
}

/// The position of a chunk in its file.
#[derive(Clone, Copy, Debug, Default)]
struct ChunkStart {
    offset: u64,
    line: u64,
}

/// The full text of a row, or of a reject with its position in the file.
fn describe<T: std::fmt::Debug>(decoded: &Decoded<'_, T>, start: ChunkStart) -> String {
    match decoded {
        Decoded::Row(row) => format!("{row:?}"),
        Decoded::Reject(reject) => format!(
            "{reject} at {} line {}: {}",
            start.offset + reject.offset,
            start.line + reject.line,
            reject.bytes.escape_ascii()
        ),
    }
}

/// Limits that generated records often exceed.
fn narrow_limits() -> Limits {
    Limits { max_record: 450, max_depth: 3, max_keys: 18, max_string: 30, ..Limits::default() }
}

fn decode_at(decoder: &mut Decoder, kind: Kind, chunk: &[u8], framing: Framing, start: ChunkStart) -> DecodedChunk {
    let mut records = Vec::new();
    let counts = match kind {
        Kind::Events => decoder.events(chunk, framing, &mut |decoded| records.push(describe(&decoded, start))),
        Kind::Songs => decoder.songs(chunk, framing, &mut |decoded| records.push(describe(&decoded, start))),
    };
    assert_eq!(counts.read, counts.rows + counts.filtered + counts.quarantined);
    assert_eq!(counts.rows + counts.quarantined, records.len() as u64);
    assert_eq!(counts.newlines, chunk.split(|&byte| byte == b'\n').count() as u64 - 1);
    DecodedChunk { records, counts }
}

fn decode(kind: Kind, chunk: &[u8], framing: Framing) -> DecodedChunk {
    decode_at(&mut Decoder::new(Limits::default()), kind, chunk, framing, ChunkStart::default())
}

/// The outcomes in short (`row`, or the reason code and the key), and the number of filtered records.
fn codes(kind: Kind, chunk: &[u8], framing: Framing) -> (Vec<String>, u64) {
    fn code<T>(decoded: &Decoded<'_, T>) -> String {
        match decoded {
            Decoded::Row(_) => "row".to_owned(),
            Decoded::Reject(reject) => reject.to_string(),
        }
    }
    let mut decoder = Decoder::new(Limits::default());
    let mut codes = Vec::new();
    let counts = match kind {
        Kind::Events => decoder.events(chunk, framing, &mut |decoded| codes.push(code(&decoded))),
        Kind::Songs => decoder.songs(chunk, framing, &mut |decoded| codes.push(code(&decoded))),
    };
    (codes, counts.filtered)
}
