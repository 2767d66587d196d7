"""Runs that are killed, or whose disk fails, at any point: the lake is old or new, and a rerun repairs it.

``file_faults.c`` counts the file operations of a run and kills it right before the n-th one, for every n. The
same is done with the recovery that follows. Other tests kill runs at random times.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from support.crash_harness import (
    KILLED,
    ForkServer,
    Versions,
    build_fault_library,
    kill_times,
    print_counts,
    protocol_step,
    scratch_folder,
)
from support.lake_checker import check, contents
from support.lake_files import WITH_HISTORY
from support.rounds import Rounds

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]
STEPS = {
    "opening the lake",
    "staging",
    "committing",
    "publishing songs_table",
    "publishing user_table",
    "publishing songplays_table",
    "marking as done",
}


class CrashTest(NamedTuple):
    fork_server: ForkServer
    versions: Versions
    lake: Path

    def begin(self, old: int | None) -> None:
        """Puts an old version into the lake, or removes the lake."""
        shutil.rmtree(self.lake, ignore_errors=True)
        if old is not None:
            self.versions.copy(old, self.lake)

    def run(self, new: int, **task: Any) -> dict[str, Any]:
        return self.fork_server.run(self.versions.sources[new], self.lake, **task)

    def assert_sound(self, where: str) -> None:
        if self.lake.exists():
            assert check(self.lake, versions=self.versions.held) == [], where

    def assert_next_run_publishes(self, new: int, where: str, *, may_be_empty: bool = False) -> None:
        """The next run succeeds, and the lake equals a lake that only this run wrote."""
        ended = self.run(new)
        assert ended["code"] == 0, f"{where}: {ended}"
        allowed = self.versions.held
        faults = check(self.lake, versions=allowed, settled=True, report=ended["report"])
        assert [one for one in faults if not (may_be_empty and "empty folder" in one)] == [], where
        assert contents(self.lake) == allowed[new], where


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashTest]:
    faults = build_fault_library(tmp_path_factory.mktemp("faults"))
    with scratch_folder() as folder, ForkServer(faults) as fork_server:
        yield CrashTest(fork_server, Versions.make(folder, fork_server, 3), folder / "lake")


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashTest]:
    """A lake whose tables have nested folders."""
    faults = build_fault_library(tmp_path_factory.mktemp("faults"))
    folders = {"songs": "a/songs_table", "artists": "a/b/artists_table", "users": "b/user_table"}
    names = ",".join(f"{table}={folder}" for table, folder in folders.items())
    with scratch_folder() as folder, ForkServer(faults, env={"SPARKIFY_TABLE_NAMES": names}) as fork_server:
        yield CrashTest(fork_server, Versions.make(folder, fork_server, 3), folder / "lake")


@pytest.fixture(scope="module", params=["delta", "delta,iceberg"])
def formats(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[CrashTest]:
    """A lake whose tables are also Delta tables, or with users_history and also Delta and Iceberg tables."""
    env = {"SPARKIFY_FORMATS": request.param}
    if "iceberg" in request.param:
        pytest.importorskip("pyiceberg", reason="needs the package pyiceberg")
        env["SPARKIFY_TABLES"] = WITH_HISTORY
    faults = build_fault_library(tmp_path_factory.mktemp("faults"))
    with scratch_folder() as folder, ForkServer(faults, env=env) as fork_server:
        made = CrashTest(fork_server, Versions.make(folder, fork_server, 3), folder / "lake")
        has_history = any(path.startswith("users_history_table/") for path in made.versions.held[0])
        assert has_history == ("iceberg" in request.param)
        yield made


@pytest.mark.parametrize("old", [0, None], ids=["old version", "first version"])
def test_a_run_with_table_formats_killed_before_every_operation(
    formats: CrashTest, rounds: Rounds, old: int | None
) -> None:
    test_a_run_killed_before_every_operation(formats, rounds, old)


def test_a_recovery_of_table_formats_killed_before_every_operation(formats: CrashTest) -> None:
    test_a_recovery_killed_before_every_operation(formats)


def test_a_run_with_nested_folders_killed_before_every_operation(nested: CrashTest, rounds: Rounds) -> None:
    test_a_run_killed_before_every_operation(nested, rounds, None)


@pytest.mark.parametrize("old", [0, None], ids=["old version", "first version"])
def test_a_run_killed_before_every_operation(crash: CrashTest, rounds: Rounds, old: int | None) -> None:
    hits: Counter[str] = Counter()
    random = Random(1)
    at = 0
    while True:
        at += 1
        crash.begin(old)
        ended = crash.run(1, mode="kill", at=at)
        if not ended["hit"]:
            assert ended["code"] == 0, ended
            break
        where = f"killed before operation {at}: {ended['hit']}"
        assert ended["code"] == KILLED, where
        hits[protocol_step(ended["hit"])] += 1
        crash.assert_sound(where)
        if not rounds.is_long and protocol_step(ended["hit"]) == "staging" and at % 4:
            continue  # most operations only stage files; what follows is always the same
        if rounds.is_long or at % 3 == 0:
            # The next run is killed as well, at a random operation.
            ended = crash.run(1, mode="kill", at=random.randrange(1, 40))
            where += f", then {ended['hit'] or 'not'}"
            hits["a second time"] += ended["code"] == KILLED
            crash.assert_sound(where)
        # A committed version is published, even if the next run has another input.
        crash.assert_next_run_publishes(1 if at % 2 else 2, where)
    print_counts("killed before an operation", hits)
    assert hits.keys() >= STEPS, "every step of the protocol was interrupted"


def test_a_recovery_killed_before_every_operation(crash: CrashTest) -> None:
    """After a kill right after the commit, the recovery is killed before each of its operations."""
    crash.begin(0)
    assert crash.run(1, mode="kill", like="_table/_SUCCESS")["code"] == KILLED
    committed = crash.lake.with_name("committed")
    shutil.move(crash.lake, committed)
    hits: Counter[str] = Counter()
    for at in range(1, 1_000):
        crash.begin(None)
        shutil.copytree(committed, crash.lake)
        ended = crash.run(1, call="recover", mode="kill", at=at)
        if not ended["hit"]:
            assert ended["code"] == 0, ended
            assert contents(crash.lake) == crash.versions.held[1]
            break
        hits[protocol_step(ended["hit"])] += 1
        where = f"recovery killed before operation {at}: {ended['hit']}"
        crash.assert_sound(where)
        crash.assert_next_run_publishes(2, where)
    shutil.rmtree(committed)
    print_counts("a recovery killed before an operation", hits)
    assert hits.total() >= 10
    assert not hits.keys() & {"staging", "committing"}, "a recovery computes nothing"


def test_a_commit_with_a_failed_fsync(crash: CrashTest) -> None:
    """The record is written but fsync fails: the staged files stay for a later run."""
    for new in (1, 2):
        crash.begin(0)
        ended = crash.run(1, mode="fail", like="fsync folder /_etl/log\n")
        assert (ended["hit"], ended["code"]) == ("fsync folder /_etl/log", 75), ended
        assert "committed" in ended["error"]
        crash.assert_sound("unconfirmed")
        crash.assert_next_run_publishes(new, "unconfirmed")
        assert len(list(crash.lake.glob("_etl/log/*"))) == 1 + new, (
            "the unconfirmed version was published first"
        )


@pytest.mark.parametrize("mode", ["fail", "full"])
def test_a_run_with_every_operation_failing(crash: CrashTest, rounds: Rounds, mode: str) -> None:
    """One operation fails, or the disk is full from it on: the run fails or has done everything."""
    stride = 1 if rounds.is_long else 3
    hits: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for at in range(1, 10_000, stride):
        crash.begin(0)
        ended = crash.run(1, mode=mode, at=at)
        if not ended["hit"]:
            break
        where = f"operation {at} fails: {ended['hit']}: {ended}"
        hits[protocol_step(ended["hit"])] += 1
        codes[f"exit {ended['code']}"] += 1
        assert ended["code"] in {0, 73, 74, 75, 76, 77}, where
        crash.assert_sound(where)
        if ended["code"] == 0:
            assert contents(crash.lake) == crash.versions.held[1], where
        # A folder that cannot be removed stays; readers do not see an empty folder.
        is_rmdir = ended["hit"].startswith("rmdir")
        crash.assert_next_run_publishes(1 if at % 2 else 2, where, may_be_empty=is_rmdir)
    print_counts(f"operations that fail ({mode})", hits)
    print_counts("exit codes", codes)
    assert hits.keys() >= STEPS - {"opening the lake"} or stride > 1


def test_a_run_killed_at_random_times(crash: CrashTest, rounds: Rounds) -> None:
    """Kills at any time, also between two operations and with several threads."""
    random = Random(rounds.seed)
    print(f"seed {rounds.seed}")
    seconds = []
    for _ in range(5):
        crash.begin(0)
        seconds.append(crash.run(1)["seconds"])
    typical = sorted(seconds)[2]
    killed: Counter[str] = Counter()
    now = 0
    crash.begin(now)
    count = rounds(60, 300)
    # More moments than kills: on a machine whose load drops, many runs end before their moment.
    for number, moment in enumerate(kill_times(random, typical, 12 * count)):
        new = random.choice([one for one in range(3) if one != now])
        ended = crash.run(new, signals=[[moment, 9]])
        where = f"seed {rounds.seed}, kill {number} after {moment:.4f} s of {typical:.4f}"
        assert ended["code"] in {0, KILLED}, where
        crash.assert_sound(where)
        if ended["code"] == KILLED:
            begun = {path.name for path in (crash.lake / "_etl").glob("stage/*")}
            committed = len(list(crash.lake.glob("_etl/log/*.json"))) - len(
                list(crash.lake.glob("_etl/done/*.json"))
            )
            killed["committed" if committed else "staging" if begun else "before or after"] += 1
        if random.random() < 0.5:
            crash.assert_next_run_publishes(new, where)
            now = new
        if killed.total() >= count:
            break
    print_counts("killed at random times", killed)
    assert killed.total() >= count, "too many runs ended before they were killed"
    crash.assert_next_run_publishes(1, "at the end")
