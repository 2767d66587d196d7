"""Files in the folders of the tables that no run of this package wrote.

Each failure prints one sentence and a hint, has its own exit code, shows no traceback, and leaves the
existing tables unchanged, byte for byte.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sparkify_lake
from support.generate_inputs import write_input
from support.generate_records import play, song
from support.lake_files import FOLDERS, Report, Snapshot, Tables, contents, data_files
from support.processes import Finished, assert_refused

pytestmark = pytest.mark.usefixtures("isolated_module")
Program = Callable[..., Finished]


@pytest.mark.parametrize(
    "name",
    [
        "songs_table/part-00000-spark.snappy.parquet",
        "time_table/year=1999/month=1/x.parquet",
        "user_table/.hidden/a.parquet",
        "artists_table/Thumbs.db",
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


def copy_with_cp(staged: Path, folder: Path) -> None:
    subprocess.run(["cp", "-a", f"{staged}/.", folder], check=True)


def copy_with_tar(staged: Path, folder: Path) -> None:
    archive = subprocess.run(["tar", "-C", staged, "-c", "."], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-C", folder, "-xp"], check=True, input=archive)


def copy_with_rsync(staged: Path, folder: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    subprocess.run(["rsync", "-a", f"{staged}/", folder], check=True)


@pytest.mark.parametrize("copy", [copy_with_cp, copy_with_tar, copy_with_rsync])
@pytest.mark.parametrize("table", FOLDERS.values())
def test_a_copy_that_brings_its_folders_time_is_found(
    tmp_path: Path,
    source: Path,
    lake: Path,
    run: Callable[..., Report],
    program: Program,
    snapshot: Callable[[Path], Snapshot],
    copy: Callable[[Path, Path], None],
    table: str,
) -> None:
    """The modification time of the folder does not show that a file was added."""
    before = snapshot(lake)
    file = data_files(lake / table)[-1]
    partition = file.parent.relative_to(lake / table)
    staged = tmp_path / "staged"
    (staged / partition).mkdir(parents=True)
    shutil.copy2(file, staged / partition / "part-00001-spark.snappy.parquet")
    for folder in [staged / partition, *(staged / partition).parents]:
        os.utime(folder, ns=(0, file.stat().st_mtime_ns - 10**9))
        if folder == staged:
            break
    time.sleep(0.02)  # more than a tick of the clock of file systems
    copy(staged, lake / table)
    assert file.parent.stat().st_mtime_ns < file.stat().st_mtime_ns, "the time was copied as well"
    assert_refused(program(source, lake, cwd=tmp_path), 76, says="part-00001-spark")
    assert_refused(program(source, lake, "--rebuild", cwd=tmp_path), 76, says="part-00001-spark")
    run(source, lake, adopt=True)
    assert contents(snapshot(lake)) == contents(before)
    assert not sparkify_lake.check(lake).problems


# --- files that readers ignore ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [".DS_Store", "._part-00000.snappy.parquet", ".nfs0001", "_metadata", ".x.crc"]
)
def test_files_that_readers_ignore_are_ignored(
    source: Path,
    lake: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    before = snapshot(lake)
    rows = {table: sparkify_lake.open_lake(lake)[table].collect() for table in FOLDERS}
    places = [data_files(lake / folder)[0].parent / name for folder in FOLDERS.values()]
    for place in places:
        place.write_bytes(b"ignored")
    for options in ({}, {"rebuild": True}):
        with caplog.at_level(logging.INFO, logger="sparkify_lake"):
            report = run(source, lake, **options)
        assert "5 files are ignored" in caplog.text and name in caplog.text
        caplog.clear()
        assert [table["removed"] for table in report["tables"]] == [0] * 5
    checked = sparkify_lake.check(lake)
    assert checked.is_healthy and checked.ignored == 5
    after = snapshot(lake)
    assert after.keys() - before.keys() == {str(place.relative_to(lake)) for place in places}
    assert {path: after[path] for path in before} == before
    for table, frame in rows.items():
        assert sparkify_lake.open_lake(lake)[table].collect().equals(frame), table


def test_an_outdated_checksum_file_of_hadoop_is_removed(
    tmp_path: Path, source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    """Spark refuses to read a file that does not match its checksum in ``.<name>.crc``."""
    files = data_files(lake)
    checksums = [file.with_name(f".{file.name}.crc") for file in files]
    before = {file: file.read_bytes() for file in files}
    for checksum in checksums:
        checksum.write_bytes(b"crc")
    fewer = write_input(tmp_path / "fewer", [song(n) for n in range(20)], [play(n) for n in range(30)], 3)
    run(fewer, lake, allow_shrink=True)
    unchanged = {file for file in files if file.exists() and file.read_bytes() == before[file]}
    assert 0 < len(unchanged) < len(files)
    left = {file for file, checksum in zip(files, checksums, strict=True) if checksum.exists()}
    assert left == unchanged
