"""The inputs of ``compare_engines.py``: how each is generated, its options, and how it changes step by step.

An input is a folder with ``song_data`` and ``log_data``. Files that arrive later are generated together with
the others and held back until their step. Everything follows from a seed, so a step is the same for both
engines.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = "songs_table/year=0/artist_id=X/foreign.parquet"


def _module(folder: str, name: str) -> Any:
    """Imports a module of the tests."""
    sys.path.insert(0, str(ROOT / folder))
    return importlib.import_module(name)


_generate = _module("tests/python", "support.generate_inputs")  # the generator of the tests
_records = sys.modules[_generate.song.__module__]


@dataclasses.dataclass(frozen=True)
class Step:
    """A change before a run, and the options that change from then on (None removes an option)."""

    change: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Input:
    """A generated input with its options and steps.

    Attributes:
        name: Names the input in the output.
        make: Writes the input.
        steps: At least three.
        options: Of all runs, by keyword.
        uses_executor: Whether runs use a ``LocalExecutor``, so that the work is done in shards.
    """

    name: str
    make: Callable[[Path, Path], Source]
    steps: Sequence[Step]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    uses_executor: bool = False


@dataclasses.dataclass(frozen=True)
class Source:
    """An input folder on disk.

    Attributes:
        root: The folder.
        random: Chooses the files that change.
        held: Path and content of the files that arrive later, by the step that brings them.
        is_sample: Whether the program has written it.
    """

    root: Path
    random: Random
    held: dict[str, list[tuple[str, bytes]]]
    is_sample: bool = False

    def files(self, kind: str) -> list[Path]:
        """Returns the files of a kind, ``song`` or ``log``, sorted by path."""
        return sorted(path for path in self.root.glob(f"{kind}[_-]data/**/*") if path.is_file())

    def apply(self, change: str, lakes: Sequence[Path]) -> None:
        """Changes the input, or for some changes both lakes, before a step."""
        if change in self.held:
            name, data = self.held[change].pop(0)
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return
        logs = self.files("log")
        match change:
            case "first" | "nothing" | "options":
                pass
            case "remove":
                self.random.choice(logs).unlink()
            case "remove_song":
                self.random.choice(self.files("song")).unlink()
            case "rename":
                path = self.random.choice(logs)
                path.rename(path.with_name(f"renamed-{path.name}"))
            case "touch":
                path = self.random.choice(logs)
                path.write_bytes(path.read_bytes())
            case "duplicate":
                path = max(logs, key=lambda path: path.stat().st_size)
                shutil.copyfile(path, path.with_name(f"copy-{path.name}"))
            case "remove_duplicate":
                next(path for path in logs if path.name.startswith("copy-")).unlink()
            case "broken":
                (logs[0].parent / "broken.json.gz").write_bytes(b"\x1f\x8b\x08\x00\x00")
                (logs[0].parent / "text.json").write_bytes("not JSON".encode("utf-16"))
            case "repair":
                (logs[0].parent / "broken.json.gz").unlink()
                (logs[0].parent / "text.json").unlink()
            case "shrink":
                for path in logs[1:]:
                    path.unlink()
            case "foreign":
                for lake in lakes:
                    path = lake / FOREIGN
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(b"PAR1")
            case "lose":
                for lake in lakes:
                    min(lake.glob("songplays_table/*/*/*.parquet")).unlink()
            case _:
                raise ValueError(change)


# --- generated records ------------------------------------------------------------------------------------


def generated(seed: int, *, size: int = 30, faults: bool = True) -> Callable[[Path, Path], Source]:
    """Returns a maker of small inputs with odd values, in files of all styles."""

    def make(_: Path, root: Path) -> Source:
        random = Random(seed)

        def seeds(count: int) -> tuple[int, ...]:
            return tuple(random.randrange(2**32) for _ in range(count))

        case = _generate.Case(
            songs=seeds(size),
            plays=seeds(size),
            song_twins=seeds(size // 3),
            listens=seeds(size),
            listen_twins=seeds(size // 3),
            events=seeds(size // 2),
            bad_songs=seeds(3) if faults else (),
            bad_events=seeds(5) if faults else (),
            layout=seed,
        )
        _generate.write_input(root, case.song_records(), case.event_records(), seed)
        songs, logs = (next(root.glob(f"{kind}[_-]data")).name for kind in ("song", "log"))
        plain = sorted(path for path in (root / songs).rglob("*") if path.suffix in (".json", ".jsonl"))
        later = sorted(path for path in (root / logs).rglob("*") if path.suffix in (".json", ".jsonl"))

        def lines(records: Sequence[Any]) -> bytes:
            return bytes(_generate.file_bytes(records, "lines"))

        def events(count: int) -> bytes:
            return lines(
                [_records.listen(one, case.songs) for one in seeds(count)] + [*map(_records.play, seeds(4))]
            )

        twins = [_records.song_twin(one, case.songs) for one in seeds(4)]
        names = [path.relative_to(root).as_posix() for path in random.sample(plain, 2)]
        held = {
            "day": [(f"{logs}/2018/11/day-{number}.json", events(8)) for number in range(3)],
            "late": [(f"{logs}/late-{number}.json", events(2)) for number in range(2)],
            "append": [(later[0].relative_to(root).as_posix(), later[0].read_bytes() + b"\n" + events(2))],
            "song": [
                (f"{songs}/new/{number}.json", lines([_records.song(one)]))
                for number, one in enumerate(seeds(3))
            ],
            "change": [(name, lines(twins[2 * number :][:2])) for number, name in enumerate(names)],
        }
        return Source(root, random, held)

    return make


# --- realistic data ---------------------------------------------------------------------------------------


def sampled(
    seed: int, *, songs: int = 150, events: int = 4000, days: int = 70
) -> Callable[[Path, Path], Source]:
    """Returns a maker of realistic inputs: sample data of the program, some files of which arrive later."""

    def make(python: Path, root: Path) -> Source:
        numbers = {"songs": songs, "events": events, "days": days, "users": 30, "seed": seed}
        flags = [f"--{name}={number}" for name, number in numbers.items()]
        command = [str(python), "-m", "sparkify_lake", "sample", str(root), "--quiet", *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        random = Random(seed)
        source = Source(root, random, {}, is_sample=True)
        logs, tracks = source.files("log"), source.files("song")

        def withheld(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
            taken = []
            for path in paths:
                taken.append((path.relative_to(root).as_posix(), path.read_bytes()))
                path.unlink()
            return taken

        def changed(path: Path) -> tuple[str, bytes]:
            record = json.loads(path.read_bytes())
            record |= {"year": 1984, "artist_location": "Elsewhere", "title": f"{record['title']} (Live)"}
            return path.relative_to(root).as_posix(), json.dumps(record).encode()

        some = random.sample(tracks, 5)
        source.held["append"] = [
            (logs[0].relative_to(root).as_posix(), logs[0].read_bytes() + _tail(logs[-1]))
        ]
        source.held["day"] = withheld(logs[-3:])
        source.held["late"] = withheld(random.sample(logs[1:-3], 2))
        source.held["song"] = withheld(some[:3])
        source.held["change"] = [changed(path) for path in some[3:]]
        return source

    return make


def _tail(path: Path) -> bytes:
    """Returns the last three lines of a log file: late events, when they are appended to an earlier file."""
    return b"".join(path.read_bytes().splitlines(keepends=True)[-3:])


# --- the inputs -------------------------------------------------------------------------------------------


def _steps(text: str) -> list[Step]:
    """Reads steps that only change the input."""
    return [Step(word) for word in text.split()]


CORES = min(2, os.cpu_count() or 1)
ANY = {"max_bad": "100%", "allow_duplicates": True}
"""The generated records contain bad ones, and files that are equal by chance."""

INPUTS = (
    Input(
        name="odd-values", make=generated(1), options=ANY, steps=_steps("first nothing day change late song")
    ),
    Input(
        name="odd-values-nearest-duration",
        make=generated(2),
        options={**ANY, "match": "title_artist"},
        steps=_steps("first song day late change"),
    ),
    Input(
        name="odd-values-inner-join-zstd",
        make=generated(3),
        options={**ANY, "unmatched": "drop", "compression": "zstd"},
        steps=_steps("first change day append nothing"),
    ),
    Input(
        name="odd-values-one-thread",
        make=generated(4),
        options={**ANY, "threads": 1, "compression": "none", "table_names": "plain"},
        steps=_steps("first day song change"),
    ),
    Input(
        name="odd-values-small-chunks",
        make=generated(5, size=60),
        options={**ANY, "threads": 2, "chunk_size": "1KiB", "table_names": "songs=tracks,users=people"},
        steps=_steps("first append late remove day"),
    ),
    Input(
        name="some-tables",
        make=generated(6),
        options=ANY,
        steps=[
            Step("first", {"tables": "songs,artists"}),
            Step("options", {"tables": "users,time,songplays"}),
            Step("day", {"tables": None}),
            Step("change", {"tables": "songs"}),
            Step("nothing", {"tables": None}),
        ],
    ),
    Input(
        name="bad-files-quarantined",
        make=generated(7),
        options={**ANY, "on_bad_file": "quarantine"},
        steps=_steps("first broken nothing day repair"),
    ),
    Input(
        name="refused-inputs",
        make=generated(8),
        options={"max_bad": "100%"},
        steps=[
            *_steps("first duplicate"),
            Step("options", {"allow_duplicates": True}),
            *_steps("broken repair shrink"),
            Step("options", {"allow_shrink": True}),
            Step("day", {"max_bad": 0}),
        ],
    ),
    Input(
        name="odd-values-kept",
        make=generated(9),
        options={**ANY, "keep_gone": True, "threads": 1},
        steps=_steps("first remove day nothing change remove_song late rename"),
    ),
    Input(
        name="odd-values-in-shards",
        make=generated(10, size=60),
        options={**ANY, "shard_size": "64KiB"},
        steps=_steps("first day song late nothing"),
        uses_executor=True,
    ),
    Input(
        name="sample",
        make=sampled(11),
        options={"threads": CORES},
        steps=_steps("first day song late nothing"),
    ),
    Input(
        name="sample-nearest-duration",
        make=sampled(12),
        options={"match": "title_artist", "unmatched": "drop", "compression": "zstd"},
        steps=_steps("first song append change day"),
    ),
    Input(
        name="sample-kept",
        make=sampled(13),
        options={"keep_gone": True, "threads": 1},
        steps=_steps("first remove day song late remove_song change nothing"),
    ),
    Input(
        name="sample-in-shards",
        make=sampled(14, songs=400, events=20_000),
        options={"shard_size": "1MiB"},
        steps=_steps("first day song late change nothing"),
        uses_executor=True,
    ),
    Input(
        name="sample-in-shards-kept",
        make=sampled(15),
        options={"shard_size": "256KiB", "keep_gone": True, "threads": 1, "table_names": "plain"},
        steps=_steps("first remove day append"),
        uses_executor=True,
    ),
    Input(
        name="sample-beyond-memory",
        make=sampled(16, songs=300, events=500_000),
        options={"memory_limit": "64MiB", "chunk_size": "64KiB", "threads": 2},
        steps=_steps("first day song"),
    ),
    Input(
        name="sample-other-options",
        make=sampled(17),
        steps=[
            Step("first"),
            Step("options", {"compression": "zstd"}),
            Step("day", {"match": "title_artist"}),
            Step("nothing", {"rebuild": True}),
            Step("song", {"rebuild": None}),
        ],
    ),
    Input(
        name="sample-backfill",
        make=sampled(18),
        steps=[
            Step("first", {"until": "2018-11-20"}),
            Step("options", {"until": None, "since": "2018-12-15"}),
            Step("day", {"since": "2018-11-10", "until": "2018-12-25"}),
            Step("late", {"since": None, "until": None}),
        ],
    ),
    Input(
        name="sample-moved-files",
        make=sampled(19),
        steps=[
            *_steps("first rename touch duplicate remove_duplicate shrink"),
            Step("options", {"allow_shrink": True}),
        ],
    ),
    Input(
        name="sample-changed-lake",
        make=sampled(20),
        steps=[
            *_steps("first lose foreign"),
            Step("day", {"adopt": True}),
            Step("nothing", {"adopt": None}),
        ],
    ),
)
