"""Sequences of input changes: the states of an input folder between runs, generated from a seed.

A sequence is a list of steps. A step has all files of the input and the options of the run, so a sequence can
be replayed on disk and in a bucket, and a sequence with fewer steps or files is valid, too. The changes are
in ``record_mutations`` and ``file_mutations``; this module has the files, the records and the steps. Values
come from small pools, so that keys collide, times are equal, and songs are added after their plays.
"""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random
from typing import Any

import pyarrow as pa

from support.generate_inputs import EXACT_STYLES, STYLES, file_bytes
from support.generate_records import Record, bad_event, bad_song

TITLES = ("One", "Two", "Ünder", "a/b")
ARTISTS = {"Air": "ARA", "Björk": "AR/B", "112": "ARC"}
TRACKS = [(title, name) for title in TITLES for name in ARTISTS]
SONG_IDS = [f"SO{letter}" for letter in "ABCDEFGHIJKLMN"]
PLACES = ("", "Panama", "Havana")
USERS = ("1", "2", "3", "4")
DAY = 86_400_000
MONTHS = (1_536_000_000_000, 1_538_400_000_000, 1_541_100_000_000, 1_543_700_000_000, 1_546_400_000_000)
"""Days in September 2018 to January 2019; other times are rare."""
EDGES = (951_782_400_000, 1_543_622_399_999, 1_543_622_400_000, 1_546_300_799_999, 1_577_836_800_000)
"""The first and the last millisecond of months, and distant years."""
FULL = ("songs,artists,users,time,songplays",)
HALVES = ("songs,artists", "users,time,songplays")


def json_record(pairs: Mapping[str, Any]) -> Record:
    return Record(
        raw=json.dumps(pairs, ensure_ascii=False).encode(),
        pretty=json.dumps(pairs, ensure_ascii=False, indent=1).encode(),
    )


def song(random: Random, song_id: str | None = None, **fixed: Any) -> Record:
    """A song, usually with the track of its id."""
    song_id = song_id or random.choice(SONG_IDS)
    usual = SONG_IDS.index(song_id) if song_id in SONG_IDS else random.randrange(len(TRACKS))
    title, name = TRACKS[usual % len(TRACKS)] if random.random() < 0.7 else random.choice(TRACKS)
    where: dict[str, Any] = {"artist_location": random.choice(PLACES)}
    for key in ("artist_latitude", "artist_longitude"):
        where[key] = random.choice((None, None, 8.5, "9.5"))
    pairs = {
        "song_id": song_id,
        "title": title,
        "artist_name": name,
        "artist_id": ARTISTS[name] if random.random() < 0.8 else random.choice((*ARTISTS.values(), None, "")),
        "duration": duration(random, title),
        "year": random.choice((0, 0, 1999, 2005, None)),
        **where,
        **fixed,
    }
    if random.random() < 0.05:
        pairs["color"] = "red"
    return json_record(pairs)


def duration(random: Random, title: str) -> float:
    usual = 200.5 + TITLES.index(title) % 2
    return usual if random.random() < 0.8 else random.choice((200.5, 201.5, 230.5))


def event(random: Random, ts: int, **fixed: Any) -> Record:
    """A play at that time."""
    title, name = random.choice(TRACKS)
    user = random.choice(USERS)
    pairs: dict[str, Any] = {
        "page": "NextSong",
        "ts": ts if random.random() < 0.95 else str(ts),
        "userId": user,
        "level": random.choice(("free", "paid")),
        "firstName": "Ann" if random.random() < 0.8 else random.choice(("Bob", None)),
        "lastName": f"L{user}",
        "gender": "F",
        "sessionId": random.choice((1, 1, 2)),
        "itemInSession": random.choice((0, 1, 2)),
        "song": title,
        "artist": name,
        "length": duration(random, title),
        "location": random.choice(PLACES),
        "userAgent": "Mozilla",
        **fixed,
    }
    if random.random() < 0.03:
        pairs[random.choice(("color", "TS"))] = 1
    return json_record(pairs)


def other_page(random: Random) -> Record:
    return json_record(
        {"page": random.choice(("Home", "Login")), "ts": random.randrange(10**12), "level": "free"}
    )


def faulty(random: Random, kind: str) -> Record:
    return (bad_song if kind == "song" else bad_event)(random.randrange(10**6))


# --- files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """An input file: its records, their layout, and the compression."""

    records: tuple[Record, ...]
    style: str = "lines"
    suffix: str = ""
    is_broken: bool = False

    @cached_property
    def body(self) -> bytes:
        plain = any(one.fault for one in self.records) and self.style not in EXACT_STYLES
        body = file_bytes(self.records, "lines" if plain else self.style) if self.records else b"\n"
        match self.suffix:
            case ".gz":
                body = gzip.compress(body, mtime=0)
            case ".zst":
                body = bytes(pa.compress(body, codec="zstd", asbytes=True))
            case ".bz2":
                body = bz2.compress(body)
        return gzip.compress(body, mtime=0)[:-5] if self.is_broken else body


Files = dict[str, File]
"""Input files by path."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """The files of the input after this step, and the options of the runs.

    Attributes:
        title: A description of the change.
        files: All files of the input.
        moves: Renamed files, old to new path; they keep their times.
        touched: Files that were rewritten with the same bytes.
        times_set: Files whose modification time was set, with the difference to now in seconds.
        root: The path of the input below the folder of the sequence; only on a disk.
        options: The options of the runs.
        calls: The tables of each run.
        is_legacy: Whether the functions of the Spark job are called.
        lost: A number that selects a file of the lake, which is removed before the run.
    """

    title: str
    files: Files
    moves: Mapping[str, str] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()
    times_set: Mapping[str, int] = field(default_factory=dict)
    root: str = "input"
    options: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[str, ...] = FULL
    is_legacy: bool = False
    lost: int | None = None

    def without(self, path: str) -> Step:
        return replace(self, files={name: file for name, file in self.files.items() if name != path})

    def raws(self, kind: str) -> list[bytes]:
        """The records of all readable files."""
        kept = [file for name, file in self.files.items() if name.startswith(kind) and not file.is_broken]
        return [one.raw for file in kept for one in file.records]


@dataclass(frozen=True)
class Sequence:
    """Steps, and whether files keep their real times or get different times an hour ago."""

    seed: int
    steps: tuple[Step, ...]
    has_real_times: bool

    def __str__(self) -> str:
        lines = [f"sequence of seed {self.seed}" + (", with real times" if self.has_real_times else "")]
        before: Files = {}
        options: Mapping[str, Any] = {}
        for number, step in enumerate(self.steps, 1):
            lines.append(f"step {number}: {step.title}")
            if step.options != options:
                lines.append(f"  options {dict(step.options)}")
            if step.calls != FULL:
                lines.append(f"  runs {' and '.join(step.calls)}{' (functions)' if step.is_legacy else ''}")
            lines += _changes(before, step)
            before, options = step.files, step.options
        return "\n".join(lines)


def _changes(before: Files, step: Step) -> list[str]:
    moved = {new: old for old, new in step.moves.items()}
    lines = [f"  - {path}" for path in sorted(before.keys() - step.files.keys() - step.moves.keys())]
    for path, file in sorted(step.files.items()):
        old = before.get(moved.get(path, path))
        if path in moved and old is not None and old.body == file.body:
            lines.append(f"  {moved[path]} -> {path}")
        elif old is None or old.body != file.body or path in step.touched:
            how = "+" if old is None else "touched" if old.body == file.body else "~"
            note = " broken" if file.is_broken else ""
            lines.append(f"  {how} {path}: {len(file.body)} bytes, {len(file.records)} records{note}")
            if how != "touched":
                had = {one.raw for one in old.records} if old else set()
                lines += [
                    f"      {' ' if one.raw in had else '+'} {one.raw.decode(errors='backslashreplace')}"
                    for one in file.records
                ]
                lines += [
                    f"      - {raw.decode(errors='backslashreplace')}"
                    for raw in sorted(had - {one.raw for one in file.records})
                ]
    return lines


# --- the input between two steps --------------------------------------------------------------------------


class InputState:
    """The current input, and the changes since the last step."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.files: Files = {}
        self.removed_files: Files = {}
        self.options: dict[str, Any] = {"max_bad": "100%"}
        if random.random() < 0.4:
            self.options["allow_duplicates"] = True
        if random.random() < 0.3:
            self.options["on_bad_file"] = "quarantine"
        self.has_real_times = random.random() < 0.1
        self.numbers = 0
        self.root = "input"
        self.repair: Callable[[], None] | None = None
        self.begin()

    def begin(self) -> None:
        """Forgets the changes of the last step."""
        self.moves: dict[str, str] = {}
        self.touched: set[str] = set()
        self.times_set: dict[str, int] = {}
        self.once: dict[str, Any] = {}
        self.calls: tuple[str, ...] = FULL
        self.is_legacy = False
        self.lost: int | None = None
        self.is_nothing = False

    def step(self, titles: list[str]) -> Step:
        return Step(
            title="; ".join(titles),
            files=dict(self.files),
            moves={old: new for old, new in self.moves.items() if new in self.files},
            touched=frozenset(self.touched),
            times_set={path: time for path, time in self.times_set.items() if path in self.files},
            root=self.root,
            options={**self.options, **self.once},
            calls=self.calls,
            is_legacy=self.is_legacy,
            lost=self.lost,
        )

    def paths(self, kind: str = "", *, sound: bool = True) -> list[str]:
        """The sorted paths of the files of a kind, `song` or `log`."""
        return sorted(
            path
            for path, file in self.files.items()
            if path.startswith(kind) and not (sound and (file.is_broken or not file.records))
        )

    def some(self, kind: str = "") -> str | None:
        """A random file of that kind, if there is one."""
        found = self.paths(kind)
        return self.random.choice(found) if found else None

    def name(self, kind: str, hint: str, suffix: str = "") -> str:
        """A path that no file had before."""
        self.numbers += 1
        folder = self.random.choice(("", "A/B/", "2018/11/", "x=y/", "é/"))
        ending = self.random.choice(("json", "json", "jsonl"))
        return f"{kind}_data/{folder}{self.numbers:02}-{hint}.{ending}{suffix}"

    def add(self, kind: str, hint: str, records: list[Record]) -> str:
        """Adds a new file."""
        suffix = self.random.choice(("", "", "", "", ".gz", ".zst", ".bz2"))
        style = self.random.choice(("lines", *STYLES))
        path = self.name(kind, hint, suffix)
        self.files[path] = File(tuple(records), style, suffix)
        return path

    def drop(self, path: str) -> None:
        self.removed_files[path] = self.files.pop(path)

    def change(self, path: str, records: tuple[Record, ...]) -> None:
        self.files[path] = replace(self.files[path], records=records)

    def events(self, ts: int, **fixed: Any) -> list[Record]:
        """A few plays of a day, and sometimes other events."""
        random = self.random
        found = [event(random, self.moment(ts), **fixed) for _ in range(random.randint(1, 5))]
        if random.random() < 0.2:
            found.append(other_page(random))
        if random.random() < 0.1:
            found.append(faulty(random, "log"))
        return found

    def moment(self, ts: int) -> int:
        return ts + self.random.choice((0, 0, 1, 1_000, 3_600_000))

    def months(self) -> list[int]:
        """A time in every month with plays."""
        seen = {ts - ts % (30 * DAY): ts for ts in self.times()}
        return [seen[key] for key in sorted(seen)]

    def times(self) -> list[int]:
        """The sorted times of all plays."""
        plays = (one for path in self.paths("log") for one in plays_of(self.files[path]))
        return sorted(int(json.loads(one.raw)["ts"]) for one in plays)


def plays_of(file: File) -> list[Record]:
    return [one for one in file.records if not one.fault and json.loads(one.raw)["page"] == "NextSong"]


# --- the mutations ----------------------------------------------------------------------------------------

Mutation = Callable[[InputState], str]
MUTATIONS: dict[Mutation, int] = {}


def weight(number: int) -> Callable[[Mutation], Mutation]:
    def keep(mutation: Mutation) -> Mutation:
        MUTATIONS[mutation] = number
        return mutation

    return keep
