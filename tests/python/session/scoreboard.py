"""The scoreboard's frame: where a call runs, and the list that it is put on.

The calls are in `calls_reading`, `calls_frames`, `calls_sql` and `calls_writing`; `calls` has them all.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Outcome = Any


@dataclass(frozen=True)
class Place:
    """Where a call reads and writes, and the session it runs on."""

    spark: Any
    data: Path
    scratch: Path

    @property
    def songs(self) -> Any:
        """The songs as a frame."""
        return self.spark.read.json(str(self.data / "song_data/*/*/*/*.json"))

    @property
    def logs(self) -> Any:
        """The events as a frame."""
        return self.spark.read.json(str(self.data / "log_data/*/*/*.json"))

    @property
    def plays(self) -> Any:
        """The plays as a frame."""
        return self.logs.where("page = 'NextSong'")


CALLS: dict[str, Callable[[Place], Outcome]] = {}
REFUSED: dict[str, Callable[[Place], Outcome]] = {}


def scored(name: str) -> Callable[[Callable[[Place], Outcome]], Callable[[Place], Outcome]]:
    """Puts a call on the scoreboard."""

    def add(function: Callable[[Place], Outcome]) -> Callable[[Place], Outcome]:
        assert name not in CALLS
        CALLS[name] = function
        return function

    return add


def printed(show: Callable[[], object]) -> str:
    """Returns what a call prints."""
    caught = io.StringIO()
    with contextlib.redirect_stdout(caught):
        assert show() is None
    return caught.getvalue()


def rows(frame: Any) -> list[tuple[Any, ...]]:
    """Returns the rows of a frame as tuples, sorted."""
    return sorted((tuple(row) for row in frame.collect()), key=repr)


def refused(name: str) -> Callable[[Callable[[Place], Outcome]], None]:
    """Puts a call on the scoreboard that is refused by the name in its own."""

    def add(function: Callable[[Place], Outcome]) -> None:
        REFUSED[name] = function

    return add
