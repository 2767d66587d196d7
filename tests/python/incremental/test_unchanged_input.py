"""Runs on an unchanged input: nothing is read, the report is complete, and every change is detected."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from support.generate_inputs import write_input
from support.generate_records import play, song, song_of_each_artist
from support.lake_files import Report, Snapshot, Tables, contents

pytestmark = pytest.mark.usefixtures("isolated_module")
REPORTED = (
    "input", "records", "filtered", "reasons", "coerced", "unknown_keys", "rejects", "bad_files", "plays",
    "quarantine", "warnings", "output", "version", "options",
)  # fmt: skip


def logs(source: Path) -> Path:
    return next(source.glob("log?data"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Songs and plays, a bad record, an unknown key, and a file without records."""
    folder = write_input(
        tmp_path / "in", [*song_of_each_artist(), *map(song, range(20))], [*map(play, range(150))], 3
    )
    (logs(folder) / "more.json").write_text('{"page": "Home", "color": 1}\n{"page": \n')
    (logs(folder) / "empty.json").write_text("\n")
    return folder


def only_file(folder: Path, pattern: str) -> Path:
    return next(iter(sorted(folder.rglob(pattern))))


def test_an_unchanged_input_is_not_read_and_fully_reported(
    tmp_path: Path, source: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    first = run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    assert first["rejects"] and first["unknown_keys"]["logs"] and first["warnings"] and first["quarantine"]
    for options in ({}, {"threads": 1, "memory_limit": "64MiB"}, {"adopt": True}):
        again = run(source, tmp_path / "lake", **options)
        assert again["state"] == "unchanged"
        assert [stage["name"] for stage in again["stages"]] == ["discover"]
        compared = [name for name in REPORTED if name not in ("options", "input")]
        for content, files in again["input"].items():
            assert files == {**first["input"][content], "files_read": 0, "bytes_read": 0}
        assert {name: again[name] for name in compared} == {name: first[name] for name in compared}
        for one, two in zip(first["tables"], again["tables"], strict=True):
            assert two == {**one, "written": 0, "unchanged": one["files"], "removed": 0}
        assert again["run_id"] != first["run_id"]
    assert snapshot(tmp_path / "lake") == before
    assert not list((tmp_path / "lake" / "_etl" / "stage").glob("*")), "no staged file is left"


def test_rebuild_reads_an_unchanged_input(
    tmp_path: Path, source: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    again = run(source, tmp_path / "lake", rebuild=True)
    assert again["state"] == "published" and len(again["stages"]) > 1
    assert snapshot(tmp_path / "lake") == before, "all files have the same bytes"
    assert run(source, tmp_path / "lake")["state"] == "unchanged"


def touched(lake: Path, source: Path) -> None:
    os.utime(only_file(source, "*.json"), ns=(0, 1_500_000_000_000_000_123))


def changed_in_place(lake: Path, source: Path) -> None:
    file = logs(source) / "more.json"
    file.write_text(file.read_text().replace("color", "colas"))


def changed_with_the_same_time(lake: Path, source: Path) -> None:
    """A change by a tool that keeps file times: only the size differs."""
    file = logs(source) / "more.json"
    at = file.stat().st_mtime_ns
    file.write_text(file.read_text() + '{"page": "Home"}\n')
    os.utime(file, ns=(at, at))


def file_added(lake: Path, source: Path) -> None:
    (logs(source) / "new.json").write_text('{"page": "Home"}\n')


def file_removed(lake: Path, source: Path) -> None:
    (logs(source) / "empty.json").unlink()


def file_renamed(lake: Path, source: Path) -> None:
    (logs(source) / "more.json").rename(logs(source) / "other.json")


def table_file_removed(lake: Path, source: Path) -> None:
    only_file(lake / "songs_table", "*.parquet").unlink()


def table_removed(lake: Path, source: Path) -> None:
    shutil.rmtree(lake / "user_table")


def success_marker_removed(lake: Path, source: Path) -> None:
    (lake / "time_table" / "_SUCCESS").unlink()


@pytest.mark.parametrize(
    "change",
    [touched, changed_in_place, changed_with_the_same_time, file_added, file_removed, file_renamed,
     table_file_removed, table_removed, success_marker_removed],
)  # fmt: skip
def test_every_change_is_detected(
    change: Callable[[Path, Path], None],
    tmp_path: Path,
    source: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
) -> None:
    lake = tmp_path / "lake"
    run(source, lake)
    assert run(source, lake)["state"] == "unchanged"
    change(lake, source)
    assert run(source, lake)["state"] == "published"
    run(source, tmp_path / "fresh")
    assert contents(snapshot(lake)) == contents(snapshot(tmp_path / "fresh"))
    assert run(source, lake)["state"] == "unchanged", "the change is known from then on"


@pytest.mark.parametrize(
    "options",
    [{"compression": "zstd"}, {"match": "title_artist"}, {"unmatched": "drop"}, {"max_bad": 1},
     {"on_bad_file": "quarantine"}, {"allow_duplicates": True}, {"ts_window": "1990-01-01..2090-01-01"},
     {"tables": "users"}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_other_options_cause_a_new_version(
    options: dict[str, Any], tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    run(source, tmp_path / "lake")
    assert run(source, tmp_path / "lake", **options)["state"] == "published"
    assert run(source, tmp_path / "lake", **options)["state"] == "unchanged"


def test_a_lower_max_bad_refuses_known_rejects(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    run(source, tmp_path / "lake")
    with pytest.raises(sparkify_lake.DataRefusedError, match="more than the 0 allowed"):
        run(source, tmp_path / "lake", max_bad=0)


def test_a_foreign_file_is_refused(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    run(source, tmp_path / "lake")
    (tmp_path / "lake" / "time_table" / "mine.parquet").write_bytes(b"PAR1")
    with pytest.raises(sparkify_lake.ProtocolError):
        run(source, tmp_path / "lake")


def test_runs_of_half_the_tables_are_unchanged_independently(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    pair = [{"tables": "songs,artists"}, {"tables": "users,time,songplays"}]
    for _ in range(2):
        for options in pair:
            run(source, tmp_path / "lake", **options)
    version = run(source, tmp_path / "lake", **pair[0])["version"]
    assert [run(source, tmp_path / "lake", **options)["state"] for options in pair * 2] == ["unchanged"] * 4
    assert run(source, tmp_path / "lake", **pair[1])["version"] == version


def test_a_copied_input_is_a_different_input(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    run(source, tmp_path / "lake")
    shutil.copytree(source, tmp_path / "copy")  # keeps the file times
    assert run(tmp_path / "copy", tmp_path / "lake")["state"] == "published"


def test_changes_right_after_a_run_are_detected(
    tmp_path: Path, source: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    """The same size and as soon as possible: only the file time shows the change."""
    log = logs(source) / "switch.json"
    event = {"page": "NextSong", "ts": 1541105830796, "userId": "8888", "sessionId": 1, "itemInSession": 0}
    for turn in range(12):
        log.write_text(json.dumps({**event, "level": ("free", "paid")[turn % 2]}) + "\n")
        run(source, tmp_path / "lake")
    run(source, tmp_path / "fresh", rebuild=True)
    assert read_back(tmp_path / "lake") == read_back(tmp_path / "fresh")
    assert ("8888", None, None, None, "paid") in read_back(tmp_path / "lake")["users"]


@pytest.mark.parametrize("ago", [0, 3])
def test_file_times_in_whole_seconds_are_trusted_only_when_old(
    ago: int, tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    """File times in whole seconds cannot distinguish two changes within a second."""
    at = (int(time.time()) - ago) * 1_000_000_000
    for file in source.rglob("*.json"):
        os.utime(file, ns=(at, at))
    run(source, tmp_path / "lake")
    assert run(source, tmp_path / "lake")["state"] == ("unchanged" if ago else "published")


def test_status_reports_the_newest_version(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    with pytest.raises(sparkify_lake.NoInputError, match="there is no lake"):
        sparkify_lake.status(tmp_path / "lake")
    first = run(source, tmp_path / "lake")
    status = sparkify_lake.status(tmp_path / "lake")
    assert (status.version, status.run, status.committed_at) == (1, first["run_id"], first["started_at"])
    assert status.is_published and status.exit_code == 0
    assert status.rows == {table["name"]: table["rows"] for table in first["tables"]}
    (done,) = (tmp_path / "lake" / "_etl" / "done").iterdir()
    done.unlink()
    status = sparkify_lake.status(tmp_path / "lake")
    assert not status.is_published and status.exit_code == 75
    assert "not completely published yet" in str(status)
    assert "not completely published yet" in status._repr_html_()
    sparkify_lake.recover(tmp_path / "lake")
    assert sparkify_lake.status(tmp_path / "lake").is_published
