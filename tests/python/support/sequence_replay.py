"""Plays sequences of arrivals and judges every step: the lake must equal what a rebuild makes of the input.

Equal means the same files with the same bytes, the same accounts in the report, or the same refusal with the
lake as it was. Now and then the oracle is asked as well, which shares no code with either side.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import sparkify_lake
from sparkify_lake import etl
from sparkify_lake.executors.local import LocalExecutor
from support import oracle
from support.input_mutations import FULL, Sequence, Step
from support.lake_files import FOLDERS, Report, column_values, partition_value
from support.oracle import COLUMNS, Row, order

Digests = dict[str, str]
"""MD5 of every file in the tables' folders, by path below the lake."""
Bodies = dict[str, bytes]
TOLD = ("records", "filtered", "reasons", "coerced", "unknown_keys", "bad_files", "plays", "warnings")
TOLD_OF_TABLES = ("name", "rows", "files", "bytes", "partitions")
ORACLE_EVERY = 3


@dataclass(frozen=True)
class Refusal:
    """A run that ended with an error."""

    code: int
    error: str


Outcome = Report | Refusal


class Place(ABC):
    """An input and a lake, wherever they lie."""

    is_steady = True
    """A run that is refused leaves the lake as it was: there is nothing that it had to finish first."""

    @abstractmethod
    def take(self, step: Step) -> None:
        """Makes the input what the step says."""

    @abstractmethod
    def run(self, step: Step, tables: str) -> Outcome | None:
        """Runs the job into the lake; None when it went well and told nothing."""

    @abstractmethod
    def rebuild(self, step: Step, tables: str) -> tuple[Outcome, Bodies]:
        """A full rebuild of the same input, into a new folder; and what is in it."""

    def seen(self, step: Step) -> Step:
        """The step with all files whose rows belong in the lake."""
        return step

    @abstractmethod
    def digests(self) -> Digests:
        """What is in the lake."""

    @abstractmethod
    def bodies(self) -> Bodies:
        """The same, in full."""

    @abstractmethod
    def lose(self, path: str) -> None:
        """Removes a file of the lake."""


# --- the law ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trouble:
    """Where the lake broke the law, and how."""

    step: int
    faults: list[str]

    def __str__(self) -> str:
        return "\n".join((f"after step {self.step}:", *self.faults))


def play(place: Place, sequence: Sequence) -> Trouble | None:
    """Plays all steps; the first trouble ends it."""
    for number, step in enumerate(sequence.steps, 1):
        place.take(step)
        if step.lost is not None and (files := [one for one in place.digests() if is_of(one, step.calls[0])]):
            place.lose(sorted(files)[step.lost % len(files)])
        for tables in step.calls:
            before = place.digests()
            done = place.run(step, tables)
            wanted, rebuilt = place.rebuild(step, tables)
            faults = outcome_faults(done, wanted)
            seen, kept = place.digests(), before
            if not isinstance(wanted, Refusal):
                kept = {path: digest for path, digest in before.items() if not is_of(path, tables)}
                kept |= {path: md5(body) for path, body in rebuilt.items()}
            elif step.lost is not None or not place.is_steady:
                kept = seen  # whether a refused run repairs what was lost is another question
            if different := file_faults(seen, kept):
                faults += different
                if not isinstance(wanted, Refusal):
                    faults += row_faults(place.bodies(), rebuilt, tables)
            if number % ORACLE_EVERY == 0 and not isinstance(wanted, Refusal) and not faults:
                faults += oracle_faults(place.seen(step), rebuilt, tables)
            if faults:
                return Trouble(number, faults)
    return None


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def is_of(path: str, tables: str) -> bool:
    """Whether a file belongs to one of the tables."""
    return path.partition("/")[0] in {FOLDERS[table] for table in tables.split(",")}


def outcome_faults(done: Outcome | None, wanted: Outcome) -> list[str]:
    """How what a run told differs from what the rebuild told."""
    if isinstance(done, Refusal) or isinstance(wanted, Refusal):
        codes = [one.code if isinstance(one, Refusal) else 0 for one in (done, wanted)]
        return (
            []
            if codes[0] == codes[1]
            else [f"exit code {codes[0]}, the rebuild's is {codes[1]}: {done} {wanted}"]
        )
    if done is None:
        return []
    ours, theirs = dict(_told(done)), dict(_told(wanted))
    return [
        f"the report says {name} {ours.get(name)}, the rebuild's {theirs.get(name)}"
        for name in [*ours, *(theirs.keys() - ours.keys())]
        if ours.get(name) != theirs.get(name)
    ]


def _told(report: Report) -> Iterator[tuple[str, Any]]:
    for name in TOLD:
        yield name, report[name]
    yield "input", {name: (one["files"], one["bytes"]) for name, one in report["input"].items()}
    for table in report["tables"]:
        yield f"table {table['name']}", [table[name] for name in TOLD_OF_TABLES]
        yield f"files of {table['name']}", table["written"] + table["unchanged"]


def file_faults(seen: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    """Files that are missing, too many, or other ones."""
    wrong = [f"missing: {path}" for path in expected.keys() - seen.keys()]
    wrong += [f"too many: {path}" for path in seen.keys() - expected.keys()]
    wrong += [f"differs: {path}" for path in expected.keys() & seen.keys() if expected[path] != seen[path]]
    return sorted(wrong)


def row_faults(seen: Bodies, rebuilt: Bodies, tables: str) -> list[str]:
    """The rows that only one side has."""
    told = []
    for table in tables.split(","):
        ours, theirs = rows(seen, table), rows(rebuilt, table)
        for what, some in (
            ("only in the lake", [row for row in ours if row not in theirs]),
            ("only in the rebuild", [row for row in theirs if row not in ours]),
        ):
            told += [f"{table}, {what}: {dict(zip(COLUMNS[table], row, strict=True))}" for row in some[:10]]
            told += [f"{table}, {what}: {len(some) - 10} more rows"] * (len(some) > 10)
        if len(ours) != len(set(ours)):
            told.append(f"{table}: the lake has a row twice")
    return told or ["the rows are the same"]


def rows(bodies: Bodies, table: str) -> list[Row]:
    """The rows of a table, sorted."""
    found: list[Row] = []
    for path, body in bodies.items():
        folder, *parts, name = path.split("/")
        if folder == FOLDERS[table] and name.endswith(".parquet"):
            frame = pq.ParquetFile(pa.BufferReader(body)).read()
            values = dict(partition_value(table, part) for part in parts)
            for row in zip(*(column_values(column) for column in frame.columns), strict=True):
                whole = {**dict(zip(frame.schema.names, row, strict=True)), **values}
                found.append(tuple(whole[name] for name in COLUMNS[table]))
    return sorted(found, key=lambda row: order(*row))


def oracle_faults(step: Step, rebuilt: Bodies, tables: str) -> list[str]:
    """How the tables differ from the oracle's."""
    if "ts_window" in step.options:
        return []  # the oracle knows one window
    options = {name: step.options[name] for name in ("match", "unmatched") if name in step.options}
    expected = oracle.expect(step.raws("song"), step.raws("log"), **options).tables
    told = []
    for table in tables.split(","):
        read_back = (oracle.as_read_back(table, row) for row in expected[table])
        if rows(rebuilt, table) != sorted(read_back, key=lambda row: order(*row)):
            told.append(f"{table}: the oracle has other rows")
    return told


def shortened(sequence: Sequence, trouble: Trouble, again: Callable[[], Place]) -> tuple[Sequence, Trouble]:
    """A sequence in trouble with fewer steps and files, as far as leaving them out one by one goes.

    ``again()`` gives a new place to play in.
    """
    sequence = replace(sequence, steps=sequence.steps[: trouble.step])
    place_of_step = len(sequence.steps) - 1
    while place_of_step > 0:
        place_of_step -= 1
        steps = sequence.steps[:place_of_step] + sequence.steps[place_of_step + 1 :]
        if found := play(again(), replace(sequence, steps=steps)):
            sequence, trouble = replace(sequence, steps=steps[: found.step]), found
            place_of_step = min(place_of_step, len(sequence.steps) - 1)
    for path in sorted({path for step in sequence.steps for path in step.files}):
        steps = tuple(step.without(path) for step in sequence.steps)
        if found := play(again(), replace(sequence, steps=steps)):
            sequence, trouble = replace(sequence, steps=steps[: found.step]), found
    return sequence, trouble


# --- on a disk --------------------------------------------------------------------------------------------


class Input:
    """A folder that follows the steps."""

    def __init__(self, folder: Path, has_real_times: bool) -> None:
        self.folder, self.has_real_times = folder, has_real_times
        self.held: Bodies = {}
        # Every file gets a time of its own, an hour ago, so no run waits for a tick of the clock.
        self.clock = time.time_ns() - 3_600 * 10**9
        for name in ("song_data", "log_data"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def take(self, step: Step) -> tuple[list[str], list[str]]:
        """Makes the folder what the step says; returns what was written and what was removed."""
        new = {path: file.body for path, file in step.files.items()}
        moves = {old: to for old, to in step.moves.items() if old in self.held and to in new}
        before = dict(self.held)
        for number, old in enumerate(moves):
            (self.folder / old).rename(self.folder / f"moving-{number}")
            del self.held[old]
        removed = sorted(self.held.keys() - new.keys())
        for path in removed:
            (self.folder / path).unlink()
            del self.held[path]
        for number, (old, to) in enumerate(moves.items()):
            (self.folder / to).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / f"moving-{number}").rename(self.folder / to)
            self.held[to] = before[old]
        written = [path for path, body in new.items() if self.held.get(path) != body or path in step.touched]
        for path in written:
            self._write(path, new[path])
        return sorted({*written, *moves.values()}), sorted({*removed, *moves} - new.keys())

    def _write(self, path: str, body: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        if not self.has_real_times:
            self.clock += 1_000_003
            os.utime(file, ns=(self.clock, self.clock))
        self.held[path] = body


def call(source: str, output: str, tables: str, step: Step, **more: Any) -> Outcome | None:
    """Runs the job in this process, as the step says."""
    options = {**step.options, "allow_shrink": True, "quiet": True, **more}
    if "shard_size" in options and "rebuild" not in more:
        options["executor"] = LocalExecutor()
    try:
        if step.is_legacy and "rebuild" not in more and tables in ("songs,artists", "users,time,songplays"):
            halves = {"songs,artists": etl.process_song_data, "users,time,songplays": etl.process_log_data}
            halves[tables](None, source, output, **options)
            return None
        if tables != FULL[0]:
            options["tables"] = tables
        report: Report = sparkify_lake.run(source, output, **options).to_dict()
        return report
    except sparkify_lake.SparkifyLakeError as error:
        return Refusal(error.exit_code, f"{error} ({error.hint})")


def tree(lake: Path) -> Bodies:
    """Every file in the tables' folders."""
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for folder in FOLDERS.values()
        for path in (lake / folder).rglob("*")
        if path.is_file()
    }


class Disk(Place):
    """Input and lake in a folder."""

    def __init__(self, folder: Path, has_real_times: bool = False) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder, self.lake = folder, folder / "lake"
        self.input = Input(folder / "input", has_real_times)

    def take(self, step: Step) -> None:
        self.input.take(step)

    def run(self, step: Step, tables: str) -> Outcome | None:
        return call(str(self.input.folder), str(self.lake), tables, step)

    def rebuild(self, step: Step, tables: str) -> tuple[Outcome, Bodies]:
        return rebuilt(self.input.folder, self.folder / "fresh", tables, step)

    def digests(self) -> Digests:
        return {path: md5(body) for path, body in self.bodies().items()}

    def bodies(self) -> Bodies:
        return tree(self.lake)

    def lose(self, path: str) -> None:
        (self.lake / path).unlink()


def rebuilt(source: Path, fresh: Path, tables: str, step: Step) -> tuple[Outcome, Bodies]:
    """A full rebuild in a folder of its own, which is gone afterwards."""
    shutil.rmtree(fresh, ignore_errors=True)
    outcome = call(str(source), str(fresh), tables, step, rebuild=True)
    assert outcome is not None
    return outcome, tree(fresh)
