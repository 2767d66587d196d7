//! The fast path and the strict parser give the same result for any input.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::decode::tests::generated_records::Choices;
use crate::decode::tests::{ChunkStart, DecodedChunk, Kind, decode_at, narrow_limits};
use crate::decode::{ChunkCounts, Decoded, Decoder, Framing, Limits};

fn decode_file(decoder: &mut Decoder, kind: Kind, file: &[u8], framing: Framing) -> DecodedChunk {
    decode_at(decoder, kind, file, framing, ChunkStart::default())
}

/// Decodes without the fast path, and twice with it: the second time, it knows the order of the keys.
pub fn agree(kind: Kind, file: &[u8], framing: Framing, limits: &Limits) -> Result<(), TestCaseError> {
    let strict = decode_file(&mut Decoder::strict_only(limits.clone()), kind, file, framing);
    let mut decoder = Decoder::new(limits.clone());
    for _ in 0..2 {
        let fast = decode_file(&mut decoder, kind, file, framing);
        let differing = fast.records.iter().zip(&strict.records).find(|(fast, strict)| fast != strict);
        prop_assert_eq!(differing, None, "in {}", file.escape_ascii());
        prop_assert_eq!(&fast.counts, &strict.counts, "in {}", file.escape_ascii());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_parsers_agree(stream in proptest::collection::vec(any::<u16>(), 0..1200), songs in any::<bool>()) {
        let kind = if songs { Kind::Songs } else { Kind::Events };
        let file = Choices::new(&stream).file(kind);
        for framing in [Framing::Values, Framing::Array] {
            agree(kind, &file, framing, &Limits::default())?;
            agree(kind, &file, framing, &narrow_limits())?;
        }
    }

    /// The outcome of a well-formed object does not depend on the order of its keys.
    #[test]
    fn the_order_of_the_keys_has_no_effect(
        stream in proptest::collection::vec(any::<u16>(), 0..120),
        places in proptest::collection::vec(any::<usize>(), 24),
        songs in any::<bool>(),
    ) {
        let kind = if songs { Kind::Songs } else { Kind::Events };
        let mut members = Choices::new(&stream).members(kind);
        let record = |members: &[String]| format!("{{{}}}", members.join(",")).replace(['\n', '\r'], " ");
        let mut decoder = Decoder::new(Limits::default());
        let mut decode = |members: &[String]| {
            let bytes = record(members);
            let mut decoded = decode_file(&mut decoder, kind, bytes.as_bytes(), Framing::Values);
            // The bytes of a reject depend on the order, so they are not compared.
            decoded.records.iter_mut().for_each(|text| {
                if let Some((code, _)) = text.split_once(" at 0 line 0: ") {
                    *text = code.to_owned();
                }
            });
            decoded
        };
        let before = decode(&members);
        // A record that is not JSON has no keys to reorder.
        if before.records.iter().any(|text| text.starts_with("syntax") || text.starts_with("truncated")) {
            return Ok(());
        }
        for (at, place) in places.iter().enumerate() {
            let length = members.len().max(1);
            if !members.is_empty() {
                members.swap(at % length, place % length);
            }
        }
        prop_assert_eq!(decode(&members), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// Flips each bit of a record in the producer's form.
    #[test]
    fn both_parsers_agree_on_every_flipped_bit(stream in proptest::collection::vec(any::<u16>(), 0..80)) {
        let line = format!("{{{}}}\n", Choices::new(&stream).members(Kind::Events).join(","));
        let line = line.replace("\n}", "}");
        let mut file = line.repeat(3).into_bytes();
        for bit in line.len() * 8..line.len() * 16 {
            file[bit / 8] ^= 1 << (bit % 8);
            agree(Kind::Events, &file, Framing::Values, &Limits::default())?;
            file[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// The comparison is only useful if both parsers read many records, of all kinds.
#[test]
fn generated_files_use_both_parsers() {
    let mut decoder = Decoder::new(Limits::default());
    let mut counts = ChunkCounts::default();
    let mut reasons = BTreeSet::new();
    let mut state = 1u64;
    for _ in 0..400 {
        let stream: Vec<u16> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u16::try_from(state >> 48).unwrap()
        })
        .take(1200)
        .collect();
        let file = Choices::new(&stream).file(Kind::Events);
        counts.merge(&decoder.events(&file, Framing::Values, &mut |decoded| {
            if let Decoded::Reject(reject) = decoded {
                reasons.insert(reject.reason);
            }
        }));
    }
    let read_by_fast_path = decoder.events.records_read;
    assert!(counts.read > 10_000, "{counts:?}");
    assert!(counts.rows > counts.read / 10 && counts.filtered > counts.read / 20, "{counts:?}");
    assert!(
        read_by_fast_path > counts.read / 8 && read_by_fast_path < counts.read * 4 / 5,
        "{read_by_fast_path} of {}",
        counts.read
    );
    assert!(reasons.len() >= 15, "{reasons:?}");
}
