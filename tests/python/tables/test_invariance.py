"""The result does not depend on threads, chunk size, memory, time zone, or the division into files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from support.generate_inputs import Case, cases, compressed, write_input, write_large
from support.generate_records import Record, event, play, record, song, song_of_each_artist
from support.lake_files import Report, Snapshot, Tables, contents
from support.processes import clean_environment

pytestmark = pytest.mark.usefixtures("isolated_module")
SEED = 20_181_101


@pytest.fixture(scope="module")
def records() -> tuple[list[Record], list[Record]]:
    """A few hundred good records, one of them larger than the smallest chunk."""
    print(f"seed {SEED}")
    long = json.dumps("long " * 1_000)
    pairs = [("page", '"NextSong"'), ("ts", "1541106106796"), ("userId", '"8"'), ("location", long)]
    events = [play(SEED + number) for number in range(500)] + [event(SEED + number) for number in range(100)]
    return [*song_of_each_artist(), *(song(SEED + number) for number in range(100))], [
        *events,
        record(Random(SEED), pairs),
    ]


def files_of_one_record_each(root: Path, songs: Sequence[Record], events: Sequence[Record]) -> Path:
    for name, these in (("song_data", songs), ("log_data", events)):
        (root / name).mkdir(parents=True)
        for number, one in enumerate(these):
            (root / name / f"{number}.json").write_bytes(one.raw)
    return root


def one_file_each(root: Path, songs: Sequence[Record], events: Sequence[Record], suffix: str = "") -> Path:
    for name, these in (("song_data", songs), ("log_data", events)):
        (root / name).mkdir(parents=True)
        data = b"\n".join(one.raw for one in these)
        (root / name / f"all.json{suffix}").write_bytes(compressed(data, suffix))
    return root


def test_rows_do_not_depend_on_the_division_into_files(
    tmp_path: Path, records: tuple[list[Record], list[Record]], build: Callable[..., tuple[Tables, Report]]
) -> None:
    songs, events = records
    inputs = {
        "joined": one_file_each(tmp_path / "joined", songs, events),
        "reversed": one_file_each(tmp_path / "reversed", songs[::-1], events[::-1]),
        "split": files_of_one_record_each(tmp_path / "split", songs, events),
        "split, renamed": files_of_one_record_each(tmp_path / "renamed", songs[::-1], events[::-1]),
        "gzip": one_file_each(tmp_path / "gzip", songs, events, ".gz"),
        "zstd": one_file_each(tmp_path / "zstd", songs, events, ".zst"),
        **{f"layout {n}": write_input(tmp_path / f"layout{n}", songs, events, n) for n in range(4)},
    }
    seen = {name: build(source, allow_duplicates=True) for name, source in inputs.items()}
    first, report = seen.pop("joined")
    assert len(first["songplays"]) >= 500
    for name, (tables, other) in seen.items():
        assert tables == first, name
        assert other["records"] == report["records"], name
    assert len(seen) == 9


def test_rows_do_not_depend_on_the_order_of_files_with_bad_records(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    number = count()
    looked = []

    @settings(max_examples=max(10, settings().max_examples // 4))
    @given(cases(most=16), st.integers(0, 2**32 - 1))
    def same(case: Case, other_layout: int) -> None:
        folder = tmp_path / str(next(number))
        note(f"inputs kept in {folder}")
        ways = [
            write_input(folder / str(way), case.song_records(), case.event_records(), layout)
            for way, layout in enumerate((case.layout, other_layout))
        ]
        options = {"match": case.match, "unmatched": case.unmatched, "max_bad": 1_000}
        (one, told), (two, retold) = (build(way, **options) for way in ways)
        assert one == two
        for key in ("records", "reasons", "coerced", "unknown_keys", "plays", "filtered"):
            assert told[key] == retold[key], key
        looked.append(case)

    same()
    assert len(looked) >= min(25, settings().max_examples // 4)


@pytest.fixture(scope="module")
def plain_input(tmp_path_factory: pytest.TempPathFactory, records: tuple[list[Record], list[Record]]) -> Path:
    return write_input(tmp_path_factory.mktemp("plain") / "in", *records, layout=7)


@pytest.fixture(scope="module")
def plain_lake(
    tmp_path_factory: pytest.TempPathFactory,
    plain_input: Path,
    isolated_module: Path,
    run: Callable[..., Report],
) -> Path:
    output = tmp_path_factory.mktemp("plain") / "lake"
    run(plain_input, output, threads=1)
    return output


@pytest.mark.parametrize(
    "options",
    [
        {"threads": 2},
        {"threads": 8},
        {"chunk_size": "1KiB"},
        {"chunk_size": "1KiB", "threads": 8},
        {"chunk_size": "7777", "threads": 3},
        {"chunk_size": "1GiB"},
        {"memory_limit": "64MiB", "threads": 8},
    ],
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()),
)
def test_output_bytes_do_not_depend_on_threads_chunks_or_memory(
    tmp_path: Path,
    plain_input: Path,
    plain_lake: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    options: dict[str, Any],
) -> None:
    run(plain_input, tmp_path / "lake", **options)
    first, second = contents(snapshot(plain_lake)), contents(snapshot(tmp_path / "lake"))
    assert len(first) >= 50
    assert second == first


def test_output_bytes_do_not_depend_on_order_and_names_of_files(
    tmp_path: Path,
    records: tuple[list[Record], list[Record]],
    plain_lake: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
) -> None:
    run(write_input(tmp_path / "in", *records, layout=99), tmp_path / "lake", threads=2)
    assert contents(snapshot(tmp_path / "lake")) == contents(snapshot(plain_lake))


def test_signed_zeros_do_not_depend_on_order(
    tmp_path: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    # For the rules, -0.0 equals 0.0, so they decide nothing; the tie-break must.
    shared_pairs = [("song_id", '"S"'), ("artist_id", '"A"'), ("title", '"T"'), ("artist_location", '"P"')]
    copies = [
        record(
            Random(1),
            [*shared_pairs, ("duration", zero), ("artist_latitude", zero), ("artist_longitude", zero)],
        )
        for zero in ("0.0", "-0.0")
    ]
    pairs = [("page", '"NextSong"'), ("ts", "1541106106796"), ("userId", '"8"')]
    seen = []
    for way, order in (("a", copies), ("b", copies[::-1])):
        source = files_of_one_record_each(tmp_path / way, order, [record(Random(1), pairs)])
        run(source, tmp_path / f"lake-{way}", threads=1)
        seen.append(contents(snapshot(tmp_path / f"lake-{way}")))
    assert seen[0] == seen[1]


IN_A_CHILD = """
import json, sys
import sparkify_lake
star = sparkify_lake.build(sys.argv[1])
tables = {}
for name in ("songs", "artists", "users", "time", "songplays"):
    frame = getattr(star, name)
    if "start_time" in frame.columns:
        frame = frame.with_columns(frame["start_time"].dt.epoch("us"))
    tables[name] = frame.rows()
json.dump(tables, sys.stdout)
"""


@pytest.mark.parametrize(
    "env",
    [{"TZ": "America/Los_Angeles"}, {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONUTF8": "0"}],
    ids=lambda env: env["TZ"],
)
def test_rows_do_not_depend_on_time_zone_and_locale(
    tmp_path: Path, plain_input: Path, build: Callable[..., tuple[Tables, Report]], env: dict[str, str]
) -> None:
    command = [sys.executable, "-c", IN_A_CHILD, str(plain_input)]
    finished = subprocess.run(
        command,
        cwd=tmp_path,
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    there = {
        table: sorted(map(repr, map(tuple, rows))) for table, rows in json.loads(finished.stdout).items()
    }
    here = {table: sorted(map(repr, rows)) for table, rows in build(plain_input)[0].items()}
    assert there == here


def bytes_written() -> int:
    """The bytes that this process has written so far (counted by Linux)."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_smallest_memory_limit_gives_the_same_files(
    tmp_path: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    events = 800_000
    source = write_large(tmp_path / "in", songs=300, events=events, seed=SEED, days=8)
    start = bytes_written()
    ample = run(source, tmp_path / "ample", memory_limit="4GiB")
    middle = bytes_written()
    tight = run(source, tmp_path / "tight", memory_limit="64MiB", threads=2)
    end = bytes_written()
    assert ample["plays"] == tight["plays"]
    assert ample["plays"]["rows"] > events * 3 // 4
    assert contents(snapshot(tmp_path / "tight")) == contents(snapshot(tmp_path / "ample"))
    # The run with little memory writes sorted runs in addition: without them this test checks nothing.
    assert start == 0 or (end - middle) - (middle - start) > 8 * 2**20
