"""The catalogue of bad input, rows 1 to 118: how each is made, and what must come of it.

A row is a list of cases that are run here (`Case`), or the name of the test that looks at it (`Elsewhere`),
or a platform that the package does not run on (`Unsupported`). Nothing here calls the package.

The two good files that every input holds beside the case are in `BASE`: one song, three plays.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

Data: TypeAlias = bytes | Callable[[], bytes]

MEBIBYTE = 1 << 20
TS = 1541121934796


def play(members: str = "", *, ts: str = f'"ts":{TS}', user: str = '"userId":"26"') -> bytes:
    """A play; `members` come last, `ts` and `user` can be replaced."""
    rest = [part for part in ('"page":"NextSong"', ts, user, members) if part]
    return ("{" + ",".join(rest) + "}").encode("utf-8", "surrogatepass")


def song(artist: str, members: str = '"song_id":"SOX"') -> bytes:
    """A song whose artist_id is that JSON text."""
    return ("{" + f'{members},"artist_id":{artist},"year":1999' + "}").encode()


PLAY = play()
LINE = PLAY + b"\n"
LINES = LINE * 50
HOME = b'{"page":"Home"}'
BASE: Mapping[str, bytes] = {
    "song_data/base.json": b'{"song_id":"SOBASE","title":"T","artist_id":"ARBASE",'
    b'"artist_name":"A","duration":1.5,"year":0}',
    "log_data/base.json": b"".join(play(f'"itemInSession":{n},"sessionId":7') + b"\n" for n in range(3)),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One input and its outcome.

    Attributes:
        name: What is special about it.
        files: Its files, beside those of `BASE`, by path; what is large is made when it is needed.
        exit: 0, or what the run must be refused with.
        says: What the refusal names: the reason, as a rule.
        loaded: Records of the case's content that must be loaded, without those of `BASE`.
        filtered: Records that a rule leaves out.
        rejects: Reasons of the records that must be in quarantine, in the order of the input, with their key.
        options: Of the run.
        report: Values that the report must hold, by a dotted path.
    """

    name: str
    files: Mapping[str, Data]
    exit: int = 0
    says: str = ""
    loaded: int = 0
    filtered: int = 0
    rejects: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """`songs` or `logs`: what the files of the case hold."""
        return "songs" if any(path.startswith("song_data/") for path in self.files) else "logs"


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The row is looked at by a test with this name in this file."""

    file: str
    test: str


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """The row is about something that the package does not do."""

    because: str


Row = list[Case] | list[Elsewhere] | Unsupported


def log(name: str, data: Data, path: str = "log_data/case.json", **outcome: Any) -> Case:
    """A case of one log file; every line of it is loaded unless the outcome says otherwise."""
    return Case(name=name, files={path: data}, **outcome)


def accepted(
    name: str, data: bytes, loaded: int = 1, path: str = "log_data/case.json", **outcome: Any
) -> Case:
    """A file that is taken."""
    return log(name, data, path, loaded=loaded, **outcome)


def rejected(name: str, record: bytes, *reasons: str) -> Case:
    """A record between two good ones; it goes, they stay."""
    return log(name, LINE + record + b"\n" + LINE, loaded=2, rejects=reasons)


def refused(name: str, data: Data, reason: str, path: str = "log_data/case.json", **outcome: Any) -> Case:
    """A file that refuses the run."""
    return log(name, data, path, exit=65, says=reason, **outcome)


def partition(name: str, artist: str, folder: str) -> Case:
    """A song whose partition must have that name."""
    return Case(
        name=name,
        files={"song_data/case.json": song(artist)},
        loaded=1,
        report={"partition": f"year=1999/artist_id={folder}"},
    )


def bad_partition(name: str, artist: str, reason: str) -> Case:
    """A song whose artist_id can name no folder."""
    return Case(name=name, files={"song_data/case.json": song(artist)}, rejects=[f"{reason}:artist_id"])


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def rust(file: str, test: str) -> list[Elsewhere]:
    return [Elsewhere(file=f"tests/rust/{file}.rs", test=test)]


def python(file: str, *tests: str) -> list[Elsewhere]:
    return [Elsewhere(file=f"tests/python/{file}.py", test=test) for test in tests]


def nested(depth: int) -> bytes:
    return play('"x":' + "[" * depth + "]" * depth)


def wrong_gzip(data: bytes, at: int) -> bytes:
    packed = bytearray(gzip.compress(data))
    packed[at] ^= 1
    return bytes(packed)


def snappy_framed(data: bytes) -> bytes:
    return b"\xff\x06\x00\x00sNaPpY" + b"\x01" + struct.pack("<I", len(data) + 4)[:3] + bytes(4) + data


def large_value() -> bytes:
    return b'{"x":"' + b"y" * (200 * MEBIBYTE)


def more_than_16_gib() -> bytes:
    """Frames of 256 MiB of zeros, one behind the other, in a file of half a megabyte."""
    return zstd(bytes(256 * MEBIBYTE)) * 65


ROWS: dict[int, Row] = {
    # --- bytes ---
    1: [log("a torn last line", LINE + PLAY[:40], loaded=1, rejects=["truncated_tail"])],
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
    8: [accepted("0 bytes", b"", 0, report={"warning": "hold no record"})],
    9: [accepted("blank lines", b"\n \n\r\n\t\n", 0, report={"warning": "hold no record"})],
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
        refused("the same, packed", lambda: gzip.compress(large_value(), 1), "single_value_too_large"),
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
        refused("gzip, cut", gzip.compress(LINES)[:-9], "gzip_truncated"),
        refused("bzip2, cut", bz2.compress(LINES)[:-9], "bzip2_truncated"),
        refused("zstd, cut", zstd(LINES)[:-9], "zstd_truncated"),
    ],
    23: [
        refused("gzip, wrong checksum", wrong_gzip(LINES, -7), "gzip_crc"),
        refused("gzip, wrong length", wrong_gzip(LINES, -1), "gzip_crc"),
        refused(
            "bzip2, a wrong bit", bz2.compress(LINES)[:40] + b"\xff" + bz2.compress(LINES)[41:], "bzip2_crc"
        ),
    ],
    24: [
        refused("garbage behind gzip", gzip.compress(LINES) + b"garbage", "gzip_trailing_bytes"),
        refused("garbage behind bzip2", bz2.compress(LINES) + b"garbage", "bzip2_trailing_bytes"),
        accepted("zeros behind gzip", gzip.compress(LINES) + bytes(1000), 50),
    ],
    25: [
        accepted("zstd", zstd(LINES), 50, "log_data/case.jsonl.zst"),
        accepted("zstd by another name", zstd(LINES), 50, "log_data/case.json.gz"),
        accepted("bzip2", bz2.compress(LINES), 50, "log_data/case.jsonl.bz2"),
        accepted("bzip2 by another name", bz2.compress(LINES), 50),
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
    29: python("s3/test_odd_keys", "test_a_content_encoding_is_not_believed"),
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
    # --- values ---
    51: [accepted("a number as text", play(ts=f'"ts":"{TS}"'), report={"coerced.logs": 1})],
    52: [accepted("9.0 and 9e0", play('"sessionId":9.0,"itemInSession":9e0'), report={"coerced.logs": 2})],
    53: [rejected("9.7", play('"sessionId":9.7'), "non_integral:sessionId")],
    54: [rejected("2^63", play('"sessionId":9223372036854775808'), "out_of_range:sessionId")],
    55: [
        rejected(
            "NaN, Infinity", play('"length":NaN') + b"\n" + play('"length":-Infinity'), "syntax", "syntax"
        )
    ],
    56: [
        rejected("09", play('"sessionId":09'), "syntax"),
        rejected("+9", play('"sessionId":+9'), "syntax"),
        rejected(".5", play('"length":.5'), "syntax"),
    ],
    57: [rejected("true", play('"sessionId":true'), "type:sessionId")],
    58: [
        rejected("an array", play('"song":["a"]'), "type:song"),
        rejected("an object", play('"length":{}'), "type:length"),
    ],
    59: [
        accepted(
            "a number for userId", play(user='"userId":2.6e1'), report={"coerced.logs": 1, "rows.users": 1}
        )
    ],
    60: [
        rejected("1e400", play('"length":1e400'), "out_of_range:length"),
        accepted("a denormal and -0.0", play('"length":5e-324') + b"\n" + play('"length":-0.0'), 2),
    ],
    61: [
        rejected("half a pair", play('"song":"\\ud83d"'), "lone_surrogate:song"),
        rejected("the other half", play('"song":"\\ude00"'), "lone_surrogate:song"),
    ],
    62: [rejected("CESU-8", play('"song":"\ud83d\ude00"'), "invalid_utf8:song")],
    63: [
        Case(
            name="NFD is not NFC",
            files={
                "log_data/case.json": b"\n".join(
                    play(f'"song":"{title}","artist":"A","length":2')
                    for title in ("\u00fc", "u\u0308", "\u00fc ")
                ),
            },
            loaded=3,
            report={"plays.matched": 0},
        )
    ],
    64: [
        accepted("a negative length", play('"length":-7.5')),
        Case(
            name="latitude 999, year 0",
            files={
                "song_data/case.json": b'{"song_id":"SOX","artist_id":"ARX","artist_latitude":999,"year":0}'
            },
            loaded=1,
        ),
    ],
    # --- meaning and time ---
    65: [
        rejected("seconds", play(ts='"ts":1541121934'), "ts_implausible:ts"),
        rejected("microseconds", play(ts='"ts":1541121934796000'), "ts_implausible:ts"),
        accepted(
            "seconds that are meant",
            play(ts='"ts":1541121934'),
            options={"ts_window": "1970-01-01..2100-01-01"},
        ),
    ],
    66: [
        rejected("negative, 0", play(ts='"ts":-1') + b"\n" + play(ts='"ts":0'), *["ts_implausible:ts"] * 2),
        rejected("far away", play(ts='"ts":9223372036854775807'), "ts_implausible:ts"),
    ],
    67: [
        accepted(
            "summer time begins",
            play(ts='"ts":1552186800000'),
            report={"time": ("2019-03-10 03:00", 3, 10, 10, 3, 2019, 1)},
        )
    ],
    68: [
        accepted(
            "a week of the next year",
            play(ts='"ts":1546214400000'),
            report={"time": ("2018-12-31 00:00", 0, 31, 1, 12, 2018, 2)},
        )
    ],
    69: [
        accepted("logged out on another page", b'{"page":"Home","userId":""}', 0, filtered=1),
        rejected("a play of nobody", play(user='"userId":""'), "empty_user_id:userId"),
    ],
    70: [accepted("the same event twice", LINE * 2, 2, report={"plays.rows": 5})],
    71: [
        Case(
            name="the same file twice",
            files={"log_data/case.json": LINES, "log_data/2018/copy.json": LINES},
            exit=65,
            says="duplicate_input",
        ),
        Case(
            name="the same packed file twice",
            files={"log_data/a.json.gz": gzip.compress(LINES), "log_data/b.json.gz": gzip.compress(LINES)},
            exit=65,
            says="duplicate_input",
        ),
        Case(
            name="the same file twice, meant",
            files={"log_data/case.json": LINES, "log_data/2018/copy.json": LINES},
            loaded=100,
            options={"allow_duplicates": True},
        ),
        Case(
            name="a song twice is one song",
            files={"song_data/a.json": song('"A"'), "song_data/b.json": song('"A"')},
            loaded=2,
            report={"rows.songs": 2},
        ),
        Case(name="nothing twice is nothing", files={"log_data/a.json": b"\n", "log_data/b.json": b"\n"}),
    ],
    72: python("tables/test_oracle", "test_built_tables_agree_with_the_oracle"),
    73: python("input/test_bad_input", "test_a_late_event_changes_its_month_alone"),
    # --- partition values and paths ---
    74: [partition("a slash", '"a/b"', "a%2Fb")],
    75: [partition("dots", '".."', ".."), partition("a dot", '"."', ".")],
    76: [partition("percent", '"100%"', "100%25"), partition("escaped already", '"a%2Fb"', "a%252Fb")],
    77: [partition("special characters", '":=\\"*?#\\\\[{^\\u007f"', "%3A%3D%22%2A%3F%23%5C%5B%7B%5E%7F")],
    78: [partition("control characters", '"a\\nb\\u0001"', "a%0Ab%01")],
    79: [partition("not ASCII", '"日本 é😀"', "日本 é😀")],
    80: [
        partition("255 bytes", '"' + "a" * 245 + '"', "a" * 245),
        bad_partition("256 bytes", '"' + "a" * 246 + '"', "partition_value_too_long"),
        bad_partition("256 bytes, escaped", '"' + "/" * 82 + '"', "partition_value_too_long"),
    ],
    81: [
        partition("null", "null", "__HIVE_DEFAULT_PARTITION__"),
        partition("empty", '""', "__HIVE_DEFAULT_PARTITION__"),
    ],
    82: [bad_partition("Hive's name for null", '"__HIVE_DEFAULT_PARTITION__"', "reserved_partition_value")],
    83: rust("accounting", "names_that_a_file_system_takes_for_one_are_refused_where_it_does"),
    84: Unsupported(because="Windows: only Linux is supported and tested, wheels for it alone are built"),
    85: [
        Case(
            name="200,001 artists",
            files={
                "song_data/case.json": lambda: b"\n".join(
                    b'{"song_id":"S%d","artist_id":"A%d"}' % (n, n) for n in range(200_001)
                )
            },
            exit=65,
            says="too_many_partitions",
        )
    ],
    # --- listing and files ---
    86: [
        Case(
            name="what others leave behind",
            files=dict.fromkeys(
                [
                    "log_data/.DS_Store",
                    "log_data/_temporary/0/part.json",
                    "log_data/_SUCCESS",
                    "log_data/.case.json.crc",
                    "log_data/case.json~",
                    "log_data/.case.json.swp",
                    "log_data/case.json.tmp",
                ],
                b"nonsense",
            ),
        )
    ],
    87: python("s3/test_odd_keys", "test_what_is_no_data_is_skipped"),
    88: python(
        "s3/test_odd_keys", "test_keys_that_cannot_be_addressed", "test_odd_keys_elsewhere_do_not_matter"
    ),
    89: [
        *python("s3/test_odd_keys", "test_more_than_a_page_of_keys"),
        *rust("remote_input", "many_keys_take_few_more_requests_than_pages"),
    ],
    90: [
        *python("s3/test_faults", "test_an_input_that_changes_while_it_is_read"),
        *rust("store", "a_changed_object_says_so"),
    ],
    91: rust("failures", "a_file_that_changed_since_it_was_listed_ends_the_run"),
    92: rust("failures", "a_file_that_changed_since_it_was_listed_ends_the_run"),
    93: python("s3/test_access", "test_no_permission_on_one_object"),
    94: python("s3/test_access", "test_an_archived_object", "test_a_key_of_kms_that_is_denied"),
    95: python("lake/test_failures", "test_special_files_are_never_opened"),
    96: python("input/test_bad_input", "test_a_file_name_that_is_no_text"),
    97: python("input/test_bad_input", "test_a_file_that_several_patterns_match_is_read_once"),
    98: python("lake/test_failures", "test_no_input"),
    99: python("input/test_bad_input", "test_an_input_that_shrank"),
    # --- environment ---
    100: python("s3/test_access", "test_a_wrong_region", "test_a_missing_bucket"),
    101: python("s3/test_access", "test_a_token_that_expires_during_the_run"),
    102: python("s3/test_access", "test_a_clock_that_is_wrong"),
    103: [
        *python("s3/test_faults", "test_every_fault_at_every_kind", "test_a_store_that_keeps_failing"),
        *rust("store", "patience_ends"),
    ],
    104: python("lake/test_failures", "test_full_disk", "test_full_disk_keeps_the_old_tables"),
    105: [
        *python("lake/test_failures", "test_read_only_disk", "test_output_that_may_not_be_written"),
        *python("s3/test_access", "test_no_permission_to_write", "test_no_permission_to_delete"),
    ],
    106: [
        *python("tables/test_invariance", "test_the_least_memory_gives_the_same_files"),
        *rust("pipeline", "little_memory_gives_the_same_bytes"),
    ],
    107: python("input/test_bad_input", "test_few_open_files"),
    108: python(
        "s3/test_access",
        "test_encrypted_with_a_certificate_of_ones_own",
        "test_a_file_of_certificates_that_is_none",
    ),
    109: python("s3/test_access", "test_a_store_without_conditions"),
    110: python("crash/test_signals", "test_a_run_in_a_forked_child"),
    # --- configuration and concurrency ---
    111: [
        *python("lake/test_failures", "test_output_and_input_must_not_overlap"),
        *python("lake/test_failures", "test_input_through_a_symlink_into_the_output"),
        *python("s3/test_jobs", "test_overlapping_places_are_refused"),
    ],
    112: [
        *python("lake/test_rerun", "test_a_second_run_beside_the_first_is_turned_away"),
        *python("crash/test_overlapping_runs", "test_overlapping_runs_end_as_one_after_the_other"),
    ],
    113: python(
        "crash/test_kills_and_disk_faults",
        "test_killed_before_every_operation",
        "test_a_recovery_killed_before_every_operation",
    ),
    114: python(
        "lake/test_failures", "test_foreign_files_are_not_touched", "test_foreign_file_beside_our_own"
    ),
    115: python("lake/test_failures", "test_adopting_what_spark_wrote"),
    116: python("input/test_bad_input", "test_tables_of_another_form_are_foreign"),
    117: python(
        "test_config",
        "test_layouts",
        "test_oddities_are_named_with_their_line",
        "test_two_values_are_refused_and_an_argument_settles_it",
    ),
    118: rust("failures", "a_lake_of_a_newer_version_is_not_touched"),
}
