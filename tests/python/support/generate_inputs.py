"""Inputs for the tests: cases for hypothesis, and the files that hold their records.

A case is a few short lists of integers, which hypothesis shortens when it fails. How the records lie in
files (how many, in which order and folders, in which of the styles that are allowed) is one more integer.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyarrow as pa
from hypothesis import strategies as st

from support.generate_records import (
    Record,
    bad_event,
    bad_song,
    event,
    listen,
    listen_twins,
    play,
    song,
    song_twin,
)

# --- files ------------------------------------------------------------------------------------------------

STYLES = (
    "lines",
    "no_final_newline",
    "crlf",
    "blank_lines",
    "bom",
    "joined",
    "array",
    "pretty",
    "pretty_array",
)
EXACT_STYLES = STYLES[:5]  # one record a line: what a bad record is part of is beyond doubt
FOLDERS = ("", "A/B/C", "2018/11", "a b", "x=y", "é")


def file_bytes(records: Sequence[Record], style: str) -> bytes:
    raws = [one.raw for one in records]
    match style:
        case "no_final_newline":
            return b"\n".join(raws)
        case "crlf":
            return b"".join(raw + b"\r\n" for raw in raws)
        case "blank_lines":
            return b"\n \n" + b"\n\n\t\n".join(raws) + b"\n\n"
        case "bom":
            return b"\xef\xbb\xbf" + b"".join(raw + b"\n" for raw in raws)
        case "joined":
            return b" ".join(raws) + b"\n"
        case "array":
            return b"[" + b",\n".join(raws) + b"]\n"
        case "pretty":
            return b"\n".join(one.pretty for one in records) + b"\n"
        case "pretty_array":
            return b"[\n" + b",\n".join(one.pretty for one in records) + b"\n]\n"
    return b"".join(raw + b"\n" for raw in raws)


def compressed(data: bytes, suffix: str) -> bytes:
    match suffix:
        case ".gz":
            half = len(data) // 2
            return gzip.compress(data[:half]) + gzip.compress(
                data[half:]
            )  # two members, as appending loggers write
        case ".zst":
            return bytes(pa.compress(data, codec="zstd", asbytes=True))
    return data


def write_input(root: Path, songs: Sequence[Record], events: Sequence[Record], layout: int) -> Path:
    """Writes the records below ``root``; files, folders, order and style are decided by ``layout``."""
    random = Random(layout)
    for name, records in (("song", songs), ("log", events)):
        base = root / f"{name}{random.choice('_-')}data"
        base.mkdir(parents=True)
        shuffled = list(records)
        random.shuffle(shuffled)
        number = 0
        while shuffled:
            size = 1 if name == "song" and random.random() < 0.6 else random.randint(1, 12)
            part, shuffled = shuffled[:size], shuffled[size:]
            style = random.choice(EXACT_STYLES if any(one.fault for one in part) else STYLES)
            suffix = random.choice(("", "", "", ".gz", ".zst"))
            folder = base / random.choice(FOLDERS)
            folder.mkdir(parents=True, exist_ok=True)
            file = (
                folder
                / f"{random.randrange(10**6)}-{number}.{random.choice(('json', 'jsonl', 'ndjson'))}{suffix}"
            )
            file.write_bytes(compressed(file_bytes(part, style), suffix))
            number += 1
    return root


# --- cases ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Case:
    """One input and the options that change the rows."""

    songs: tuple[int, ...]
    plays: tuple[int, ...]
    song_twins: tuple[int, ...] = ()
    listens: tuple[int, ...] = ()
    listen_twins: tuple[int, ...] = ()
    events: tuple[int, ...] = ()
    bad_songs: tuple[int, ...] = ()
    bad_events: tuple[int, ...] = ()
    layout: int = 0
    match: str = "title_artist_duration"
    unmatched: str = "keep"

    def song_records(self) -> list[Record]:
        twins = [song_twin(seed, self.songs) for seed in self.song_twins]
        return [*map(song, self.songs), *twins, *map(bad_song, self.bad_songs)]

    def event_records(self) -> list[Record]:
        heard = [listen(seed, self.songs) for seed in self.listens]
        twins = [one for seed in self.listen_twins for one in listen_twins(seed, self.songs)]
        plays = [*map(play, self.plays), *heard, *twins]
        return [*plays, *map(event, self.events), *map(bad_event, self.bad_events)]


def cases(*, bad: bool = True, most: int = 30) -> st.SearchStrategy[Case]:
    """Cases with at least one song and one play, so that there is something to build."""
    seeds = st.integers(0, 2**32 - 1)

    def several(least: int, size: int) -> st.SearchStrategy[tuple[int, ...]]:
        # Hypothesis alone makes long lists too seldom. A failing case is shortened to the first kind.
        few, many = (st.lists(seeds, min_size=n, max_size=size) for n in (least, max(least, size * 2 // 3)))
        return (few | many).map(tuple)

    none = st.just(())
    return st.builds(
        Case,
        songs=several(1, most // 2),
        plays=several(1, most // 3),
        song_twins=several(0, most // 4),
        listens=several(0, most // 3),
        listen_twins=several(0, most // 3),
        events=several(0, most // 3),
        bad_songs=several(0, 4) if bad else none,
        bad_events=several(0, 4) if bad else none,
        layout=seeds,
        match=st.sampled_from(("title_artist_duration", "title_artist")),
        unmatched=st.sampled_from(("keep", "drop")),
    )


def write_large(root: Path, *, songs: int, events: int, seed: int = 1, days: int = 5) -> Path:
    """A plain input of any size, quickly: one song a file, one log file a day, keys in the usual order."""
    random = Random(seed)
    (root / "song_data").mkdir(parents=True)
    (root / "log_data").mkdir()
    for number in range(songs):
        (root / "song_data" / f"TR{number}.json").write_text(
            f'{{"num_songs": 1, "artist_id": "AR{number % max(1, songs * 9 // 10)}", '
            '"artist_latitude": null, "artist_longitude": null, "artist_location": "", '
            f'"artist_name": "Artist {number}", "song_id": "SO{number}", "title": "Title {number}", '
            f'"duration": {100 + number % 300}.5, "year": {number % 50 + 1970 if number % 5 else 0}}}'
        )
    for day in range(days):
        at = 1_541_030_400_000 + day * 86_400_000
        lines = []
        for item in range(events // days):
            at += random.randrange(3)
            user, number = random.randrange(2000), random.randrange(2 * songs)
            lines.append(
                f'{{"artist":"Artist {number}","auth":"Logged In","firstName":"First{user}","gender":"F",'
                f'"itemInSession":{item % 40},"lastName":"Last","length":{100 + number % 300}.5,'
                f'"level":"{"paid" if user % 3 else "free"}","location":"Place {user % 90}, TX",'
                f'"method":"PUT","page":"{"NextSong" if item % 8 else "Home"}",'
                f'"registration":1540991795796.0,"sessionId":{user * 7 + day},"song":"Title {number}",'
                f'"status":200,"ts":{at},"userAgent":"Mozilla\\/5.0 ({user % 30})","userId":"{user}"}}\n'
            )
        (root / "log_data" / f"2018-11-{day + 1:02}-events.json").write_text("".join(lines))
    return root
