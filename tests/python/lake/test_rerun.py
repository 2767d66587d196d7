"""A second run: on the same input, on another input, and at the same time as the first."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support import oracle, oracle_records
from support.generate_inputs import write_input, write_large
from support.generate_records import Record, play, song, song_of_each_artist
from support.lake_files import FOLDERS, Report, Snapshot, Tables, contents
from support.processes import clean_environment, holds_a_lock

pytestmark = pytest.mark.usefixtures("isolated_module")
SONGS = [*song_of_each_artist(), *map(song, range(20))]
EVENTS = [*map(play, range(150))]


def rows_of(songs: list[Record], events: list[Record]) -> Tables:
    return oracle.expect((one.raw for one in songs), (one.raw for one in events)).tables


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_input(tmp_path / "in", SONGS, EVENTS, 3)


@pytest.mark.parametrize("rebuild", [False, True], ids=["known", "rebuilt"])
def test_a_second_run_on_the_same_input_changes_no_file(
    rebuild: bool,
    tmp_path: Path,
    source: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
) -> None:
    first = run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    assert len(before) >= 30
    second = run(source, tmp_path / "lake", threads=1, rebuild=rebuild)
    assert snapshot(tmp_path / "lake") == before, "same bytes, inodes and modification times"
    assert [table["written"] for table in second["tables"]] == [0] * 5
    assert [table["removed"] for table in second["tables"]] == [0] * 5
    for one, two in zip(first["tables"], second["tables"], strict=True):
        assert (one["unchanged"], two["unchanged"]) == (0, one["files"]), one["name"]
        assert (two["rows"], two["files"], two["partitions"]) == (
            one["rows"],
            one["files"],
            one["partitions"],
        )


def test_a_run_on_another_input_removes_stale_files(
    tmp_path: Path,
    source: Path,
    run: Callable[..., Report],
    read_back: Callable[[Path], Tables],
    snapshot: Callable[[Path], Snapshot],
) -> None:
    run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    fewer, later = SONGS[:20], EVENTS[75:]
    report = run(write_input(tmp_path / "next", fewer, later, 4), tmp_path / "lake", allow_shrink=True)
    assert read_back(tmp_path / "lake") == rows_of(fewer, later)
    after = snapshot(tmp_path / "lake")
    removed = {path for path in before if path not in after}
    assert len(removed) >= 10
    assert sum(table["removed"] for table in report["tables"]) == len(removed)
    kept = [path for path in after if path in before and path.endswith(".parquet")]
    same = [path for path in kept if after[path][2] == before[path][2]]
    assert len(same) >= 10
    assert all(after[path] == before[path] for path in same), "unchanged files were not written again"
    for folder in FOLDERS.values():
        empty = [
            path
            for path in (tmp_path / "lake" / folder).rglob("*")
            if path.is_dir() and not any(path.iterdir())
        ]
        assert not empty, "folders of removed partitions are removed"
    # A new lake of the same input is equal, byte for byte.
    run(tmp_path / "next", tmp_path / "fresh")
    assert contents(snapshot(tmp_path / "fresh")) == contents(after)


def test_another_compression_replaces_all_files(
    tmp_path: Path, source: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    for compression, suffix in (
        ("snappy", ".snappy.parquet"),
        ("zstd", ".zstd.parquet"),
        ("none", "00.parquet"),
    ):
        run(source, tmp_path / "lake", compression=compression)
        names = {
            path.name
            for folder in FOLDERS.values()
            for path in (tmp_path / "lake" / folder).rglob("*.parquet")
        }
        assert len(names) == 1
        assert names.pop().endswith(suffix)
        assert read_back(tmp_path / "lake") == rows_of(SONGS, EVENTS)


def test_old_plays_keep_their_ids_when_later_days_are_added(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    by_day = sorted(EVENTS, key=lambda one: oracle_records.play(one.raw)[0].ts)  # type: ignore[union-attr]
    middle = oracle_records.play(by_day[len(by_day) // 2].raw)[0].ts  # type: ignore[union-attr]
    old = [one for one in by_day if oracle_records.play(one.raw)[0].ts < middle]  # type: ignore[union-attr]
    assert 10 <= len(old) < len(by_day)
    run(write_input(tmp_path / "old", SONGS, old, 1), tmp_path / "lake")
    before = read_back(tmp_path / "lake")["songplays"]
    run(write_input(tmp_path / "all", SONGS, EVENTS, 2), tmp_path / "lake")
    assert set(before) < set(read_back(tmp_path / "lake")["songplays"])


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="needs /proc to see when the lock is held")
def test_a_concurrent_run_is_refused(
    tmp_path: Path, source: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    import sparkify_lake

    large = write_large(tmp_path / "large", songs=500, events=200_000)
    command = [sys.executable, "-m", "sparkify_lake", str(large), str(tmp_path / "lake"), "--quiet"]
    first = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not holds_a_lock(first):
            assert first.poll() is None, f"the first run ended too early: {first.communicate()}"
            assert time.monotonic() < deadline, "the first run never took a lock"
        first.send_signal(signal.SIGSTOP)  # the first run keeps its lock during the test
        with pytest.raises(sparkify_lake.RetryableError, match="another run") as raised:
            run(source, tmp_path / "lake")
        assert raised.value.exit_code == 75
        assert raised.value.hint
        first.send_signal(signal.SIGCONT)
        _, errors = first.communicate(timeout=60)
        assert first.returncode == 0, errors
    finally:
        first.kill()
        first.communicate()
    plays = read_back(tmp_path / "lake")["songplays"]
    assert len(plays) == len({row[0] for row in plays}) == 200_000 - 200_000 // 8
    run(source, tmp_path / "lake", allow_shrink=True)
    assert read_back(tmp_path / "lake") == rows_of(SONGS, EVENTS), "the lock ends with its process"
