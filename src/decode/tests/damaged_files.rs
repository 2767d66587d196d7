//! Damaged files: regardless of the bytes, the decoder does not panic, loses no record, and does not depend on how the
//! file is cut into chunks.

use crate::decode::tests::agreement::agree;
use crate::decode::tests::generated_records::Choices;
use crate::decode::tests::splits::{in_pieces, ranged, streamed};
use crate::decode::tests::{Kind, decode, narrow_limits};
use crate::decode::{Framing, Limits, sniff};
use crate::runtime::random_damage::{Random, fuzz};

const TOKENS: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b":",
    b",",
    b"\n",
    b"\r",
    b"\r\n{",
    b"\n[",
    b"\\u0000",
    b"\\ud83d",
    b"\\ude00",
    b"\0",
    b"\x1b",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc3",
    b"null",
    b"-0",
    b"1e999",
    b"9007199254740993",
    b"\"ts\":",
    b"\"page\":\"NextSong\"",
    b"NaN",
    b"\xe2\x80\xa8",
    b"/*",
    b"'",
];

/// A generated file, damaged in most cases.
fn generate_file(random: &mut Random) -> (Kind, Vec<u8>) {
    let kind = *random.of(&[Kind::Songs, Kind::Events]);
    let length = random.below(500);
    let choices: Vec<u16> = (0..length).map(|_| u16::try_from(random.next() >> 48).unwrap()).collect();
    let mut file = Choices::new(&choices).file(kind);
    if random.below(8) > 0 {
        random.damage(&mut file, &TOKENS);
    }
    (kind, file)
}

#[test]
fn both_parsers_agree_on_damaged_files() {
    fuzz("decoding by both parsers", |random| {
        let (kind, file) = generate_file(random);
        let limits = if random.below(2) == 0 { Limits::default() } else { narrow_limits() };
        let framing = *random.of(&[Framing::Values, Framing::Array]);
        agree(kind, &file, framing, &limits).unwrap();
    });
}

#[test]
fn damaged_files_give_the_same_records_in_pieces() {
    fuzz("cutting and decoding", |random| {
        let (kind, file) = generate_file(random);
        let Ok(framing) = sniff(&file) else { return };
        let size = [1, 7, 64, 1 + random.below(900)][random.below(4)];
        let whole = decode(kind, &file, framing);
        let cuts = streamed(&file, framing, size);
        assert_eq!(in_pieces(kind, &file, framing, &cuts), whole, "streamed by {size} in {}", file.escape_ascii());
        if framing == Framing::Values {
            let cuts = ranged(&file, size);
            assert_eq!(in_pieces(kind, &file, framing, &cuts), whole, "ranges of {size} in {}", file.escape_ascii());
        }
    });
}
