"""The job on executors beside the job on threads: the same data, in turns, the run's own seconds.

    python benchmarks/executors.py --size L --runs 3 [--kinds spark,ray]

A cluster of two workers with a core each stands for two machines; the local run has two threads. Starting
the cluster, and the first task of each of its workers, is told apart. What counts is the time of the run as
its caller sees it, and the largest resident memory of the process that leads it, also with a third of the
events. Data and lakes lie below ``target/bench``. Ratios travel between machines, seconds do not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measurement import ROOT, SIZES, WORK

NUMBERS = itertools.count()
LEADER = """
import json, sys, sparkify_lake
task = json.loads(sys.stdin.readline())
report = sparkify_lake.run(quiet=True, rebuild=True, **task)
print(json.dumps({"seconds": report.seconds, "memory": report.peak_rss_bytes}))
"""


class Cluster:
    """A cluster in a process of its own, which leads runs."""

    def __init__(self, kind: str) -> None:
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "python" / "support" / "cluster_program.py"), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(WORK / f"{kind}.log").open("w"),
            env={**os.environ, "SPARKIFY_NO_PROGRESS": "1"},
            text=True,
        )
        self.answer()
        self.started = time.monotonic() - begun

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        if "error" in told:
            raise SystemExit(told["error"])
        return told

    def run(self, source: Path, lake: Path) -> tuple[float, int]:
        assert self.process.stdin is not None
        task = {"do": "run", "input": str(source), "output": str(lake), "rebuild": True}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        told = self.answer()
        return told["seconds"], told["peak_rss_bytes"]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def local(source: Path, lake: Path) -> tuple[float, int]:
    """A run on two threads, in a process of its own."""
    task = json.dumps({"input": str(source), "output": str(lake), "threads": 2})
    done = subprocess.run(
        [sys.executable, "-c", LEADER], input=task, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    return told["seconds"], told["memory"]


def data(size: str, share: int = 1) -> Path:
    """The input of a size, or one with a share of its events."""
    import sparkify_lake

    made = dict(SIZES[size])
    made["events"] //= share
    folder = WORK / "data" / (size if share == 1 else f"{size}-{share}")
    if not folder.exists():
        sparkify_lake.sample(folder.with_suffix(".part"), quiet=True, **made)
        folder.with_suffix(".part").rename(folder)
    return folder


def fresh() -> Path:
    """A place for a lake, on a disk that has nothing left to do."""
    place = WORK / "executors" / f"lake{next(NUMBERS)}"
    os.sync()
    return place


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="L", choices=list(SIZES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kinds", default="spark,ray")
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    source, less = data(given.size), data(given.size, 3)
    for kind in given.kinds.split(","):
        cluster = Cluster(kind)
        try:
            begun = time.monotonic()
            cluster.run(less, fresh())
            first = time.monotonic() - begun
            few = cluster.run(less, fresh())[1]
            turns = [(local(source, fresh()), cluster.run(source, fresh())) for _ in range(given.runs)]
        finally:
            cluster.close()
            shutil.rmtree(WORK / "executors", ignore_errors=True)
        ratios = [theirs[0] / ours[0] for ours, theirs in turns]
        memory = turns[-1][1][1]
        print(
            f"{kind}: start {cluster.started:.1f} s, first run of a third {first:.1f} s; "
            f"{given.size}: {statistics.median(theirs[0] for _, theirs in turns):.2f} s "
            f"beside {statistics.median(ours[0] for ours, _ in turns):.2f} s, "
            f"{statistics.median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)}); "
            f"leader's memory {few / 2**20:.0f} MiB with a third, {memory / 2**20:.0f} MiB with all"
        )


if __name__ == "__main__":
    main()
