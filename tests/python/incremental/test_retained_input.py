"""Files that are gone, and the copies that keep their rows.

That the lake then is what all files together make is for `test_sequences`; here is what is said, refused,
read and written on the way.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import sparkify_lake
from sparkify_lake.errors import DataRefusedError, ProtocolError
from support.lake_files import FOLDERS, Report
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


def tables(lake: Path) -> dict[str, bytes]:
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for folder in FOLDERS.values()
        for path in (lake / folder).rglob("*")
        if path.is_file()
    }


def kept(report: Report) -> dict[str, int]:
    return {name: told["files_kept"] for name, told in report["input"].items()}


def refused(source: Path, lake: Path, **options: object) -> DataRefusedError:
    before = tables(lake)
    with pytest.raises(DataRefusedError) as caught:
        sparkify_lake.run(source, lake, quiet=True, **options)
    assert tables(lake) == before
    return caught.value


def test_rows_stay_and_nothing_is_written(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    first = run(source, lake, keep_gone=True)
    before = tables(lake)
    for path in logs(source)[:7]:
        path.unlink()
    again = run(source, lake, keep_gone=True)
    assert again["state"] == "unchanged" and again["records"] == first["records"]
    assert kept(again) == {"songs": 0, "logs": 7} and kept(first) == {"songs": 0, "logs": 0}
    assert again["input"]["logs"]["files"] == first["input"]["logs"]["files"]
    assert tables(lake) == before
    status = sparkify_lake.status(lake, source)
    assert status.input is not None and status.input["logs"].kept.files == 7
    assert status.input["logs"].gone.files == 0 and not status.input["logs"].is_news


def test_a_month_of_files_that_are_gone_is_made_again(
    tmp_path: Path, source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    """A late song matches plays of files that are no longer there, and of one that is."""
    held = sorted((source / "song_data").rglob("*.json"))
    songs = [json.loads(path.read_text()) for path in held]
    plays = [json.loads(line) for path in logs(source) for line in path.read_text().splitlines()]
    late = next(n for n, song in enumerate(songs) if any(one.get("song") == song["title"] for one in plays))
    shutil.move(held[late], tmp_path / "late.json")
    run(source, lake, keep_gone=True)
    for path in logs(source)[:-1]:
        path.unlink()
    shutil.move(tmp_path / "late.json", held[late])
    report = run(source, lake, keep_gone=True)
    assert report["input"]["logs"]["files_read"] > 1 and kept(report)["logs"] == 39

    sparkify_lake.sample(tmp_path / "all", songs=30, events=1500, days=40, users=12, quiet=True)
    whole = run(tmp_path / "all", tmp_path / "fresh")
    assert tables(lake) == tables(tmp_path / "fresh")
    assert report["plays"] == whole["plays"]
    # A rebuild keeps them as well.
    rebuilt = run(source, lake, keep_gone=True, rebuild=True)
    assert kept(rebuilt)["logs"] == 39 and tables(lake) == tables(tmp_path / "fresh")


def test_the_first_time_it_is_said_copies_are_made(
    source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    run(source, lake)
    assert packs(lake) == []
    plan = sparkify_lake.plan(source, lake, keep_gone=True, quiet=True)
    assert plan.outlook == "part"
    said = run(source, lake, keep_gone=True)
    assert said["state"] == "published" and said["version"] == 2 and packs(lake)
    assert sum(table["written"] for table in said["tables"]) == 0
    assert run(source, lake, keep_gone=True)["state"] == "unchanged"
    assert sparkify_lake.plan(source, lake, keep_gone=True, quiet=True).outlook == "unchanged"


def test_what_has_no_copy_cannot_be_kept(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    run(source, lake)
    gone = logs(source)[0]
    gone.unlink()
    error = refused(source, lake, keep_gone=True)
    assert gone.name in str(error) and "has no copy" in str(error)
    with pytest.raises(DataRefusedError, match="has no copy"):
        sparkify_lake.plan(source, lake, keep_gone=True, quiet=True)
    assert run(source, lake)["state"] == "published"


def test_kept_rows_leave_only_when_that_is_said(
    tmp_path: Path, source: Path, lake: Path, run: Callable[..., Report], program: Callable[..., Finished]
) -> None:
    run(source, lake, keep_gone=True)
    for path in logs(source)[:2]:
        path.unlink()
    error = refused(source, lake)
    assert "2 files that are gone" in str(error) and "--keep-gone" in (error.hint or "")
    finished = program(source, lake, cwd=tmp_path)
    assert finished.returncode == 65 and "--allow-shrink" in finished.stderr
    run(source, lake, allow_shrink=True)
    assert packs(lake) == []
    run(source, tmp_path / "fresh")
    assert tables(lake) == tables(tmp_path / "fresh")


@pytest.mark.parametrize("how", ["renamed", "packed"])
def test_a_file_that_moved_is_not_gone(
    source: Path, lake: Path, run: Callable[..., Report], how: str
) -> None:
    """Its rows are not there twice, also when it was packed on the way, as log rotation does."""
    run(source, lake, keep_gone=True)
    before = tables(lake)
    moved = logs(source)[3]
    if how == "renamed":
        moved.rename(moved.with_name("moved.json"))
    else:
        moved.with_name(f"{moved.name}.gz").write_bytes(gzip.compress(moved.read_bytes()))
        moved.unlink()
    report = run(source, lake, keep_gone=True)
    assert kept(report)["logs"] == 0 and report["input"]["logs"]["files"] == 40
    assert tables(lake) == before


def test_a_file_that_comes_back_counts_once(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    run(source, lake, keep_gone=True)
    before = tables(lake)
    path = logs(source)[5]
    body, stat = path.read_bytes(), path.stat()
    path.unlink()
    run(source, lake, keep_gone=True)
    path.write_bytes(body)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    report = run(source, lake, keep_gone=True)
    assert kept(report)["logs"] == 0 and tables(lake) == before


def test_packs_that_nobody_needs_go(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    """A file that changes daily leaves no trail of copies."""
    run(source, lake, keep_gone=True)
    path = logs(source)[-1]
    for _ in range(4):
        with path.open("a") as file:
            file.write('{"page": "Home"}\n')
        run(source, lake, keep_gone=True)
    size = sum(pack.stat().st_size for pack in packs(lake))
    assert len(packs(lake)) <= 3
    run(source, lake, keep_gone=True, rebuild=True)
    assert size <= 2 * sum(pack.stat().st_size for pack in packs(lake))


def test_a_damaged_copy_is_refused(source: Path, lake: Path, run: Callable[..., Report]) -> None:
    run(source, lake, keep_gone=True)
    logs(source)[0].unlink()
    for pack in packs(lake):
        pack.write_bytes(pack.read_bytes()[:-1] + b"!")
    before = tables(lake)
    with pytest.raises(ProtocolError, match=r"pack-.*is not what the newest version says") as caught:
        run(source, lake, keep_gone=True, rebuild=True)
    assert caught.value.exit_code == 76 and tables(lake) == before
    run(source, lake, allow_shrink=True)


def test_a_large_file_is_copied_in_parts(
    tmp_path: Path, source: Path, lake: Path, run: Callable[..., Report]
) -> None:
    """Larger than a chunk, so it is read in several steps: plain, as an array, and packed."""
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
    assert kept(report)["logs"] == 3 and tables(lake) == tables(tmp_path / "fresh")
