//! Structure: rows 30 to 50 of the catalog.

use crate::decode::tests::Kind;
use crate::decode::tests::bad_input::{PLAY, at, check, file, line, line_of, only, play};

fn nested(depth: usize) -> String {
    format!("\"x\":{}{}", "[".repeat(depth), "]".repeat(depth))
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
        file(34, "trailing comma after the object", "@,\n@,\n@", "trailing_bytes+trailing_bytes+row"),
        file(34, "trailing brace", "@}\n@", "trailing_bytes+row"),
        file(34, "the second of two has a trailer", "@@x\n@", "row+trailing_bytes+row"),
        line(35, "junk", b"junk", "syntax"),
        line(35, "two lines of junk", b"junk\nmore junk", "syntax+syntax"),
        line(35, "bytes that are not text", b"\xff\xfe\x01", "syntax"),
        line(35, "a brace", b"{", "syntax"),
        line(35, "closing braces", b"}}}", "syntax"),
        line(35, "a broken pretty-printed object", b"{\n  \"a\": 1,\n  \"b\": oops,\n  \"c\": 3\n}", "syntax"),
        line(35, "junk after a torn line", b"{\"a\":1,\njunk", "syntax+syntax"),
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
        play(50, "one byte too many", &format!(r#""song":"{mebibyte}a""#), "string_too_long:song"),
        play(50, "1 MiB of text, escaped", &format!(r#""song":"{}""#, r"\u0061".repeat(1 << 20)), "row"),
        play(50, "more, in an unused key", &format!(r#""auth":"{mebibyte}a""#), "row"),
    ]);
}
