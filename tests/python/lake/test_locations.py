"""Inputs and outputs that a run refuses: missing, empty, overlapping or of the wrong kind.

Each failure prints one sentence and a hint, has its own exit code, shows no traceback, and leaves the
existing tables unchanged, byte for byte.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.generate_records import play
from support.lake_files import Report, Snapshot
from support.processes import Finished, assert_refused

pytestmark = pytest.mark.usefixtures("isolated_module")
Program = Callable[..., Finished]


def test_no_configuration_is_an_error(tmp_path: Path, program: Program) -> None:
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
def test_a_missing_or_empty_input_is_refused(
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
    assert snapshot(lake) == before, "a missing input never empties a table"


@pytest.mark.parametrize(
    "output", ["in", "in/", "in/lake", "in/../in/lake", ".", "link", "link/lake", "in/song_data"]
)
def test_overlapping_input_and_output_are_refused(
    tmp_path: Path, source: Path, program: Program, output: str
) -> None:
    (tmp_path / "link").symlink_to(source)
    before = sorted(path for path in tmp_path.rglob("*"))
    assert_refused(program(source, output, cwd=tmp_path), 78)
    assert sorted(path for path in tmp_path.rglob("*")) == before, "no file was created"


def test_an_input_symlink_into_the_output_is_refused(tmp_path: Path, source: Path, program: Program) -> None:
    shutil.copytree(source, tmp_path / "lake" / "raw")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "lake" / "raw")
    assert_refused(program("elsewhere", "lake", cwd=tmp_path), 78)


@pytest.mark.parametrize(
    "output", ["arn:aws:s3:::bucket", "", "gs://bucket/lake", "s3://key:secret@bucket/lake"]
)
def test_unsupported_outputs_are_refused(tmp_path: Path, source: Path, program: Program, output: str) -> None:
    assert_refused(program(f"--input={source}", f"--output={output}", cwd=tmp_path), 78)


@pytest.mark.parametrize("taken", ["lake", "lake/songs_table", "lake/_etl"])
def test_a_file_in_place_of_a_folder_is_kept(
    tmp_path: Path, source: Path, program: Program, taken: str
) -> None:
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
