"""With `--keep-gone`, the rows of a removed file stay exactly as long as no other file has its content.

Both halves of the job, places that change, equal logs and odd times must make no difference.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import sparkify_lake
from support.log_files import PACKINGS, logs, plays, repack, run_input

pytestmark = pytest.mark.usefixtures("isolated_module")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    sparkify_lake.sample(folder, songs=20, events=900, days=40, users=9, quiet=True)
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("halves", [("users", "time,songplays"), ("time,songplays", "users")], ids=str)
def test_both_halves_recognize_a_log_that_grew_and_was_renamed(
    source: Path, lake: Path, halves: tuple[str, str], packing: str
) -> None:
    """The second half has not read the log, which the first half knows under its new name."""
    where = {"input": str(source)}
    run_input(where, lake, keep_gone=True)
    first, second = logs(source)[:2]
    grown = first.read_bytes() + second.read_bytes()
    second.unlink()
    first.unlink()
    (source / "log_data" / f"rotated{packing}").write_bytes(PACKINGS[packing](grown))
    for tables in halves:
        report = run_input(where, lake, tables=tables, keep_gone=True)
        # The second log is not the beginning of any file, so it is kept.
        assert report["input"]["logs"]["files_kept"] == 1, tables
    plan = sparkify_lake.plan(source, lake, keep_gone=True, quiet=True)
    assert plan.input["logs"].files_kept == 1


def test_a_log_beside_its_continuation_is_kept_when_it_is_removed(source: Path, lake: Path) -> None:
    """Both were there, so their plays counted twice, also for a half that has not seen the longer one yet."""
    where, options = {"input": str(source)}, {"keep_gone": True}
    first = logs(source)[0]
    run_input(where, lake, **options)
    (source / "log_data" / "longer.json").write_bytes(first.read_bytes() * 2)
    run_input(where, lake, tables="time,songplays", **options)
    before = plays(lake)
    first.unlink()
    assert run_input(where, lake, **options)["input"]["logs"]["files_kept"] == 1
    assert plays(lake) == before


@pytest.mark.parametrize("packing", [".json", ".json.zst"])
@pytest.mark.parametrize("content", ["song_data", "log_data"])
@pytest.mark.parametrize(
    "places",
    ["in, other, in", "in, other, third, in, other", "in, link to other, in", "in, link to other, other, in"],
)
def test_removed_files_are_kept_while_the_input_moves_and_returns(
    tmp_path: Path, lake: Path, places: str, content: str, packing: str
) -> None:
    """A removed file has its whole path as its name while the input is at another place."""
    at = tmp_path / "start"
    sparkify_lake.sample(at, songs=20, events=900, days=40, users=9, quiet=True)
    removed = repack(sorted((at / content).rglob("*.json"))[3], packing)
    records = None
    for number, place in enumerate(places.split(", ")):
        is_link = place.startswith("link to ")
        new = tmp_path / place.removeprefix("link to ")
        if at != new:
            at.rename(new)
        if is_link:
            (tmp_path / "link").symlink_to(new)
        report = run_input({"input": str(tmp_path / "link" if is_link else new)}, lake, keep_gone=True)
        records = records or report["records"]
        assert report["records"] == records, place
        kept = {name: files["files_kept"] for name, files in report["input"].items()}
        assert sum(kept.values()) == (number > 0), (place, kept)
        if number == 0:
            (new / removed.relative_to(tmp_path / "start")).unlink()
        at = new
    assert sparkify_lake.check(lake).problem_count == 0


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("seconds", [0, -5_000, 5_000], ids=["same time", "past", "future"])
@pytest.mark.parametrize("removed", ["original", "copy"])
def test_of_two_equal_logs_the_removed_one_is_kept(
    source: Path, lake: Path, removed: str, seconds: int, packing: str
) -> None:
    """Also if the other one has another time, so that it is read again."""
    original = logs(source)[0]
    copy = original.with_name(f"copy{packing}")
    copy.write_bytes(PACKINGS[packing](original.read_bytes()))
    where, options = {"input": str(source)}, {"keep_gone": True, "allow_duplicates": True}
    run_input(where, lake, **options)
    before = plays(lake)
    stays, goes = (copy, original) if removed == "original" else (original, copy)
    goes.unlink()
    when = time.time() + seconds if seconds else stays.stat().st_mtime
    os.utime(stays, (when, when))
    assert sparkify_lake.plan(source, lake, quiet=True, **options).input["logs"].files_kept == 1
    assert run_input(where, lake, **options)["input"]["logs"]["files_kept"] == 1
    assert plays(lake) == before


@pytest.mark.parametrize("content", ["song_data", "log_data"])
def test_a_kept_file_is_not_read_again_because_of_its_time(source: Path, lake: Path, content: str) -> None:
    """A present file with a time in the future may change without a new time; a copy cannot."""
    where, options = {"input": str(source)}, {"keep_gone": True}
    files = sorted((source / content).rglob("*.json"))
    os.utime(files[0], (4e9, 4e9))
    run_input(where, lake, **options)
    files[0].unlink()
    run_input(where, lake, **options)
    plan = sparkify_lake.plan(source, lake, quiet=True, **options)
    assert plan.outlook == "unchanged"
    assert run_input(where, lake, **options)["state"] == "unchanged"
    song = next(file for file in sorted((source / "song_data").rglob("*.json")) if file.exists())
    song.write_text(song.read_text().replace('"duration": ', '"duration": 1'))
    plan = sparkify_lake.plan(source, lake, quiet=True, **options)
    report = run_input(where, lake, **options)
    for kind, planned in plan.input.items():
        assert planned.files_read == report["input"][kind]["files_read"], kind
    assert report["input"]["songs"]["files_read"] == 1
