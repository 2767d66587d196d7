//! The table of bad input, row by row: those rows that the decoder decides.
//!
//! Each case says which row it is about, what is read, and what must come of it. Most cases stand between two
//! sound records, because a broken record must not take its neighbours along.

use super::{Kind, codes};
use crate::decode::sniff;

const PLAY: &str = r#"{"page":"NextSong","ts":1541121934796,"userId":"26"}"#;
const SONG: &str = r#"{"song_id":"SOX","artist_id":"ARX"}"#;

/// One input, the row of the table it is about, and what must come of it.
struct Case {
    row: u32,
    what: &'static str,
    kind: Kind,
    input: Vec<u8>,
    /// Rows and rejects in order, with `+` between them.
    outcome: String,
    filtered: u64,
}

/// A whole file of events, in which `@` stands for a sound play.
fn file(row: u32, what: &'static str, input: &str, outcome: &str) -> Case {
    let input = input.replace('@', PLAY).into_bytes();
    Case { row, what, kind: Kind::Events, input, outcome: outcome.to_owned(), filtered: 0 }
}

/// A line between two sound records.
fn line_of(kind: Kind, row: u32, what: &'static str, line: &[u8], outcome: &str) -> Case {
    let sound = if kind == Kind::Events { PLAY } else { SONG }.as_bytes();
    let input = [sound, b"\n", line, b"\n", sound, b"\n"].concat();
    let filtered = u64::from(outcome == "filtered");
    let outcome = if filtered == 1 { "row+row".to_owned() } else { format!("row+{outcome}+row") };
    Case { row, what, kind, input, outcome, filtered }
}

fn line(row: u32, what: &'static str, line: &[u8], outcome: &str) -> Case {
    line_of(Kind::Events, row, what, line, outcome)
}

/// A play with these members more.
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

/// A song with these members more.
fn song(row: u32, what: &'static str, members: &str, outcome: &str) -> Case {
    line_of(Kind::Songs, row, what, format!(r#"{{"song_id":"SOY",{members}}}"#).as_bytes(), outcome)
}

/// A song of this artist.
fn artist(row: u32, what: &'static str, artist: &str, outcome: &str) -> Case {
    song(row, what, &format!(r#""artist_id":"{artist}""#), outcome)
}

fn nested(depth: usize) -> String {
    format!("\"x\":{}{}", "[".repeat(depth), "]".repeat(depth))
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

#[test]
fn rows_1_to_16_bytes() {
    let long = format!("{{\"x\":\"{}\"}}", "a".repeat(16 << 20));
    check(&[
        file(1, "torn in a string", "@\n{\"page\":\"Next", "row+truncated_tail"),
        file(1, "torn in an escape", "@\n{\"page\":\"\\u00", "row+truncated_tail"),
        file(1, "torn in a number", "@\n{\"ts\":-", "row+truncated_tail"),
        file(1, "torn in a literal", "@\n{\"song\":nu", "row+truncated_tail"),
        file(1, "torn behind a comma", "@\n{\"song\":null,", "row+truncated_tail"),
        file(1, "torn in a nested array", "@\n{\"x\":[1,[2", "row+truncated_tail"),
        file(1, "torn in a pretty-printed object", "@\n{\n  \"a\": 1,\n  \"b\": \"x", "row+truncated_tail"),
        file(1, "torn in one array", "[@,\n{\"page\":\"Next", "row+truncated_tail"),
        file(1, "torn in the middle of the file", "@\n{\"page\":\"Next\n@\n", "row+syntax+row"),
        file(1, "torn in a character", "@\n{\"page\":\"caf", "row+truncated_tail"),
        file(2, "no line feed at the end", "@\n@", "row+row"),
        file(3, "CRLF", "@\r\n@\r\n", "row+row"),
        file(3, "mixed line ends", "@\r\n@\n@\r@", "row+row+row+row"),
        file(4, "CR only", "@\r@\r", "row+row"),
        file(4, "CR only, with junk", "@\rjunk\r@\r", "row+syntax+row"),
        file(5, "mark at the start", "\u{feff}@\n", "row"),
        file(5, "mark in the middle", "@\n\u{feff}@\n", "row+row"),
        file(5, "mark behind an object", "@\u{feff}@\n", "row+row"),
        file(5, "mark in front of one array", "\u{feff}[@]", "row"),
        level(6, "a stray continuation byte", b"a\x80", "invalid_utf8:level"),
        level(6, "latin-1", b"caf\xe9", "invalid_utf8:level"),
        level(6, "overlong", b"\xc0\xaf", "invalid_utf8:level"),
        line(6, "in a key", b"{\"\xff\":1}", "invalid_utf8"),
        line(6, "in an event of another page", b"{\"page\":\"Home\",\"x\":\"\xff\"}", "invalid_utf8"),
        file(8, "no bytes", "", ""),
        file(9, "only blank lines", "\n \n\t\r\n", ""),
        file(10, "NUL padding at the end", "@\n\0\0\0\0\0\0\0\0\0\0\0\0", "row+nul_padding"),
        file(10, "a few NUL bytes, and a line feed", "@\n\0\0\n", "row+nul_padding"),
        file(10, "padding over several lines is one record", "@\n\0\0\n\0\0\n@", "row+nul_padding+row"),
        file(10, "padding in front of a sound record", "\0\0\0\0\0\0\0\0\0\0@\n@", "nul_padding+row+row"),
        file(
            10,
            "padding behind a torn record",
            "{\"page\":\"Ne\0\0\0\0\0\0\0\0\0\0@\n@",
            "syntax+nul_padding+row+row",
        ),
        level(11, "raw NUL", b"a\0b", "control_char:level"),
        level(12, "escaped NUL", b"a\\u0000b", "row"),
        artist(12, "escaped NUL in a partition column", "AR\\u0000", "partition_nul:artist_id"),
        level(13, "raw tab", b"a\tb", "control_char:level"),
        level(13, "raw escape character", b"a\x1bb", "control_char:level"),
        level(13, "raw line feed", b"a\nb", "syntax+syntax"),
        line(13, "raw tab where no table looks", b"{\"page\":\"Home\",\"x\":\"a\tb\"}", "control_char"),
        level(14, "line separators", "a\u{2028}b\u{2029}c\u{85}".as_bytes(), "row"),
        line(15, "a line of 16 MiB and a few bytes", long.as_bytes(), "line_too_long"),
        line(15, "junk as long", "x".repeat((16 << 20) + 1).as_bytes(), "line_too_long"),
    ]);
}

#[test]
fn rows_7_and_17_are_refused_as_files() {
    let cases: [(&[u8], &str); 16] = [
        (b"\xFF\xFE{\0\"\0", "encoding_utf16"),
        (b"\xFE\xFF\0{\0\"", "encoding_utf16"),
        (b"{\0\"\0a\0", "encoding_utf16"),
        (b"\0{\0\"\0a", "encoding_utf16"),
        (b"\xFF\xFE\0\0{\0\0\0", "encoding_utf32"),
        (b"\0\0\xFE\xFF\0\0\0{", "encoding_utf32"),
        (b"\0\0\0{\0\0\0\"", "encoding_utf32"),
        (b"{\0\0\0\"\0\0\0", "encoding_utf32"),
        (b"PAR1\x15\x04", "not_json:parquet"),
        (b"PK\x03\x04\x14", "not_json:zip"),
        (b"\x7fELF\x02", "not_json:elf"),
        (b"<!DOCTYPE html>", "not_json:html"),
        (b"  \n<html>", "not_json:html"),
        (b"<?xml version='1.0'?>", "not_json:html"),
        (b"%PDF-1.7", "not_json:pdf"),
        (b"SQLite format 3\0", "not_json:sqlite"),
    ];
    for (head, code) in cases {
        assert_eq!(sniff(head), Err(code), "{}", head.escape_ascii());
    }
    for head in [&b"\0\0\0\0\0\0\0\0"[..], b"junk", b"<", b"< 5", b"", b"{", b"null"] {
        assert!(sniff(head).is_ok(), "{}", head.escape_ascii());
    }
}

#[test]
fn rows_30_to_50_structure() {
    let many = (0..1_000_000).map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(",");
    let mebibyte = "a".repeat(1 << 20);
    let home = |members: &str| format!(r#""page":"Home",{members}"#);
    check(&[
        file(30, "one array", "[@,@,@]", "row+row+row"),
        file(30, "one array over lines", "[\n  @,\n  @\n]\n", "row+row"),
        file(
            30,
            "one array, pretty-printed",
            "[\n  {\n    \"page\": \"NextSong\",\n    \"ts\": 1541121934796,\n    \"userId\": \"1\"\n  }\n]",
            "row",
        ),
        file(30, "one array, a broken element", "[@,{\"page\":oops},@]", "row+syntax+row"),
        file(30, "one array, a torn element", "[@,\n{\"page\":\"Ne\n@,\n@]", "row+syntax+row+row"),
        file(
            30,
            "one array, elements of other kinds",
            "[@,1,null,[@],\"a\"]",
            "row+not_an_object+not_an_object+not_an_object+not_an_object",
        ),
        file(30, "one array, trailing comma", "[@,]", "row+syntax"),
        file(30, "one array, no comma", "[@ @,@]", "trailing_bytes+row"),
        file(30, "one array, empty", "[ ]", ""),
        file(30, "two arrays over lines", "[\n@,\n@\n]\n[\n@\n]\n", "row+row+row"),
        file(31, "a line that is an array", "@\n[@,@]\n@", "row+row+row+row"),
        file(31, "every line an array", "[@,@]\n[@]\n", "row+row+row"),
        file(31, "arrays with other things", "@\n[1,@]\n[]\n[@,]\n@", "row+not_an_object+row+row+syntax+row"),
        line(32, "null", b"null", "not_an_object"),
        line(32, "a number", b"-12.5e3", "not_an_object"),
        line(32, "a string", b"\"a\"", "not_an_object"),
        line(32, "a literal with blanks", b" true ", "not_an_object"),
        file(33, "two on a line", "@@\n@ @\n", "row+row+row+row"),
        file(34, "trailer", "@TRAILER\n@", "trailing_bytes+row"),
        file(34, "trailing comma behind the object", "@,\n@,\n@", "trailing_bytes+trailing_bytes+row"),
        file(34, "trailing brace", "@}\n@", "trailing_bytes+row"),
        file(34, "the second of two has a trailer", "@@x\n@", "row+trailing_bytes+row"),
        line(35, "junk", b"junk", "syntax"),
        line(35, "two lines of junk", b"junk\nmore junk", "syntax+syntax"),
        line(35, "bytes that are nothing", b"\xff\xfe\x01", "syntax"),
        line(35, "a brace", b"{", "syntax"),
        line(35, "closing braces", b"}}}", "syntax"),
        line(35, "a broken pretty-printed object", b"{\n  \"a\": 1,\n  \"b\": oops,\n  \"c\": 3\n}", "syntax"),
        line(35, "junk behind a torn line", b"{\"a\":1,\njunk", "syntax+syntax"),
        line(36, "single quotes", b"{'page':'NextSong'}", "syntax"),
        line(37, "comments", b"# a\n// b\n/* c */", "syntax+syntax+syntax"),
        only(38, "trailing comma", r#""page":"NextSong","#, "syntax"),
        file(
            39,
            "pretty-printed",
            "{\n    \"page\": \"NextSong\",\n    \"ts\": 1541121934796,\n    \"userId\": \"26\"\n}\n@\n",
            "row+row",
        ),
        file(
            39,
            "pretty-printed, CRLF",
            "{\r\n \"page\": \"NextSong\",\r\n \"ts\": 1541121934796,\r\n \"userId\": \"26\"\r\n}\r\n@",
            "row+row",
        ),
        play(40, "two times", r#""ts":1541121934797"#, "duplicate_key:ts"),
        play(40, "the same time twice", r#""ts":1541121934796"#, "row"),
        play(40, "the same time, written differently", r#""ts":1541121934796.0"#, "row"),
        play(40, "the same text, escaped", r#""userId":"\u0032\u0036""#, "row"),
        play(40, "null and a value", r#""song":null,"song":"a""#, "duplicate_key:song"),
        play(40, "a number and its text", r#""song":1,"song":"1""#, "duplicate_key:song"),
        play(40, "two pages", r#""page":"Home""#, "duplicate_key:page"),
        play(40, "an unused key twice", r#""auth":1,"auth":2"#, "row"),
        only(40, "two times on another page", &home(r#""ts":1,"ts":2"#), "filtered"),
        only(41, "case", r#""page":"NextSong","TS":1541121934796,"userId":"26""#, "missing_required:ts (found \"TS\")"),
        only(41, "case of the page", r#""Page":"NextSong""#, "missing_required:page (found \"Page\")"),
        play(41, "both", r#""TS":0,"USERID":"""#, "row"),
        play(42, "unknown keys", r#""zip":"12345","lon":[-73.9,{"a":0}]"#, "row"),
        only(43, "another order", r#""userId":"26","ts":1541121934796,"page":"NextSong""#, "row"),
        line(44, "optional keys missing", PLAY.as_bytes(), "row"),
        only(45, "no page", r#""ts":1541121934796,"userId":"26""#, "missing_required:page"),
        only(45, "no time", r#""page":"NextSong","userId":"26""#, "missing_required:ts"),
        only(45, "no user", r#""page":"NextSong","ts":1541121934796"#, "missing_required:userId"),
        line_of(Kind::Songs, 45, "no song", br#"{"title":"a"}"#, "missing_required:song_id"),
        only(46, "null page", r#""page":null"#, "null_required:page"),
        at(46, "null time", "null", "null_required:ts"),
        only(46, "null user", r#""page":"NextSong","ts":1541121934796,"userId":null"#, "null_required:userId"),
        line_of(Kind::Songs, 46, "null song", br#"{"song_id":null}"#, "null_required:song_id"),
        line(47, "empty event", b"{}", "missing_required:page"),
        line_of(Kind::Songs, 47, "empty song", b"{ }", "missing_required:song_id"),
        play(48, "64 levels", &nested(63), "row"),
        play(48, "65 levels", &nested(64), "too_deep"),
        play(48, "2,000 levels", &nested(2_000), "too_deep"),
        play(48, "100,000 levels", &nested(100_000), "too_deep"),
        line(48, "100,000 levels that never close", "[".repeat(100_000).as_bytes(), "too_deep"),
        file(48, "two on a line, one too deep", &format!("{{{}}}@\n@", nested(100)), "too_deep+row+row"),
        play(49, "1,000,000 keys", &many, "too_many_keys"),
        play(50, "1 MiB of text", &format!(r#""song":"{mebibyte}""#), "row"),
        play(50, "one byte more", &format!(r#""song":"{mebibyte}a""#), "string_too_long:song"),
        play(50, "1 MiB of text, escaped", &format!(r#""song":"{}""#, r"\u0061".repeat(1 << 20)), "row"),
        play(50, "more, where no table looks", &format!(r#""auth":"{mebibyte}a""#), "row"),
    ]);
}

#[test]
fn rows_51_to_64_values() {
    check(&[
        at(51, "time as text", r#""1541121934796""#, "row"),
        at(51, "text that is no number", r#""2018-11-01""#, "type:ts"),
        at(51, "empty text", r#""""#, "type:ts"),
        at(51, "text with a blank", r#"" 1541121934796""#, "type:ts"),
        at(51, "text with a fraction", r#""1541121934796.5""#, "non_integral:ts"),
        play(51, "length as text", r#""length":"182.85669""#, "row"),
        play(51, "length as words", r#""length":"NaN""#, "type:length"),
        play(52, "9.0", r#""sessionId":9.0"#, "row"),
        play(52, "9e0", r#""sessionId":9e0"#, "row"),
        play(53, "9.7", r#""sessionId":9.7"#, "non_integral:sessionId"),
        play(54, "beyond 64 bits", r#""sessionId":9223372036854775808"#, "out_of_range:sessionId"),
        play(54, "the last of 64 bits", r#""sessionId":9223372036854775807"#, "row"),
        song(54, "beyond 32 bits", r#""year":2147483648"#, "out_of_range:year"),
        play(55, "NaN", r#""length":NaN"#, "syntax"),
        play(55, "Infinity", r#""length":-Infinity"#, "syntax"),
        play(56, "09", r#""sessionId":09"#, "syntax"),
        play(56, "+9", r#""sessionId":+9"#, "syntax"),
        play(56, ".5", r#""length":.5"#, "syntax"),
        play(57, "true for a number", r#""sessionId":true"#, "type:sessionId"),
        play(57, "false for a text", r#""song":false"#, "type:song"),
        only(57, "true for a page", r#""page":true"#, "type:page"),
        only(57, "a number for a page", r#""page":1"#, "type:page"),
        play(58, "array for a text", r#""song":["a"]"#, "type:song"),
        play(58, "object for a number", r#""length":{}"#, "type:length"),
        only(58, "array for a page", r#""page":["NextSong"]"#, "type:page"),
        only(59, "number for a user", r#""page":"NextSong","ts":1541121934796,"userId":26"#, "row"),
        song(59, "number for a name", r#""artist_name":112"#, "row"),
        play(60, "overflow", r#""length":1e400"#, "out_of_range:length"),
        play(60, "overflow as text", r#""length":"-1e400""#, "out_of_range:length"),
        play(60, "denormal", r#""length":5e-324"#, "row"),
        play(60, "underflow", r#""length":1e-400"#, "row"),
        play(60, "negative zero", r#""length":-0.0"#, "row"),
        play(60, "overflow where no table looks", r#""registration":1e400"#, "row"),
        level(61, "lone high surrogate", br"a\ud83d", "lone_surrogate:level"),
        level(61, "lone low surrogate", br"\ude00a", "lone_surrogate:level"),
        level(61, "a pair the wrong way round", br"\ude00\ud83d", "lone_surrogate:level"),
        level(61, "two high surrogates", br"\ud83d\ud83d\ude00", "lone_surrogate:level"),
        level(61, "a pair", br"\ud83d\ude00", "row"),
        play(61, "lone surrogate where no table looks", r#""auth":"\ud83d""#, "row"),
        level(62, "CESU-8", b"\xed\xa0\xbd\xed\xb8\x80", "invalid_utf8:level"),
        level(63, "NFD and blanks at the end", "e\u{301} ".as_bytes(), "row"),
        song(64, "latitude 999, negative duration, year 0", r#""artist_latitude":999,"duration":-1,"year":0"#, "row"),
    ]);
}

#[test]
fn rows_65_to_82_meaning_and_partitions() {
    let artist_of = |value: &str, count: usize| value.repeat(count);
    check(&[
        at(65, "seconds", "1541121934", "ts_implausible:ts"),
        at(65, "microseconds", "1541121934796000", "ts_implausible:ts"),
        at(65, "the first instant", "631152000000", "row"),
        at(65, "before the first instant", "631151999999", "ts_implausible:ts"),
        at(65, "the last instant", "4102444799999", "row"),
        at(65, "behind the last instant", "4102444800000", "ts_implausible:ts"),
        at(66, "negative", "-1", "ts_implausible:ts"),
        at(66, "zero", "0", "ts_implausible:ts"),
        at(66, "far future", "9223372036854775807", "ts_implausible:ts"),
        at(66, "overflow", "1e300", "out_of_range:ts"),
        only(69, "empty user on another page", r#""page":"Home","ts":1541121934796,"userId":"""#, "filtered"),
        only(69, "empty user of a play", r#""page":"NextSong","ts":1541121934796,"userId":"""#, "empty_user_id:userId"),
        artist(78, "line feed", r"AR\n", "row"),
        artist(78, "NUL", r"A\u0000R", "partition_nul:artist_id"),
        artist(80, "the longest that fits", &artist_of("a", 245), "row"),
        artist(80, "one byte more", &artist_of("a", 246), "partition_value_too_long:artist_id"),
        artist(80, "the longest that fits when escaped", &artist_of("/", 81), "row"),
        artist(80, "too long when escaped", &artist_of("/", 82), "partition_value_too_long:artist_id"),
        artist(80, "characters of two bytes", &artist_of("é", 123), "partition_value_too_long:artist_id"),
        artist(80, "escapes in JSON do not count", &artist_of(r"\u0061", 245), "row"),
        artist(81, "empty", "", "row"),
        song(81, "null", r#""artist_id":null"#, "row"),
        artist(
            82,
            "the name of the NULL partition",
            "__HIVE_DEFAULT_PARTITION__",
            "reserved_partition_value:artist_id",
        ),
        artist(82, "the same, escaped", r"\u005f_HIVE_DEFAULT_PARTITION__", "reserved_partition_value:artist_id"),
    ]);
}

#[test]
fn the_page_decides_before_anything_else() {
    check(&[
        only(
            69,
            "everything else wrong",
            r#""page":"Home","ts":true,"userId":[],"song":"\ud800","length":1e999"#,
            "filtered",
        ),
        only(45, "nothing else", r#""page":"Home""#, "filtered"),
        only(61, "a page that is no text", r#""page":"\ud800""#, "lone_surrogate:page"),
        only(43, "escaped page", r#""page":"\u004eext\u0053ong","ts":1541121934796,"userId":"26""#, "row"),
        only(63, "another case", r#""page":"nextsong""#, "filtered"),
    ]);
}
