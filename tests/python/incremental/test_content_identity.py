"""A log file is what it contains, regardless of its path, its name, its packing and its times.

Every test applies one kind of change to the input (a renamed folder, a rotated or compressed log, ...) and
compares the lake with the rows that the input has, or had.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sparkify_lake
from sparkify_lake import etl
from sparkify_lake.errors import DataRefusedError
from support.log_files import PACKINGS, Input, logs, plays, repack, run_input

pytestmark = pytest.mark.usefixtures("isolated_module")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    sparkify_lake.sample(folder, songs=20, events=900, days=40, users=9, quiet=True)
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


# --- ways in which the same input gets other paths ----------------------------------------------------------


def renamed_root(source: Path) -> Input:
    return {"input": str(source.rename(source.with_name("moved")))}


def copied_root(source: Path) -> Input:
    shutil.copytree(source, source.with_name("copy"))
    return {"input": str(source.with_name("copy"))}


def other_symlink(source: Path) -> Input:
    real = source.rename(source.with_name("2018-12"))
    link = source.with_name("current")
    link.symlink_to(real, target_is_directory=True)
    return {"input": str(link)}


def other_folder_name(source: Path) -> Input:
    (source / "log_data").rename(source / "log-data")
    return {"input": str(source)}


def glob_of_the_folder(source: Path) -> Input:
    return {"song_data": str(source / "song_data"), "log_data": str(source / "log_data/*/*/*.json*")}


def flat_folder(source: Path) -> Input:
    for path in logs(source):
        path.rename(source / "log_data" / path.name)
    return {"input": str(source)}


def other_names(source: Path) -> Input:
    for number, path in enumerate(logs(source)):
        path.rename(path.with_name(f"{number:03}.json"))
    return {"input": str(source)}


def packed(packing: str) -> Callable[[Path], Input]:
    def pack(source: Path) -> Input:
        for path in logs(source):
            repack(path, packing)
        return {"input": str(source)}

    pack.__name__ = f"packed as {packing}"
    return pack


def touched(source: Path) -> Input:
    for number, path in enumerate(logs(source)):
        os.utime(path, (number, number))
    return {"input": str(source)}


CHANGES = [
    renamed_root, copied_root, other_symlink, other_folder_name, glob_of_the_folder, flat_folder, other_names,
    touched, *(packed(packing) for packing in PACKINGS if packing != ".json"),
]  # fmt: skip
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


@each_change
def test_rows_of_missing_files_stay_when_the_input_has_other_paths(
    change: Callable[[Path], Input], source: Path, lake: Path
) -> None:
    run_input({"input": str(source)}, lake, keep_gone=True)
    before = plays(lake)
    for path in logs(source)[:3]:
        path.unlink()
    where = change(source)
    report = run_input(where, lake, keep_gone=True)
    assert plays(lake) == before
    assert report["input"]["logs"]["files_kept"] == 3
    again = run_input(where, lake, keep_gone=True)
    assert again["state"] == "unchanged" and plays(lake) == before
    with pytest.raises(DataRefusedError, match="the lake has rows of 3 files that are missing"):
        run_input(where, lake)
    assert plays(lake) == before
    report = run_input(where, lake, allow_shrink=True)
    assert report["input"]["logs"]["files_kept"] == 0 and len(plays(lake)) < len(before)


@each_change
def test_nothing_is_missing_when_the_input_has_other_paths(
    change: Callable[[Path], Input], source: Path, lake: Path
) -> None:
    run_input({"input": str(source)}, lake, keep_gone=True)
    before = plays(lake)
    where = change(source)
    report = run_input(where, lake)
    assert report["input"]["logs"]["files_kept"] == 0 and plays(lake) == before


@each_change
def test_a_window_keeps_the_rows_of_files_with_other_paths(
    change: Callable[[Path], Input], source: Path, lake: Path
) -> None:
    run_input({"input": str(source)}, lake)
    before = plays(lake)
    last = sorted(path.name for path in logs(source))[-1][:10]
    newer = logs(source)[-1].with_name("2030-01-02-events.json")
    event = json.loads(logs(source)[-1].read_bytes().splitlines()[0])
    newer.write_text(json.dumps({**event, "page": "NextSong", "ts": 1893542400000}) + "\n")
    run_input(change(source), lake, since=last)
    assert [play for play in plays(lake) if play in set(before)] == before
    assert len(plays(lake)) == len(before) + 1


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("other", PACKINGS)
def test_the_same_content_twice_is_refused_in_any_packing(
    packing: str, other: str, source: Path, lake: Path
) -> None:
    path = logs(source)[0]
    body = path.read_bytes()
    path.unlink()
    path.with_name("one" + packing).write_bytes(PACKINGS[packing](body))
    run_input({"input": str(source)}, lake)
    before = plays(lake)
    twin = path.parent.parent / ("two" + other)
    twin.write_bytes(PACKINGS[other](body))
    for options in ({}, {"rebuild": True}, {"keep_gone": True}):
        with pytest.raises(DataRefusedError, match="duplicate_input"):
            run_input({"input": str(source)}, lake, **options)
        assert plays(lake) == before
    run_input({"input": str(source)}, lake, allow_duplicates=True)
    assert len(plays(lake)) > len(before)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_log_that_grew_before_it_was_rotated_supersedes_its_beginning(
    packing: str, source: Path, lake: Path, tmp_path: Path
) -> None:
    path = logs(source)[-1]
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))
    run_input({"input": str(source)}, lake, keep_gone=True)
    path.write_bytes(whole)
    repack(path, packing, name="rotated")
    run_input({"input": str(source)}, lake, keep_gone=True)
    run_input({"input": str(source)}, tmp_path / "fresh")
    assert plays(lake) == plays(tmp_path / "fresh")


def test_a_file_that_goes_takes_no_rows_of_its_duplicate_along(source: Path, lake: Path) -> None:
    twin = logs(source)[0].with_name("twin.json")
    shutil.copy2(logs(source)[0], twin)
    options = {"keep_gone": True, "allow_duplicates": True}
    run_input({"input": str(source)}, lake, **options)
    before = len(plays(lake))
    twin.unlink()
    run_input({"input": str(source)}, lake, **options)
    assert len(plays(lake)) == before


def test_both_halves_of_the_job_keep_the_rows_of_their_own_input(
    source: Path, lake: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(source, other)
    etl.process_song_data(None, str(source), str(lake), keep_gone=True)
    etl.process_log_data(None, str(other), str(lake), keep_gone=True)
    songs = sparkify_lake.open_lake(lake).songs.collect().height
    next(path for path in (source / "song_data").rglob("*.json")).unlink()
    # Other options make the earlier state useless, but not the copies of the files.
    for options in ({}, {"compression": "zstd"}, {}):
        etl.process_log_data(None, str(other), str(lake), keep_gone=True, **options)
        etl.process_song_data(None, str(source), str(lake), keep_gone=True, **options)
        assert sparkify_lake.open_lake(lake).songs.collect().height == songs


def test_the_lost_copy_of_one_half_is_found(source: Path, lake: Path, tmp_path: Path) -> None:
    """The halves have different inputs, so the newest manifest of the songs has no lost copy."""
    other = tmp_path / "other"
    shutil.copytree(source, other)
    gone = next(path for path in sorted((source / "song_data").rglob("*.json")))
    etl.process_song_data(None, str(source), str(lake), keep_gone=True)
    packs = sorted((lake / "_etl/state").glob("*-pack-*.zst"))
    (other / gone.relative_to(source)).unlink()
    etl.process_log_data(None, str(other), str(lake), keep_gone=True)
    for pack in packs:
        pack.unlink()
    lost = sparkify_lake.check(lake).lost
    assert gone.relative_to(source / "song_data").as_posix() in lost.first and lost.files > 0


def test_new_content_in_a_file_removes_its_rows_with_a_warning(source: Path, lake: Path) -> None:
    path = logs(source)[-1]
    before = path.read_bytes()
    run_input({"input": str(source)}, lake, keep_gone=True)
    path.write_bytes(before + before.splitlines(keepends=True)[0].replace(b'"sessionId":', b'"sessionId":7'))
    grown = run_input({"input": str(source)}, lake, keep_gone=True)
    assert not any("new content" in warning for warning in grown["warnings"])
    path.write_bytes(before.splitlines(keepends=True)[-1])
    [warning] = run_input({"input": str(source)}, lake, keep_gone=True)["warnings"]
    assert path.name in warning and "earlier rows are removed" in warning


@pytest.mark.parametrize("seconds", [-(10**9), -1, 3600, 10**9])
def test_a_file_with_a_time_that_a_program_has_set_is_read_once(
    seconds: int, source: Path, lake: Path
) -> None:
    at = time.time() + seconds + 0.123
    for path in logs(source):
        os.utime(path, (at, at))
    time.sleep(0.1)
    run_input({"input": str(source)}, lake)
    assert run_input({"input": str(source)}, lake)["state"] == "unchanged"
    status = sparkify_lake.status(lake, source)
    assert status.input is not None and status.input["logs"].changed.files == 0


@pytest.mark.parametrize("keep_gone", [False, True])
def test_a_log_that_is_always_being_written_loads_in_every_run(
    keep_gone: bool, source: Path, lake: Path, tmp_path: Path
) -> None:
    path = logs(source)[-1].with_name("2018-12-30-live.json")
    event = json.loads(logs(source)[-1].read_bytes().splitlines()[0])
    path.touch()
    is_over, written = threading.Event(), 0

    def append() -> None:
        nonlocal written
        with path.open("ab", buffering=0) as file:
            while not is_over.is_set():
                line = {**event, "page": "NextSong", "ts": 1546128000000 + written, "sessionId": written}
                body = json.dumps(line).encode() + b"\n"
                # A writer with a buffer tears lines.
                file.write(body[: len(body) // 2])
                time.sleep(0.001)
                file.write(body[len(body) // 2 :])
                written += 1
                time.sleep(0.001)

    writer = threading.Thread(target=append)
    writer.start()
    counts = []
    try:
        for _ in range(8):
            report = run_input({"input": str(source)}, lake, keep_gone=keep_gone, max_bad="0")
            assert report["records"]["logs"]["quarantined"] == 0
            counts.append(len(plays(lake)))
    finally:
        is_over.set()
        writer.join()
    assert counts == sorted(counts) and counts[-1] > counts[0]
    run_input({"input": str(source)}, lake, keep_gone=keep_gone)
    run_input({"input": str(source)}, tmp_path / "fresh")
    assert plays(lake) == plays(tmp_path / "fresh")


def forget_contents(lake: Path) -> None:
    """Makes the newest commit record look like one of a release that knew no contents."""
    newest = max((lake / "_etl/log").iterdir())
    record = json.loads(newest.read_bytes())["record"]
    for base in record["bases"]:
        for manifest in base["input"].values():
            for entry in manifest["files"].values():
                entry.pop("content", None)
                entry.pop("first_rejects", None)
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    checksum = hashlib.sha256(body.encode()).hexdigest()
    newest.write_text(f'{{"sha256":"{checksum}","record":{body}}}\n')


@each_change
def test_manifests_of_older_releases_are_read_and_upgraded(
    change: Callable[[Path], Input], source: Path, lake: Path
) -> None:
    run_input({"input": str(source)}, lake, keep_gone=True)
    before = plays(lake)
    for path in logs(source)[:3]:
        path.unlink()
    run_input({"input": str(source)}, lake, keep_gone=True)
    forget_contents(lake)
    where = change(source)
    run_input(where, lake, keep_gone=True)
    assert plays(lake) == before
    record = json.loads(max((lake / "_etl/log").iterdir()).read_bytes())["record"]
    entries = record["bases"][-1]["input"]["logs"]["files"].values()
    assert all(entry["content"]["bytes"] for entry in entries)
    assert run_input(where, lake, keep_gone=True)["state"] == "unchanged"


def test_examples_of_rejects_do_not_depend_on_earlier_runs(source: Path, lake: Path, tmp_path: Path) -> None:
    for path in logs(source)[:2]:
        path.write_bytes(path.read_bytes() + b"{bad\n" * 25)
    first = run_input({"input": str(source)}, lake, max_bad="100%")
    assert {reject["file"] for reject in first["rejects"]} == {str(logs(source)[0])}
    logs(source)[0].unlink()
    os.chdir(source.parent)
    relative = Path(source.name)
    again = run_input({"input": str(relative)}, lake, max_bad="100%")
    fresh = run_input({"input": str(relative)}, tmp_path / "fresh", max_bad="100%")
    assert again["rejects"] == fresh["rejects"] and len(again["rejects"]) == 20


def test_names_that_are_not_text_are_not_mixed_up_with_text(source: Path, lake: Path, tmp_path: Path) -> None:
    folder = os.fsencode(source / "log_data")
    event = json.loads(logs(source)[-1].read_bytes().splitlines()[0])
    for number, name in enumerate((b"/2018-11-09-\xff.json", b"/2018-11-09-\\xff.json")):
        with open(folder + name, "w") as file:
            json.dump({**event, "page": "NextSong", "ts": 1541721600000 + number}, file)
    run_input({"input": str(source)}, lake)
    before = len(plays(lake))
    os.unlink(folder + b"/2018-11-09-\xff.json")
    run_input({"input": str(source)}, lake)
    run_input({"input": str(source)}, tmp_path / "fresh")
    assert plays(lake) == plays(tmp_path / "fresh") and len(plays(lake)) == before - 1
