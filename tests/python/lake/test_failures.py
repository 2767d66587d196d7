"""What goes wrong outside: locations, disks, permissions, foreign files, bad input.

Each failure is one sentence and a hint, has its own exit code, shows no traceback, and leaves the tables
that were there untouched, byte for byte.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.generate_inputs import write_input, write_large
from support.generate_records import play, song
from support.lake_files import FOLDERS, Report, Snapshot, Tables, data_files
from support.processes import Finished

pytestmark = pytest.mark.usefixtures("alone")
Program = Callable[..., Finished]


def assert_refused(finished: Finished, *codes: int, says: str = "") -> None:
    lines = finished.stderr.strip().splitlines()
    assert finished.returncode in codes, finished.stderr
    assert "Traceback" not in finished.stderr
    assert not finished.stdout
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, finished.stderr
    assert any(line.startswith("hint: ") and len(line) > 12 for line in lines), finished.stderr
    assert len(errors[0]) < 400
    assert says.lower() in finished.stderr.lower()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_input(tmp_path / "in", [song(n) for n in range(30)], [play(n) for n in range(60)], 3)


@pytest.fixture
def lake(tmp_path: Path, source: Path, run: Callable[..., Report]) -> Path:
    """A lake that is already there."""
    run(source, tmp_path / "lake")
    return tmp_path / "lake"


# --- locations --------------------------------------------------------------------------------------------


def test_nothing_configured(tmp_path: Path, program: Program) -> None:
    finished = program(cwd=tmp_path)
    assert_refused(finished, 78, says="--sample")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("nowhere", 66),
        ("empty", 66),
        ("other endings", 66),
        ("only logs", 66),
        ("in/song_data", 66),
    ],
)
def test_no_input(
    tmp_path: Path, lake: Path, program: Program, snapshot: Callable[[Path], Snapshot], given: str, code: int
) -> None:
    (tmp_path / "empty" / "song_data").mkdir(parents=True)
    (tmp_path / "empty" / "log_data").mkdir()
    for folder in ("song_data", "log_data"):
        (tmp_path / "other endings" / folder).mkdir(parents=True)
        (tmp_path / "other endings" / folder / "data.txt").write_text("{}")
    (tmp_path / "only logs" / "log_data").mkdir(parents=True)
    (tmp_path / "only logs" / "log_data" / "a.json").write_bytes(play(1).raw)
    if not (tmp_path / "in" / "song_data").exists():
        (tmp_path / "in" / "song-data").rename(tmp_path / "in" / "song_data")
    before = snapshot(lake)
    assert_refused(program(tmp_path / given, lake, cwd=tmp_path), code)
    assert snapshot(lake) == before, "no input never empties a table"


@pytest.mark.parametrize(
    "output", ["in", "in/", "in/lake", "in/../in/lake", ".", "link", "link/lake", "in/song_data"]
)
def test_output_and_input_must_not_overlap(
    tmp_path: Path, source: Path, program: Program, output: str
) -> None:
    (tmp_path / "link").symlink_to(source)
    before = sorted(path for path in tmp_path.rglob("*"))
    assert_refused(program(source, output, cwd=tmp_path), 78)
    assert sorted(path for path in tmp_path.rglob("*")) == before, "nothing was made"


def test_input_through_a_symlink_into_the_output(tmp_path: Path, source: Path, program: Program) -> None:
    shutil.copytree(source, tmp_path / "lake" / "raw")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "lake" / "raw")
    assert_refused(program("elsewhere", "lake", cwd=tmp_path), 78)


@pytest.mark.parametrize(
    "output", ["arn:aws:s3:::bucket", "", "gs://bucket/lake", "s3://key:secret@bucket/lake"]
)
def test_outputs_that_cannot_be(tmp_path: Path, source: Path, program: Program, output: str) -> None:
    assert_refused(program(f"--input={source}", f"--output={output}", cwd=tmp_path), 78)


@pytest.mark.parametrize("taken", ["lake", "lake/songs_table", "lake/_etl"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, source: Path, program: Program, taken: str) -> None:
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("precious")
    assert_refused(program(source, "lake", cwd=tmp_path), 73, 76)
    assert (tmp_path / taken).read_text() == "precious"


def test_special_files_are_never_opened(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    logs = next(source.glob("log?data"))
    os.mkfifo(logs / "pipe.json")
    (logs / "dangling.json").symlink_to(tmp_path / "nowhere")
    (logs / "loop").symlink_to(source)
    (logs / "folder.json").mkdir()
    report = run(source, tmp_path / "lake")
    assert report["plays"]["rows"] == 60
    assert sum("not read" in warning for warning in report["warnings"]) >= 2, report["warnings"]


# --- permission and space ---------------------------------------------------------------------------------


def without_privileges() -> tuple[str, ...]:
    """A command prefix under which permission bits bind, even for root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("runs as root and setpriv is missing: permission bits would not bind")
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("runs as root and may not drop capabilities: permission bits would not bind")
    return prefix


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_input_that_may_not_be_read(
    tmp_path: Path,
    lake: Path,
    source: Path,
    program: Program,
    snapshot: Callable[[Path], Snapshot],
    closed: str,
) -> None:
    file = next(
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and "log" in str(path.relative_to(source))
    )
    path = file if closed == "file" else next(source.glob("song?data"))
    before = snapshot(lake)
    path.chmod(0)
    try:
        # Rebuilt, because rights are no part of what makes a known file another one.
        finished = program(source, lake, "--rebuild", cwd=tmp_path, under=without_privileges())
    finally:
        path.chmod(0o755)
    assert_refused(finished, 77, says=str(path))
    assert snapshot(lake) == before


def test_output_that_may_not_be_written(tmp_path: Path, source: Path, program: Program) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o555)
    finished = program(source, "closed/lake", cwd=tmp_path, under=without_privileges())
    assert_refused(finished, 73, 77)
    assert not list((tmp_path / "closed").iterdir())


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own of that size."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if (
        shutil.which("mount") is None
        or subprocess.run(command, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("may not mount a small file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("size", ["16k", "256k", "2m"])
def test_full_disk(
    tmp_path: Path, source: Path, program: Program, snapshot: Callable[[Path], Snapshot], size: str
) -> None:
    large = write_large(tmp_path / "large", songs=1_000, events=60_000)
    with small_disk(tmp_path / "disk", size) as disk:
        assert_refused(program(large, disk / "lake", cwd=tmp_path), 74)
        assert not snapshot(disk / "lake"), "nothing is visible"


def test_full_disk_keeps_the_old_tables(
    tmp_path: Path, source: Path, program: Program, snapshot: Callable[[Path], Snapshot]
) -> None:
    large = write_large(tmp_path / "large", songs=1_000, events=60_000)
    with small_disk(tmp_path / "disk", "3m") as disk:
        finished = program(source, disk / "lake", cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
        before = snapshot(disk / "lake")
        assert_refused(program(large, disk / "lake", cwd=tmp_path), 74)
        assert snapshot(disk / "lake") == before
        finished = program(source, disk / "lake", cwd=tmp_path)
        assert finished.returncode == 0, f"the failed run left its spool behind: {finished.stderr}"
        assert snapshot(disk / "lake") == before


def test_read_only_disk(
    tmp_path: Path, source: Path, program: Program, snapshot: Callable[[Path], Snapshot]
) -> None:
    with small_disk(tmp_path / "disk", "3m") as disk:
        assert program(source, disk / "lake", cwd=tmp_path).returncode == 0
        before = snapshot(disk / "lake")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        large = write_large(tmp_path / "large", songs=100, events=5_000)
        assert_refused(program(large, disk / "lake", cwd=tmp_path), 73, 77)
        assert_refused(program(large, disk / "new", cwd=tmp_path), 73, 77)
        assert snapshot(disk / "lake") == before


# --- foreign files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "songs_table/part-00000-spark.snappy.parquet",
        "time_table/year=1999/month=1/x.parquet",
        "user_table/.a.crc",
    ],
)
def test_foreign_files_are_not_touched(
    tmp_path: Path, source: Path, program: Program, snapshot: Callable[[Path], Snapshot], name: str
) -> None:
    foreign = tmp_path / "lake" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("someone else's")
    assert_refused(program(source, "lake", cwd=tmp_path), 76, says="adopt")
    assert list(snapshot(tmp_path / "lake")) == [name]
    assert foreign.read_text() == "someone else's"


def test_foreign_file_beside_our_own(
    tmp_path: Path, source: Path, lake: Path, program: Program, snapshot: Callable[[Path], Snapshot]
) -> None:
    shutil.copy(data_files(lake / "artists_table")[0], lake / "artists_table" / "artists.parquet")
    before = snapshot(lake)
    assert_refused(program(source, lake, cwd=tmp_path), 76, says="artists.parquet")
    assert snapshot(lake) == before


def test_a_name_like_ours_that_no_version_knows_is_foreign(
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
    assert after.keys() == before.keys(), "what was adopted is removed"
    assert all(after[path] == before[path] for path in data), "and the rest untouched"
    assert [table["removed"] for table in report["tables"]] == [0, 1, 0, 0, 0]


def test_adopting_what_spark_wrote(
    tmp_path: Path, source: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    run(source, tmp_path / "fresh")
    for name in (
        "songs_table/year=1/artist_id=X/part-0.parquet",
        "artists_table/part-0.parquet",
        "artists_table/.part-0.crc",
        "time_table/year=2018",  # a file where our folder is due
        "user_table/part-00000.snappy.parquet/x",  # a folder where our file is due
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
    run(source, tmp_path / "lake")  # and from now on the lake is ours


# --- bad input --------------------------------------------------------------------------------------------

LINES = b'{"page":"Home"}\n' * 1_000
BAD_FILES = {
    "not_json:parquet": b"PAR1" + bytes(100) + b"PAR1",
    "not_json:zip": b"PK\x03\x04" + bytes(100),
    "not_json:elf": b"\x7fELF" + bytes(100),
    "not_json:html": b"<!DOCTYPE html><html></html>",
    "encoding_utf16": LINES.decode().encode("utf-16"),
    "unsupported_compression:xz": b"\xfd7zXZ\x00" + bytes(100),
    "gzip_truncated": gzip.compress(LINES)[:-20],
    "gzip_crc": gzip.compress(LINES)[:-8] + bytes(8),
    "gzip_trailing_bytes": gzip.compress(LINES) + b"garbage",
    "nested_compression": gzip.compress(gzip.compress(LINES)),
}


@pytest.mark.parametrize("reason", list(BAD_FILES))
def test_bad_files(
    tmp_path: Path,
    source: Path,
    lake: Path,
    program: Program,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    reason: str,
) -> None:
    bad = next(source.glob("log?data")) / "bad.json"
    bad.write_bytes(BAD_FILES[reason])
    before = snapshot(lake)
    assert_refused(program(source, lake, cwd=tmp_path), 65, says="bad.json")
    assert snapshot(lake) == before
    report = run(source, lake, on_bad_file="quarantine")
    assert snapshot(lake) == before, "all or nothing of a file, and the rest is as it was"
    assert report["records"]["logs"]["read"] == 60
    assert [(Path(one["file"]).name, one["reason"]) for one in report["bad_files"]] == [("bad.json", reason)]
    assert any("left out" in warning for warning in report["warnings"])


def logs_of(tmp_path: Path, good: int, bad: int) -> Path:
    """One song and ``good + bad`` events, the bad ones first."""
    source = tmp_path / f"in-{good}-{bad}"
    for folder in ("song_data", "log_data"):
        (source / folder).mkdir(parents=True)
    (source / "song_data" / "a.json").write_bytes(song(1).raw)
    lines = [b"nonsense"] * bad + [play(n).raw for n in range(good)]
    (source / "log_data" / "a.json").write_bytes(b"\n".join(lines) + b"\n")
    return source


@pytest.mark.parametrize(
    ("good", "bad", "max_bad", "fits"),
    [
        (50, 100, None, True),
        (50, 101, None, False),
        (50, 0, "0", True),
        (50, 1, "0", False),
        (50, 7, "7", True),
        (50, 8, "7", False),
        (90, 10, "50%", True),
        (90, 10, "5%", False),
        (0, 3, "1000", False),
    ],
)
def test_thresholds(
    tmp_path: Path,
    lake: Path,
    program: Program,
    snapshot: Callable[[Path], Snapshot],
    good: int,
    bad: int,
    max_bad: str | None,
    fits: bool,
) -> None:
    before = snapshot(lake)
    arguments = ["--json", "--quiet", *([f"--max-bad={max_bad}"] if max_bad is not None else [])]
    finished = program(logs_of(tmp_path, good, bad), lake, "--allow-shrink", *arguments, cwd=tmp_path)
    if not fits:
        assert_refused(finished, 65)
        assert snapshot(lake) == before
        return
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout)["records"]["logs"]
    assert told == {"read": good + bad, "loaded": good, "filtered": 0, "quarantined": bad}


def test_rejects_are_found_where_the_report_says(tmp_path: Path, run: Callable[..., Report]) -> None:
    source = logs_of(tmp_path, 3, 0)
    file = source / "log_data" / "a.json"
    lines = file.read_bytes().splitlines()
    lines[1:1] = [
        b"nonsense",
        b'{"page":"NextSong","ts":1541106106796}',
        b'{"page":"NextSong","userId":"8","ts":9.5}',
    ]
    file.write_bytes(b"\r\n".join(lines))
    report = run(source, tmp_path / "lake")
    assert report["records"]["logs"]["loaded"] == 3
    assert [(one["line"], one["reason"].partition(":")[0]) for one in report["rejects"]] == [
        (2, "syntax"),
        (3, "missing_required"),
        (4, "non_integral"),
    ]
    data = file.read_bytes()
    for one in report["rejects"]:
        assert Path(one["file"]).name == "a.json"
        assert data[one["offset"] :].startswith(lines[one["line"] - 1])


@pytest.mark.parametrize(
    "cut", [b'{"page":"NextSong","ts":15411', b'{"page":"NextSong","artist":"Stephen Ly', b'{"page":']
)
@pytest.mark.parametrize("place", ["in the middle", "at the end"])
def test_a_record_cut_off_takes_no_other_with_it(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]], cut: bytes, place: str
) -> None:
    source = logs_of(tmp_path, 4, 0)
    file = source / "log_data" / "a.json"
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:2], cut, *lines[2:]] if place == "in the middle" else [*lines, cut]))
    tables, report = build(source)
    assert report["records"]["logs"] == {"read": 5, "loaded": 4, "filtered": 0, "quarantined": 1}
    assert len(tables["songplays"]) == 4
    if place == "at the end":
        assert list(report["reasons"]["logs"]) == ["truncated_tail"]
