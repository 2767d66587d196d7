"""Bad files and too many bad records, with the installed program.

Each failure prints one sentence and a hint, has its own exit code, shows no traceback, and leaves the
existing tables unchanged, byte for byte.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.generate_records import play, song
from support.lake_files import Report, Snapshot, Tables
from support.processes import Finished, assert_refused

pytestmark = pytest.mark.usefixtures("isolated_module")
Program = Callable[..., Finished]


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
def test_a_bad_file_is_refused_or_quarantined(
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
    assert snapshot(lake) == before, "no record of a bad file is loaded, and the tables do not change"
    assert report["records"]["logs"]["read"] == 60
    assert [(Path(one["file"]).name, one["reason"]) for one in report["bad_files"]] == [("bad.json", reason)]
    assert any("was skipped" in warning for warning in report["warnings"])


def logs_of(tmp_path: Path, good: int, bad: int) -> Path:
    """An input with one song and ``good + bad`` events, the bad events first."""
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
def test_max_bad_limits_the_rejected_records(
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
    records = json.loads(finished.stdout)["records"]["logs"]
    assert records == {"read": good + bad, "loaded": good, "filtered": 0, "quarantined": bad}


def test_rejects_are_at_the_reported_lines_and_offsets(tmp_path: Path, run: Callable[..., Report]) -> None:
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
def test_a_truncated_record_does_not_affect_other_records(
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
