//! Bytes: rows 1 to 17 of the catalog.

use crate::decode::sniff;
use crate::decode::tests::bad_input::{artist, check, file, level, line};

#[test]
fn rows_1_to_16_bytes() {
    let long = format!("{{\"x\":\"{}\"}}", "a".repeat(16 << 20));
    check(&[
        file(1, "torn in a string", "@\n{\"page\":\"Next", "row+truncated_tail"),
        file(1, "torn in an escape", "@\n{\"page\":\"\\u00", "row+truncated_tail"),
        file(1, "torn in a number", "@\n{\"ts\":-", "row+truncated_tail"),
        file(1, "torn in a literal", "@\n{\"song\":nu", "row+truncated_tail"),
        file(1, "torn after a comma", "@\n{\"song\":null,", "row+truncated_tail"),
        file(1, "torn in a nested array", "@\n{\"x\":[1,[2", "row+truncated_tail"),
        file(1, "torn in a pretty-printed object", "@\n{\n  \"a\": 1,\n  \"b\": \"x", "row+truncated_tail"),
        file(1, "torn in one array", "[@,\n{\"page\":\"Next", "row+truncated_tail"),
        file(1, "torn after an element", "[@,@", "row+row+truncated_tail"),
        file(1, "torn after an element of a line", "@\n[@,@", "row+row+row+truncated_tail"),
        file(1, "torn in the middle of the file", "@\n{\"page\":\"Next\n@\n", "row+syntax+row"),
        file(1, "torn in a character", "@\n{\"page\":\"caf", "row+truncated_tail"),
        file(2, "no line feed at the end", "@\n@", "row+row"),
        file(3, "CRLF", "@\r\n@\r\n", "row+row"),
        file(3, "mixed line ends", "@\r\n@\n@\r@", "row+row+row+row"),
        file(4, "CR only", "@\r@\r", "row+row"),
        file(4, "CR only, with junk", "@\rjunk\r@\r", "row+syntax+row"),
        file(5, "mark at the start", "\u{feff}@\n", "row"),
        file(5, "mark in the middle", "@\n\u{feff}@\n", "row+row"),
        file(5, "mark after an object", "@\u{feff}@\n", "row+row"),
        file(5, "mark before one array", "\u{feff}[@]", "row"),
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
        file(10, "padding before a valid record", "\0\0\0\0\0\0\0\0\0\0@\n@", "nul_padding+row+row"),
        file(10, "padding after a torn record", "{\"page\":\"Ne\0\0\0\0\0\0\0\0\0\0@\n@", "syntax+nul_padding+row+row"),
        level(11, "raw NUL", b"a\0b", "control_char:level"),
        level(12, "escaped NUL", b"a\\u0000b", "row"),
        artist(12, "escaped NUL in a partition column", "AR\\u0000", "partition_nul:artist_id"),
        level(13, "raw tab", b"a\tb", "control_char:level"),
        level(13, "raw escape character", b"a\x1bb", "control_char:level"),
        level(13, "raw line feed", b"a\nb", "syntax+syntax"),
        line(13, "raw tab in an unused key", b"{\"page\":\"Home\",\"x\":\"a\tb\"}", "control_char"),
        level(14, "line separators", "a\u{2028}b\u{2029}c\u{85}".as_bytes(), "row"),
        line(15, "a line of 16 MiB and a few bytes", long.as_bytes(), "line_too_long"),
        line(15, "junk as long", "x".repeat((16 << 20) + 1).as_bytes(), "line_too_long"),
    ]);
}

#[test]
fn rows_7_and_17_reject_the_file() {
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
