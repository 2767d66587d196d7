"""Where the job's time goes: a flame graph, and the functions that take most.

    python benchmarks/flame_graph.py --size M [--threads N]

It builds the job as a program of its own (``benchmarks/job.rs``: no interpreter, the names of our functions),
lets ``perf`` look at its stacks a thousand times a second, and has inferno draw them. ``perf`` is Linux's;
inferno is a Rust program, installed below ``target/bench`` when it is not there. The picture is
``target/bench/flame/<size>.svg``; the wider a box, the more processor time, waiting is not seen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from measurement import ROOT, SIZES, WORK, data

TOOLS = WORK / "tools"
MOST = 25


def tool(name: str) -> str:
    """The path of one of inferno's programs, installed where needed."""
    here = TOOLS / "bin" / name
    if found := shutil.which(name) or (str(here) if here.exists() else None):
        return found
    words = ["cargo", "install", "--quiet", "--locked", "--root", str(TOOLS), "--no-default-features"]
    subprocess.run([*words, "--features", "cli", "inferno@^0.12"], cwd=ROOT, check=True)
    return str(here)


def program() -> str:
    """The job, built with symbols."""
    words = ["cargo", "bench", "--locked", "--no-default-features", "--no-run", "--bench", "job"]
    told = subprocess.check_output([*words, "--message-format=json"], cwd=ROOT, text=True)
    built = [json.loads(line) for line in told.splitlines()]
    return next(str(one["executable"]) for one in built if one.get("target", {}).get("name") == "job")


def stacks(job: str, size: str, threads: int, place: Path) -> str:
    """The stacks of one run, a line each: functions from the outermost, and nanoseconds."""
    lake, recorded = place / f"lake-{time.time_ns()}", place / "perf.data"
    words = ["perf", "record", "--quiet", "-F", "997", "--call-graph", "dwarf,16384", "-o", str(recorded)]
    subprocess.run(
        [*words, job, "input", str(data(size)), "output", str(lake), "threads", str(threads)], check=True
    )
    script = subprocess.Popen(
        ["perf", "script", "-i", str(recorded), "--no-inline"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    folded = subprocess.check_output([tool("inferno-collapse-perf")], stdin=script.stdout, text=True)
    if script.wait() != 0:
        sys.exit("perf could not read what it had recorded")
    recorded.unlink()
    # As in `against_peers`: removing thousands of files now would slow down the next run and hide the rest.
    for old in place.glob("lake-*"):
        if old.stat().st_mtime < time.time() - 600:
            shutil.rmtree(old)
    return folded


def most(folded: str) -> str:
    """The functions that were running most often, with their share."""
    alone: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, weight = line.rpartition(" ")
        alone[stack.rpartition(";")[2]] += int(weight)
    whole = alone.total() or 1
    return "\n".join(
        f"{100 * weight / whole:5.1f} %  {name[:100]}" for name, weight in alone.most_common(MOST)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", default="M", choices=SIZES, help="size of the data")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="worker threads")
    given = parser.parse_args()
    if not shutil.which("perf"):
        sys.exit("perf is not installed; Debian: apt-get install linux-perf, Ubuntu: linux-tools-generic")
    place = WORK / "flame"
    place.mkdir(parents=True, exist_ok=True)
    folded = stacks(program(), given.size, given.threads, place)
    picture = place / f"{given.size}.svg"
    with picture.open("w") as file:
        title = f"sparkify-lake on {given.size}, {given.threads} threads"
        subprocess.run(
            [tool("inferno-flamegraph"), "--title", title], input=folded, stdout=file, text=True, check=True
        )
    print(f"{most(folded)}\n\nflame graph: {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
