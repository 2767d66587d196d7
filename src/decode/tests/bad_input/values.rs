//! Values, their meaning, and partition values: rows 51 to 82 of the catalog.

use crate::decode::tests::bad_input::{artist, at, check, level, only, play, song};

#[test]
fn rows_51_to_64_values() {
    check(&[
        at(51, "time as text", r#""1541121934796""#, "row"),
        at(51, "text that is not a number", r#""2018-11-01""#, "type:ts"),
        at(51, "empty text", r#""""#, "type:ts"),
        at(51, "text with a blank", r#"" 1541121934796""#, "type:ts"),
        at(51, "text with a fraction", r#""1541121934796.5""#, "non_integral:ts"),
        play(51, "length as text", r#""length":"182.85669""#, "row"),
        play(51, "length as a word", r#""length":"NaN""#, "type:length"),
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
        play(60, "overflow in an unused key", r#""registration":1e400"#, "row"),
        level(61, "lone high surrogate", br"a\ud83d", "lone_surrogate:level"),
        level(61, "lone low surrogate", br"\ude00a", "lone_surrogate:level"),
        level(61, "a pair the wrong way round", br"\ude00\ud83d", "lone_surrogate:level"),
        level(61, "two high surrogates", br"\ud83d\ud83d\ude00", "lone_surrogate:level"),
        level(61, "a pair", br"\ud83d\ude00", "row"),
        play(61, "lone surrogate in an unused key", r#""auth":"\ud83d""#, "row"),
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
        at(65, "after the last instant", "4102444800000", "ts_implausible:ts"),
        at(66, "negative", "-1", "ts_implausible:ts"),
        at(66, "zero", "0", "ts_implausible:ts"),
        at(66, "far future", "9223372036854775807", "ts_implausible:ts"),
        at(66, "overflow", "1e300", "out_of_range:ts"),
        only(69, "empty user on another page", r#""page":"Home","ts":1541121934796,"userId":"""#, "filtered"),
        only(69, "empty user of a play", r#""page":"NextSong","ts":1541121934796,"userId":"""#, "empty_user_id:userId"),
        artist(78, "line feed", r"AR\n", "row"),
        artist(78, "NUL", r"A\u0000R", "partition_nul:artist_id"),
        artist(80, "the longest that fits", &artist_of("a", 245), "row"),
        artist(80, "one byte too many", &artist_of("a", 246), "partition_value_too_long:artist_id"),
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
        only(61, "a page that is not text", r#""page":"\ud800""#, "lone_surrogate:page"),
        only(43, "escaped page", r#""page":"\u004eext\u0053ong","ts":1541121934796,"userId":"26""#, "row"),
        only(63, "another case", r#""page":"nextsong""#, "filtered"),
    ]);
}
