"""The records of the oracle: JSON, types, lossless conversions, and the reasons to reject a record.

This is the first half of the oracle; ``oracle`` builds the tables. It uses ``json`` and adds the checks that
``json`` does not make. It reads one record at a time, without files.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

Members = dict[str, Any]

EARLIEST_TS = 631_152_000_000  # 1990-01-01
LATEST_TS = 4_102_444_800_000  # 2100-01-01, exclusive
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
ESCAPED = frozenset("\"#%'*/:=?\\{[]^\x7f") | {chr(code) for code in range(1, 32)}
DEEPEST = 64


class Rejected(Exception):
    """The record is bad; the text is the reason, without the key."""


def partition_component(column: str, value: str | int | None) -> str:
    """The folder name of a partition value, as Spark writes it."""
    if value is None or value == "":
        return f"{column}={NULL_PARTITION}"
    return f"{column}=" + "".join(f"%{ord(c):02X}" if c in ESCAPED else c for c in str(value))


class _Number(str):
    """A JSON number, as written."""

    __slots__ = ()


def _not_json(_: str) -> NoReturn:
    raise Rejected("syntax")  # NaN and Infinity, which json would accept


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(item) for item in value), default=0)
    return 0


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return any(_has_surrogate(key) or _has_surrogate(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(_has_surrogate, value))
    return False


def parse(raw: bytes, used: frozenset[str]) -> Members:
    """Reads one record into its members.

    Args:
        raw: The record's bytes.
        used: The keys that may not occur twice with different values.

    Returns:
        The members; numbers stay text in a separate type, so that no digit is lost.

    Raises:
        Rejected: The record is not a JSON object, or has two values for one key.
    """
    twice: set[str] = set()

    def members(pairs: list[tuple[str, Any]]) -> Members:
        found: Members = {}
        for key, value in pairs:
            if key in found and found[key] != value:
                twice.add(key)
            found.setdefault(key, value)
        return found

    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("invalid_utf8") from None
    hooks: dict[str, Any] = {
        "object_pairs_hook": members,
        "parse_int": _Number,
        "parse_float": _Number,
        "parse_constant": _not_json,
    }
    try:
        value = json.loads(text, **hooks)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Invalid control character"):
            raise Rejected("control_char") from None
        whole_object = error.msg == "Extra data" and text[: error.pos].lstrip().startswith("{")
        raise Rejected("trailing_bytes" if whole_object else "syntax") from None
    if not isinstance(value, dict):
        raise Rejected("not_an_object")
    if _has_surrogate(value):
        raise Rejected("lone_surrogate")
    if _depth(value) > DEEPEST:
        raise Rejected("too_deep")
    if twice & used:
        raise Rejected("duplicate_key")
    return value


def _exact(text: str, reason: str) -> float:
    """The value of a numeric text; rejects numbers that a double cannot hold."""
    if not _is_number(text):
        raise Rejected(reason)
    number = float(text)
    if math.isinf(number):
        raise Rejected("out_of_range")
    return number


def _is_number(text: str) -> bool:
    try:
        value = json.loads(text, parse_constant=_not_json)
    except (json.JSONDecodeError, Rejected):
        return False
    return isinstance(value, int | float) and not isinstance(value, bool) and text == text.strip()


class Reader:
    """Reads typed values from a record and counts the conversions."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self.coerced = 0

    def require(self, key: str) -> None:
        if key not in self.members:
            raise Rejected("missing_required")
        if self.members[key] is None:
            raise Rejected("null_required")

    def text(self, key: str) -> str | None:
        value = self.members.get(key)
        if isinstance(value, _Number):
            self.coerced += 1
            number = _exact(value, "type")
            if "." not in value and "e" not in value.lower():
                return str(int(value))
            return str(int(number)) if number.is_integer() else repr(number)
        if value is None or isinstance(value, str):
            return value
        raise Rejected("type")

    def number(self, key: str) -> float | None:
        value = self.members.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise Rejected("type")
        if not isinstance(value, _Number):
            self.coerced += 1
        return _exact(value, "type")

    def integer(self, key: str, bits: int) -> int | None:
        value = self.members.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise Rejected("type")
        number = _exact(value, "type")
        plain = value.lstrip("-").isdigit()
        if not number.is_integer():
            raise Rejected("non_integral")
        whole = int(value) if plain else int(number)
        if not -(2 ** (bits - 1)) <= whole < 2 ** (bits - 1):
            raise Rejected("out_of_range")
        if not (plain and isinstance(value, _Number)):
            self.coerced += 1
        return whole


@dataclass(frozen=True, kw_only=True)
class Song:
    song_id: str
    title: str | None
    artist_id: str | None
    artist_name: str | None
    location: str | None
    latitude: float | None
    longitude: float | None
    duration: float | None
    year: int | None


@dataclass(frozen=True, kw_only=True)
class Play:
    ts: int
    user_id: str
    first_name: str | None
    last_name: str | None
    gender: str | None
    level: str | None
    session_id: int | None
    item: int | None
    location: str | None
    user_agent: str | None
    song: str | None
    artist: str | None
    length: float | None


SONG_KEYS = frozenset(
    [
        "artist_id",
        "artist_latitude",
        "artist_longitude",
        "artist_location",
        "artist_name",
        "song_id",
        "title",
        "duration",
        "year",
    ]
)
PLAY_KEYS = frozenset(
    [
        "artist",
        "firstName",
        "gender",
        "itemInSession",
        "lastName",
        "length",
        "level",
        "location",
        "page",
        "sessionId",
        "song",
        "ts",
        "userAgent",
        "userId",
    ]
)


def song(raw: bytes) -> tuple[Song, int]:
    """A song record, and the number of converted values."""
    reader = Reader(parse(raw, SONG_KEYS))
    reader.require("song_id")
    read = Song(
        song_id=reader.text("song_id") or "",
        title=reader.text("title"),
        artist_id=reader.text("artist_id"),
        artist_name=reader.text("artist_name"),
        location=reader.text("artist_location"),
        latitude=reader.number("artist_latitude"),
        longitude=reader.number("artist_longitude"),
        duration=reader.number("duration"),
        year=reader.integer("year", 32),
    )
    if read.artist_id is not None:
        if "\x00" in read.artist_id:
            raise Rejected("partition_nul")
        if read.artist_id == NULL_PARTITION:
            raise Rejected("reserved_partition_value")
        if len(partition_component("artist_id", read.artist_id).encode()) > 255:
            raise Rejected("partition_value_too_long")
    return read, reader.coerced


def play(raw: bytes, *, of_any_page: bool = False) -> tuple[Play | None, int]:
    """An event, or None if its page is not NextSong, and the number of converted values."""
    members = parse(raw, PLAY_KEYS | {"page"})
    reader = Reader(members)
    reader.require("page")
    if reader.text("page") != "NextSong" and not of_any_page:
        return None, 0
    reader.require("ts")
    reader.require("userId")
    ts = reader.integer("ts", 64)
    if ts is None or not EARLIEST_TS <= ts < LATEST_TS:
        raise Rejected("ts_implausible")
    user_id = reader.text("userId")
    if not user_id:
        raise Rejected("empty_user_id")
    read = Play(
        ts=ts,
        user_id=user_id,
        first_name=reader.text("firstName"),
        last_name=reader.text("lastName"),
        gender=reader.text("gender"),
        level=reader.text("level"),
        session_id=reader.integer("sessionId", 64),
        item=reader.integer("itemInSession", 64),
        location=reader.text("location"),
        user_agent=reader.text("userAgent"),
        song=reader.text("song"),
        artist=reader.text("artist"),
        length=reader.number("length"),
    )
    return read, reader.coerced
