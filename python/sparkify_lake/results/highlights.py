"""What a lake holds at a glance, as frozen data: plays over time, free against paid, what is heard most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Plays of one day or one month (UTC).

    Attributes:
        start: The day as 2018-11-30, or the month as 2018-11.
        plays: All of them.
        paid: Those with the level "paid".
    """

    start: str
    plays: int
    paid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShare:
    """Plays and listeners of one level, as the play says it; None for plays without one."""

    level: str | None
    plays: int
    listeners: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    """A song, or an artist whose `title` is None, and how often it was heard."""

    title: str | None
    artist: str | None
    plays: int
    listeners: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlights:
    """What a lake holds at a glance.

    Attributes:
        unit: What a period is: "day", or "month" when there are more than 400 days.
        periods: Plays over time, in order; periods without a play are left out.
        levels: Plays by level, most first.
        songs: The songs with most plays, at most ten. Empty where the lake has no songs.
        artists: The artists with most plays, at most ten. Empty where the lake has no artists.
    """

    unit: str
    periods: Sequence[Period]
    levels: Sequence[LevelShare]
    songs: Sequence[Favourite]
    artists: Sequence[Favourite]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Highlights:
        """Makes highlights of their mapping."""
        return cls(
            unit=data["unit"],
            periods=tuple(Period(**period) for period in data["periods"]),
            levels=tuple(LevelShare(**level) for level in data["levels"]),
            songs=tuple(Favourite(**song) for song in data["songs"]),
            artists=tuple(Favourite(**artist) for artist in data["artists"]),
        )
