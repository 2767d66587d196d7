"""Missing permissions, full disks and read-only disks.

Each failure prints one sentence and a hint, has its own exit code, shows no traceback, and leaves the
existing tables unchanged, byte for byte.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.generate_inputs import write_large
from support.lake_files import Snapshot
from support.processes import Finished, assert_refused

pytestmark = pytest.mark.usefixtures("isolated_module")
Program = Callable[..., Finished]


def without_privileges() -> tuple[str, ...]:
    """A command prefix that makes permission bits apply even to root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("runs as root and setpriv is missing: permission bits would not apply")
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("runs as root and may not drop capabilities: permission bits would not apply")
    return prefix


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_an_input_without_read_permission_is_refused(
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
        # With --rebuild, because a change of permissions does not count as a change of the file.
        finished = program(source, lake, "--rebuild", cwd=tmp_path, under=without_privileges())
    finally:
        path.chmod(0o755)
    assert_refused(finished, 77, says=str(path))
    assert snapshot(lake) == before


def test_an_output_without_write_permission_is_refused(
    tmp_path: Path, source: Path, program: Program
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o555)
    finished = program(source, "closed/lake", cwd=tmp_path, under=without_privileges())
    assert_refused(finished, 73, 77)
    assert not list((tmp_path / "closed").iterdir())


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A separate file system of that size."""
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
def test_a_full_disk_leaves_no_visible_table(
    tmp_path: Path, source: Path, program: Program, snapshot: Callable[[Path], Snapshot], size: str
) -> None:
    large = write_large(tmp_path / "large", songs=1_000, events=60_000)
    with small_disk(tmp_path / "disk", size) as disk:
        assert_refused(program(large, disk / "lake", cwd=tmp_path), 74)
        assert not snapshot(disk / "lake"), "no table is visible"


def test_a_full_disk_keeps_the_old_tables(
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
        assert finished.returncode == 0, f"the failed run left temporary files: {finished.stderr}"
        assert snapshot(disk / "lake") == before


def test_a_read_only_disk_is_refused(
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
