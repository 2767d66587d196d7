"""Retained input (`--keep-gone`): copies of input files keep the rows of files that are missing later.

`test_sequences` checks that the tables are right; these tests check reports, refusals, and files.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import sparkify_lake
from sparkify_lake.errors import DataRefusedError, ProtocolError
from support.lake_files import Report, table_files
from support.processes import Finished

pytestmark = pytest.mark.usefixtures("isolated_module")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    sparkify_lake.sample(folder, songs=30, events=1500, days=40, users=12, quiet=True)
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def logs(source: Path) -> list[Path]:
    return sorted((source / "log_data").rglob("*.json"))


def packs(lake: Path) -> list[Path]:
    return sorted((lake / "_etl/state").glob("*-pack-*.zst"))


def retained_files(report: Report) -> dict[str, int]:
    return {name: files["files_kept"] for name, files in report["input"].items()}


def refused_run(source: Path, lake: Path, **options: object) -> DataRefusedError:
    before = table_files(lake)
    with pytest.raises(DataRefusedError) as caught:
        sparkify_lake.run(source, lake, quiet=True, **options)
    assert table_files(lake) == before
    return caught.value


def test_rows_of_missing_files_stay_without_writing(
    source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    first = run(source, lake, keep_gone=True)
    before = table_files(lake)
    for path in logs(source)[:7]:
        path.unlink()
    again = run(source, lake, keep_gone=True)
    assert again["state"] == "unchanged" and again["records"] == first["records"]
    assert retained_files(again) == {"songs": 0, "logs": 7} and retained_files(first) == {
        "songs": 0,
        "logs": 0,
    }
    assert again["input"]["logs"]["files"] == first["input"]["logs"]["files"]
    assert table_files(lake) == before
    status = sparkify_lake.status(lake, source)
    assert status.input is not None and status.input["logs"].kept.files == 7
    assert status.input["logs"].gone.files == 0 and not status.input["logs"].is_news


def test_a_month_with_missing_files_is_rewritten(
    tmp_path: Path, source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    """A late song matches plays of missing files and of an existing file."""
    song_files = sorted((source / "song_data").rglob("*.json"))
    songs = [json.loads(path.read_text()) for path in song_files]
    plays = [json.loads(line) for path in logs(source) for line in path.read_text().splitlines()]
    late = next(n for n, song in enumerate(songs) if any(one.get("song") == song["title"] for one in plays))
    shutil.move(song_files[late], tmp_path / "late.json")
    run(source, lake, keep_gone=True)
    for path in logs(source)[:-1]:
        path.unlink()
    shutil.move(tmp_path / "late.json", song_files[late])
    report = run(source, lake, keep_gone=True)
    assert report["input"]["logs"]["files_read"] > 1 and retained_files(report)["logs"] == 39

    sparkify_lake.sample(tmp_path / "all", songs=30, events=1500, days=40, users=12, quiet=True)
    whole = run(tmp_path / "all", tmp_path / "fresh")
    assert table_files(lake) == table_files(tmp_path / "fresh")
    assert report["plays"] == whole["plays"]
    # A rebuild also keeps the missing files.
    rebuilt = run(source, lake, keep_gone=True, rebuild=True)
    assert retained_files(rebuilt)["logs"] == 39 and table_files(lake) == table_files(tmp_path / "fresh")


def test_the_first_run_with_keep_gone_makes_copies(
    source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    run(source, lake)
    assert packs(lake) == []
    plan = sparkify_lake.plan(source, lake, keep_gone=True, quiet=True)
    assert plan.outlook == "part"
    report = run(source, lake, keep_gone=True)
    assert report["state"] == "published" and report["version"] == 2 and packs(lake)
    assert sum(table["written"] for table in report["tables"]) == 0
    assert run(source, lake, keep_gone=True)["state"] == "unchanged"
    assert sparkify_lake.plan(source, lake, keep_gone=True, quiet=True).outlook == "unchanged"


def test_a_missing_file_without_a_copy_is_refused(
    source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    run(source, lake)
    missing = logs(source)[0]
    missing.unlink()
    error = refused_run(source, lake, keep_gone=True)
    assert missing.name in str(error) and "the lake has no copy of it" in str(error)
    with pytest.raises(DataRefusedError, match="the lake has no copy of it"):
        sparkify_lake.plan(source, lake, keep_gone=True, quiet=True)
    assert run(source, lake)["state"] == "published"


def test_retained_rows_are_removed_only_with_allow_shrink(
    tmp_path: Path, source: Path, lake: Path, run: Callable[..., Report], program: Callable[..., Finished]
) -> None:
    run(source, lake, keep_gone=True)
    for path in logs(source)[:2]:
        path.unlink()
    error = refused_run(source, lake)
    assert "2 files that are missing" in str(error) and "--keep-gone" in (error.hint or "")
    finished = program(source, lake, cwd=tmp_path)
    assert finished.returncode == 65 and "--allow-shrink" in finished.stderr
    run(source, lake, allow_shrink=True)
    assert packs(lake) == []
    run(source, tmp_path / "fresh")
    assert table_files(lake) == table_files(tmp_path / "fresh")


@pytest.mark.parametrize("how", ["renamed", "compressed"])
def test_a_moved_file_is_not_missing(source: Path, lake: Path, run: Callable[..., Report], how: str) -> None:
    """The rows of a moved file are not doubled, also if it was compressed, as log rotation does."""
    run(source, lake, keep_gone=True)
    before = table_files(lake)
    moved = logs(source)[3]
    if how == "renamed":
        moved.rename(moved.with_name("moved.json"))
    else:
        moved.with_name(f"{moved.name}.gz").write_bytes(gzip.compress(moved.read_bytes()))
        moved.unlink()
    report = run(source, lake, keep_gone=True)
    assert retained_files(report)["logs"] == 0 and report["input"]["logs"]["files"] == 40
    assert table_files(lake) == before


def test_a_restored_file_is_loaded_once(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    run(source, lake, keep_gone=True)
    before = table_files(lake)
    path = logs(source)[5]
    body, stat = path.read_bytes(), path.stat()
    path.unlink()
    run(source, lake, keep_gone=True)
    path.write_bytes(body)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    report = run(source, lake, keep_gone=True)
    assert retained_files(report)["logs"] == 0 and table_files(lake) == before


def test_unused_packs_are_removed(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    """Old copies of a file that changes every day are removed."""
    keep = partial(run, source, lake, keep_gone=True, chunk_size="4MiB")  # one pack for all logs
    keep()
    path = logs(source)[-1]
    for _ in range(4):
        with path.open("a") as file:
            file.write('{"page": "Home"}\n')
        keep()
    size = sum(pack.stat().st_size for pack in packs(lake))
    assert len(packs(lake)) <= 3
    keep(rebuild=True)
    assert size <= 2 * sum(pack.stat().st_size for pack in packs(lake))


def test_a_damaged_copy_is_refused(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    run(source, lake, keep_gone=True)
    logs(source)[0].unlink()
    for pack in packs(lake):
        pack.write_bytes(pack.read_bytes()[:-1] + b"!")
    before = table_files(lake)
    with pytest.raises(ProtocolError, match="its copy in the lake is missing or damaged") as caught:
        run(source, lake, keep_gone=True, rebuild=True)
    assert caught.value.exit_code == 76 and table_files(lake) == before
    run(source, lake, allow_shrink=True)


def test_a_large_file_is_copied_in_parts(
    tmp_path: Path, source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    """Files larger than a chunk, which are read in parts: lines, an array, and gzip."""
    lines = b"\n".join(path.read_bytes() for path in logs(source))
    for path in logs(source):
        path.unlink()
    records = [json.loads(line) for line in lines.splitlines()]
    third = len(records) // 3
    folder = source / "log_data"
    parts = [records[:third], records[third : 2 * third], records[2 * third :]]
    folder.joinpath("a.json").write_text("\n".join(map(json.dumps, parts[0])) + "\n")
    folder.joinpath("b.json").write_text(json.dumps(parts[1], indent=1))
    folder.joinpath("c.json.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, parts[2])).encode()))
    folder.joinpath("d.json").write_text('{"page": "Home"}\n')
    run(source, lake, keep_gone=True, chunk_size="1KiB")
    shutil.copytree(source, tmp_path / "all")
    for name in ("a.json", "b.json", "c.json.gz"):
        folder.joinpath(name).unlink()
    report = run(source, lake, keep_gone=True, chunk_size="1KiB", rebuild=True)
    run(tmp_path / "all", tmp_path / "fresh")
    assert retained_files(report)["logs"] == 3 and table_files(lake) == table_files(tmp_path / "fresh")
