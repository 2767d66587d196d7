"""Replays sequences of input changes and compares the lake with a rebuild after every step.

Both must have the same files with the same bytes and the same counts in the report, or both runs must be
refused and the lake must be unchanged. Some steps are also compared with the oracle, which shares no code
with the engine.
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
from support.lake_files import ALL_FOLDERS, Report, column_values, partition_value
from support.oracle import COLUMNS, Row, order

Digests = dict[str, str]
"""The MD5 of every file of the tables, by path below the lake."""
FileBodies = dict[str, bytes]
COMPARED_FIELDS = (
    "records",
    "filtered",
    "reasons",
    "coerced",
    "unknown_keys",
    "bad_files",
    "plays",
    "warnings",
)
COMPARED_TABLE_FIELDS = ("name", "rows", "files", "bytes", "partitions")
ORACLE_EVERY = 3


@dataclass(frozen=True)
class Refusal:
    """A run that ended with an error."""

    code: int
    error: str


RunOutcome = Report | Refusal


class ReplayTarget(ABC):
    """An input and a lake, on disk or in a bucket."""

    is_steady = True
    """A refused run leaves the lake unchanged, because there is no earlier run to complete."""

    @abstractmethod
    def take(self, step: Step) -> None:
        """Changes the input to that of the step."""

    @abstractmethod
    def run(self, step: Step, tables: str) -> RunOutcome | None:
        """Runs the job into the lake; None for success without a report."""

    @abstractmethod
    def rebuild(self, step: Step, tables: str) -> tuple[RunOutcome, FileBodies]:
        """Rebuilds the same input in a new folder; returns the outcome and the files."""

    def seen(self, step: Step) -> Step:
        """The step with all files whose rows must be in the lake."""
        return step

    @abstractmethod
    def digests(self) -> Digests:
        """The digests of the files in the lake."""

    @abstractmethod
    def bodies(self) -> FileBodies:
        """The contents of the files in the lake."""

    @abstractmethod
    def lose(self, path: str) -> None:
        """Removes a file of the lake."""


# --- replay and comparison --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """The step after which the lake differs from the rebuild, and the differences."""

    step: int
    faults: list[str]

    def __str__(self) -> str:
        return "\n".join((f"after step {self.step}:", *self.faults))


def replay(target: ReplayTarget, sequence: Sequence) -> Failure | None:
    """Replays all steps; returns the first failure."""
    for number, step in enumerate(sequence.steps, 1):
        target.take(step)
        if step.lost is not None and (
            files := [one for one in target.digests() if belongs_to(one, step.calls[0])]
        ):
            target.lose(sorted(files)[step.lost % len(files)])
        for tables in step.calls:
            before = target.digests()
            done = target.run(step, tables)
            wanted, rebuilt = target.rebuild(step, tables)
            faults = outcome_faults(done, wanted)
            seen, kept = target.digests(), before
            if not isinstance(wanted, Refusal):
                kept = {path: digest for path, digest in before.items() if not belongs_to(path, tables)}
                kept |= {path: md5(body) for path, body in rebuilt.items()}
            elif step.lost is not None or not target.is_steady:
                kept = seen  # a refused run may or may not restore lost files
            if different := file_faults(seen, kept):
                faults += different
                if not isinstance(wanted, Refusal):
                    faults += row_faults(target.bodies(), rebuilt, tables)
            if number % ORACLE_EVERY == 0 and not isinstance(wanted, Refusal) and not faults:
                faults += oracle_faults(target.seen(step), rebuilt, tables)
            if faults:
                return Failure(number, faults)
    return None


def md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def belongs_to(path: str, tables: str) -> bool:
    """Whether a file belongs to one of the tables."""
    return path.partition("/")[0] in {ALL_FOLDERS[table] for table in tables.split(",")}


def outcome_faults(done: RunOutcome | None, wanted: RunOutcome) -> list[str]:
    """The differences between the outcome of a run and that of the rebuild."""
    if isinstance(done, Refusal) or isinstance(wanted, Refusal):
        codes = [one.code if isinstance(one, Refusal) else 0 for one in (done, wanted)]
        return (
            []
            if codes[0] == codes[1]
            else [f"exit code {codes[0]}, the rebuild's is {codes[1]}: {done} {wanted}"]
        )
    if done is None:
        return []
    ours, theirs = dict(_compared_fields(done)), dict(_compared_fields(wanted))
    return [
        f"the report says {name} {ours.get(name)}, the rebuild's {theirs.get(name)}"
        for name in [*ours, *(theirs.keys() - ours.keys())]
        if ours.get(name) != theirs.get(name)
    ]


def _compared_fields(report: Report) -> Iterator[tuple[str, Any]]:
    for name in COMPARED_FIELDS:
        yield name, report[name]
    yield "input", {name: (one["files"], one["bytes"]) for name, one in report["input"].items()}
    for table in report["tables"]:
        yield f"table {table['name']}", [table[name] for name in COMPARED_TABLE_FIELDS]
        yield f"files of {table['name']}", table["written"] + table["unchanged"]


def file_faults(seen: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    """Files that are missing, too many, or different."""
    wrong = [f"missing: {path}" for path in expected.keys() - seen.keys()]
    wrong += [f"too many: {path}" for path in seen.keys() - expected.keys()]
    wrong += [f"differs: {path}" for path in expected.keys() & seen.keys() if expected[path] != seen[path]]
    return sorted(wrong)


def row_faults(seen: FileBodies, rebuilt: FileBodies, tables: str) -> list[str]:
    """The rows that only one of the lakes has."""
    differences = []
    for table in tables.split(","):
        ours, theirs = rows(seen, table), rows(rebuilt, table)
        for what, some in (
            ("only in the lake", [row for row in ours if row not in theirs]),
            ("only in the rebuild", [row for row in theirs if row not in ours]),
        ):
            differences += [
                f"{table}, {what}: {dict(zip(COLUMNS[table], row, strict=True))}" for row in some[:10]
            ]
            differences += [f"{table}, {what}: {len(some) - 10} more rows"] * (len(some) > 10)
        if len(ours) != len(set(ours)):
            differences.append(f"{table}: the lake has a row twice")
    return differences or ["the rows are the same"]


def rows(bodies: FileBodies, table: str) -> list[Row]:
    """The rows of a table, sorted."""
    found: list[Row] = []
    for path, body in bodies.items():
        folder, *parts, name = path.split("/")
        if folder == ALL_FOLDERS[table] and name.endswith(".parquet"):
            frame = pq.ParquetFile(pa.BufferReader(body)).read()
            values = dict(partition_value(table, part) for part in parts)
            for row in zip(*(column_values(column) for column in frame.columns), strict=True):
                whole = {**dict(zip(frame.schema.names, row, strict=True)), **values}
                found.append(tuple(whole[name] for name in COLUMNS[table]))
    return sorted(found, key=lambda row: order(*row))


def oracle_faults(step: Step, rebuilt: FileBodies, tables: str) -> list[str]:
    """The tables that differ from those of the oracle."""
    if "ts_window" in step.options:
        return []  # the oracle has no time window
    options = {name: step.options[name] for name in ("match", "unmatched") if name in step.options}
    history = step.options.get("history_from", "plays") if "users_history" in tables.split(",") else None
    expected = oracle.expect(step.raws("song"), step.raws("log"), history=history, **options).tables
    differences = []
    for table in tables.split(","):
        if rows(rebuilt, table) != expected[table]:
            differences.append(f"{table}: the oracle has other rows")
    return differences


def shorten(
    sequence: Sequence, failure: Failure, again: Callable[[], ReplayTarget]
) -> tuple[Sequence, Failure]:
    """A failing sequence with fewer steps and files, found by leaving them out one by one.

    ``again()`` returns a new target.
    """
    sequence = replace(sequence, steps=sequence.steps[: failure.step])
    position = len(sequence.steps) - 1
    while position > 0:
        position -= 1
        steps = sequence.steps[:position] + sequence.steps[position + 1 :]
        if found := replay(again(), replace(sequence, steps=steps)):
            sequence, failure = replace(sequence, steps=steps[: found.step]), found
            position = min(position, len(sequence.steps) - 1)
    for path in sorted({path for step in sequence.steps for path in step.files}):
        steps = tuple(step.without(path) for step in sequence.steps)
        if found := replay(again(), replace(sequence, steps=steps)):
            sequence, failure = replace(sequence, steps=steps[: found.step]), found
    return sequence, failure


# --- on a disk --------------------------------------------------------------------------------------------


class InputFolder:
    """An input folder that is changed from step to step."""

    def __init__(self, folder: Path, has_real_times: bool) -> None:
        self.folder, self.has_real_times = folder, has_real_times
        self.held: FileBodies = {}
        self.links = 0
        # Every file gets a different time, an hour ago, so that no run waits for the clock.
        self.clock = time.time_ns() - 3_600 * 10**9
        for name in ("song_data", "log_data"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def take(self, step: Step) -> tuple[list[str], list[str]]:
        """Changes the folder to the files of the step; returns the written and the removed paths."""
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
        for path, seconds in step.times_set.items():
            if path not in self.held:
                continue
            self.clock += 1_000_003
            at = self.clock + seconds * 10**9
            os.utime(self.folder / path, ns=(at, at))
        return sorted({*written, *moves.values()}), sorted({*removed, *moves} - new.keys())

    def move_to(self, folder: Path) -> None:
        """Renames the folder; a folder named ``symlink`` is a symlink to a new folder."""
        if folder == self.folder:
            return
        real = self.folder.resolve()
        if self.folder.is_symlink():
            self.folder.unlink()
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.name == "symlink":
            self.links += 1
            target = folder.with_name(f"target-{self.links}")
            real.rename(target)
            folder.symlink_to(target, target_is_directory=True)
        else:
            real.rename(folder)
        self.folder = folder

    def _write(self, path: str, body: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        if not self.has_real_times:
            self.clock += 1_000_003
            os.utime(file, ns=(self.clock, self.clock))
        self.held[path] = body


def run_job(source: str, output: str, tables: str, step: Step, **more: Any) -> RunOutcome | None:
    """Runs the job in this process with the options of the step."""
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


def tree(lake: Path) -> FileBodies:
    """Every file in the folders of the tables."""
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for folder in ALL_FOLDERS.values()
        for path in (lake / folder).rglob("*")
        if path.is_file()
    }


class DiskTarget(ReplayTarget):
    """Input and lake in a folder."""

    def __init__(self, folder: Path, has_real_times: bool = False) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder, self.lake = folder, folder / "lake"
        self.input = InputFolder(folder / "input", has_real_times)

    def take(self, step: Step) -> None:
        self.input.take(step)
        if step.calls == FULL:
            self.input.move_to(self.folder / step.root)

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        return run_job(str(self.input.folder), str(self.lake), tables, step)

    def rebuild(self, step: Step, tables: str) -> tuple[RunOutcome, FileBodies]:
        return rebuild_in(self.input.folder, self.folder / "fresh", tables, step)

    def digests(self) -> Digests:
        return {path: md5(body) for path, body in self.bodies().items()}

    def bodies(self) -> FileBodies:
        return tree(self.lake)

    def lose(self, path: str) -> None:
        (self.lake / path).unlink()


def rebuild_in(source: Path, fresh: Path, tables: str, step: Step) -> tuple[RunOutcome, FileBodies]:
    """A full rebuild of an input in a folder that is removed first."""
    shutil.rmtree(fresh, ignore_errors=True)
    outcome = run_job(str(source), str(fresh), tables, step, rebuild=True)
    assert outcome is not None
    return outcome, tree(fresh)
