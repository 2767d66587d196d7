"""The parts of the history of a lake, as frozen data: its versions, and its tables over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkify_lake.render.text_table import format_seconds
from sparkify_lake.results.highlights import Period
from sparkify_lake.results.report_parts import PlayCounts, RecordCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """The size of a table at a version.

    Attributes:
        rows: Number of rows.
        files: Number of files.
        bytes: Their size.
        written: Number of files that the version wrote.
        removed: Number of files that the version removed.
    """

    rows: int
    files: int
    bytes: int
    written: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSize:
    """The input of one kind that a version contains.

    Attributes:
        files: Number of files.
        bytes: Their size, as stored.
        records: Record counts by outcome.
        reasons: Number of quarantined records by reason.
    """

    files: int
    bytes: int
    records: RecordCounts
    reasons: Mapping[str, int]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InputSize:
        """Returns the input for a plain mapping."""
        return cls(**{**data, "records": RecordCounts(**data["records"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class PastVersion:
    """A version of a lake.

    Attributes:
        version: Its number; the first is 1.
        run: The run that committed it.
        package: The release of sparkify-lake that wrote it.
        committed_at: Start time of that run, ISO 8601, UTC.
        published_at: When it was published completely, ISO 8601, UTC; None if it is not, or if an older
            release published it.
        is_published: Whether it is completely published.
        tables: The tables by name.
        input: The input by "songs" and "logs".
        plays: Number of plays and matches.
    """

    version: int
    run: str
    package: str
    committed_at: str
    published_at: str | None
    is_published: bool
    tables: Mapping[str, TableSize]
    input: Mapping[str, InputSize]
    plays: PlayCounts

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PastVersion:
        """Returns the version for a plain mapping."""
        stored = {name: value for name, value in data.items() if name != "seconds"}  # computed again
        return cls(
            **{
                **stored,
                "tables": {name: TableSize(**size) for name, size in data["tables"].items()},
                "input": {name: InputSize.from_dict(size) for name, size in data["input"].items()},
                "plays": PlayCounts(**data["plays"]),
            }
        )

    @property
    def seconds(self) -> float | None:
        """From the start of the run until the version was published completely; None if that is not known."""
        if self.published_at is None:
            return None
        begin, end = (
            datetime.fromisoformat(time.replace("Z", "+00:00"))
            for time in (self.committed_at, self.published_at)
        )
        return (end - begin).total_seconds()

    @property
    def bytes(self) -> int:
        """Size of all tables."""
        return sum(table.bytes for table in self.tables.values())

    @property
    def quarantined(self) -> int:
        """Number of quarantined records."""
        return sum(size.records.quarantined for size in self.input.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPeriod:
    """The levels of users on one day or in one month (UTC), from the table `users_history`.

    Attributes:
        start: The day, as 2018-11-30, or the month, as 2018-11.
        free: Number of users with the level "free" at its end.
        paid: Number of users with the level "paid" at its end.
        upgrades: Number of changes from "free" to "paid".
        downgrades: Number of changes from "paid" to "free".
    """

    start: str
    free: int
    paid: int
    upgrades: int
    downgrades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """The contents of the tables of the newest version over time.

    Attributes:
        unit: The length of a period: "day", or "month" when there are more than 400 days.
        plays: Plays, in order; periods without plays are left out.
        levels: Levels of users, in order; empty if the lake has no table `users_history`.
    """

    unit: str
    plays: Sequence[Period]
    levels: Sequence[LevelPeriod]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Trends:
        """Returns the trends for a plain mapping."""
        return cls(
            unit=data["unit"],
            plays=tuple(Period(**period) for period in data["plays"]),
            levels=tuple(LevelPeriod(**period) for period in data["levels"]),
        )


def duration(version: PastVersion) -> str:
    """Returns how long a version took, as text."""
    if not version.is_published:
        return "not published"
    return "" if version.seconds is None else format_seconds(version.seconds)


def short_time(time: str) -> str:
    """Returns a time in UTC up to its seconds.

    Example:
        >>> short_time("2018-11-30T12:00:05.250Z")
        '2018-11-30 12:00:05'
    """
    return time[:19].replace("T", " ")


def share_of_matches(version: PastVersion) -> str:
    """Returns the share of plays with a song, as text."""
    plays = version.plays
    return f"{100 * plays.matched / plays.rows:.1f} %" if plays.rows else ""
