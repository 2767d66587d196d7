"""The job compared with other engines: whole processes, in turns, medians, one table.

    python benchmarks/against_peers.py --sizes small,M --runs 3 --peers all [--json FILE] [--append FILE.md]

Each engine reads the same generated data and writes the same five tables into a new folder. The first round
is not timed: it warms the page cache and checks that all engines wrote the same rows (``same_rows``). Then
the engines run in turns, so that a slow minute of the machine affects all of them. The figure to quote is
the paired ratio: the median of the ratios of both runs of a turn. ``measurement`` describes what is measured.

The floor is a program that only reads the same input and writes as many files and bytes as this job
(``floor``). It runs in every turn, too: "wall / floor" is the time of an engine relative to it.

The peers (``peer_*.py``) are fair versions of the job, as a good user of that library would write them. They
do less than this job: their songplay_id is the cheapest one, a bad record stops them or disappears, and their
output is neither atomic nor synced to disk. They run in their newest versions, in separate environments
(``peers``). A peer that cannot be installed, fails or writes different rows is listed below the table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from measurement import (
    HERE,
    SIZES,
    WORK,
    Engine,
    EngineFailed,
    Measure,
    adopt_orphans,
    data,
    machine,
    measure,
    median,
    ratio,
)
from peers import PEERS, ours, prepare
from same_rows import Written, parquet_files, written


@dataclass(kw_only=True)
class Comparison:
    """The measurements of one size: engines that passed the check, and the reasons of the others."""

    engines: list[Engine] = field(default_factory=list)
    written: dict[str, Written] = field(default_factory=dict)
    measured: dict[str, list[Measure]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def floor(output: Path) -> Engine:
    """The floor for the files that this job wrote."""
    plan = output.with_suffix(".plan")
    lines = [f"{file.stat().st_size} {file.relative_to(output)}\n" for file in parquet_files(output)]
    plan.write_text("".join(lines))
    words = (str(HERE / "floor.py"), "{input}", "{output}", str(plan))
    return Engine(
        name="floor",
        package="",
        command=(sys.executable, *words),
        about="only reads the input and writes as many files and bytes as sparkify-lake",
    )


def check(size: str, chosen: Sequence[Engine], outputs: Path) -> Comparison:
    """Runs every engine once and compares its tables with those of the first one."""
    found = Comparison()
    for number, engine in enumerate(chosen):
        output = outputs / f"check-{number}"
        print(f"{size}: check {engine.name} {engine.version}", file=sys.stderr)
        try:
            taken = measure(engine, data(size), output)
            tables = written(output)
        except EngineFailed as failed:
            if number == 0:
                raise
            found.left_out[engine.name] = " ".join(str(failed).split()[-40:])
            print(failed, file=sys.stderr)
            continue
        if different := tables.different(found.written.get(chosen[0].name, tables)):
            found.left_out[engine.name] = f"its rows are different: {', '.join(different)}"
            continue
        print(f"{size}: {engine.name}: {taken}, {tables.files} files", file=sys.stderr)
        found.engines.append(engine)
        found.written[engine.name] = tables
    print(f"{size}: all made {found.written[chosen[0].name].rows}", file=sys.stderr)
    found.engines.append(floor(outputs / "check-0"))
    return found


def compare(size: str, chosen: Sequence[Engine], runs: int) -> Comparison:
    """Compares the results of the engines, then measures them in turns."""
    outputs = WORK / "output" / size
    shutil.rmtree(outputs, ignore_errors=True)
    found = check(size, chosen, outputs)
    found.measured = {engine.name: [] for engine in found.engines}
    for turn in range(runs):
        for number in range(len(found.engines)):
            number = (number + turn) % len(found.engines)
            engine = found.engines[number]
            one = measure(engine, data(size), outputs / f"{turn}-{number}")
            found.measured[engine.name].append(one)
            print(f"{size}: {engine.name}: {one}", file=sys.stderr)
    return found


def row(size: str, engine: Engine, found: Comparison) -> str:
    measures = found.measured[engine.name]
    pairs = zip(measures, found.measured["floor"], strict=True)
    first = found.engines[0]
    one = median(measures)
    share = ratio(found.measured[first.name], measures)
    ratios = [f"{number:.2f}" for number in (share.wall_s, share.cpu_s, share.peak_rss_mib)]
    cells = [size, f"{engine.name} {engine.version}".strip()]
    cells += [""] * 3 if engine is first or not engine.package else [f"**{ratios[0]}**", *ratios[1:]]
    cells += [f"{one.wall_s:.2f}", f"{one.cpu_s:.2f}", f"{one.peak_rss_mib:,.0f}"]
    cells.append(f"{statistics.median(one.wall_s / least.wall_s for one, least in pairs):.1f}")
    tables = found.written[engine.name if engine.package else first.name]
    cells += [f"{tables.files:,}", f"{tables.bytes / 2**20:.1f}"]
    return "| " + " | ".join(cells) + " |"


def table(results: dict[str, Comparison]) -> str:
    columns = ["ours / peer: wall", "CPU", "RSS", "wall s", "CPU s", "peak RSS MiB", "wall / floor"]
    columns += ["files", "MiB"]
    lines = [f"| size | engine | {' | '.join(columns)} |", f"|---|---|{'--:|' * len(columns)}"]
    lines += [row(size, engine, found) for size, found in results.items() for engine in found.engines]
    return "\n".join(lines)


def notes(results: dict[str, Comparison], skipped: dict[str, str]) -> list[str]:
    """Remarks about single engines, for the lines below the table."""
    lines = {f"- {name}: skipped, because {reason}" for name, reason in skipped.items()}
    for size, found in results.items():
        lines |= {f"- {one.name}: {one.about}" for one in found.engines if one.about}
        lines |= {f"- {name}, {size}: left out, because {reason}" for name, reason in found.left_out.items()}
    return sorted(lines)


def heading(sizes: Sequence[str], runs: int) -> str:
    shapes = "; ".join(
        f"{size}: {SIZES[size]['songs']:,} songs, {SIZES[size]['events']:,} events" for size in sizes
    )
    return (
        f"{machine()} Medians of {runs} turns; a ratio is the median of the turns' ratios. {shapes}. "
        "All engines wrote the same rows; only the songplay_id of the peers is a simple number."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="small,M", help="small, M or L, separated by commas")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each engine and size")
    parser.add_argument(
        "--peers", default="polars,duckdb", help=f"all, or some of {','.join(PEERS)}; they are installed"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement to this file")
    parser.add_argument("--append", type=Path, metavar="FILE", help="append the table to this Markdown file")
    given = parser.parse_args()
    sizes: list[str] = given.sizes.split(",")
    if unknown := [size for size in sizes if size not in SIZES]:
        parser.error(f"no size {unknown[0]}: there are {', '.join(SIZES)}")
    if given.runs < 1:
        parser.error("--runs must be at least 1")
    peers = list(PEERS) if given.peers == "all" else given.peers.split(",")
    if unknown := [name for name in peers if name not in PEERS]:
        parser.error(f"no peer {unknown[0]}: there are {', '.join(PEERS)}")
    WORK.mkdir(parents=True, exist_ok=True)
    chosen, skipped = [ours()], {}
    for name in peers:
        prepared = prepare(name)
        if isinstance(prepared, str):
            skipped[name] = prepared
        else:
            chosen += prepared
    adopt_orphans()
    results = {size: compare(size, chosen, given.runs) for size in sizes}
    # ext4 does not reuse inodes of recently removed files, but searches them repeatedly, which makes creating
    # thousands of files slow. So outputs are removed after all measurements.
    for size in sizes:
        shutil.rmtree(WORK / "output" / size, ignore_errors=True)
    text = "\n".join([heading(sizes, given.runs), "", table(results), "", *notes(results, skipped)])
    text = text.rstrip() + "\n"
    print(text)
    if given.append:
        with given.append.open("a") as file:
            file.write(f"\n{text}")
    if given.json:
        about = {"about": heading(sizes, given.runs), "notes": notes(results, skipped)}
        singles = {
            size: {name: [asdict(one) for one in measures] for name, measures in found.measured.items()}
            for size, found in results.items()
        }
        given.json.write_text(json.dumps({**about, "measurements": singles}, indent=2) + "\n")
    if any(found.left_out for found in results.values()):
        sys.exit("an engine failed or wrote other rows; see the lines below the table")


if __name__ == "__main__":
    main()
