"""The job compared with other engines: whole processes, in turns, medians, one table.

    python benchmarks/against_peers.py --sizes small,M --runs 3 [--spark] [--json FILE] [--append RESULTS.md]

Each engine reads the same generated data and writes the same five tables into a new folder. The first round
is not timed: it warms the page cache and checks that all engines have the same number of rows in every table
and of matched plays. Then the engines run in turns, so that a slow minute of the machine affects all of them.
``measurement`` describes what is measured.

The peers (``peer_*.py``) are fair versions of the job, as a good user of that library would write them. They
do less than this job: their songplay_id is the cheapest one, a bad record stops them or disappears, and their
output is neither atomic nor synced to disk.
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
    """The result of `count` in a separate process: children inherit the memory peak of this process."""
    command = [
        sys.executable,
        "-c",
        "import against_peers, sys; against_peers.count(sys.argv[1])",
        str(output),
    ]
    found: dict[str, int] = json.loads(subprocess.check_output(command, cwd=HERE))
    return found


def count(output: str) -> None:
    """Prints the number of rows in each table, and the number of plays with a song."""
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
    """Compares the results of the engines, then measures them in turns."""
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
        sys.exit(
            f"the engines have different results for {size}: {chosen[0].name} made {ours}, but {different}"
        )
    print(f"{size}: all made {ours}", file=sys.stderr)
    measured: dict[str, list[Measure]] = {engine.name: [] for engine in chosen}
    for turn in range(runs):
        for number in range(len(chosen)):
            number = (number + turn) % len(chosen)
            one = measure(chosen[number], source, outputs / f"{turn}-{number}")
            measured[chosen[number].name].append(one)
            print(f"{size}: {chosen[number].name}: {one}", file=sys.stderr)
    return measured


def table(results: dict[str, dict[str, list[Measure]]], chosen: Sequence[Engine]) -> str:
    lines = [
        "| size | engine | wall s | CPU s | peak RSS MiB | ours / peer: wall | CPU | RSS |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for size, measured in results.items():
        for engine in chosen:
            one = median(measured[engine.name])
            cells = [size, f"{engine.name} {package_version(engine.package)}"]
            cells += [f"{one.wall_s:.2f}", f"{one.cpu_s:.2f}", f"{one.peak_rss_mib:.0f}"]
            share = ratio(measured[chosen[0].name], measured[engine.name])
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
    parser.add_argument("--sizes", default="small,M", help="small, M or L, separated by commas")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each engine and size")
    parser.add_argument(
        "--only", default="", help="engines whose names contain one of these words: sparkify,tuned"
    )
    parser.add_argument("--spark", action="store_true", help="also run Spark (takes minutes)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement to this file")
    parser.add_argument("--append", type=Path, metavar="FILE", help="append the table to this Markdown file")
    given = parser.parse_args()
    sizes: list[str] = given.sizes.split(",")
    if unknown := [size for size in sizes if size not in SIZES]:
        parser.error(f"no size {unknown[0]}: there are {', '.join(SIZES)}")
    if given.runs < 1:
        parser.error("--runs must be at least 1")
    WORK.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    names = given.only.lower().split(",")
    chosen = [one for one in engines(given.spark) if any(name in one.name.lower() for name in names)]
    results = {size: compare(size, chosen, given.runs) for size in sizes}
    # ext4 does not reuse inodes of recently removed files, but searches them repeatedly, which makes creating
    # thousands of files slow. So outputs are removed after all measurements.
    shutil.rmtree(WORK / "output", ignore_errors=True)
    text = f"{heading(sizes, given.runs)}\n\n{table(results, chosen)}\n"
    print(text)
    if given.append:
        with given.append.open("a") as file:
            file.write(f"\n{text}")
    if given.json:
        singles = {
            size: {name: [asdict(one) for one in measures] for name, measures in measured.items()}
            for size, measured in results.items()
        }
        given.json.write_text(
            json.dumps({"about": heading(sizes, given.runs), "measurements": singles}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
