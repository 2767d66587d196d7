"""Runs with ``--since`` and ``--until``, while files of the input are rotated, moved and renamed.

The lake must have the plays of all files in the window, and of all files that it knew before. A file is known
by its content, so rotating it loses no play and repeats none.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import NoInputError
from support.rounds import Rounds

pytestmark = pytest.mark.usefixtures("isolated_module")

FIRST_DAY = dt.date(2018, 11, 1)
SONG = {
    "song_id": "SOA", "title": "One", "artist_id": "ARA", "artist_name": "Air", "duration": 200.5, "year": 0,
}  # fmt: skip


class Input:
    """Log files by path, each with the day of its events and their numbers."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder, self.random, self.count = folder, random, 0
        self.files: dict[str, tuple[int, list[int]]] = {}
        (folder / "song_data").mkdir(parents=True)
        (folder / "song_data/song.json").write_text(json.dumps(SONG))
        for day in range(4):
            self.add(day)

    def add(self, day: int) -> None:
        events = self.new_events(self.random.randint(1, 3))
        self.write(f"{self.random.choice(('', 'a/', 'b/c/'))}{date(day)}-{self.count}.json", day, events)

    def new_events(self, count: int) -> list[int]:
        self.count += count
        return list(range(self.count - count, self.count))

    def write(self, path: str, day: int, events: list[int]) -> None:
        """Writes a file; it is compressed if its name ends with .gz, or has no day and an even number."""
        ts = int(dt.datetime.combine(date(day), dt.time(), dt.timezone.utc).timestamp() * 1000)
        event = {"page": "NextSong", "userId": "1", "level": "free", "registration": 1.0, "itemInSession": 1}
        lines = [json.dumps({**event, "ts": ts + number, "sessionId": number}) + "\n" for number in events]
        body = "".join(lines).encode()
        file = self.folder / "log_data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(body) if path.endswith((".gz", "0.json")) else body)
        self.files[path] = (day, events)

    def change(self) -> str:
        """One random change."""
        random = self.random
        kind = random.choice(("new", "late", "grow", "pack", "move", "rotate", "grow and rotate", "root"))
        path = random.choice(sorted(self.files))
        if kind in ("new", "late"):
            days = [day for day, _ in self.files.values()]
            self.add(max(days) + 1 if kind == "new" else random.choice(days))
        elif kind == "root":
            folder = self.folder.with_name(f"root-{random.randrange(10**9)}")
            self.folder.rename(folder)
            self.folder = folder
        else:
            (self.folder / "log_data" / path).unlink()
            day, events = self.files.pop(path)
            if kind == "pack":
                path = path.removesuffix(".gz") + ".gz"
            elif kind == "move":
                path = f"{random.choice(('', 'x/', 'y/z/'))}{path.rpartition('/')[2]}"
            elif "rotate" in kind:
                # The new name has no day: only its content shows that the lake knows the file.
                path = f"old/{random.randrange(10**4, 10**5)}.json"
            self.write(path, day, [*events, *(self.new_events(1) if "grow" in kind else ())])
        return kind


def date(day: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=day)


def day_of(path: str) -> int | None:
    """The day in a path."""
    found = re.search(r"\d{4}-\d{2}-\d{2}", path)
    return (dt.date.fromisoformat(found[0]) - FIRST_DAY).days if found else None


def sessions(lake: Path) -> list[int]:
    return sorted(sparkify_lake.open_lake(lake).songplays.collect()["session_id"])


def test_windows_lose_and_repeat_no_play(tmp_path: Path, rounds: Rounds) -> None:
    windows = 0
    for seed in range(rounds.seed, rounds.seed + rounds(12, 400)):
        random = Random(seed)
        folder = tmp_path / str(seed)
        source, lake = Input(folder / "in", random), folder / "lake"
        known: set[tuple[int, ...]] = set()
        steps = []
        for _ in range(random.randint(4, 9)):
            steps.append([source.change() for _ in range(random.randint(1, 3))])
            since = random.choice((None, random.randint(0, 8)))
            until = None if since is None else random.choice((None, since + random.randint(1, 4)))
            options: dict[str, Any] = {"quiet": True, "allow_shrink": True}
            if since is not None:
                options["since"] = str(date(since))
            if until is not None:
                options["until"] = str(date(until))
            steps[-1].append(str(options))
            included = {
                tuple(events)
                for path, (_, events) in source.files.items()
                if since is None
                or ((day := day_of(path)) is not None and since <= day and (until is None or day < until))
                or any(tuple(events[: len(before)]) == before for before in known)
            }
            try:
                sparkify_lake.run(source.folder, lake, **options)
            except NoInputError:
                assert not included, steps
                continue
            windows += since is not None
            assert sessions(lake) == sorted(one for events in included for one in events), steps
            known = included
    assert windows > 10
