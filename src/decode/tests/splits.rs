//! Decoding a file in pieces gives the same records as decoding it as a whole.

use proptest::prelude::*;

use crate::decode::tests::generated_records::Choices;
use crate::decode::tests::{ChunkStart, DecodedChunk, Kind, decode, decode_at};
use crate::decode::{Cutter, Decoder, Framing, Limits, cut, first_start};

/// Decodes the pieces between these positions and merges the results.
pub fn in_pieces(kind: Kind, file: &[u8], framing: Framing, cuts: &[usize]) -> DecodedChunk {
    let mut decoder = Decoder::new(Limits::default());
    let mut whole = DecodedChunk::default();
    let mut start = 0;
    for &end in cuts.iter().chain([&file.len()]) {
        let position = ChunkStart { offset: start as u64, line: whole.counts.newlines };
        let piece = decode_at(&mut decoder, kind, &file[start..end], framing, position);
        whole.records.extend(piece.records);
        whole.counts.merge(&piece.counts);
        start = end;
    }
    whole
}

/// The cuts of a reader with buffers of this size.
pub fn streamed(file: &[u8], framing: Framing, size: usize) -> Vec<usize> {
    let mut cutter = Cutter::new(framing);
    let buffers = file.chunks(size).enumerate();
    buffers.filter_map(|(number, buffer)| cutter.feed(buffer).map(|at| number * size + at)).collect()
}

/// The cuts of independent readers with ranges of this size.
pub fn ranged(file: &[u8], size: usize) -> Vec<usize> {
    let starts = (size..file.len()).step_by(size);
    let mut cuts: Vec<usize> =
        starts.filter_map(|start| first_start(&file[start - 1..]).map(|at| start - 1 + at)).collect();
    cuts.dedup();
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_give_the_records_of_the_whole_file(
        stream in proptest::collection::vec(any::<u16>(), 0..1200),
        size in 1..2000usize,
        songs in any::<bool>(),
    ) {
        let kind = if songs { Kind::Songs } else { Kind::Events };
        let file = Choices::new(&stream).file(kind);
        for framing in [Framing::Values, Framing::Array] {
            // Only files that begin with a bracket have this framing.
            if framing == Framing::Array && !file.starts_with(b"[") {
                continue;
            }
            let whole = decode(kind, &file, framing);
            for size in [size, 1, 7] {
                let cuts = streamed(&file, framing, size);
                prop_assert_eq!(&in_pieces(kind, &file, framing, &cuts), &whole, "streamed by {}: {:?}", size, cuts);
            }
        }
        let whole = decode(kind, &file, Framing::Values);
        for size in [size, 40] {
            let cuts = ranged(&file, size);
            prop_assert_eq!(&in_pieces(kind, &file, Framing::Values, &cuts), &whole, "ranges of {}: {:?}", size, cuts);
        }
    }
}

#[test]
fn a_pretty_printed_object_is_not_torn() {
    let file = b"{\n  \"a\": [\n    {\n      \"b\": 1\n    }\n  ]\n}\n{\n  \"a\": 2\n}\n";
    let second = 42;
    assert_eq!(&file[second - 2..=second], b"}\n{");
    assert_eq!(cut(file), Some(second));
    assert_eq!(cut(&file[..second]), None, "the byte after the line break is not known");
    assert_eq!(first_start(file), Some(second));
    assert_eq!(first_start(&file[second - 1..]), Some(1), "a record that begins at the start of the range");
    assert_eq!(first_start(&file[second..]), None, "the reader of this range does not have the previous byte");
}

#[test]
fn chunks_can_end_after_carriage_returns() {
    assert_eq!(cut(b"{}\r{}\r{}"), Some(6));
    assert_eq!(first_start(b"{}\r{}\r{}"), Some(3));
    assert_eq!(cut(b"{}\r\n{}"), Some(4));
    assert_eq!(cut(b"{\"a\": \"{[\"}"), None);
    assert_eq!(cut(b""), None);
}

#[test]
fn arrays_are_cut_before_objects_only() {
    let file = br#"[{"a":"},{"}, {"a":[{},{}]},1,[2],{"a":3} ]"#;
    let objects: Vec<usize> = (1..file.len())
        .filter(|&end| {
            let mut cutter = Cutter::new(Framing::Array);
            cutter.feed(&file[..end]);
            cutter.feed(&file[end..=end]) == Some(0)
        })
        .collect();
    assert_eq!(objects, [1, 14, 34]);
}
