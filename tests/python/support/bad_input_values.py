"""Rows of the catalog of bad input about values, their meaning, times and partitions."""

from __future__ import annotations

import gzip

from support.bad_input_cases import (
    LINE,
    LINES,
    TS,
    Case,
    Row,
    Unsupported,
    accepted,
    bad_partition,
    partition,
    play,
    python,
    rejected,
    rust,
    song,
)

ROWS: dict[int, Row] = {
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
        rejected("half a surrogate pair", play('"song":"\\ud83d"'), "lone_surrogate:song"),
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
            "allowed seconds",
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
        rejected("a play without a user", play(user='"userId":""'), "empty_user_id:userId"),
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
            name="the same compressed file twice",
            files={"log_data/a.json.gz": gzip.compress(LINES), "log_data/b.json.gz": gzip.compress(LINES)},
            exit=65,
            says="duplicate_input",
        ),
        Case(
            name="the same file twice, allowed",
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
        Case(name="two files without records", files={"log_data/a.json": b"\n", "log_data/b.json": b"\n"}),
    ],
    72: python("tables/test_oracle", "test_built_tables_match_the_oracle"),
    73: python("input/test_bad_input", "test_a_late_event_changes_only_its_month"),
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
    83: rust("accounting", "partitions_that_differ_only_in_case_are_refused_where_case_is_ignored"),
    84: Unsupported(because="Windows: only Linux is supported, tested, and has wheels"),
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
}
