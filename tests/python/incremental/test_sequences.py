"""After any sequence of input changes and runs, the lake equals a rebuild of its input, byte for byte.

A sequence depends only on its seed. A failing sequence is shortened and printed; ``--seed N`` starts with it.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support import oracle
from support.crash_harness import KILLED, ForkServer, build_fault_library, scratch_folder
from support.input_mutations import FULL, MUTATIONS, Files, Sequence, Step
from support.lake_checker import check
from support.lake_files import ALL_FOLDERS, Report
from support.random_sequences import random_sequence, with_history
from support.retained_input_replay import RetainedInputDisk
from support.rounds import Rounds
from support.sequence_disks import BothFormatsDisk, DeltaDisk, ExpectingDisk
from support.sequence_replay import (
    Digests,
    DiskTarget,
    Failure,
    FileBodies,
    Refusal,
    RunOutcome,
    md5,
    replay,
    shorten,
)

pytestmark = [pytest.mark.usefixtures("isolated_module"), pytest.mark.timeout(7_200)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch_folder() as made:
        yield made / "place"


def replay_and_check(folder: Path, sequence: Sequence, kind: type[DiskTarget] = DiskTarget) -> None:
    """Fails with the shortest failing sequence if the lake differs from a rebuild after any step."""

    def again() -> DiskTarget:
        return kind(folder, sequence.has_real_times)

    if failure := replay(again(), sequence):
        short, why = shorten(sequence, failure, again)
        pytest.fail(f"{failure}\n\nshortened:\n{short}\n{why}", pytrace=False)


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (DiskTarget, (50, 600)),
        (DeltaDisk, (20, 300)),
        (BothFormatsDisk, (8, 100)),
        (ExpectingDisk, (10, 150)),
        (RetainedInputDisk, (20, 300)),
    ],
    ids=["plain", "delta logs", "both formats", "expectations", "retained input"],
)
def test_every_step_equals_a_rebuild(
    folder: Path,
    rounds: Rounds,
    record_property: Callable[[str, object], None],
    kind: type[DiskTarget],
    counts: tuple[int, int],
) -> None:
    """With retained input, a rebuild of all files that were ever read."""
    if kind is BothFormatsDisk:
        pytest.importorskip("pyiceberg", reason="needs the package pyiceberg")
    steps = 0
    count = rounds(*counts)
    for seed in range(rounds.seed, rounds.seed + count):
        sequence = random_sequence(seed)
        replay_and_check(folder, sequence, kind)
        steps += len(sequence.steps)
    record_property("summary", f"{count} sequences from seed {rounds.seed}, {steps} steps")


@pytest.mark.parametrize("history_from", ["plays", "all-pages"])
def test_every_step_with_the_history_of_users_equals_a_rebuild(
    folder: Path, rounds: Rounds, record_property: Callable[[str, object], None], history_from: str
) -> None:
    """Late events split and join the periods of users; runs without the table do not change it."""
    steps = with_it = 0
    count = rounds(30, 600)
    for seed in range(rounds.seed, rounds.seed + count):
        sequence = with_history(random_sequence(seed), history_from)
        replay_and_check(folder, sequence)
        steps += len(sequence.steps)
        with_it += sum("users_history" in ",".join(step.calls) for step in sequence.steps)
    record_property(
        "summary", f"{count} sequences from seed {rounds.seed}, {with_it} of {steps} steps with it"
    )


# --- kills ------------------------------------------------------------------------------------------------


class KilledRuns(DiskTarget):
    """A target whose runs are killed at random, some of them after only a part of a step."""

    is_steady = False

    def __init__(self, folder: Path, fork_server: ForkServer, random: Random, *, can_count: bool) -> None:
        super().__init__(folder, has_real_times=False)
        self.fork_server, self.random, self.can_count = fork_server, random, can_count
        self.now: Files = {}
        self.usual_seconds = 0.01
        self.unsound: list[str] = []
        self.kills: Counter[str] = Counter()

    def take(self, step: Step) -> None:
        if self.random.random() < 0.5:
            paths = sorted(self.now.keys() | step.files.keys())
            sides = {path: self.random.choice((self.now, step.files)) for path in paths}
            part = replace(step, files={path: side[path] for path, side in sides.items() if path in side})
            super().take(part)
            self.kill(part, step.calls[0])
        super().take(step)
        self.now = step.files

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        for _ in range(self.random.choice((0, 1, 1, 2))):
            self.kill(step, tables)
        ended = self.fork_server.run(self.input.folder, self.lake, options=self.options(step, tables))
        self.usual_seconds = ended["seconds"]
        if ended["code"] == 0:
            report: Report = ended["report"]
            first = "an earlier run had committed it but not published it in full"
            return report | {"warnings": [one for one in report["warnings"] if first not in one]}
        return Refusal(ended["code"], ended["error"])

    def options(self, step: Step, tables: str) -> dict[str, Any]:
        return {**step.options, "quiet": True, **({"tables": tables} if tables != FULL[0] else {})}

    def kill(self, step: Step, tables: str) -> None:
        """Runs the job and kills it: at a random time, or before a random file operation."""
        task: dict[str, Any] = {"options": self.options(step, tables)}
        if self.can_count and self.random.random() < 0.5:
            task |= {"mode": "kill", "at": self.random.randint(1, 150)}
        else:
            task["signals"] = [[self.usual_seconds * self.random.uniform(0.05, 1.1), 9]]
        ended = self.fork_server.run(self.input.folder, self.lake, **task)
        self.kills["killed" if ended["code"] == KILLED else "finished"] += 1
        if self.lake.exists():
            self.unsound += check(self.lake)


def for_the_lake_checker(sequence: Sequence) -> Sequence:
    """The sequence without lost table files and with one compression, as `check` requires."""
    steps = []
    for step in sequence.steps:
        options = {name: value for name, value in step.options.items() if name != "compression"}
        steps.append(replace(step, lost=None, options=options))
    return replace(sequence, steps=tuple(steps))


def test_every_step_with_killed_runs_equals_a_rebuild(
    folder: Path,
    tmp_path: Path,
    rounds: Rounds,
    record_property: Callable[[str, object], None],
) -> None:
    can_count = shutil.which("cc") is not None
    faults = build_fault_library(tmp_path) if can_count else None
    kills: Counter[str] = Counter()
    count = rounds(8, 200)
    with ForkServer(faults) as fork_server:
        for seed in range(rounds.seed, rounds.seed + count):
            sequence = for_the_lake_checker(random_sequence(seed))
            target = KilledRuns(folder, fork_server, Random(seed), can_count=can_count)
            failure = replay(target, sequence)
            assert failure is None and not target.unsound, f"{sequence}\n{failure}\n{target.unsound}"
            kills += target.kills
    record_property("summary", f"{count} sequences from seed {rounds.seed}, runs {dict(kills)}")
    assert kills["killed"] >= 4 * count


# --- do these tests detect bugs? --------------------------------------------------------------------------

Bug = Callable[[FileBodies, FileBodies, Step, Step], FileBodies]
"""The files of a buggy lake, from: the files before, the right files, the last step and this step."""


def changed_months(old: Step, new: Step) -> set[str]:
    """The partitions of plays in log files that were added, removed or changed."""
    found = set()
    for path in old.files.keys() | new.files.keys():
        sides = [step.files[path] for step in (old, new) if path in step.files]
        if path.startswith("log") and len({side.body for side in sides}) + len(sides) != 3:
            for one in (one for side in sides for one in side.records if not one.fault):
                at = oracle.time_row(int(json.loads(one.raw).get("ts", 0)))
                found.add(f"year={at[5]}/month={at[4]}/")
    return found


def with_old_tables(before: FileBodies, after: FileBodies, *tables: str) -> FileBodies:
    """The new files, except that those tables keep their old files."""
    folders = {ALL_FOLDERS[table] for table in tables}
    return {
        path: before.get(path, body) if path.partition("/")[0] in folders else body
        for path, body in after.items()
    }


def stale_partition(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: only the newest month is updated, so late files change nothing."""
    stale = with_old_tables(before, after, "songplays", "time")
    newest = max((path for path in after if path.startswith("songplays_table/year")), default="")
    return {path: after[path] if path == newest else body for path, body in stale.items()}


def stale_time(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: times of removed plays stay."""
    return with_old_tables(before, after, "time") if len(new.files) < len(old.files) else after


def stale_user(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: users depend on the newest day only, so late and removed events change nothing."""

    def latest(bodies: FileBodies) -> str:
        return max((path for path in bodies if path.startswith("time_table")), default="")

    return with_old_tables(before, after, "users") if latest(before) == latest(after) else after


def stale_history(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: late and removed events neither split nor join the periods of users."""
    return with_old_tables(before, after, "users_history") if len(new.files) <= len(old.files) else after


def stale_artist(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: variants of artists are added, but never removed or changed."""
    return after if new.files.keys() - old.files.keys() else with_old_tables(before, after, "artists")


def stale_song(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: existing partitions of songs are never updated."""
    return with_old_tables(before, after, "songs")


def missed_late_match(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: plays are matched only when they are loaded, not when songs are added or removed."""
    changed = changed_months(old, new)
    return {
        path: before.get(path, body)
        if path.startswith("songplays_table") and not any(month in path for month in changed)
        else body
        for path, body in after.items()
    }


def stale_partition_left(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: a partition that became empty is not removed."""
    return {**{path: body for path, body in before.items() if path.startswith("songplays")}, **after}


def unchanged_partitions_lost(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: partitions that were not rewritten are lost."""
    changed = changed_months(old, new)
    return {
        path: body
        for path, body in after.items()
        if not (changed and path.startswith("time_table/year") and not any(one in path for one in changed))
    }


def options_ignored(before: FileBodies, after: FileBodies, old: Step, new: Step) -> FileBodies:
    """A bug: other options on the same input have no effect."""
    is_same = {path: file.body for path, file in old.files.items()} == {
        path: file.body for path, file in new.files.items()
    }
    return before if is_same and "max_bad" not in new.options.keys() - old.options.keys() else after


class BuggyTarget(DiskTarget):
    """A target whose lake looks as if the engine had a bug."""

    def __init__(self, folder: Path, bug: Bug | None, has_real_times: bool) -> None:
        super().__init__(folder, has_real_times)
        self.bug = bug
        self.shown: FileBodies | None = None
        self.steps: list[Step] = []
        self.reported: RunOutcome | None = None

    def take(self, step: Step) -> None:
        super().take(step)
        self.steps.append(step)
        self.shown = None

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        before = self.bodies()
        self.shown = None
        done = super().run(step, tables)
        if self.bug is None and self.reported is not None:
            return self.reported
        self.reported = done if not isinstance(done, Refusal) else self.reported
        if self.bug and len(self.steps) > 1 and not isinstance(done, Refusal) and step.lost is None:
            self.shown = self.bug(before, self.bodies(), *self.steps[-2:])
        return done

    def bodies(self) -> FileBodies:
        return super().bodies() if self.shown is None else self.shown

    def digests(self) -> Digests:
        return {path: md5(body) for path, body in self.bodies().items()}


def detect(folder: Path, bug: Bug | None, says: str) -> tuple[int, Failure]:
    """Replays sequences until one fails with those words; returns its seed and the failure."""
    for seed in range(1, 30):
        sequence = with_history(random_sequence(seed))
        failure = replay(BuggyTarget(folder, bug, sequence.has_real_times), sequence)
        if failure and says in str(failure):
            return seed, failure
    pytest.fail("the simulated bug was not detected", pytrace=False)


@pytest.mark.parametrize(
    ("bug", "says"),
    [
        (stale_partition, "songplays, only in the rebuild"),
        (stale_time, "time, only in the lake"),
        (stale_user, "users, only in the "),
        (stale_history, "users_history, only in the "),
        (stale_artist, "artists, only in the rebuild"),
        (stale_song, "songs, only in the rebuild"),
        (missed_late_match, "songplays, only in the rebuild"),
        (stale_partition_left, "too many: songplays_table"),
        (unchanged_partitions_lost, "missing: time_table"),
        (options_ignored, "songplays_table/"),
    ],
    ids=lambda value: getattr(value, "__name__", "message"),
)
def test_a_simulated_bug_is_detected(
    folder: Path, bug: Bug, says: str, record_property: Callable[[str, object], None]
) -> None:
    seed, failure = detect(folder, bug, says)
    record_property("summary", f"detected in sequence {seed}, step {failure.step}")
    assert failure.step > 1, "there is nothing to compare after the first run"


def test_a_report_of_another_run_is_detected(folder: Path) -> None:
    detect(folder, None, "the report says plays")


def test_a_run_that_should_be_refused_is_detected(folder: Path) -> None:
    class NeverRefusing(DiskTarget):
        def run(self, step: Step, tables: str) -> RunOutcome | None:
            done = super().run(step, tables)
            return None if isinstance(done, Refusal) else done

    failures = (replay(NeverRefusing(folder), random_sequence(seed)) for seed in range(1, 20))
    assert any("exit code 0, the rebuild's is 6" in str(failure) for failure in failures)


def test_a_failing_sequence_is_shortened(folder: Path) -> None:
    for seed in range(1, 30):
        sequence = random_sequence(seed)

        def again() -> BuggyTarget:
            return BuggyTarget(folder, stale_user, has_real_times=False)

        if failure := replay(again(), sequence):
            short, why = shorten(sequence, failure, again)
            assert len(short.steps) == 2 == why.step and "users, only in the" in str(why)
            assert max(len(step.files) for step in short.steps) <= 4
            assert "step 2: " in str(short) and f"seed {seed}" in str(short)
            assert '"userId"' in str(short), "the records of the files are printed"
            return
    pytest.fail("no sequence has a late change of a user")


def test_random_sequences_contain_the_hard_cases() -> None:
    """The hard cases occur often, by the oracle; the engine is not needed."""
    seen: Counter[str] = Counter()
    for seed in range(1, 41):
        sequence = random_sequence(seed)
        assert str(sequence) == str(random_sequence(seed)), "the same seed gives the same sequence"
        seen["with real times"] += sequence.has_real_times
        for old, new in zip(sequence.steps, sequence.steps[1:], strict=False):
            count_changes(seen, old, new)
    print(seen)
    for what, least in {
        "matched late": 50, "no longer matched": 20, "matched with another song": 5, "another rank": 50,
        "user changed by late events": 10, "user removed": 8, "artist changed": 20, "song changed": 25,
        "song removed": 15, "month removed": 8, "month before others": 15, "unchanged": 40,
    }.items():  # fmt: skip
        assert seen[what] >= least, f"{what}: {seen}"
    assert len(MUTATIONS) >= 30


def count_changes(seen: Counter[str], old: Step, new: Step) -> None:
    before, after = (oracle.expect(step.raws("song"), step.raws("log")).tables for step in (old, new))

    def by_key(tables: dict[str, list[Any]], table: str) -> dict[Any, Any]:
        return {row[0]: row for row in tables[table]}

    plays, now = by_key(before, "songplays"), by_key(after, "songplays")
    for key in plays.keys() & now.keys():
        (*_, one), (*_, other) = (plays[key][:5], now[key][:5])
        same = plays[key][:4] + plays[key][6:] == now[key][:4] + now[key][6:]
        seen["another rank"] += not same
        if same and one != other:
            seen[
                "matched late"
                if one is None
                else "no longer matched"
                if other is None
                else "matched with another song"
            ] += 1
    for table in ("users", "artists", "songs"):
        ours, theirs = by_key(before, table), by_key(after, table)
        seen[f"{table[:-1]} removed"] += len(ours.keys() - theirs.keys())
        changed = sum(ours[key] != theirs[key] for key in ours.keys() & theirs.keys())
        seen[f"{table[:-1]} changed"] += changed
        if table == "users" and before["time"] and after["time"] and before["time"][-1] == after["time"][-1]:
            seen["user changed by late events"] += changed
    was, is_now = ({(row[5], row[4]) for row in tables["time"]} for tables in (before, after))
    seen["month removed"] += len(was - is_now)
    seen["month before others"] += sum(bool(was) and month < max(was) for month in is_now - was)
    seen["unchanged"] += before == after
