"""Records that end up alone in their files: any text, any number, NULL, from one seed.

A song file holds the songs of one artist and year, a file of plays those of one month. Here every song has an
artist of its own and every play a month of its own, so each file has one row, and the smallest Parquet files
that there are hold everything that a value may be.
"""

from __future__ import annotations

import struct
from datetime import datetime, timezone
from random import Random

from support.generate_records import Pairs, Record, record, text

PLANES = ((0x20, 0x7F), (0, 0x20), (0x7F, 0x250), (0x3040, 0xD800), (0xE000, 0x1_0000), (0x1_0000, 0x11_0000))
"""Ranges of characters: ASCII and control characters, Latin, what is written in three bytes, and in four."""


def any_text(random: Random, most: int = 20) -> str:
    """Up to ``most`` characters, none of them half a surrogate pair; often none at all."""
    planes = random.choices(PLANES, (8, 1, 2, 2, 1, 2), k=random.choice((0, 1, 3, most)))
    return "".join(chr(random.randrange(*plane)) for plane in planes)


def any_float(random: Random) -> float:
    """Any finite double: extremes, zeros, subnormal ones, and whatever 64 bits mean."""
    known = (0.0, -0.0, 5e-324, -2.2e-308, 1.7976931348623157e308, 0.1, 218.93179)
    while True:
        (value,) = struct.unpack("<d", random.randbytes(8))
        drawn: float = random.choice((*known, value, value, value))
        if abs(drawn) < float("inf"):  # false for NaN too
            return drawn


def put(random: Random, pairs: Pairs, key: str, value: str) -> None:
    """Adds a member, one time in five as null, one time in ten not at all."""
    chance = random.random()
    if chance > 0.1:
        pairs.append((key, "null" if chance < 0.3 else value))


def single_row_songs(seed: int, count: int) -> list[Record]:
    """Songs, each the only one of its artist."""
    random = Random(seed)
    songs = []
    for number in range(count):
        pairs = [("song_id", text(random, f"SO{number}{any_text(random)}"))]
        folder = any_text(random).replace(
            "\0", ""
        )  # no folder's name can hold it, and such a song is rejected
        pairs.append(("artist_id", text(random, f"AR{number}{folder}")))
        pairs.append(("year", str(random.choice((0, 2005, -(2**31), 2**31 - 1)))))
        put(random, pairs, "title", text(random, any_text(random, 300)))
        put(random, pairs, "artist_name", text(random, any_text(random)))
        put(random, pairs, "duration", repr(any_float(random)))
        songs.append(record(random, pairs))
    return songs


def single_row_plays(seed: int, count: int) -> list[Record]:
    """Plays, each the only one of its month."""
    random = Random(seed)
    plays = []
    for number in range(count):
        month = datetime(2000 + number // 12, 1 + number % 12, 1, tzinfo=timezone.utc)
        ts = int(month.timestamp()) * 1000 + random.randrange(28 * 24 * 3600 * 1000)
        pairs = [("page", '"NextSong"'), ("ts", str(ts))]
        pairs.append(("userId", text(random, f"{number}{any_text(random)}")))
        for key in ("level", "location", "userAgent", "song", "artist"):
            put(random, pairs, key, text(random, any_text(random, 300)))
        put(random, pairs, "sessionId", str(random.randrange(-(2**62), 2**62)))
        put(random, pairs, "length", repr(any_float(random)))
        plays.append(record(random, pairs))
    return plays
