"""The job against its peers: whole processes, interleaved, medians, one table.

    python benchmarks/against_peers.py --sizes small,M --runs 3 [--spark] [--json FILE] [--append RESULTS.md]

Each engine reads the same generated data and writes the same five tables into a fresh folder. A first
round is not timed: it warms the page cache, and the run goes on only if all engines made as many rows of
every table and matched as many plays. Then the engines take turns, so that a slow minute of the machine
hits all of them. A process is measured from its start to its end, interpreter and imports included, by
``wait4``: wall clock, CPU (user and system, all threads and children), and the largest resident set of
any one process.

The peers (``peer_*.py``) are fair versions of the job as a good user of that library would write it. They
do less than ours: their songplay_id is whatever is cheapest there, a bad record stops them or vanishes,
nothing is atomic, nothing is synced to disk. Data and outputs lie below ``target/bench``. Ratios travel
between machines, seconds do not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from measurement import (
    HERE,
    SIZES,
    WORK,
    Engine,
    Measure,
    adopt_orphans,
    data,
    machine,
    measure,
    median,
    ratio,
)
from peers import engines, package_version

TABLES = ("songs", "artists", "users", "time", "songplays")


def counts(output: Path) -> dict[str, int]:
    """What `count` finds, in a process of its own: what this one takes, an engine's peak begins with."""
    command = [
        sys.executable,
        "-c",
        "import against_peers, sys; against_peers.count(sys.argv[1])",
        str(output),
    ]
    found: dict[str, int] = json.loads(subprocess.check_output(command, cwd=HERE))
    return found


def count(output: str) -> None:
    """Prints the rows of each table that an engine wrote, and the plays that have a song."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found = dict.fromkeys((*TABLES, "plays with a song"), 0)
    for table in TABLES:
        for file in (Path(output) / table).rglob("*.parquet"):
            parquet = pq.ParquetFile(file)
            found[table] += parquet.metadata.num_rows
            if table == "songplays":
                ids = parquet.read(columns=["song_id"]).column(0)
                found["plays with a song"] += len(ids) - int(pc.sum(pc.is_null(ids)).as_py() or 0)
    print(json.dumps(found))


def compare(size: str, chosen: Sequence[Engine], runs: int) -> dict[str, list[Measure]]:
    """Checks the engines against each other, then times them in turns."""
    source = data(size)
    outputs = WORK / "output" / size
    shutil.rmtree(outputs, ignore_errors=True)
    seen: dict[str, dict[str, int]] = {}
    for number, engine in enumerate(chosen):
        print(f"{size}: check {engine.name}", file=sys.stderr)
        measure(engine, source, outputs / f"check-{number}")
        seen[engine.name] = counts(outputs / f"check-{number}")
    ours = seen[chosen[0].name]
    if different := {name: found for name, found in seen.items() if found != ours}:
        sys.exit(f"the engines do not agree on {size}: {chosen[0].name} made {ours}, but {different}")
    print(f"{size}: all made {ours}", file=sys.stderr)
    taken: dict[str, list[Measure]] = {engine.name: [] for engine in chosen}
    for turn in range(runs):
        for number in range(len(chosen)):
            number = (number + turn) % len(chosen)
            one = measure(chosen[number], source, outputs / f"{turn}-{number}")
            taken[chosen[number].name].append(one)
            print(f"{size}: {chosen[number].name}: {one}", file=sys.stderr)
    return taken


def table(results: dict[str, dict[str, list[Measure]]], chosen: Sequence[Engine]) -> str:
    lines = [
        "| size | engine | wall s | CPU s | peak RSS MiB | ours / peer: wall | CPU | RSS |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for size, taken in results.items():
        for engine in chosen:
            one = median(taken[engine.name])
            cells = [size, f"{engine.name} {package_version(engine.package)}"]
            cells += [f"{one.wall_s:.2f}", f"{one.cpu_s:.2f}", f"{one.peak_rss_mib:.0f}"]
            share = ratio(taken[chosen[0].name], taken[engine.name])
            ratios = (share.wall_s, share.cpu_s, share.peak_rss_mib)
            cells += [f"{number:.2f}" if engine is not chosen[0] else "" for number in ratios]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def heading(sizes: Sequence[str], runs: int) -> str:
    shapes = "; ".join(
        f"{size}: {SIZES[size]['songs']:,} songs, {SIZES[size]['events']:,} events" for size in sizes
    )
    return f"{machine()} Medians of {runs} turns; a ratio is the median of the turns' ratios. {shapes}."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="small,M", help="of small, M and L, separated by commas")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each engine and size")
    parser.add_argument("--only", default="", help="engines with one of these in their name: sparkify,tuned")
    parser.add_argument("--spark", action="store_true", help="run Spark too (minutes)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement there")
    parser.add_argument("--append", type=Path, metavar="FILE", help="append the table to this Markdown file")
    given = parser.parse_args()
    sizes: list[str] = given.sizes.split(",")
    if unknown := [size for size in sizes if size not in SIZES]:
        parser.error(f"no size {unknown[0]}: there are {', '.join(SIZES)}")
    if given.runs < 1:
        parser.error("--runs takes a number from 1")
    WORK.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    names = given.only.lower().split(",")
    chosen = [one for one in engines(given.spark) if any(name in one.name.lower() for name in names)]
    results = {size: compare(size, chosen, given.runs) for size in sizes}
    # ext4 leaves the places of files that were removed in the last minutes alone, but looks at them again and
    # again: whoever then creates thousands of files is slow. So nothing is removed before all is measured.
    shutil.rmtree(WORK / "output", ignore_errors=True)
    told = f"{heading(sizes, given.runs)}\n\n{table(results, chosen)}\n"
    print(told)
    if given.append:
        with given.append.open("a") as file:
            file.write(f"\n{told}")
    if given.json:
        singles = {
            size: {name: [asdict(one) for one in took] for name, took in taken.items()}
            for size, taken in results.items()
        }
        given.json.write_text(
            json.dumps({"about": heading(sizes, given.runs), "measurements": singles}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
