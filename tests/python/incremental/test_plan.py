"""A plan equals what the run then does: the files that it reads, and the partitions that it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import SparkifyLakeError
from sparkify_lake.results.dry_run import Plan
from support.input_mutations import FULL, Step
from support.lake_files import ALL_FOLDERS
from support.random_sequences import random_sequence, with_history
from support.retained_input_replay import RetainedInputTarget
from support.rounds import Rounds
from support.sequence_replay import DiskTarget, FileBodies, Refusal, ReplayTarget, RunOutcome, replay

pytestmark = [pytest.mark.usefixtures("isolated_module"), pytest.mark.timeout(7_200)]

COMPARED = ("files", "bytes", "files_read", "bytes_read", "files_kept")


class PlannedTarget(ReplayTarget):
    """A mixin for targets: a plan precedes every run, and both are compared."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        self.faults: list[str] = []
        self.outlooks: dict[str, int] = {}

    def places(self) -> tuple[str, str]:
        """The locations of the input and of the lake."""
        raise NotImplementedError

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        plan = self.plan(step, tables)
        before = self.bodies()
        done = super().run(step, tables)
        if isinstance(plan, Refusal):
            if not isinstance(done, Refusal) or done.code != plan.code:
                self.faults.append(f"{step.title}: planned {plan}, done {done}")
        elif not isinstance(done, Refusal):
            self.faults += [f"{step.title}: {one}" for one in faults(plan, done, before, self.bodies())]
            self.outlooks[plan.outlook] = self.outlooks.get(plan.outlook, 0) + 1
        return done

    def plan(self, step: Step, tables: str) -> Plan | Refusal:
        options: dict[str, Any] = {**step.options, "allow_shrink": True, "quiet": True}
        options.pop("shard_size", None)
        if tables != FULL[0]:
            options["tables"] = tables
        try:
            return sparkify_lake.plan(*self.places(), **options)
        except SparkifyLakeError as error:
            return Refusal(error.exit_code, str(error))


def faults(plan: Plan, done: RunOutcome | None, before: FileBodies, after: FileBodies) -> Iterator[str]:
    """The differences between a plan and the run after it."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    for table, planned in plan.tables.items():
        if planned.partitions is None:
            continue
        folders = {f"{ALL_FOLDERS[table]}/{one.partition}".rstrip("/") for one in planned.partitions}
        below = f"{ALL_FOLDERS[table]}/"
        files = {path for path in changed if path.startswith(below) and "_SUCCESS" not in path}
        for path in files:
            if path.rpartition("/")[0] not in folders:
                yield f"{path} has changed, planned were {sorted(folders)}"
    if plan.outlook == "unchanged" and changed:
        yield f"nothing was planned, changed are {sorted(changed)}"
    if isinstance(done, dict):
        for name, source in plan.input.items():
            ours = [getattr(source, field) for field in COMPARED]
            theirs = [done["input"][name][field] for field in COMPARED]
            if ours != theirs:
                yield f"{name}: planned {dict(zip(COMPARED, ours, strict=True))}, done {theirs}"
        if plan.rebuilt != done["rebuilt"]:
            yield f"planned {plan.rebuilt}, done {done['rebuilt']}"


class PlannedDisk(PlannedTarget, DiskTarget):
    """Input and lake on disk."""

    def places(self) -> tuple[str, str]:
        return str(self.input.folder), str(self.lake)


class PlannedRetainedDisk(RetainedInputTarget, PlannedDisk):
    """Input and lake on disk; missing files keep their rows."""


@pytest.mark.parametrize("target", [PlannedDisk, PlannedRetainedDisk])
def test_a_plan_equals_the_run(target: type[PlannedDisk], tmp_path: Path, rounds: Rounds) -> None:
    outlooks: dict[str, int] = {}
    for seed in range(rounds.seed, rounds.seed + rounds(6, 300)):
        sequence = random_sequence(seed)
        if seed % 3 > 0:
            sequence = with_history(sequence, "plays" if seed % 3 == 1 else "all-pages")
        # A lost file of the lake is repaired by the run, and is no part of the plan.
        steps = tuple(replace(step, lost=None) for step in sequence.steps)
        planned = target(tmp_path / str(seed), has_real_times=sequence.has_real_times)
        assert replay(planned, replace(sequence, steps=steps)) is None
        assert planned.faults == [], f"sequence {seed}"
        for outlook, count in planned.outlooks.items():
            outlooks[outlook] = outlooks.get(outlook, 0) + count
    assert outlooks.keys() == {"first", "whole", "part", "unchanged"}
