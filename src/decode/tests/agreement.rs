//! The fast path and the careful parser must not differ in anything, on anything.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::decode::tests::records::Choices;
use crate::decode::tests::{Kind, Outcome, decode_at};
use crate::decode::{ChunkCounts, Decoded, Decoder, Framing, Limits};

fn outcome(decoder: &mut Decoder, kind: Kind, file: &[u8], framing: Framing) -> Outcome {
    decode_at(decoder, kind, file, framing, (0, 0))
}

/// Decodes with and without the fast path; the second time, the fast path knows the file already.
pub fn agree(kind: Kind, file: &[u8], framing: Framing, limits: &Limits) -> Result<(), TestCaseError> {
    let careful = outcome(&mut Decoder::careful(limits.clone()), kind, file, framing);
    let mut decoder = Decoder::new(limits.clone());
    for _ in 0..2 {
        let fast = outcome(&mut decoder, kind, file, framing);
        let differing = fast.records.iter().zip(&careful.records).find(|(fast, careful)| fast != careful);
        prop_assert_eq!(differing, None, "in {}", file.escape_ascii());
        prop_assert_eq!(&fast.tally, &careful.tally, "in {}", file.escape_ascii());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_layers_agree(stream in proptest::collection::vec(any::<u16>(), 0..1200), songs in any::<bool>()) {
        let kind = if songs { Kind::Songs } else { Kind::Events };
        let file = Choices::new(&stream).file(kind);
        for framing in [Framing::Values, Framing::Array] {
            agree(kind, &file, framing, &Limits::default())?;
            let narrow = Limits { max_record: 450, max_depth: 3, max_keys: 18, max_string: 30, ..Limits::default() };
            agree(kind, &file, framing, &narrow)?;
        }
    }

    /// What becomes of a well-formed object does not depend on the order of its keys.
    #[test]
    fn the_order_of_the_keys_does_not_show(
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
            let mut outcome = outcome(&mut decoder, kind, bytes.as_bytes(), Framing::Values);
            // The bytes of a reject do show the order.
            outcome.records.iter_mut().for_each(|text| {
                if let Some((code, _)) = text.split_once(" at 0 line 0: ") {
                    *text = code.to_owned();
                }
            });
            outcome
        };
        let before = decode(&members);
        // Where the grammar breaks there are no keys, and so they have no order.
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

    /// Every single bit of a record in the producer's form.
    #[test]
    fn both_layers_agree_on_every_flipped_bit(stream in proptest::collection::vec(any::<u16>(), 0..80)) {
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

/// The comparison is worth something only if both layers have something to do, and meet all kinds of records.
#[test]
fn the_made_up_files_keep_both_layers_busy() {
    let mut decoder = Decoder::new(Limits::default());
    let mut tally = ChunkCounts::default();
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
        tally.merge(&decoder.events(&file, Framing::Values, &mut |decoded| {
            if let Decoded::Reject(reject) = decoded {
                reasons.insert(reject.reason);
            }
        }));
    }
    let by_fast = decoder.events.delivered;
    assert!(tally.read > 10_000, "{tally:?}");
    assert!(tally.rows > tally.read / 10 && tally.filtered > tally.read / 20, "{tally:?}");
    assert!(by_fast > tally.read / 8 && by_fast < tally.read * 4 / 5, "{by_fast} of {}", tally.read);
    assert!(reasons.len() >= 15, "{reasons:?}");
}
