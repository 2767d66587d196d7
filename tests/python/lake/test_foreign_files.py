"""Files in the folders of the tables that no run of this package wrote.

Each failure prints one sentence and a hint, has its own exit code, shows no traceback, and leaves the
existing tables unchanged, byte for byte.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.lake_files import FOLDERS, Report, Snapshot, Tables, data_files
from support.processes import Finished, assert_refused

pytestmark = pytest.mark.usefixtures("isolated_module")
Program = Callable[..., Finished]


@pytest.mark.parametrize(
    "name",
    [
        "songs_table/part-00000-spark.snappy.parquet",
        "time_table/year=1999/month=1/x.parquet",
        "user_table/.a.crc",
    ],
)
def test_foreign_files_are_refused_and_kept(
    tmp_path: Path, source: Path, program: Program, snapshot: Callable[[Path], Snapshot], name: str
) -> None:
    foreign = tmp_path / "lake" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("foreign")
    assert_refused(program(source, "lake", cwd=tmp_path), 76, says="adopt")
    assert list(snapshot(tmp_path / "lake")) == [name]
    assert foreign.read_text() == "foreign"


def test_a_foreign_file_next_to_written_files_is_refused(
    tmp_path: Path, source: Path, lake: Path, program: Program, snapshot: Callable[[Path], Snapshot]
) -> None:
    shutil.copy(data_files(lake / "artists_table")[0], lake / "artists_table" / "artists.parquet")
    before = snapshot(lake)
    assert_refused(program(source, lake, cwd=tmp_path), 76, says="artists.parquet")
    assert snapshot(lake) == before


def test_a_file_with_a_written_name_that_no_version_has_is_foreign(
    tmp_path: Path,
    source: Path,
    lake: Path,
    run: Callable[..., Report],
    program: Program,
    snapshot: Callable[[Path], Snapshot],
) -> None:
    before = snapshot(lake)
    extra = lake / "artists_table" / "part-00001.snappy.parquet"
    shutil.copy(data_files(lake / "artists_table")[0], extra)
    assert_refused(program(source, lake, cwd=tmp_path), 76, says="part-00001")
    assert extra.exists()
    report = run(source, lake, adopt=True)
    after = snapshot(lake)
    data = {path for path in before if not path.endswith("_SUCCESS")}
    assert after.keys() == before.keys(), "adopted files are removed"
    assert all(after[path] == before[path] for path in data), "and all other files are unchanged"
    assert [table["removed"] for table in report["tables"]] == [0, 1, 0, 0, 0]


def test_adopt_replaces_the_files_of_spark(
    tmp_path: Path, source: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    run(source, tmp_path / "fresh")
    for name in (
        "songs_table/year=1/artist_id=X/part-0.parquet",
        "artists_table/part-0.parquet",
        "artists_table/.part-0.crc",
        "time_table/year=2018",  # a file in place of a folder
        "user_table/part-00000.snappy.parquet/x",  # a folder in place of a file
    ):
        (tmp_path / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lake" / name).write_text("old")
    run(source, tmp_path / "lake", adopt=True)
    assert read_back(tmp_path / "lake") == read_back(tmp_path / "fresh")
    left = {
        path.name
        for folder in FOLDERS.values()
        for path in (tmp_path / "lake" / folder).rglob("*")
        if path.is_file()
    }
    assert left == {"part-00000.snappy.parquet", "_SUCCESS"}
    run(source, tmp_path / "lake")  # the lake now belongs to this package
