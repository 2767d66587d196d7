"""Incremental runs: one more day, one more song, or no change; and the metadata per known file.

    python benchmarks/incremental.py --runs 3 [--only year,known] [--append RESULTS.md]

The input is M for a year: 15,000 songs and 366 days of logs; a day in the middle of a month is held back.
Each turn writes a new lake without that day, then adds the day, then a song without plays, then nothing.
Every run is a process, compared with the full run of its turn. Another input has 100,000 small files: the
benchmark measures a run without new files, a run with one more file, and the bytes below `_etl` per file.
`measurement` describes what is measured. This benchmark needs about 3 GB of disk below ``target/bench``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from measurement import (
    ROOT,
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

SIZES |= {"year": {**SIZES["M"], "days": 366}}
HELD_BACK = "2019-10-16-events.json"
SONGS, LOGS = 60_000, 40_000
"""The numbers of known files."""

Turn = dict[str, tuple[Measure, dict[str, Any]]]
"""The measurement and the report of each run, by its name."""


def job(*words: str) -> Engine:
    command = (sys.executable, str(ROOT / "etl.py"), "{input}", "{output}", "--quiet", "--json", *words)
    return Engine(name="sparkify-lake", package="sparkify-lake", command=command)


START = Engine(
    name="an empty start",
    package="sparkify-lake",
    command=(sys.executable, "-m", "sparkify_lake", "--version"),
)


def run(source: Path, lake: Path) -> tuple[Measure, dict[str, Any]]:
    """Runs the job; returns the measurement and the report."""
    taken = measure(job(), source, lake)
    report: dict[str, Any] = json.loads(lake.with_suffix(".log").read_text())
    return taken, report


def year() -> tuple[Path, Path]:
    """The input without the day, and the file of the day."""
    source = data("year")
    held = source.parent / HELD_BACK
    for found in sorted((source / "log_data").rglob(HELD_BACK)):
        if not held.exists():
            shutil.copy(found, held)
        found.unlink()
    return source, held


SONG = {
    "num_songs": 1, "artist_id": "ARNOBODY", "artist_latitude": None, "artist_longitude": None,
    "artist_location": "", "artist_name": "Unknown Artist", "song_id": "SONOBODY", "title": "Never Played",
    "duration": 1.5, "year": 2001,
}  # fmt: skip


def turn_of_year(place: Path) -> Turn:
    """The runs of one turn; at the end, the input is as it was before."""
    source, held = year()
    lake = place / "lake"
    day = source / "log_data" / "2019" / "10" / HELD_BACK
    song = source / "song_data" / "TRNOBODY.json"
    song.unlink(missing_ok=True)  # left by an interrupted benchmark
    taken: Turn = {"a full run": run(source, lake)}
    try:
        shutil.copy(held, day)
        taken["one more day"] = run(source, lake)
        song.write_text(json.dumps(SONG))
        taken["one more song, which matches nothing"] = run(source, lake)
        taken["nothing new"] = run(source, lake)
    finally:
        day.unlink(missing_ok=True)
        song.unlink(missing_ok=True)
    taken["an empty start (--version)"] = (measure(START, source, place / "start"), {})
    return taken


def many_files() -> Path:
    """Many small files: songs of a few artists, and log files with one play each."""
    folder = WORK / "data" / "known"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for number in range(SONGS):
            artist = number % 20
            pairs = {
                **SONG, "artist_id": f"AR{artist}", "artist_name": f"Artist {artist}",
                "song_id": f"SO{number:06}", "title": f"Title {number}", "year": 2000 + number % 5,
            }  # fmt: skip
            write(folder / "input" / "song_data" / f"{number % 26:02}" / f"TR{number:06}.json", pairs)
        for number in range(LOGS):
            ts = 1_541_030_400_000 + number * 365 * 86_400_000 // LOGS
            at = datetime.fromtimestamp(ts / 1000, tz=timezone.utc)
            write(folder / "input" / "log_data" / f"{at:%Y/%m}" / f"{number:06}.json", play(number, ts))
        (folder / "complete").touch()
    return folder / "input"


def play(number: int, ts: int) -> dict[str, object]:
    return {
        "artist": f"Artist {number % 20}", "auth": "Logged In", "firstName": "Ann", "gender": "F",
        "itemInSession": number % 40, "lastName": "Smith", "length": 1.5, "level": "free",
        "location": "Panama", "method": "PUT", "page": "NextSong", "registration": 1540991795796.0,
        "sessionId": number // 40, "song": f"Title {number}", "status": 200, "ts": ts,
        "userAgent": "Mozilla/5.0", "userId": str(number % 500),
    }  # fmt: skip


def write(file: Path, pairs: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(pairs) + "\n")


def turn_of_many_files(place: Path) -> Turn:
    """The runs of one turn with many known files: no new file, and one more file."""
    source = many_files()
    more = source / "log_data" / "2019" / "05" / f"more-{place.name}.json"
    for left in (source / "log_data").rglob("more-*.json"):
        left.unlink()
    taken: Turn = {"a full run": run(source, place / "lake")}
    taken["a full run"][1]["metadata_bytes"] = metadata_bytes(place / "lake")
    taken["nothing new"] = run(source, place / "lake")
    write(more, play(7, 1_557_000_000_000))
    try:
        taken["one more log file"] = run(source, place / "lake")
    finally:
        more.unlink()
    taken["one more log file"][1]["metadata_bytes"] = metadata_bytes(place / "lake")
    taken["an empty start (--version)"] = (measure(START, source, place / "start"), {})
    return taken


def metadata_bytes(lake: Path) -> dict[str, int]:
    """The bytes below `_etl`, by its subfolder."""
    found: dict[str, int] = {}
    for path in (lake / "_etl").rglob("*"):
        if path.is_file():
            name = path.relative_to(lake / "_etl").parts[0]
            found[name] = found.get(name, 0) + path.stat().st_size
    return dict(sorted(found.items()))


def bytes_per_file(turn: Turn, what: str) -> str:
    """The bytes per input file, by subfolder of `_etl` and in total."""
    found: dict[str, int] = turn[what][1]["metadata_bytes"]
    parts = ", ".join(f"{name} {size / (SONGS + LOGS):.1f}" for name, size in found.items())
    total = sum(found.values()) / (SONGS + LOGS)
    return f"Bytes below `_etl` per file, after {what}: {parts}; in total {total:.1f}."


def written(report: dict[str, Any]) -> str:
    """The number of files that a run wrote, by table."""
    if not report:
        return ""
    changed = {
        table["name"]: f"{table['written']:,}" + (f" (-{table['removed']})" if table["removed"] else "")
        for table in report["tables"]
        if table["written"] or table["removed"]
    }
    text = ", ".join(f"{name} {number}" for name, number in changed.items())
    return text or "nothing" if report["state"] != "unchanged" else "unchanged"


def table(name: str, turns: Sequence[Turn]) -> str:
    """A table with a row per run: seconds, and the medians of the ratios to the full run."""
    lines = [
        f"| {name} | wall s | wall / full | CPU / full | peak RSS MiB | table files written |",
        "|---|--:|--:|--:|--:|---|",
    ]
    full = [turn["a full run"][0] for turn in turns]
    for what in turns[0]:
        taken = [turn[what][0] for turn in turns]
        one, share = median(taken), ratio(taken, full)
        cells = [what, f"{one.wall_s:.3f}", f"{share.wall_s:.3f}", f"{share.cpu_s:.3f}"]
        cells += [f"{one.peak_rss_mib:.0f}", written(turns[-1][what][1])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="timed turns of each")
    parser.add_argument("--only", default="year,known", help="year or known, separated by commas")
    parser.add_argument("--append", type=Path, metavar="FILE", help="append the tables to this Markdown file")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error("--runs must be at least 1")
    WORK.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    place = WORK / "incremental"
    shutil.rmtree(place, ignore_errors=True)  # left by an interrupted benchmark
    tables = []
    for name, title, turn in (
        ("year", "M with 365 days", turn_of_year),
        ("known", f"{SONGS + LOGS:,} files", turn_of_many_files),
    ):
        if name not in given.only.split(","):
            continue
        turns = []
        for number in range(given.runs + 1):  # the first turn is not counted
            turns.append(turn(place / f"{name}-{number}"))
            print(f"{name}: { ({what: one[0].wall_s for what, one in turns[-1].items()}) }", file=sys.stderr)
        tables.append(table(title, turns[1:]))
        if name == "known":
            tables += [bytes_per_file(turns[-1], what) for what in ("a full run", "one more log file")]
    text = f"{machine()} Medians of {given.runs} turns, also of the ratios.\n\n" + "\n\n".join(tables) + "\n"
    print(text)
    if given.append:
        with given.append.open("a") as file:
            file.write(f"\n{text}")
    shutil.rmtree(place, ignore_errors=True)  # at the end, because it may take minutes


if __name__ == "__main__":
    main()
