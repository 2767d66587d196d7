"""A run that is killed, or whose disk fails, anywhere: old or new, never a mix; a rerun makes it whole.

Every operation on a file is met once: ``file_faults.c`` counts them and ends the process right before the
n-th, for every n. So is every operation of the recovery that comes after it. Kills by the clock come on top.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from support.crash_harness import KILLED, Versions, Victim, build_faults, moments, scratch, step, told
from support.lake_checker import check, contents
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


class Place(NamedTuple):
    victim: Victim
    versions: Versions
    lake: Path

    def begin(self, old: int | None) -> None:
        """A lake that holds an old version, or none."""
        shutil.rmtree(self.lake, ignore_errors=True)
        if old is not None:
            self.versions.copy(old, self.lake)

    def run(self, new: int, **task: Any) -> dict[str, Any]:
        return self.victim.run(self.versions.sources[new], self.lake, **task)

    def must_be_sound(self, where: str) -> None:
        if self.lake.exists():
            assert check(self.lake, versions=self.versions.held) == [], where

    def must_become(self, new: int, where: str, *, may_be_empty: bool = False) -> None:
        """A run that nobody disturbs ends well, and the lake is as if it had been the only one."""
        ended = self.run(new)
        assert ended["code"] == 0, f"{where}: {ended}"
        allowed = self.versions.held
        faults = check(self.lake, versions=allowed, settled=True, report=ended["report"])
        assert [one for one in faults if not (may_be_empty and "empty folder" in one)] == [], where
        assert contents(self.lake) == allowed[new], where


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    faults = build_faults(tmp_path_factory.mktemp("faults"))
    with scratch() as folder, Victim(faults) as victim:
        yield Place(victim, Versions.make(folder, victim, 3), folder / "lake")


@pytest.mark.parametrize("old", [0, None], ids=["over an old version", "the first version"])
def test_killed_before_every_operation(place: Place, rounds: Rounds, old: int | None) -> None:
    hits: Counter[str] = Counter()
    random = Random(1)
    at = 0
    while True:
        at += 1
        place.begin(old)
        ended = place.run(1, mode="kill", at=at)
        if not ended["hit"]:
            assert ended["code"] == 0, ended
            break
        where = f"killed before operation {at}: {ended['hit']}"
        assert ended["code"] == KILLED, where
        hits[step(ended["hit"])] += 1
        place.must_be_sound(where)
        if not rounds.is_long and step(ended["hit"]) == "staging" and at % 4:
            continue  # most operations only stage, and what comes after them is always the same
        if rounds.is_long or at % 3 == 0:
            # The run that follows is killed as well, wherever that is.
            ended = place.run(1, mode="kill", at=random.randrange(1, 40))
            where += f", then {ended['hit'] or 'not'}"
            hits["a second time"] += ended["code"] == KILLED
            place.must_be_sound(where)
        # What was committed stands, also when the next run has another input.
        place.must_become(1 if at % 2 else 2, where)
    told("killed before an operation", hits)
    assert hits.keys() >= STEPS, "every step of the protocol was met"


def test_a_recovery_killed_before_every_operation(place: Place) -> None:
    """From right behind the commit: the recovering run is killed at every one of its operations in turn."""
    place.begin(0)
    assert place.run(1, mode="kill", like="_table/_SUCCESS")["code"] == KILLED
    committed = place.lake.with_name("committed")
    shutil.move(place.lake, committed)
    hits: Counter[str] = Counter()
    for at in range(1, 1_000):
        place.begin(None)
        shutil.copytree(committed, place.lake)
        ended = place.run(1, call="recover", mode="kill", at=at)
        if not ended["hit"]:
            assert ended["code"] == 0, ended
            assert contents(place.lake) == place.versions.held[1]
            break
        hits[step(ended["hit"])] += 1
        where = f"recovery killed before operation {at}: {ended['hit']}"
        place.must_be_sound(where)
        place.must_become(2, where)
    shutil.rmtree(committed)
    told("a recovery killed before an operation", hits)
    assert hits.total() >= 10
    assert not hits.keys() & {"staging", "committing"}, "recovering computes nothing"


def test_a_commit_that_the_disk_does_not_confirm(place: Place) -> None:
    """The record is there and the disk says that it may not last: what is staged stays for a later run."""
    for new in (1, 2):
        place.begin(0)
        ended = place.run(1, mode="fail", like="fsync /_etl/log\n")
        assert (ended["hit"], ended["code"]) == ("fsync /_etl/log", 75), ended
        assert "committed" in ended["error"]
        place.must_be_sound("unconfirmed")
        place.must_become(new, "unconfirmed")
        assert len(list(place.lake.glob("_etl/log/*"))) == 1 + new, (
            "the unconfirmed version was published first"
        )


@pytest.mark.parametrize("mode", ["fail", "full"])
def test_every_operation_fails(place: Place, rounds: Rounds, mode: str) -> None:
    """One operation fails, or from it on the disk is full: the run says so, or has done all it had to."""
    stride = 1 if rounds.is_long else 3
    hits: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for at in range(1, 10_000, stride):
        place.begin(0)
        ended = place.run(1, mode=mode, at=at)
        if not ended["hit"]:
            break
        where = f"operation {at} fails: {ended['hit']}: {ended}"
        hits[step(ended["hit"])] += 1
        codes[f"exit {ended['code']}"] += 1
        assert ended["code"] in {0, 73, 74, 75, 76, 77}, where
        place.must_be_sound(where)
        if ended["code"] == 0:
            assert contents(place.lake) == place.versions.held[1], where
        # A folder that cannot be removed stays: no reader sees an empty one.
        is_rmdir = ended["hit"].startswith("rmdir")
        place.must_become(1 if at % 2 else 2, where, may_be_empty=is_rmdir)
    told(f"operations that fail ({mode})", hits)
    told("which ended with", codes)
    assert hits.keys() >= STEPS - {"opening the lake"} or stride > 1


def test_killed_at_random_times(place: Place, rounds: Rounds) -> None:
    """Any moment, also between two operations and while several threads are at work."""
    random = Random(rounds.seed)
    print(f"seed {rounds.seed}")
    seconds = []
    for _ in range(5):
        place.begin(0)
        seconds.append(place.run(1)["seconds"])
    usual = sorted(seconds)[2]
    killed: Counter[str] = Counter()
    now = 0
    place.begin(now)
    count = rounds(60, 300)
    for number, moment in enumerate(moments(random, usual, 4 * count)):
        new = random.choice([one for one in range(3) if one != now])
        ended = place.run(new, signals=[[moment, 9]])
        where = f"seed {rounds.seed}, kill {number} after {moment:.4f} s of {usual:.4f}"
        assert ended["code"] in {0, KILLED}, where
        place.must_be_sound(where)
        if ended["code"] == KILLED:
            begun = {path.name for path in (place.lake / "_etl").glob("stage/*")}
            committed = len(list(place.lake.glob("_etl/log/*.json"))) - len(
                list(place.lake.glob("_etl/done/*.json"))
            )
            killed["committed" if committed else "staging" if begun else "before or after"] += 1
        if random.random() < 0.5:
            place.must_become(new, where)
            now = new
        if killed.total() >= count:
            break
    told("killed at random times", killed)
    assert killed.total() >= count, "the runs ended before their kills"
    place.must_become(1, "at the end")
