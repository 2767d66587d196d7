"""A flame graph of the job, and the functions that take the most time.

    python benchmarks/flame_graph.py --size M [--threads N]

It builds the job as a program (``benchmarks/job.rs``: without an interpreter, with function names), samples
its stacks a thousand times a second with ``perf`` (Linux only), and draws them with inferno, a Rust program
that is installed below ``target/bench`` if it is missing. The graph is ``target/bench/flame/<size>.svg``. The
width of a box is processor time; waiting is not shown.
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
TOP = 25


def tool(name: str) -> str:
    """The path of a program of inferno, which is installed if necessary."""
    here = TOOLS / "bin" / name
    if found := shutil.which(name) or (str(here) if here.exists() else None):
        return found
    words = ["cargo", "install", "--quiet", "--locked", "--root", str(TOOLS), "--no-default-features"]
    subprocess.run([*words, "--features", "cli", "inferno@^0.12"], cwd=ROOT, check=True)
    return str(here)


def program() -> str:
    """Builds the job with symbols; returns its path."""
    words = ["cargo", "bench", "--locked", "--no-default-features", "--no-run", "--bench", "job"]
    output = subprocess.check_output([*words, "--message-format=json"], cwd=ROOT, text=True)
    built = [json.loads(line) for line in output.splitlines()]
    return next(str(one["executable"]) for one in built if one.get("target", {}).get("name") == "job")


def stacks(job: str, size: str, threads: int, folder: Path) -> str:
    """The stacks of a run, one per line: functions from the outermost on, and nanoseconds."""
    lake, recorded = folder / f"lake-{time.time_ns()}", folder / "perf.data"
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
        sys.exit("perf could not read its recording")
    recorded.unlink()
    # As in `against_peers`: removing thousands of files now would slow down the next run and hide the rest.
    for old in folder.glob("lake-*"):
        if old.stat().st_mtime < time.time() - 600:
            shutil.rmtree(old)
    return folded


def top_functions(folded: str) -> str:
    """The functions that were running most often, with their share of the time."""
    self_time: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, weight = line.rpartition(" ")
        self_time[stack.rpartition(";")[2]] += int(weight)
    whole = self_time.total() or 1
    return "\n".join(
        f"{100 * weight / whole:5.1f} %  {name[:100]}" for name, weight in self_time.most_common(TOP)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", default="M", choices=SIZES, help="size of the data")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="worker threads")
    given = parser.parse_args()
    if not shutil.which("perf"):
        sys.exit("perf is not installed; Debian: apt-get install linux-perf, Ubuntu: linux-tools-generic")
    folder = WORK / "flame"
    folder.mkdir(parents=True, exist_ok=True)
    folded = stacks(program(), given.size, given.threads, folder)
    picture = folder / f"{given.size}.svg"
    with picture.open("w") as file:
        title = f"sparkify-lake on {given.size}, {given.threads} threads"
        subprocess.run(
            [tool("inferno-flamegraph"), "--title", title], input=folded, stdout=file, text=True, check=True
        )
    print(f"{top_functions(folded)}\n\nflame graph: {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
