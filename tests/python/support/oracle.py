"""The oracle: a slow, simple implementation of the table rules, independent of the engine.

It uses only lists, dicts, ``datetime`` and sorting, without files, chunks, threads or Parquet, so it does not
repeat bugs of the engine. Where the engine merges candidates, the oracle sorts all of them and takes the
first; where the engine scans bytes, the oracle uses ``json`` (see ``oracle_records``).

NULL is ``None``, times are microseconds since 1970 (int), rows are tuples in the order of ``COLUMNS``.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from support.oracle_records import Play, Rejected, Song, partition_component
from support.oracle_records import play as read_play
from support.oracle_records import song as read_song

Row = tuple[Any, ...]

COLUMNS: dict[str, tuple[str, ...]] = {
    "songs": ("song_id", "title", "artist_id", "year", "duration"),
    "artists": ("artist_id", "name", "location", "latitude", "longitude"),
    "users": ("user_id", "first_name", "last_name", "gender", "level"),
    "users_history": (
        "user_id",
        "level",
        "first_name",
        "last_name",
        "gender",
        "valid_from",
        "valid_to",
        "is_current",
    ),
    "time": ("start_time", "hour", "day", "week", "month", "year", "weekday"),
    "songplays": (
        "songplay_id",
        "start_time",
        "user_id",
        "level",
        "song_id",
        "artist_id",
        "session_id",
        "location",
        "user_agent",
        "year",
        "month",
    ),
}
PARTITIONED_BY: dict[str, tuple[str, ...]] = {
    "songs": ("year", "artist_id"),
    "artists": (),
    "users": (),
    "users_history": (),
    "time": ("year", "month"),
    "songplays": ("year", "month"),
}

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(kw_only=True)
class Counts:
    """The number of records per outcome, for songs or for logs."""

    read: int = 0
    loaded: int = 0
    filtered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    coerced: int = 0

    @property
    def quarantined(self) -> int:
        return self.reasons.total()


@dataclass(kw_only=True)
class Expected:
    """The tables, each sorted by its key, and the counts."""

    tables: dict[str, list[Row]]
    songs: Counts
    logs: Counts
    matched: int


# --- order ------------------------------------------------------------------------------------------------


def order(*values: str | float | None) -> tuple[tuple[int, Any], ...]:
    """A sort key: NULL first, text by its bytes, numbers by value."""
    return tuple(
        (0, 0) if value is None else (1, value.encode() if isinstance(value, str) else value)
        for value in values
    )


# --- tables -----------------------------------------------------------------------------------------------


def winners(songs: Iterable[Song]) -> dict[str, Song]:
    """The winning copy of each song."""

    def rank(copy: Song) -> tuple[Any, ...]:
        known = copy.year is not None and copy.year != 0
        return not known, order(copy.artist_id, copy.title, copy.year, copy.duration, copy.artist_name)

    copies: dict[str, list[Song]] = defaultdict(list)
    for copy in songs:
        copies[copy.song_id].append(copy)
    return {song_id: min(group, key=rank) for song_id, group in copies.items()}


def artists_table(songs: Iterable[Song]) -> list[Row]:
    def rank(one: Song) -> tuple[Any, ...]:
        known = bool(one.location) + (one.latitude is not None) + (one.longitude is not None)
        return -known, order(one.song_id), order(one.artist_name, one.location, one.latitude, one.longitude)

    variants: dict[str, list[Song]] = defaultdict(list)
    for one in songs:
        if one.artist_id is not None:
            variants[one.artist_id].append(one)
    best = (min(group, key=rank) for group in variants.values())
    return [(one.artist_id, one.artist_name, one.location, one.latitude, one.longitude) for one in best]


def users_table(plays: Iterable[Play]) -> list[Row]:
    def rank(one: Play) -> tuple[Any, ...]:
        return order(one.ts, one.session_id, one.item, one.level, one.first_name, one.last_name, one.gender)

    events: dict[str, list[Play]] = defaultdict(list)
    for one in plays:
        events[one.user_id].append(one)
    latest = (max(group, key=rank) for group in events.values())
    return [(one.user_id, one.first_name, one.last_name, one.gender, one.level) for one in latest]


def users_history_table(plays: Iterable[Play]) -> list[Row]:
    """For each user, the preferred play of every time; a row ends where another level begins."""
    rows: list[Row] = []
    times: dict[str, dict[int, list[Play]]] = defaultdict(lambda: defaultdict(list))
    for one in plays:
        times[one.user_id][one.ts].append(one)
    for user_id, at_once in times.items():
        # The users table of the plays of one time has the preferred one.
        kept = [(ts, *users_table(at_once[ts])[0][1:]) for ts in sorted(at_once)]
        begins = [n for n, one in enumerate(kept) if n == 0 or one[4] != kept[n - 1][4]]
        for begin, end in zip(begins, [*begins[1:], None], strict=True):
            _, first_name, last_name, gender, level = kept[begin:end][-1]
            valid_to = None if end is None else kept[end][0] * 1000
            valid_from = kept[begin][0] * 1000
            rows.append((user_id, level, first_name, last_name, gender, valid_from, valid_to, end is None))
    return rows


def time_row(ts: int) -> Row:
    at = EPOCH + timedelta(milliseconds=ts)
    return (ts * 1000, at.hour, at.day, at.isocalendar()[1], at.month, at.year, at.isoweekday() % 7 + 1)


def songplays_table(plays: Iterable[Play], songs: dict[str, Song], match: str, unmatched: str) -> list[Row]:
    def rank(one: Play) -> tuple[Any, ...]:
        return order(
            one.session_id,
            one.item,
            one.user_id,
            one.level,
            one.location,
            one.user_agent,
            one.song,
            one.artist,
            one.length,
        )

    by_name: dict[tuple[str, str], list[Song]] = defaultdict(list)
    for song in songs.values():
        if song.title is not None and song.artist_name is not None:
            by_name[song.title, song.artist_name].append(song)

    def found(one: Play) -> Song | None:
        if one.song is None or one.artist is None:
            return None
        candidates = by_name.get((one.song, one.artist), [])
        if match == "title_artist_duration":
            candidates = [
                song for song in candidates if one.length is not None and song.duration == one.length
            ]
        return min(
            candidates,
            key=lambda song: (_distance(song.duration, one.length), song.song_id.encode()),
            default=None,
        )

    at_once: dict[int, list[Play]] = defaultdict(list)
    for one in plays:
        at_once[one.ts].append(one)
    rows: list[Row] = []
    for ts, group in at_once.items():
        at = EPOCH + timedelta(milliseconds=ts)
        for number, one in enumerate(sorted(group, key=rank)):
            hit = found(one)
            if hit is None and unmatched == "drop":
                continue
            rows.append(
                (
                    (ts << 20) + number,
                    ts * 1000,
                    one.user_id,
                    one.level,
                    hit and hit.song_id,
                    hit and hit.artist_id,
                    one.session_id,
                    one.location,
                    one.user_agent,
                    at.year,
                    at.month,
                )
            )
    return rows


def _distance(duration: float | None, length: float | None) -> float:
    return math.inf if duration is None or length is None else abs(duration - length)


# --- all tables -------------------------------------------------------------------------------------------


def expect(
    song_records: Iterable[bytes],
    event_records: Iterable[bytes],
    *,
    match: str = "title_artist_duration",
    unmatched: str = "keep",
    history: str | None = None,
) -> Expected:
    """The tables and counts that the engine must produce for these records.

    With ``history``, also users_history, from "plays" or from "all-pages".
    """
    songs: list[Song] = []
    plays: list[Play] = []
    events: list[Play] = []
    counts = Counts(), Counts()

    def take(raw: bytes, count: Counts, reading: Callable[[bytes], tuple[Any, int]], into: list[Any]) -> None:
        count.read += 1
        try:
            record, coerced = reading(raw)
        except Rejected as rejected:
            count.reasons[str(rejected)] += 1
            return
        if record is None:
            count.filtered += 1
        else:
            count.loaded += 1
            count.coerced += coerced
            into.append(record)

    for raw in song_records:
        take(raw, counts[0], read_song, songs)
    for raw in event_records:
        take(raw, counts[1], read_play, plays)
        with suppress(Rejected):
            one, _ = read_play(raw, of_any_page=history == "all-pages")
            events += [one] if one else []
    best = winners(songs)
    songplays = songplays_table(plays, best, match, unmatched)
    tables = {
        # The partition column artist_id cannot hold '': Hive's layout has one folder for '' and NULL.
        "songs": [
            (one.song_id, one.title, one.artist_id or None, one.year, one.duration) for one in best.values()
        ],
        "artists": artists_table(songs),
        "users": users_table(plays),
        "time": [time_row(ts) for ts in {one.ts for one in plays}],
        "songplays": songplays,
    }
    if history:
        tables["users_history"] = users_history_table(events)
    return Expected(
        tables={name: sorted(rows, key=lambda row: order(*row)) for name, rows in tables.items()},
        songs=counts[0],
        logs=counts[1],
        matched=sum(row[4] is not None for row in songplays),
    )


# --- partitions -------------------------------------------------------------------------------------------


def partition_folder(table: str, row: Row) -> str:
    """The partition folder of a row below the folder of its table, or '' without partitions."""
    values = dict(zip(COLUMNS[table], row, strict=True))
    return "/".join(partition_component(column, values[column]) for column in PARTITIONED_BY[table])
