"""A run on an unchanged input: nothing is read, everything is told; and whatever changed is noticed."""

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
TOLD = (
    "input", "records", "filtered", "reasons", "coerced", "unknown_keys", "rejects", "bad_files", "plays",
    "quarantine", "warnings", "output", "version", "options",
)  # fmt: skip


def logs(source: Path) -> Path:
    return next(source.glob("log?data"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Songs and plays; beside them a bad record, a key that nobody knows, and a file without a record."""
    folder = write_input(
        tmp_path / "in", [*song_of_each_artist(), *map(song, range(20))], [*map(play, range(150))], 3
    )
    (logs(folder) / "more.json").write_text('{"page": "Home", "colour": 1}\n{"page": \n')
    (logs(folder) / "empty.json").write_text("\n")
    return folder


def only_file(folder: Path, pattern: str) -> Path:
    return next(iter(sorted(folder.rglob(pattern))))


def test_nothing_is_read_and_everything_is_told(
    tmp_path: Path, source: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    first = run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    assert first["rejects"] and first["unknown_keys"]["logs"] and first["warnings"] and first["quarantine"]
    for options in ({}, {"threads": 1, "memory_limit": "64MiB"}, {"adopt": True}):
        again = run(source, tmp_path / "lake", **options)
        assert again["state"] == "unchanged"
        assert [stage["name"] for stage in again["stages"]] == ["discover"]
        told = [name for name in TOLD if name not in ("options", "input")]
        for content, source_told in again["input"].items():
            assert source_told == {**first["input"][content], "files_read": 0, "bytes_read": 0}
        assert {name: again[name] for name in told} == {name: first[name] for name in told}
        for one, two in zip(first["tables"], again["tables"], strict=True):
            assert two == {**one, "written": 0, "unchanged": one["files"], "removed": 0}
        assert again["run_id"] != first["run_id"]
    assert snapshot(tmp_path / "lake") == before
    assert not list((tmp_path / "lake" / "_etl" / "stage").glob("*")), "nothing was staged"


def test_rebuild_reads_all_the_same(
    tmp_path: Path, source: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    run(source, tmp_path / "lake")
    before = snapshot(tmp_path / "lake")
    again = run(source, tmp_path / "lake", rebuild=True)
    assert again["state"] == "published" and len(again["stages"]) > 1
    assert snapshot(tmp_path / "lake") == before, "the same bytes"
    assert run(source, tmp_path / "lake")["state"] == "unchanged"


def touched(lake: Path, source: Path) -> None:
    os.utime(only_file(source, "*.json"), ns=(0, 1_500_000_000_000_000_123))


def changed_in_place(lake: Path, source: Path) -> None:
    file = logs(source) / "more.json"
    file.write_text(file.read_text().replace("colour", "couleu"))


def changed_back_in_time(lake: Path, source: Path) -> None:
    """As a tool does that keeps times: the size tells."""
    file = logs(source) / "more.json"
    at = file.stat().st_mtime_ns
    file.write_text(file.read_text() + '{"page": "Home"}\n')
    os.utime(file, ns=(at, at))


def one_more(lake: Path, source: Path) -> None:
    (logs(source) / "new.json").write_text('{"page": "Home"}\n')


def one_less(lake: Path, source: Path) -> None:
    (logs(source) / "empty.json").unlink()


def another_name(lake: Path, source: Path) -> None:
    (logs(source) / "more.json").rename(logs(source) / "other.json")


def table_file_gone(lake: Path, source: Path) -> None:
    only_file(lake / "songs_table", "*.parquet").unlink()


def table_gone(lake: Path, source: Path) -> None:
    shutil.rmtree(lake / "user_table")


def mark_gone(lake: Path, source: Path) -> None:
    (lake / "time_table" / "_SUCCESS").unlink()


@pytest.mark.parametrize(
    "change",
    [touched, changed_in_place, changed_back_in_time, one_more, one_less, another_name, table_file_gone,
     table_gone, mark_gone],
)  # fmt: skip
def test_what_changed_is_noticed(
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
    assert run(source, lake)["state"] == "unchanged", "and is known from then on"


@pytest.mark.parametrize(
    "options",
    [{"compression": "zstd"}, {"match": "title_artist"}, {"unmatched": "drop"}, {"max_bad": 1},
     {"on_bad_file": "quarantine"}, {"allow_duplicates": True}, {"ts_window": "1990-01-01..2090-01-01"},
     {"tables": "users"}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_other_options_are_another_run(
    options: dict[str, Any], tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    run(source, tmp_path / "lake")
    assert run(source, tmp_path / "lake", **options)["state"] == "published"
    assert run(source, tmp_path / "lake", **options)["state"] == "unchanged"


def test_what_was_tolerated_before_is_refused_now(
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


def test_the_functions_of_the_spark_job_know_their_own_tables(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    pair = [{"tables": "songs,artists"}, {"tables": "users,time,songplays"}]
    for _ in range(2):
        for options in pair:
            run(source, tmp_path / "lake", **options)
    version = run(source, tmp_path / "lake", **pair[0])["version"]
    assert [run(source, tmp_path / "lake", **options)["state"] for options in pair * 2] == ["unchanged"] * 4
    assert run(source, tmp_path / "lake", **pair[1])["version"] == version


def test_the_same_input_elsewhere_is_another(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    run(source, tmp_path / "lake")
    shutil.copytree(source, tmp_path / "copy")  # with the times of the files
    assert run(tmp_path / "copy", tmp_path / "lake")["state"] == "published"


def test_changes_right_behind_a_run_are_noticed(
    tmp_path: Path, source: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    """Same size, and as fast as can be: a file's time must tell it from what was read."""
    log = logs(source) / "switch.json"
    event = {"page": "NextSong", "ts": 1541105830796, "userId": "8888", "sessionId": 1, "itemInSession": 0}
    for turn in range(12):
        log.write_text(json.dumps({**event, "level": ("free", "paid")[turn % 2]}) + "\n")
        run(source, tmp_path / "lake")
    run(source, tmp_path / "fresh", rebuild=True)
    assert read_back(tmp_path / "lake") == read_back(tmp_path / "fresh")
    assert ("8888", None, None, None, "paid") in read_back(tmp_path / "lake")["users"]


@pytest.mark.parametrize("ago", [0, 3])
def test_times_in_whole_seconds_are_trusted_later(
    ago: int, tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    """A clock that ticks in seconds cannot tell two changes of one second apart."""
    at = (int(time.time()) - ago) * 1_000_000_000
    for file in source.rglob("*.json"):
        os.utime(file, ns=(at, at))
    run(source, tmp_path / "lake")
    assert run(source, tmp_path / "lake")["state"] == ("unchanged" if ago else "published")


def test_status_tells_the_newest_version(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
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
    assert "not published in full yet" in str(status) and "not published in full yet" in status._repr_html_()
    sparkify_lake.recover(tmp_path / "lake")
    assert sparkify_lake.status(tmp_path / "lake").is_published
