"""Scaling of the job: a second run, more threads, three times the events, ten times the songs.

    python benchmarks/scaling.py --runs 3 [--append RESULTS.md]

Each row compares two runs that were measured in turns, so the ratios are comparable between machines.
`measurement` describes what is measured. This benchmark needs about 25 GB of disk below ``target/bench``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from measurement import SIZES, WORK, Engine, Measure, adopt_orphans, data, machine, measure, median, ratio
from peers import ours, prepare

SIZES |= {
    "3L": {**SIZES["L"], "events": 3 * SIZES["L"]["events"]},
    "10M": {**SIZES["M"], "songs": 10 * SIZES["M"]["songs"]},
}
"""Three times the events of L, ten times the songs of M."""

Run = Callable[[Path], Measure]
"""Runs an engine once, with its output below a new folder."""


def first_run(engine: Engine, size: str, *words: str) -> Run:
    """A first run of an engine on a size."""
    asked = replace(engine, command=(*engine.command, *words))
    return lambda folder: measure(asked, data(size), folder / "lake")


def second_run(engine: Engine, size: str) -> Run:
    """A second run on the same input and the same lake."""

    def run(folder: Path) -> Measure:
        measure(engine, data(size), folder / "lake")
        return measure(engine, data(size), folder / "lake")

    return run


def turns(pair: Sequence[Run], runs: int, place: Path) -> list[list[Measure]]:
    """Measures runs in turns, after a first turn that is not counted."""
    taken: list[list[Measure]] = [[] for _ in pair]
    for turn in range(runs + 1):
        for number, run in enumerate(pair):
            one = run(place / f"{turn}-{number}")
            print(f"{place.name}: {one}", file=sys.stderr)
            if turn:
                taken[number].append(one)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each")
    parser.add_argument(
        "--only", default="", help="rows whose names contain one of these words: second,threads"
    )
    parser.add_argument("--append", type=Path, metavar="FILE", help="append the table to this Markdown file")
    given = parser.parse_args()
    adopt_orphans()
    prepared = prepare("polars")
    if isinstance(prepared, str):
        sys.exit(prepared)
    job, tuned = ours(), prepared[0]
    rows: dict[str, tuple[Run, Run]] = {
        "L with one thread / with two": (
            first_run(job, "L", "--threads", "1"),
            first_run(job, "L", "--threads", "2"),
        ),
        "three times the events of L / L": (first_run(job, "3L"), first_run(job, "L")),
        "a second run on unchanged M / a first one": (second_run(job, "M"), first_run(job, "M")),
        "ten times the songs of M / M": (first_run(job, "10M"), first_run(job, "M")),
        "ten times the songs of M / the same in tuned Polars": (
            first_run(job, "10M"),
            first_run(tuned, "10M"),
        ),
    }
    lines = ["| figure | wall s | wall | CPU | peak RSS |", "|---|--:|--:|--:|--:|"]
    place = WORK / "scaling"
    shutil.rmtree(place, ignore_errors=True)  # left by an interrupted benchmark
    for number, (name, pair) in enumerate(rows.items()):
        if any(word in name for word in given.only.split(",")):
            taken = turns(pair, given.runs, place / str(number))
            one, other = (median(measures) for measures in taken)
            share = ratio(*taken)
            cells = [name, f"{one.wall_s:.2f} / {other.wall_s:.2f}"]
            cells += [f"{number:.2f}" for number in (share.wall_s, share.cpu_s, share.peak_rss_mib)]
            lines.append("| " + " | ".join(cells) + " |")
    text = f"{machine()} Medians of {given.runs} turns, also of the ratios.\n\n" + "\n".join(lines) + "\n"
    print(text)
    if given.append:
        with given.append.open("a") as file:
            file.write(f"\n{text}")
    shutil.rmtree(place, ignore_errors=True)  # at the end, because it may take minutes


if __name__ == "__main__":
    main()
