"""Rows of the catalog of bad input about bytes, compression and the structure of JSON."""

from __future__ import annotations

import bz2
import gzip
import lzma

from support.bad_input_cases import (
    LINE,
    LINES,
    MEBIBYTE,
    PLAY,
    TS,
    Case,
    Row,
    accepted,
    bad_partition,
    large_value,
    log,
    more_than_16_gib,
    nested,
    play,
    python,
    refused,
    rejected,
    snappy_framed,
    wrong_gzip,
    zstd,
)

ROWS: dict[int, Row] = {
    # --- bytes ---
    1: [log("a truncated last line", LINE + PLAY[:40], loaded=1, rejects=["truncated_tail"])],
    2: [accepted("no final newline", LINE + PLAY, 2)],
    3: [accepted("CRLF", PLAY + b"\r\n" + PLAY + b"\n" + PLAY + b"\r\n", 3)],
    4: [accepted("CR only", PLAY + b"\r" + PLAY + b"\r", 2)],
    5: [accepted("byte order marks", b"\xef\xbb\xbf" + LINE + b"\xef\xbb\xbf" + LINE, 2)],
    6: [
        rejected(
            "invalid UTF-8", play('"song":"\udcff"').replace(b"\xed\xb3\xbf", b"\xff"), "invalid_utf8:song"
        )
    ],
    7: [
        refused("UTF-16 with a mark", LINES.decode().encode("utf-16"), "encoding_utf16"),
        refused("UTF-16 without a mark", LINES.decode().encode("utf-16-be"), "encoding_utf16"),
        refused("UTF-32", LINES.decode().encode("utf-32"), "encoding_utf32"),
    ],
    8: [accepted("0 bytes", b"", 0, report={"warning": "have no record"})],
    9: [accepted("blank lines", b"\n \n\r\n\t\n", 0, report={"warning": "have no record"})],
    10: [log("NUL padding", LINE + bytes(500), loaded=1, rejects=["nul_padding"])],
    11: [rejected("a raw NUL in a string", play('"song":"a\0b"'), "control_char:song")],
    12: [
        accepted("an escaped NUL", play('"song":"a\\u0000b"')),
        bad_partition("in a partition", '"A\\u0000"', "partition_nul"),
    ],
    13: [rejected("a raw tab in a string", play('"song":"a\tb"'), "control_char:song")],
    14: [accepted("U+2028 and U+2029", play('"song":"a\u2028b\u2029c"') + b"\n" + PLAY, 2)],
    15: [
        log(
            "a line of 17 MiB",
            lambda: LINE + play('"x":"' + "y" * (17 * MEBIBYTE) + '"') + b"\n" + LINE,
            loaded=2,
            rejects=["line_too_long"],
        )
    ],
    16: [
        refused("a value of 200 MiB", large_value, "single_value_too_large"),
        refused("the same, compressed", lambda: gzip.compress(large_value(), 1), "single_value_too_large"),
    ],
    17: [
        refused("Parquet", b"PAR1" + bytes(100) + b"PAR1", "not_json:parquet"),
        refused("zip", b"PK\x03\x04" + bytes(100), "not_json:zip"),
        refused("a program", b"\x7fELF" + bytes(100), "not_json:elf"),
        refused("an error page", b"<!DOCTYPE html>\n<html></html>", "not_json:html"),
    ],
    # --- compression ---
    18: [accepted("gzip", gzip.compress(LINES), 50, "log_data/case.json.gz")],
    19: [
        accepted("gzip members", gzip.compress(LINES) + gzip.compress(LINES), 100, "log_data/case.json.gz"),
        accepted("bzip2 members", bz2.compress(LINES) + bz2.compress(LINES), 100, "log_data/case.json.bz2"),
        accepted("zstd frames", zstd(LINES) + zstd(LINES), 100, "log_data/case.json.zst"),
    ],
    20: [accepted("gzip without its suffix", gzip.compress(LINES), 50)],
    21: [accepted("plain text named .gz", LINES, 50, "log_data/case.json.gz")],
    22: [
        refused("truncated gzip", gzip.compress(LINES)[:-9], "gzip_truncated"),
        refused("truncated bzip2", bz2.compress(LINES)[:-9], "bzip2_truncated"),
        refused("truncated zstd", zstd(LINES)[:-9], "zstd_truncated"),
    ],
    23: [
        refused("gzip, wrong checksum", wrong_gzip(LINES, -7), "gzip_crc"),
        refused("gzip, wrong length", wrong_gzip(LINES, -1), "gzip_crc"),
        refused(
            "bzip2 with a wrong bit",
            bz2.compress(LINES)[:40] + b"\xff" + bz2.compress(LINES)[41:],
            "bzip2_crc",
        ),
    ],
    24: [
        refused("garbage after gzip", gzip.compress(LINES) + b"garbage", "gzip_trailing_bytes"),
        refused("garbage after bzip2", bz2.compress(LINES) + b"garbage", "bzip2_trailing_bytes"),
        accepted("zeros after gzip", gzip.compress(LINES) + bytes(1000), 50),
    ],
    25: [
        accepted("zstd", zstd(LINES), 50, "log_data/case.jsonl.zst"),
        accepted("zstd with another suffix", zstd(LINES), 50, "log_data/case.json.gz"),
        accepted("bzip2", bz2.compress(LINES), 50, "log_data/case.jsonl.bz2"),
        accepted("bzip2 with another suffix", bz2.compress(LINES), 50),
    ],
    26: [
        refused("xz", lzma.compress(LINES), "unsupported_compression:xz"),
        refused("lz4", b"\x04\x22\x4d\x18" + bytes(50), "unsupported_compression:lz4"),
        refused("snappy", snappy_framed(LINES), "unsupported_compression:snappy"),
        refused("compress", b"\x1f\x9d\x90" + bytes(50), "unsupported_compression:compress"),
    ],
    27: [
        refused("gzip in gzip", gzip.compress(gzip.compress(LINES)), "nested_compression"),
        refused("bzip2 in gzip", gzip.compress(bz2.compress(LINES)), "nested_compression"),
        refused("gzip in bzip2", bz2.compress(gzip.compress(LINES)), "nested_compression"),
    ],
    28: [
        refused("a gzip bomb", lambda: gzip.compress(bytes(200 * MEBIBYTE), 1), "single_value_too_large"),
        refused("a bzip2 bomb", lambda: bz2.compress(bytes(200 * MEBIBYTE)), "single_value_too_large"),
        log(
            "more than 16 GiB",
            more_than_16_gib,
            options={"on_bad_file": "quarantine"},
            report={"bad_file": "decompressed_limit"},
        ),
    ],
    29: python("s3/test_odd_keys", "test_the_content_encoding_is_ignored"),
    # --- structure ---
    30: [
        accepted("one array", b"[" + PLAY + b",\n" + PLAY + b"]", 2),
        accepted("one array, indented", b"[\n  " + PLAY + b",\n  " + PLAY + b"\n]\n", 2),
    ],
    31: [accepted("a line that is an array", LINE + b"[" + PLAY + b"," + PLAY + b"]\n" + LINE, 4)],
    32: [
        rejected("scalars", b'null\n17\n"a"\ntrue', *["not_an_object"] * 4),
    ],
    33: [accepted("two on a line", PLAY + PLAY + b"\n" + PLAY + b" " + PLAY, 4)],
    34: [rejected("a trailer", PLAY + b"TRAILER", "trailing_bytes")],
    35: [rejected("junk", b"junk", "syntax"), rejected("two lines of junk", b"junk\n}}", "syntax", "syntax")],
    36: [rejected("single quotes", b"{'page':'NextSong'}", "syntax")],
    37: [rejected("comments", b"# a\n// b", "syntax", "syntax")],
    38: [rejected("a trailing comma", PLAY[:-1] + b",}", "syntax")],
    39: [
        accepted(
            "pretty-printed",
            PLAY.replace(b",", b",\n  ").replace(b"{", b"{\n  ").replace(b"}", b"\n}\n") * 2,
            2,
        )
    ],
    40: [
        rejected("two times", play(f'"ts":{TS + 1}'), "duplicate_key:ts"),
        accepted("the same time twice", play(f'"ts":{TS}')),
    ],
    41: [
        rejected("TS", play(ts=f'"TS":{TS}'), "missing_required:ts"),
        accepted("ts and TS", play('"TS":1')),
    ],
    42: [
        accepted(
            "unknown keys",
            play('"new":{"a":[1]},"other":2'),
            report={"unknown_keys.logs": {"new": 1, "other": 1}},
        )
    ],
    43: [accepted("another order of keys", b'{"userId":"26","song":"s","page":"NextSong","ts":%d}' % TS)],
    44: [accepted("no optional key", PLAY)],
    45: [
        rejected("no ts", play(ts=""), "missing_required:ts"),
        rejected("no userId", play(user=""), "missing_required:userId"),
        rejected("no page", b'{"ts":1}', "missing_required:page"),
        Case(
            name="no song_id",
            files={"song_data/case.json": b'{"title":"a"}'},
            rejects=["missing_required:song_id"],
        ),
    ],
    46: [
        rejected("null ts", play(ts='"ts":null'), "null_required:ts"),
        Case(
            name="null song_id",
            files={"song_data/case.json": b'{"song_id":null}'},
            rejects=["null_required:song_id"],
        ),
    ],
    47: [rejected("an empty object", b"{}", "missing_required:page")],
    48: [
        accepted("63 deep", nested(63)),
        rejected("100 deep", nested(100), "too_deep"),
        rejected("2,000 deep", nested(2_000), "too_deep"),
        rejected("100,000 deep", nested(100_000), "too_deep"),
    ],
    49: [
        log(
            "1,000,000 keys",
            lambda: LINE + play(",".join(f'"{n}":0' for n in range(1_000_000))) + b"\n",
            loaded=1,
            rejects=["too_many_keys"],
        )
    ],
    50: [
        accepted("a text of 1 MiB", play('"song":"' + "a" * MEBIBYTE + '"')),
        rejected(
            "a text of 1 MiB and a byte", play('"song":"' + "a" * MEBIBYTE + 'b"'), "string_too_long:song"
        ),
    ],
}
