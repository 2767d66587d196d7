"""Sharded runs on threads, without a cluster.

The lake of a sharded run must equal that of a local run, byte for byte. The report must be equal except for
the fields that describe how the run was executed.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import (
    DataRefusedError,
)
from sparkify_lake.executors import Executor, Kernel
from sparkify_lake.executors.local import LocalExecutor
from support.generate_inputs import write_input
from support.generate_records import play, song, song_of_each_artist
from support.lake_files import WITH_HISTORY, Report, Snapshot, contents, table_files

pytestmark = pytest.mark.usefixtures("isolated_module")
SEED = 8
# The fields of a report that describe how the run was executed.
EXECUTION_FIELDS = (
    "run_id",
    "started_at",
    "seconds",
    "stages",
    "peak_rss_bytes",
    "threads",
    "executor",
    "options",
    "output",
)


class ShuffledExecutor(LocalExecutor):
    """Returns the results in random order, and some of them twice."""

    name = "shuffled"

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        twice = [*enumerate(shards), *list(enumerate(shards))[::2]]
        random.Random(SEED).shuffle(twice)
        for number, shard in twice:
            yield number, kernel(shard)


def comparable(report: Report) -> Report:
    kept = {name: value for name, value in report.items() if name not in EXECUTION_FIELDS}
    kept["quarantine"] = report["quarantine"] is not None
    return kept


def rejects(lake: Path) -> list[dict[str, Any]]:
    found = [
        json.loads(line)
        for file in sorted((lake / "_etl" / "quarantine").rglob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    return sorted(found, key=lambda one: (one["file"], one["line"]))


@pytest.mark.parametrize("shard_size", ["1", "40KiB", "1GiB"])
@pytest.mark.parametrize(
    "make", [lambda: LocalExecutor(2), lambda: LocalExecutor(3, threads=2), ShuffledExecutor]
)
def test_a_sharded_run_writes_the_same_bytes(
    tmp_path: Path,
    shard_input: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    shard_size: str,
    make: Callable[[], Executor],
) -> None:
    plain = run(shard_input, tmp_path / "plain")
    executor = make()
    sharded = run(shard_input, tmp_path / "sharded", executor=executor, shard_size=shard_size)
    first, second = (contents(snapshot(tmp_path / name)) for name in ("plain", "sharded"))
    assert len(first) >= 60
    assert second == first
    assert comparable(sharded) == comparable(plain)
    assert (plain["executor"], sharded["executor"]) == ("local", executor.name)
    assert rejects(tmp_path / "sharded") == rejects(tmp_path / "plain") != []
    assert not (tmp_path / "sharded" / "_etl" / "stage").exists()
    assert not [path for path in (tmp_path / "sharded").rglob("*") if path.suffix in (".new", ".tmp")]


@pytest.mark.parametrize(
    "options",
    [
        {"tables": "users"},
        {"tables": "time,songplays", "compression": "zstd"},
        {"tables": "songs,artists"},
        {"tables": WITH_HISTORY},
        {"tables": WITH_HISTORY, "history_from": "all-pages", "memory_limit": "64MiB"},
        {"unmatched": "drop", "match": "title_artist", "table_names": "plain"},
        {"memory_limit": "64MiB", "chunk_size": "1KiB"},
    ],
    ids=str,
)
def test_options_have_the_same_effect(
    tmp_path: Path, shard_input: Path, run: Callable[..., Report], options: dict[str, Any]
) -> None:
    plain = run(shard_input, tmp_path / "plain", **options)
    sharded = run(shard_input, tmp_path / "sharded", executor=LocalExecutor(), shard_size="100KiB", **options)
    assert comparable(sharded) == comparable(plain)
    assert table_files(tmp_path / "sharded") == table_files(tmp_path / "plain") != {}


def test_local_and_sharded_runs_continue_each_other(
    tmp_path: Path, shard_input: Path, run: Callable[..., Report]
) -> None:
    """Days and songs are added; local and sharded runs continue from each other's lakes."""
    here = tmp_path / "in"
    shutil.copytree(shard_input, here)
    logs = sorted((here / "log_data").rglob("*-events.json"))
    late = {log: log.read_bytes() for log in logs[::6]}
    songs = sorted((here / "song_data").rglob("*.json"))
    late_songs = {song: song.read_bytes() for song in songs[:20]}
    for file in [*late, *late_songs]:
        file.unlink()
    run(here, tmp_path / "lake")
    steps = [dict([item]) for item in late.items()] + [late_songs]
    for number, step in enumerate(steps):
        for file, bytes in step.items():
            file.write_bytes(bytes)
        ways: dict[str, Any] = (
            {} if number % 3 == 1 else {"executor": ShuffledExecutor(), "shard_size": "30KiB"}
        )
        report = run(here, tmp_path / "lake", **ways)
        assert report["rebuilt"] is None, number
        assert report["state"] == "published"
    assert run(here, tmp_path / "lake", executor=ShuffledExecutor())["state"] == "unchanged"
    run(here, tmp_path / "local")
    assert table_files(tmp_path / "lake") == table_files(tmp_path / "local")
    assert sparkify_lake.check(tmp_path / "lake").is_published


def test_rows_of_missing_files_are_retained(
    tmp_path: Path, shard_input: Path, run: Callable[..., Report]
) -> None:
    here = tmp_path / "in"
    shutil.copytree(shard_input, here)
    options = {"keep_gone": True, "executor": LocalExecutor(), "shard_size": "30KiB"}
    before = run(here, tmp_path / "lake", **options)
    whole = table_files(tmp_path / "lake")
    missing = sorted((here / "log_data").rglob("*-events.json"))[5]
    missing.unlink()
    other = sorted((here / "log_data").rglob("*-events.json"))[6]
    other.write_text(other.read_text() + "\n")
    after = run(here, tmp_path / "lake", **options)
    assert after["input"]["logs"]["files_kept"] == 1
    assert after["records"] == before["records"]
    assert table_files(tmp_path / "lake") == whole


def test_duplicate_log_files_are_refused(
    tmp_path: Path, shard_input: Path, run: Callable[..., Report]
) -> None:
    here = tmp_path / "in"
    shutil.copytree(shard_input, here)
    logs = sorted((here / "log_data").rglob("*-events.json"))
    (logs[-1].parent / "copy.json").write_bytes(logs[0].read_bytes())
    with pytest.raises(DataRefusedError, match="duplicate_input"):
        run(here, tmp_path / "lake", executor=LocalExecutor(), shard_size="1")
    assert table_files(tmp_path / "lake") == {}
    doubled = run(here, tmp_path / "lake", executor=LocalExecutor(), shard_size="1", allow_duplicates=True)
    assert (
        doubled["records"]["logs"]["loaded"]
        > run(shard_input, tmp_path / "plain")["records"]["logs"]["loaded"]
    )


def test_a_bad_file_is_refused_or_skipped(
    tmp_path: Path, shard_input: Path, run: Callable[..., Report]
) -> None:
    here = tmp_path / "in"
    shutil.copytree(shard_input, here)
    bad = here / "log_data" / "bad.json.gz"
    bad.write_bytes(gzip.compress(b"x" * 9_999)[:-9])
    with pytest.raises(DataRefusedError, match="gzip"):
        run(here, tmp_path / "refused", executor=LocalExecutor(), shard_size="1")
    options = {"on_bad_file": "quarantine"}
    sharded = run(here, tmp_path / "lake", executor=LocalExecutor(), shard_size="1", **options)
    assert comparable(sharded) == comparable(run(here, tmp_path / "plain", **options))
    assert sharded["bad_files"][0]["file"] == str(bad)
    assert rejects(tmp_path / "lake") == rejects(tmp_path / "plain")


def test_generated_records_give_the_same_tables(tmp_path: Path, run: Callable[..., Report]) -> None:
    songs = [*song_of_each_artist(), *(song(SEED + number) for number in range(60))]
    events = [play(SEED + number) for number in range(400)]
    for layout in range(4):
        here = write_input(tmp_path / f"in{layout}", songs, events, layout)
        options = {"max_bad": 1_000, "allow_duplicates": True}
        plain = run(here, tmp_path / f"plain{layout}", **options)
        sharded = run(
            here, tmp_path / f"sharded{layout}", executor=ShuffledExecutor(), shard_size="2KiB", **options
        )
        assert comparable(sharded) == comparable(plain)
        assert table_files(tmp_path / f"sharded{layout}") == table_files(tmp_path / f"plain{layout}")
