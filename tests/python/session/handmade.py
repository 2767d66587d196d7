"""A small Sparkify data set made by hand, for calls whose right result can be written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NIGHT_TRAIN = {
    "num_songs": 1,
    "artist_id": "AR1",
    "artist_latitude": 35.14968,
    "artist_longitude": -90.04892,
    "artist_location": "Memphis, TN",
    "artist_name": "Al Ashe",
    "song_id": "SO1",
    "title": "Night Train",
    "duration": 200.5,
    "year": 1999,
}


def _song(song_id: str, title: str, **other: Any) -> dict[str, Any]:
    return {**NIGHT_TRAIN, "song_id": song_id, "title": title, **other}


# One song is there twice; one artist id has to be escaped in a folder name, another is empty.
SONGS = [
    NIGHT_TRAIN,
    _song("SO2", "Blue Door", artist_id="AR2", artist_name="Bea", artist_location="", artist_latitude=None,
          artist_longitude=None, duration=180.25, year=0),
    _song("SO3", "A Title That Is Longer Than Twenty", duration=12345678.5, year=2005),
    NIGHT_TRAIN,
    _song("SO4", "Größe", artist_id="AR/3", artist_name="Čechomor", duration=99.0),
    _song("SO5", "No Artist", artist_id="", artist_name="", artist_location=None, duration=61.125),
]  # fmt: skip


def _event(ts: int, user: str | int, level: str, page: str = "NextSong", **other: Any) -> dict[str, Any]:
    plays = page == "NextSong"
    return {
        "artist": "Al Ashe" if plays else None,
        "auth": "Logged In",
        "firstName": {"7": "Ada", "8": "Bob", "9": "Cyd"}[str(user)],
        "gender": "M" if str(user) == "8" else "F",
        "itemInSession": 0,
        "lastName": "Ek",
        "length": 200.5 if plays else None,
        "level": level,
        "location": "San Jose-Sunnyvale-Santa Clara, CA" if str(user) == "7" else "Boston, MA",
        "method": "PUT",
        "page": page,
        "registration": 1540000000000.5,
        "sessionId": 100 + int(user),
        "song": "Night Train" if plays else None,
        "status": 200,
        "ts": ts,
        "userAgent": '"Mozilla/5.0"',
        "userId": user,
        **other,
    }


# 1541106106796 is 2018-11-01 21:01:46.796 UTC, a Thursday; the others follow by hours, days and a month.
# One client writes the user's number without quotes, so its inferred type is text.
FIRST_DAY = [
    _event(1541106106796, "7", "free"),
    _event(1541109706796, "8", "free", artist="Bea", song="Blue Door", length=180.25),
    _event(1541113306000, "7", "free", page="Home"),
    _event(1541116906123, "7", "paid", song="Night Train", length=200.0),
]
LATER = [
    _event(1541192506796, 9, "paid", artist="Nomads", song="Unheard", length=1.0),
    _event(1541278906796, "8", "free"),
    _event(1543784506796, "7", "paid", artist="Čechomor", song="Größe", length=99.0),
]
EVENTS = [*FIRST_DAY, *LATER]
PLAYS = [event for event in EVENTS if event["page"] == "NextSong"]


def write_handmade(folder: Path) -> Path:
    """Writes the set as Sparkify's folders; songs have no line feed at their end, as the real ones."""
    for number, song in enumerate(SONGS):
        file = folder / "song_data" / "A" / "AB"[number % 2] / "C" / f"TRA{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(song))
    for name, events in (("2018-11-01", FIRST_DAY), ("2018-11-02", LATER)):
        file = folder / "log_data" / "2018" / "11" / f"{name}-events.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder
