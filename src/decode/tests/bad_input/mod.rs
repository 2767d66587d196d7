//! The catalog of bad input (`tests/python/support/bad_input_catalog.py`): the rows that the decoder decides.
//!
//! Each case has the number of its row, the input, and the expected outcome. Most cases are between two valid records,
//! because a broken record must not damage the records around it.

mod bytes;
mod structure;
mod values;

use crate::decode::sniff;
use crate::decode::tests::{Kind, codes};

const PLAY: &str = r#"{"page":"NextSong","ts":1541121934796,"userId":"26"}"#;
const SONG: &str = r#"{"song_id":"SOX","artist_id":"ARX"}"#;

/// One input, its row in the catalog, and the expected outcome.
struct Case {
    row: u32,
    what: &'static str,
    kind: Kind,
    input: Vec<u8>,
    /// Rows and rejects in order, separated by `+`.
    outcome: String,
    /// The number of filtered records.
    filtered: u64,
}

/// An entire file of events; each `@` is replaced by a valid play.
fn file(row: u32, what: &'static str, input: &str, outcome: &str) -> Case {
    let input = input.replace('@', PLAY).into_bytes();
    Case { row, what, kind: Kind::Events, input, outcome: outcome.to_owned(), filtered: 0 }
}

/// A line between two valid records.
fn line_of(kind: Kind, row: u32, what: &'static str, line: &[u8], outcome: &str) -> Case {
    let valid = if kind == Kind::Events { PLAY } else { SONG }.as_bytes();
    let input = [valid, b"\n", line, b"\n", valid, b"\n"].concat();
    let filtered = u64::from(outcome == "filtered");
    let outcome = if filtered == 1 { "row+row".to_owned() } else { format!("row+{outcome}+row") };
    Case { row, what, kind, input, outcome, filtered }
}

fn line(row: u32, what: &'static str, line: &[u8], outcome: &str) -> Case {
    line_of(Kind::Events, row, what, line, outcome)
}

/// A play with these additional members.
fn play(row: u32, what: &'static str, members: &str, outcome: &str) -> Case {
    let record = PLAY.replace('}', &format!(",{members}}}"));
    line(row, what, record.as_bytes(), outcome)
}

/// A play with these bytes as its level.
fn level(row: u32, what: &'static str, bytes: &[u8], outcome: &str) -> Case {
    let record = [br#"{"page":"NextSong","ts":1541121934796,"userId":"26","level":""#, bytes, b"\"}"].concat();
    line(row, what, &record, outcome)
}

/// An object with exactly these members.
fn only(row: u32, what: &'static str, members: &str, outcome: &str) -> Case {
    line(row, what, format!("{{{members}}}").as_bytes(), outcome)
}

/// A play at this time.
fn at(row: u32, what: &'static str, ts: &str, outcome: &str) -> Case {
    only(row, what, &format!(r#""page":"NextSong","userId":"26","ts":{ts}"#), outcome)
}

/// A song with these additional members.
fn song(row: u32, what: &'static str, members: &str, outcome: &str) -> Case {
    line_of(Kind::Songs, row, what, format!(r#"{{"song_id":"SOY",{members}}}"#).as_bytes(), outcome)
}

/// A song of this artist.
fn artist(row: u32, what: &'static str, artist: &str, outcome: &str) -> Case {
    song(row, what, &format!(r#""artist_id":"{artist}""#), outcome)
}

fn check(cases: &[Case]) {
    for case in cases {
        let framing = sniff(&case.input);
        assert!(framing.is_ok(), "row {}: {}: {framing:?}", case.row, case.what);
        let (outcomes, filtered) = codes(case.kind, &case.input, framing.unwrap());
        let expected: Vec<&str> = case.outcome.split('+').filter(|outcome| !outcome.is_empty()).collect();
        assert_eq!(
            (outcomes, filtered),
            (expected.iter().map(|&code| code.to_owned()).collect(), case.filtered),
            "row {}: {}",
            case.row,
            case.what
        );
    }
}
