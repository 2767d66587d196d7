"""The highlights of a lake, as frozen data: plays over time and by level, most played songs and artists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The plays of one day or one month (UTC).

    Attributes:
        start: The day, as 2018-11-30, or the month, as 2018-11.
        plays: Number of plays.
        paid: Number of plays with the level "paid".
    """

    start: str
    plays: int
    paid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShare:
    """The plays and listeners of one level.

    Attributes:
        level: The level at the time of the play; None for plays without a level.
        plays: Number of plays.
        listeners: Number of users.
    """

    level: str | None
    plays: int
    listeners: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Favorite:
    """A song or an artist that is played often.

    Attributes:
        title: Title of the song; None for an artist.
        artist: Name of the artist; None if it is unknown.
        plays: Number of plays.
        listeners: Number of users.
    """

    title: str | None
    artist: str | None
    plays: int
    listeners: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlights:
    """The highlights of a lake.

    Attributes:
        unit: The length of a period: "day", or "month" when there are more than 400 days.
        periods: Plays over time, in order; periods without plays are left out.
        levels: Plays by level, the most frequent level first.
        songs: The ten most played songs; empty if the lake has no songs table.
        artists: The ten most played artists; empty if the lake has no artists table.
    """

    unit: str
    periods: Sequence[Period]
    levels: Sequence[LevelShare]
    songs: Sequence[Favorite]
    artists: Sequence[Favorite]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Highlights:
        """Returns the highlights for a plain mapping."""
        return cls(
            unit=data["unit"],
            periods=tuple(Period(**period) for period in data["periods"]),
            levels=tuple(LevelShare(**level) for level in data["levels"]),
            songs=tuple(Favorite(**song) for song in data["songs"]),
            artists=tuple(Favorite(**artist) for artist in data["artists"]),
        )
