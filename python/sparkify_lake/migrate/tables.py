"""Which of the five tables a write is, which names its columns have, and how its rows differ from ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sparkify_lake.migrate.frames import Frame, Join
from sparkify_lake.migrate.recording import Note, Recording, Write
from sparkify_lake.migrate.values import FIELDS, Column

# Our columns, and what they hold in terms of the input.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "songs": {
        "song_id": "song_id", "title": "title", "artist_id": "artist_id", "year": "year",
        "duration": "duration",
    },
    "artists": {
        "artist_id": "artist_id", "name": "artist_name", "location": "artist_location",
        "latitude": "artist_latitude", "longitude": "artist_longitude",
    },
    "users": {
        "user_id": "userId", "first_name": "firstName", "last_name": "lastName", "gender": "gender",
        "level": "level",
    },
    "time": {
        "start_time": "start_time", "hour": "fn:hour", "day": "fn:day", "week": "fn:week",
        "month": "fn:month", "year": "fn:year", "weekday": "fn:weekday",
    },
    "songplays": {
        "songplay_id": "id", "start_time": "start_time", "user_id": "userId", "level": "level",
        "song_id": "song_id", "artist_id": "artist_id", "session_id": "sessionId", "location": "location",
        "user_agent": "userAgent", "year": "fn:year", "month": "fn:month",
    },
}  # fmt: skip
PARTITIONS: Mapping[str, tuple[str, ...]] = {
    "songs": ("year", "artist_id"),
    "time": ("year", "month"),
    "songplays": ("year", "month"),
}
KEYS = {"songs": "song_id", "artists": "artist_id", "users": "userId", "time": "start_time"}
_NAMES = (
    ("songplays", r"song_?-?plays?|plays"),
    ("artists", "artist"),
    ("users", "user"),
    ("time", "time"),
    ("songs", "song"),
)
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TITLE, _ARTIST, _LENGTH = ("song", "title"), ("artist", "artist_name"), ("length", "duration")
_STEPS = {
    "limit": "limit() left out rows", "sample": "sample() left out rows", "subtract": "rows were subtracted",
    "intersect": "rows were intersected", "union": "rows of another frame were added",
}  # fmt: skip


@dataclass(slots=True)
class OldTable:
    """A table that the script writes.

    Attributes:
        name: The table of ours.
        write: The write.
        renamed: The names of our columns in the old table, where they differ.
        columns: The names of its columns; empty if they are not known.
    """

    name: str
    write: Write
    renamed: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


def tables_of(recording: Recording) -> dict[str, OldTable]:
    """Returns the tables that the script writes; notes what differs or is not understood."""
    found: dict[str, OldTable] = {}
    for write in recording.writes:
        name, is_certain = _recognized(write)
        if name is None:
            reason = "it is none of the five tables; sparkify-lake does not write it"
            recording.not_understood(write.line, f"the table in {_shown(write)}", reason)
        elif name in found and (other := _by_name(write)) is not None and other not in found:
            # The script writes the wrong frame to the folder of another table.
            found[other] = OldTable(other, replace(write, frame=None))
            reason = f"sparkify-lake writes {other} to this folder"
            recording.differs.append(Note(write.line, f"{_shown(write)} had the columns of {name}", reason))
        elif name in found:
            if str(found[name].write.path).rstrip("/") != str(write.path).rstrip("/"):
                reason = f"the first place, line {found[name].write.line}, is kept"
                recording.not_understood(write.line, f"{name} is also written to {_shown(write)}", reason)
        else:
            found[name] = OldTable(name, write)
            if not is_certain:
                reason = "it was recognized by its folder; its columns are expected to have our names"
                recording.not_understood(write.line, f"the columns of {name}", reason)
    _distinguish(found.values())
    for table in found.values():
        _compare(table, recording)
    for name in COLUMNS.keys() - found.keys():
        recording.not_understood(0, f"no write of the table {name} was found", "sparkify-lake writes it too")
    return {name: found[name] for name in COLUMNS if name in found}


def _distinguish(tables: Iterable[OldTable]) -> None:
    """Replaces the line of a function that writes several tables by the lines that call it."""
    written = list(tables)
    for depth in range(1, max((len(table.write.calls) for table in written), default=0) + 1):
        groups: dict[int, list[OldTable]] = {}
        for table in written:
            groups.setdefault(table.write.line, []).append(table)
        for group in groups.values():
            lines = [table.write.calls[-depth] if depth <= len(table.write.calls) else 0 for table in group]
            if len(set(lines)) > 1 and all(lines):
                for table, line in zip(group, lines, strict=True):
                    table.write = replace(table.write, line=line)


def _shown(write: Write) -> str:
    return "/".join(str(write.path).rstrip("/").split("/")[-2:])


def _by_name(write: Write) -> str | None:
    """Returns the table that the folder of a write is named after."""
    last = "/".join(str(write.path).lower().rstrip("/").split("/")[-2:])
    words = [last.rpartition("/")[2], last]
    return next((name for word in words for name, pattern in _NAMES if re.search(pattern, word)), None)


def _recognized(write: Write) -> tuple[str | None, bool]:
    """Returns the table of a write, and whether its columns are known."""
    by_name = _by_name(write)
    frame = write.frame
    if frame is None or frame.is_open or not frame.columns:
        return by_name, False
    origins = {column.origin for column in frame.columns.values()}
    by_columns = _of_origins(origins)
    return (by_columns or by_name, by_columns is not None)


def _of_origins(origins: set[str]) -> str | None:
    """Returns the table whose columns hold these fields."""
    parts = sum(origin.startswith("fn:") for origin in origins)
    is_log = bool(origins & {"userId", "ts", "start_time", "sessionId"})
    if "sessionId" in origins or (is_log and origins & {"song_id", "artist_id", "song"}):
        return "songplays"
    if parts >= 2 and "userId" not in origins:
        return "time"
    if origins & {"firstName", "lastName"} or {"userId", "gender"} <= origins:
        return "users"
    if "title" in origins or {"song_id", "duration"} <= origins:
        return "songs"
    if "artist_id" in origins and origins & {"artist_name", "artist_location", "artist_latitude"}:
        return "artists"
    return None


def _compare(table: OldTable, recording: Recording) -> None:
    frame = table.write.frame
    if frame is not None and frame.columns and not frame.is_open:
        table.columns = tuple(frame.columns)
        _compare_columns(table, frame, recording)
    _compare_partitions(table, recording)
    _compare_writing(table, recording)
    if frame is None or not (frame.columns or frame.is_open):
        return  # a frame that is not understood
    line = table.write.line
    if table.name in ("users", "time", "songplays") and ("page", "NextSong") not in frame.constants:
        reason = "sparkify-lake uses only events with page NextSong"
        recording.differs.append(Note(line, f"no filter on NextSong was found for {table.name}", reason))
    for origin, constant in dict.fromkeys(frame.constants):
        if (origin, constant) != ("page", "NextSong") and origin != "id":
            recording.not_understood(line, f"{table.name} is filtered by a constant of {origin}")
    for step, place in dict.fromkeys(frame.steps):
        if step in _STEPS:
            recording.differs.append(
                Note(place, f"{table.name}: {_STEPS[step]}", "sparkify-lake writes all rows")
            )
        elif step == "filter":
            recording.not_understood(place, f"a filter of {table.name}", "sparkify-lake has no such filter")
    _compare_rows(table, frame, recording)


def _compare_columns(table: OldTable, frame: Frame, recording: Recording) -> None:
    line, ours = table.write.line, COLUMNS[table.name]
    used: set[str] = set()
    for name, origin in ours.items():
        column = _column_of(name, origin, frame, used)
        if column is None:
            if name not in ("year", "month") or table.name != "songplays":
                recording.differs.append(Note(line, f"{table.name} gets the additional column {name}"))
            continue
        used.add(column.name)
        if column.name != name:
            if _COLUMN_NAME.fullmatch(column.name):
                table.renamed[name] = column.name
            else:
                recording.not_understood(line, f"the name of the column {table.name}.{name}")
        _compare_values(table, name, origin, column, recording)
    final = [table.renamed.get(name, name).lower() for name in ours]
    for name, old in list(table.renamed.items()):
        if final.count(old.lower()) > 1:
            del table.renamed[name]
            reason = f"sparkify-lake has another column with this name; {name} keeps its name"
            recording.differs.append(Note(line, f"{table.name}.{name} was named {old}", reason))
    for column in frame.columns.values():
        if column.name not in used:
            reason = _REASONS.get(column.origin, "sparkify-lake does not write it; join the tables to get it")
            recording.differs.append(Note(line, f"{table.name} had the column {column.name}", reason))


_REASONS = {
    "artist_location": "songplays.location is the location of the user; that of the artist is in artists",
    "ts": "start_time holds the same time",
    "start_time": "start_time holds the same time",
}


def _column_of(name: str, origin: str, frame: Frame, used: set[str]) -> Column | None:
    """Returns the column of the old table that holds what ours holds."""
    free = [column for column in frame.columns.values() if column.name not in used]
    same = [column for column in free if column.origin == origin]
    if origin == "start_time":
        same += [column for column in free if column.origin == "ts"]
    named = [column for column in same or free if column.name.lower() == name]
    return next(iter(named or same), None)


def _compare_values(table: OldTable, name: str, origin: str, column: Column, recording: Recording) -> None:
    """Notes a column that has the place of ours, and other values."""
    where, line = f"{table.name}.{column.name}", table.write.line
    if column.origin == "?":
        recording.not_understood(line, f"how {where} is computed", f"it was recognized by its name, {name}")
    elif column.origin == "ts" and origin == "start_time":
        recording.differs.append(
            Note(
                line,
                f"{where} was a number" if column.changed else f"{where} was a number of milliseconds",
                "it is a timestamp in UTC now",
            )
        )
    elif column.origin == "year" and origin == "fn:year":
        reason = "it is the year of the play now"
        recording.differs.append(Note(line, f"{where} was the year of the song", reason))
    elif column.origin != origin:
        reason = f"it holds {_described(origin)} now"
        recording.differs.append(Note(line, f"{where} held {_described(column.origin)}", reason))
    elif column.changed and origin in FIELDS.values():
        reason = "it holds the value of the input now"
        recording.differs.append(Note(line, f"{where} was computed with {column.changed}", reason))
    elif column.is_text and name in table.write.partitions:
        pass  # the name of a folder is a text anyway
    elif column.is_text and origin == "start_time":
        recording.differs.append(Note(line, f"{where} was a text", "it is a timestamp in UTC now"))
    elif column.is_text and name == "weekday":
        reason = "it is a number now, from 1 (Sunday) to 7 (Saturday)"
        recording.differs.append(Note(line, f"{where} was a text, or counted from another day", reason))
    elif column.is_text:
        recording.differs.append(Note(line, f"{where} was a text", "it is a number now"))


def _described(origin: str) -> str:
    names = {
        "literal": "a constant",
        "id": "a number of the row",
        "hash": "a hash of other columns",
        "start_time": "the time of the event",
    }
    return names.get(origin, f"the {origin[3:]} of a time" if origin.startswith("fn:") else origin)


def _compare_partitions(table: OldTable, recording: Recording) -> None:
    ours = {column: table.renamed.get(column, column) for column in COLUMNS[table.name]}
    expected = tuple(ours[column] for column in PARTITIONS.get(table.name, ()))
    if tuple(map(str.lower, table.write.partitions)) != tuple(map(str.lower, expected)):
        old, new = (", ".join(names) or "no column" for names in (table.write.partitions, expected))
        reason = f"sparkify-lake partitions by {new}; readers of the table's folder see the same columns"
        recording.differs.append(Note(table.write.line, f"{table.name} was partitioned by {old}", reason))


def _compare_writing(table: OldTable, recording: Recording) -> None:
    write = table.write
    if write.format not in ("parquet", "delta"):
        reason = "sparkify-lake writes only Parquet"
        recording.differs.append(Note(write.line, f"{table.name} was written as {write.format}", reason))
    elif write.format == "delta":
        reason = "sparkify-lake writes Parquet with its own commit log"
        recording.differs.append(Note(write.line, f"{table.name} was a Delta table", reason))
    if write.mode == "append":
        reason = "sparkify-lake updates the tables; a second run over the same input adds no row"
        recording.differs.append(Note(write.line, f"{table.name} was written in the mode append", reason))
    elif write.mode in ("", "error", "errorifexists", "ignore"):
        reason = "sparkify-lake updates the tables"
        recording.differs.append(Note(write.line, f"a second run did not replace {table.name}", reason))


def _compare_rows(table: OldTable, frame: Frame, recording: Recording) -> None:
    line, key = table.write.line, KEYS.get(table.name)
    if table.name == "time":
        zone = recording.settings.get("spark.sql.session.timeZone")
        if zone is None or zone[0].constant not in ("UTC", "GMT", "Etc/UTC"):
            reason = "sparkify-lake writes UTC"
            recording.differs.append(
                Note(line, "times were in the time zone of the host or of the session", reason)
            )
    if key is None:
        if "songplay_id" not in table.renamed and any(one.origin == "id" for one in frame.columns.values()):
            reason = "it is derived from the time of the play now, and is the same on every run"
            recording.differs.append(Note(line, "songplay_id changed with every run", reason))
        return
    keys = {key, "ts"} if key == "start_time" else {key}
    is_by_key = bool(frame.distinct) and set(frame.distinct or ()) <= keys
    if table.name == "users":
        reason = "sparkify-lake keeps one row per user, with the level of the latest play"
        if any(origin == "id" for origin, _ in frame.constants):
            recording.differs.append(Note(line, "users had one row per user, which a query chose", reason))
        elif frame.distinct is None:
            recording.differs.append(Note(line, "users had one row per play", reason))
        elif not frame.distinct or "level" in frame.distinct:
            recording.differs.append(Note(line, "users had one row per user and level", reason))
        else:
            recording.differs.append(Note(line, "users had an arbitrary level of each user", reason))
    elif not is_by_key and not (table.name == "time" and frame.distinct is not None):
        reason = f"sparkify-lake keeps one row per {'start time' if key == 'start_time' else key}"
        recording.differs.append(Note(line, f"{table.name} could have several rows per {key}", reason))


@dataclass(frozen=True, slots=True)
class Matching:
    """How plays find their songs: the values of two options, the line of the join, and what it compares."""

    match: str
    unmatched: str
    line: int
    compared: str


def matching_of(tables: Mapping[str, OldTable], recording: Recording) -> Matching | None:
    """Returns the options for the join of plays and songs; None if no join was understood."""
    table = tables.get("songplays")
    if table is None:
        return None
    frame = table.write.frame or Frame(is_open=False)
    pairs = [(pair, join) for join in frame.joins for one in join.pairs if (pair := _known_pair(one))]
    if not pairs:
        reason = "the defaults are used: title, artist and duration; plays without a song are kept"
        recording.not_understood(table.write.line, "how plays are joined to songs", reason)
        return None
    present = {pair for pair, _ in pairs}
    compared = ", ".join(" = ".join(pair) for pair in (_TITLE, _ARTIST, _LENGTH) if pair in present)
    join = next((join for pair, join in pairs if pair == _TITLE), pairs[0][1])
    match = "title_artist_duration" if _LENGTH in present else "title_artist"
    if present not in ({_TITLE, _ARTIST, _LENGTH}, {_TITLE, _ARTIST}):
        reason = f"the most similar rule is {match.replace('_', ', ')}"
        recording.differs.append(Note(join.line, f"plays were joined only on {compared}", reason))
    elif match == "title_artist":
        reason = "a play gets one song: of those with its title and artist, the one with the nearest duration"
        recording.differs.append(
            Note(join.line, "songs with equal title and artist multiplied plays", reason)
        )
    for other in frame.joins:
        is_time = any({"ts", "start_time"} & set(pair) for pair in other.pairs)
        is_known = any(_known_pair(pair) for pair in other.pairs)
        if (other.has_more and not is_time) or (is_known and any("?" in pair for pair in other.pairs)):
            reason = "sparkify-lake compares unchanged values; check MATCH in lake.cfg"
            recording.not_understood(other.line, "a condition of the join of plays and songs", reason)
    return Matching(match, _unmatched(frame, join, recording), join.line, compared)


def _known_pair(pair: Sequence[str]) -> tuple[str, str] | None:
    return next((one for one in (_TITLE, _ARTIST, _LENGTH) if set(one) == set(pair)), None)


def _unmatched(frame: Frame, join: Join, recording: Recording) -> str:
    how = join.how.replace("_", "").removesuffix("outer") or join.how
    if how in ("right", "full", "outer"):
        reason = "sparkify-lake writes no play for a song that was not played"
        recording.differs.append(Note(join.line, "the join kept songs without a play", reason))
    if how in ("inner", "cross", "right") or {"song_id", "artist_id"} & set(frame.not_null):
        return "drop"
    if how in ("full", "outer"):
        return "keep"
    if how != "left":
        recording.not_understood(
            join.line, f"the kind of the join, {join.how}", "plays without a song are kept"
        )
    return "keep"
