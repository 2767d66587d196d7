"""Good and bad records for tests; ``generate_inputs`` writes them into files.

Each record is generated from one integer, so a failing case is a short list of integers. Values come from
small pools, so that keys collide, times are equal, and plays match songs. The pools have values that broke
other engines: text that needs escaping in a path, years that mean "unknown", the first and last days of ISO
weeks.

This module does not know how the engine handles a record, except the reason why a bad one must be rejected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

Pairs = list[tuple[str, str]]

PARTITION_TEXTS = (
    "AR62SOJ1187FB47BB5",
    "ARpbnLO1187FB3D52F",
    "with space",
    " trailing space ",
    "/",
    "a/b",
    ":",
    "=",
    "a=b",
    "%",
    "a%2Fb",
    '"',
    "#",
    "'",
    "*",
    "?",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "^",
    "a\tb",
    "line\nfeed",
    "\r",
    "\x01",
    "\x1f",
    "\x7f",
    "é",
    "e\u0301",
    "日本語",
    "😀",
    "\u2028",
    "\ufeff",
    "..",
    ".",
    "~",
    "+",
    "&",
    ";",
    "a+b c",
    "null",
    "0",
    "007",
    "1e5",
    "true",
    "2018-11-01",
    "_hidden",
    ".hidden",
    "a" * 245,  # with "artist_id=" before it: 255 bytes, the longest component that fits
    "é" * 122,
    "",
)
SONG_IDS = ("SOA", "SOB", "SOC", "soa", "SOA ", "S", "SOÄ", "SO😀", "SO\uff21", "SO\u0000A")
TITLES = (
    "One",
    "one",
    "One ",
    "Ünder",
    "U\u0308nder",
    "",
    "Jim Henson's Dead",
    'Say "Hi"',
    "Nul\u0000",
    "a/b",
)
NAMES = ("Air", "air", "Chase & Status", "112", "Sigur Rós", "", "Stephen Lynch\\", "😀", "\uff21")
# UTF-16 would sort the last two in the opposite order.
PLACES = ("", "Panama", "Beaumont, TX", "Reykjavík", "?", "😀", "\uff21")
DURATIONS = (
    "218.93179",
    "218.931790",
    "200",
    "200.0",
    "2e2",
    "0",
    "0.1",
    "0.30000000000000004",
    "-1.5",
    "1e300",
)
ANGLES = ("8.4177", "-80.11278", "0", "0.0", "90", "1e-3")
YEARS = ("0", "0", "1969", "2005", "2018", "-1", "-500", "9999", "12345", "2147483647", "-2147483648")
FIRST_NAMES = ("Ryan", "ryan", "Zoë", "", "Lily")
LAST_NAMES = ("Smith", "Koch", "")
USERS = ("8", "15", "26", "100", "10", "1", "é", "user 7")
AGENTS = ('"Mozilla/5.0 (Windows NT 6.1; WOW64)"', "Mozilla/5.0", "", "😀", "\uff21")
SESSIONS = ("1", "2", "139", "-1", "9223372036854775807", "-9223372036854775807")
MOMENTS = (
    631_152_000_000,  # the first plausible millisecond
    4_102_444_799_999,  # the last one
    951_827_696_789,  # 2000-02-29
    1_456_704_000_000,  # 2016-02-29, midnight
    1_483_228_799_999,  # the last millisecond of 2016: ISO week 52, day 366
    1_483_228_800_000,  # 2017-01-01, a Sunday in ISO week 52 of 2016
    1_546_214_400_000,  # 2018-12-31, ISO week 1 of 2019
    1_609_459_200_000,  # 2021-01-01, ISO week 53 of 2020
    1_230_768_000_000,  # 2009-01-01, ISO week 1
    1_541_106_106_796,
    1_541_106_106_797,
    1_541_106_352_796,
    1_552_186_800_000,  # 2019-03-10 03:00 UTC: summer time begins in Los Angeles that day
)
PAGES = ("Home", "Login", "nextsong", "NextSong ", "")
UNKNOWN = (
    ("extra", '{"deep":[[{"page":"NextSong"}]],"n":[1,2.5e-3,null,true]}'),
    ("TS", "17"),
    ("été", '"\\u00e9"'),
    ("", "0"),
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A JSON value as it is in a file, and the reason why it must be rejected, if it must."""

    raw: bytes
    pretty: bytes
    fault: str | None = None


def text(random: Random, value: str) -> str:
    """JSON text for a string, in one of the spellings that producers use."""
    spelling = json.dumps(value, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.5:
        spelling = spelling.replace("/", "\\/")
    return spelling.replace("\x7f", "\\u007f") if random.random() < 0.5 else spelling


def record(random: Random, pairs: Pairs, fault: str | None = None) -> Record:
    members = [f"{json.dumps(key, ensure_ascii=False)}:{value}" for key, value in pairs]
    gap = random.choice((",", ", ", " ,\t"))
    raw = "{" + gap.join(members) + "}"
    pretty = "{\n  " + ",\n  ".join(members).replace('":', '" : ', 1) + "\n}"
    return Record(
        raw=raw.encode("utf-8", "surrogatepass"), pretty=pretty.encode("utf-8", "surrogatepass"), fault=fault
    )


def _put(random: Random, pairs: Pairs, key: str, values: Sequence[str], *, absent: float = 0.06) -> None:
    """Adds a member with one of the JSON texts; sometimes with null, sometimes not at all."""
    chance = random.random()
    if chance >= absent:
        pairs.append((key, "null" if chance < 2 * absent else random.choice(values)))


def _texts(random: Random, pool: Sequence[str], numbers: Sequence[str] = ()) -> list[str]:
    return [
        text(random, random.choice(pool)),
        *random.sample(numbers, min(len(numbers), int(random.random() < 0.1))),
    ]


def _shuffle(random: Random, pairs: Pairs, unused: Pairs) -> Pairs:
    pairs += unused
    if random.random() < 0.1:
        pairs.append(random.choice(UNKNOWN))
    if random.random() < 0.1 and pairs:
        pairs.append(random.choice(pairs))  # the same member twice is not a fault
    if random.random() < 0.4:
        random.shuffle(pairs)
    return pairs


def song_pairs(random: Random) -> Pairs:
    few = random.random() < 0.5
    pairs: Pairs = []
    _put(
        random,
        pairs,
        "artist_id",
        _texts(random, PARTITION_TEXTS[:2] if few else PARTITION_TEXTS, ("77", "7.0")),
    )
    _put(random, pairs, "artist_latitude", [*ANGLES, '"8.4177"'], absent=0.25)
    _put(random, pairs, "artist_longitude", ANGLES, absent=0.25)
    _put(random, pairs, "artist_location", _texts(random, PLACES, ("1984",)))
    _put(random, pairs, "artist_name", _texts(random, NAMES[:2] if few else NAMES, ("112", "112.0", "2.50")))
    pairs.append(("song_id", random.choice(_texts(random, SONG_IDS, ("12",)))))
    _put(random, pairs, "title", _texts(random, TITLES[:2] if few else TITLES, ("1999", "1e3")))
    _put(random, pairs, "duration", [*(DURATIONS[:5] if few else DURATIONS), '"200"'])
    _put(random, pairs, "year", [*YEARS, "2005.0", '"1969"'])
    return _shuffle(random, pairs, [("num_songs", random.choice(("1", '"one"', "null")))])


def event_pairs(random: Random, page: str = "NextSong") -> Pairs:
    few = random.random() < 0.6
    ts = random.choice(MOMENTS[9:12] if few else MOMENTS)
    pairs: Pairs = [
        ("page", text(random, page)),
        ("ts", random.choice((f"{ts}",) * 12 + (f"{ts}.0", f'"{ts}"', f"{ts}e0"))),
        ("userId", random.choice((text(random, random.choice(USERS)),) * 4 + ("26", "26.0", "2.6e1"))),
    ]
    _put(random, pairs, "artist", _texts(random, NAMES[:2] if few else NAMES, ("112", "112.0", "2.5")))
    _put(random, pairs, "firstName", _texts(random, FIRST_NAMES))
    _put(random, pairs, "gender", ('"F"', '"M"'))
    _put(random, pairs, "itemInSession", ("0", "1", "2", "2.0", '"1"'))
    _put(random, pairs, "lastName", _texts(random, LAST_NAMES))
    _put(random, pairs, "length", [*(DURATIONS[:5] if few else DURATIONS), '"200"'])
    _put(random, pairs, "level", ('"free"', '"paid"'))
    _put(random, pairs, "location", _texts(random, PLACES))
    _put(random, pairs, "sessionId", SESSIONS[:3] if few else SESSIONS)
    _put(random, pairs, "song", _texts(random, TITLES[:2] if few else TITLES, ("1999", "1000")))
    _put(random, pairs, "userAgent", _texts(random, AGENTS))
    unused = [
        ("registration", random.choice(("1540991795796.0", "1540991795796", "null"))),
        ("status", '"200 OK"'),
    ]
    return _shuffle(random, pairs, unused)


def song(seed: int) -> Record:
    """A song that must be loaded."""
    random = Random(seed)
    return record(random, song_pairs(random))


def _replaced(random: Random, pairs: Pairs, new: Pairs) -> Pairs:
    """The pairs with one member replaced by that of ``new``, or removed if ``new`` does not have it."""
    key = random.choice(
        sorted({key for key, _ in pairs + new if key not in ("song_id", "page", "ts", "userId")})
    )
    rest = [pair for pair in pairs if pair[0] != key]
    return rest + [pair for pair in new if pair[0] == key][:1]


def song_twin(seed: int, songs: Sequence[int]) -> Record:
    """A copy of one of the songs that differs in at most one member."""
    random = Random(seed)
    return record(random, _replaced(random, song_pairs(Random(random.choice(songs))), song_pairs(random)))


def listen_pairs(random: Random, songs: Sequence[int]) -> Pairs:
    heard = dict(song_pairs(Random(random.choice(songs))))
    names = {"song": "title", "artist": "artist_name", "length": "duration"}
    rest = [pair for pair in event_pairs(random) if pair[0] not in names]
    return rest + [(name, heard[key]) for name, key in names.items() if key in heard]


def listen(seed: int, songs: Sequence[int]) -> Record:
    """A play of one of the songs."""
    random = Random(seed)
    return record(random, listen_pairs(random, songs))


def listen_twins(seed: int, songs: Sequence[int]) -> list[Record]:
    """Two plays of a song, by one user at one moment, that differ in at most one member."""
    random = Random(seed)
    pairs = listen_pairs(random, songs)
    new = listen_pairs(random, songs)
    return [record(random, pairs), record(random, _replaced(random, pairs, new))]


def song_of_each_artist() -> list[Record]:
    """A song for each artist_id of the pool and one without; the special years alternate."""
    values = [*map(json.dumps, PARTITION_TEXTS), "null"]
    years = ("0", "null", "1999", "-1", "2147483647", "-2147483648")
    return [
        record(
            Random(0),
            [
                ("song_id", f'"SO{number:03}"'),
                ("artist_id", value),
                ("year", years[number % len(years)]),
                ("artist_name", f'"Artist {number}"'),
                ("duration", f"{number}.5"),
                ("title", '"T"'),
            ],
        )
        for number, value in enumerate(values)
    ]


def play(seed: int) -> Record:
    """An event that must be loaded."""
    random = Random(seed)
    return record(random, event_pairs(random))


def event(seed: int) -> Record:
    """An event that must be loaded, or filtered because of its page; then its fields may have any value."""
    random = Random(seed)
    if random.random() < 0.8:
        return record(random, event_pairs(random))
    odd = [("ts", "true"), ("userId", '""'), ("length", "[]"), ("sessionId", "9.7")]
    pairs = event_pairs(random, random.choice(PAGES)) if random.random() < 0.5 else []
    return record(random, pairs or [("page", text(random, random.choice(PAGES))), *random.sample(odd, 2)])


def other_event(seed: int) -> Record:
    """An event of another page whose values could be those of a play."""
    random = Random(seed)
    return record(random, event_pairs(random, random.choice(PAGES)))


def _nested(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


# No value starts like the inside of an indented object: after a broken line, it would be part of that object.
BROKEN: dict[str, tuple[bytes, ...]] = {
    "syntax": (
        b"{'page': 'NextSong'}",
        b"# a comment",
        b'{"page":"NextSong","song_id":"S",}',
        b'{"ts":09,"year":1}',
        b'{"year":+9}',
        b'{"length":.5}',
        b'{"length":NaN}',
        b'{"length":-Infinity}',
        b'{"page" "NextSong"}',
        b'{"page":"a\\x62"}',
        b"nonsense",
    ),
    "not_an_object": (b"null", b"17", b"true"),
}
EVENT_FAULTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("missing_required", "page", ()),
    ("missing_required", "ts", ()),
    ("missing_required", "userId", ()),
    ("null_required", "page", ("null",)),
    ("null_required", "ts", ("null",)),
    ("null_required", "userId", ("null",)),
    ("empty_user_id", "userId", ('""',)),
    ("ts_implausible", "ts", ("0", "-1", "1541106106", "1541106106796000", "631151999999", "4102444800000")),
    ("type", "ts", ("true", "[1]", "{}", '"soon"', '""', '" 1541106106796"')),
    ("type", "sessionId", ("false", '"x"', '""', "[]")),
    ("type", "length", ("true", '""', '"long"', "{}")),
    ("type", "firstName", ("true", "[]", '{"a":"b"}')),
    ("type", "userId", ("false", '["8"]')),
    ("non_integral", "ts", ("1541106106796.5", '"1541106106796.5"')),
    ("non_integral", "itemInSession", ("1.5", "5e-1")),
    ("out_of_range", "sessionId", ("9223372036854775808", "-9223372036854775809", "1e19")),
    ("out_of_range", "length", ("1e400", "-1e400")),
    ("duplicate_key", "ts", ("1541106106796", "1541106106797")),
    ("duplicate_key", "page", ('"NextSong"', '"Home"')),
    ("duplicate_key", "song", ('"One"', '"Two"')),
    ("lone_surrogate", "location", ('"\\ud800"', '"a\\udc00b"', '"\\ud800\\ud800"')),
    ("invalid_utf8", "lastName", ('"\ud800"',)),
    ("control_char", "userAgent", ('"a\tb"', '"a\x00b"', '"\x1f"')),
    ("too_deep", "trace", (_nested(100), _nested(200))),
    ("trailing_bytes", "", ("TRAILER", "}", "]", " , ")),
)
SONG_FAULTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("missing_required", "song_id", ()),
    ("null_required", "song_id", ("null",)),
    ("type", "song_id", ("true", "[]")),
    ("type", "year", ("true", '""', '"MMV"', "{}")),
    ("type", "artist_latitude", ('"north"', "false", '""')),
    ("type", "title", ("[]", "false")),
    ("non_integral", "year", ("2005.5", '"2005.5"')),
    ("out_of_range", "year", ("2147483648", "-2147483649", "1e10")),
    ("out_of_range", "duration", ("1e999",)),
    ("duplicate_key", "song_id", ('"SOA"', '"SOB"')),
    ("duplicate_key", "artist_id", ('"AR1"', "null")),
    ("lone_surrogate", "title", ('"\\udfff"',)),
    ("invalid_utf8", "title", ('"\udfff"',)),
    ("control_char", "artist_name", ('"a\tb"', '"a\x00b"', '"\x1f"')),
    ("too_deep", "extra", (_nested(100),)),
    ("partition_nul", "artist_id", ('"AR\\u0000"',)),
    ("reserved_partition_value", "artist_id", ('"__HIVE_DEFAULT_PARTITION__"',)),
    ("partition_value_too_long", "artist_id", (f'"{"a" * 246}"', f'"{"/" * 82}"', f'"{"é" * 123}"')),
)
# No line feed inside a string: it would end the line, and the rest would be a separate record.


def _bad(
    seed: int, faults: tuple[tuple[str, str, tuple[str, ...]], ...], good: Callable[[Random], Pairs]
) -> Record:
    random = Random(seed)
    if random.random() < 0.25:
        fault = random.choice(sorted(BROKEN))
        raw = random.choice(BROKEN[fault])
        return Record(raw=raw, pretty=raw, fault=fault)
    fault, key, values = random.choice(faults)
    pairs = good(random)
    if fault == "trailing_bytes":
        made = record(random, pairs, fault)
        return replace(made, raw=made.raw + random.choice(values).encode())
    pairs = [pair for pair in pairs if pair[0] != key]
    for value in values if fault == "duplicate_key" else random.sample(values, min(1, len(values))):
        pairs.insert(random.randrange(len(pairs) + 1), (key, value))
    return record(random, pairs, fault)


def bad_song(seed: int) -> Record:
    """A song that must be rejected for its ``fault``."""
    return _bad(seed, SONG_FAULTS, song_pairs)


def bad_event(seed: int) -> Record:
    """An event that must be rejected for its ``fault``."""
    return _bad(seed, EVENT_FAULTS, event_pairs)
