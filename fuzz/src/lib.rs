//! The check of the decoder, which the targets for songs and for events share.

use sparkify_lake::decode::{Cutter, Decoded, Decoder, Framing, Limits, sniff};

/// The kind of records in a file.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Songs,
    Events,
}

/// The rows and rejects of a file in text, and its counts.
#[derive(Debug, PartialEq)]
struct Outcome {
    records: Vec<String>,
    read: u64,
    rows: u64,
    filtered: u64,
    quarantined: u64,
    newlines: u64,
}

/// Decodes a file in several ways and asserts that all of them have the same outcome: with a new decoder, with a
/// decoder that knows the order of the keys, and in pieces. The last byte decides the size of the pieces.
pub fn check_decoding(kind: Kind, file: &[u8]) {
    let Ok(framing) = sniff(file) else { return };
    let mut decoder = Decoder::new(Limits::default());
    let whole = decode(&mut decoder, kind, file, framing, (0, 0));
    assert_eq!(decode(&mut decoder, kind, file, framing, (0, 0)), whole, "with a decoder that was used before");

    let size = usize::from(file.last().copied().unwrap_or_default()) + 1;
    assert_eq!(decode_in_pieces(kind, file, framing, size), whole, "in pieces of {size} bytes");

    let narrow = Limits { max_record: 300, max_depth: 3, max_keys: 12, max_string: 20, ..Limits::default() };
    let mut decoder = Decoder::new(narrow.clone());
    let whole = decode(&mut decoder, kind, file, framing, (0, 0));
    assert_eq!(decode(&mut decoder, kind, file, framing, (0, 0)), whole, "with narrow limits, used before");
    assert_eq!(decode(&mut Decoder::new(narrow), kind, file, framing, (0, 0)), whole, "with narrow limits");
}

/// Decodes the pieces that a reader with buffers of this size returns.
fn decode_in_pieces(kind: Kind, file: &[u8], framing: Framing, size: usize) -> Outcome {
    let mut decoder = Decoder::new(Limits::default());
    let mut cutter = Cutter::new(framing);
    let buffers = file.chunks(size).enumerate();
    let mut ends: Vec<usize> =
        buffers.filter_map(|(number, buffer)| cutter.feed(buffer).map(|at| number * size + at)).collect();
    ends.push(file.len());
    let mut whole = Outcome { records: Vec::new(), read: 0, rows: 0, filtered: 0, quarantined: 0, newlines: 0 };
    let mut start = 0;
    for end in ends {
        let piece = decode(&mut decoder, kind, &file[start..end], framing, (start as u64, whole.newlines));
        whole.records.extend(piece.records);
        whole.read += piece.read;
        whole.rows += piece.rows;
        whole.filtered += piece.filtered;
        whole.quarantined += piece.quarantined;
        whole.newlines += piece.newlines;
        start = end;
    }
    whole
}

/// Decodes a chunk; `base` has the bytes and the lines before it.
fn decode(decoder: &mut Decoder, kind: Kind, chunk: &[u8], framing: Framing, base: (u64, u64)) -> Outcome {
    let mut records = Vec::new();
    let counts = match kind {
        Kind::Songs => decoder.songs(chunk, framing, &mut |decoded| records.push(describe(&decoded, chunk, base))),
        Kind::Events => decoder.events(chunk, framing, &mut |decoded| records.push(describe(&decoded, chunk, base))),
    };
    assert_eq!(counts.read, counts.rows + counts.filtered + counts.quarantined);
    assert_eq!(counts.rows + counts.quarantined, records.len() as u64);
    assert_eq!(counts.newlines, chunk.iter().filter(|byte| **byte == b'\n').count() as u64);
    Outcome {
        records,
        read: counts.read,
        rows: counts.rows,
        filtered: counts.filtered,
        quarantined: counts.quarantined,
        newlines: counts.newlines,
    }
}

/// Everything about a row or a reject in text. A reject must have its bytes at its offset.
fn describe<T: std::fmt::Debug>(decoded: &Decoded<'_, T>, chunk: &[u8], base: (u64, u64)) -> String {
    match decoded {
        Decoded::Row(row) => format!("{row:?}"),
        Decoded::Reject(reject) => {
            let offset = usize::try_from(reject.offset).expect("an offset in the chunk");
            assert!(chunk[offset..].starts_with(reject.bytes), "the bytes of a reject are not at its offset");
            let bytes = reject.bytes.escape_ascii();
            format!("{reject} at {} line {}: {bytes}", base.0 + reject.offset, base.1 + reject.line)
        }
    }
}
