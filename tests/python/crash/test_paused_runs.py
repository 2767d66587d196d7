"""A run on a local disk that is paused at a random time keeps the lock, so no other run can overtake it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from support.crash_harness import ForkServer, Versions, print_counts, scratch_folder
from support.lake_checker import check, contents
from support.rounds import Rounds

pytestmark = pytest.mark.timeout(900)


def is_stopped(pid: int) -> bool:
    """Whether the process is stopped; False if it has ended."""
    while True:
        try:
            status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if status in "TZX":
            return status == "T"
        time.sleep(0.001)


@pytest.mark.parametrize("formats", ["parquet", "delta"])
def test_a_paused_run_is_not_overtaken(rounds: Rounds, formats: str) -> None:
    random = Random(rounds.seed)
    print(f"seed {rounds.seed}")
    ends: Counter[str] = Counter()
    env = {"SPARKIFY_FORMATS": formats}
    with scratch_folder() as folder, ForkServer(env=env) as paused, ForkServer(env=env) as other:
        versions = Versions.make(folder, other, 3)
        lake = folder / "lake"
        seconds = other.run(versions.sources[0], lake)["seconds"]
        for number in range(rounds(20, 150)):
            where = f"seed {rounds.seed}, round {number}"
            first, stopped = random.sample(range(3), 2)
            assert other.run(versions.sources[first], lake)["code"] == 0
            paused.start(versions.sources[stopped], lake)
            time.sleep(random.random() * seconds)
            with suppress(ProcessLookupError):
                os.kill(paused.child, signal.SIGSTOP)
            codes, allowed = [], [versions.held[stopped]]
            if is_stopped(paused.child):
                others = random.choices(range(3), k=random.randint(2, 4))
                codes = [other.run(versions.sources[one], lake)["code"] for one in others]
                os.kill(paused.child, signal.SIGCONT)
                if set(codes) == {0}:
                    # Stopped before it had the lock, or after it had published and released the lock.
                    allowed.append(versions.held[others[-1]])
            ended = paused.end()
            ends.update(f"exit {code} during the pause" for code in codes)
            assert set(codes) in (set(), {0}, {75}), f"{where}: {codes}"
            assert ended["code"] == 0, f"{where}: {ended}"
            assert contents(lake) in allowed, where
            assert check(lake, settled=True) == [], where
    print_counts("runs during a pause", ends)
    assert ends["exit 75 during the pause"] >= 5
