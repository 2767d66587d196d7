"""Hosts and file systems that refuse calls: no locks, no syncs of folders, few threads, odd clocks.

Each call that durability or locking needs fails with each error that file systems answer. An error that says
"not supported" is passed over; any other error ends the run before a table is changed.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sparkify_lake
from support.crash_harness import ForkServer, build_fault_library, print_counts, scratch_folder
from support.generate_inputs import write_input
from support.generate_records import play, song
from support.lake_checker import check
from support.lake_files import data_files, table_files
from support.system_calls import can_refuse_system_calls

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]
needs_filter = pytest.mark.skipif(
    not can_refuse_system_calls(), reason="this machine allows no filter of system calls"
)

UNSUPPORTED = [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS]
FAILED = [errno.EIO, errno.ENOSPC, errno.EDQUOT]
NO_LOCKS = [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL]


class Host(NamedTuple):
    fork_server: ForkServer
    source: Path
    lake: Path
    tables: dict[str, bytes]

    def run(self, **task: Any) -> dict[str, Any]:
        """Runs the job into a new lake."""
        shutil.rmtree(self.lake, ignore_errors=True)
        return self.fork_server.run(self.source, self.lake, **task)

    def assert_complete(self, ended: dict[str, Any]) -> None:
        assert ended["code"] == 0, ended
        assert table_files(self.lake) == self.tables
        assert check(self.lake, settled=True, report=ended["report"]) == []


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    faults = build_fault_library(tmp_path_factory.mktemp("faults"))
    with scratch_folder() as folder, ForkServer(faults) as fork_server:
        source = write_input(folder / "in", [song(n) for n in range(8)], [play(n) for n in range(24)], 1)
        ended = fork_server.run(source, folder / "expected")
        assert ended["code"] == 0, ended
        yield Host(fork_server, source, folder / "lake", table_files(folder / "expected"))


def named(error: int) -> str:
    return errno.errorcode[error]


@pytest.mark.parametrize("error", UNSUPPORTED, ids=named)
@pytest.mark.parametrize("call", ["fsync folder", "fsync file", "fsync"])
def test_a_file_system_that_cannot_sync(host: Host, call: str, error: int) -> None:
    """CIFS, vboxsf and DrvFs cannot sync folders."""
    ended = host.run(mode="refuse", like=call, errno=error)
    assert ended["count"] > 3, "the call was made"
    host.assert_complete(ended)


@pytest.mark.parametrize("error", FAILED, ids=named)
@pytest.mark.parametrize("call", ["fsync folder", "fsync file"])
def test_a_sync_that_fails_is_an_error(host: Host, call: str, error: int) -> None:
    ended = host.run(mode="refuse", like=call, errno=error)
    assert ended["code"] == 74, ended
    assert not table_files(host.lake)


@needs_filter
@pytest.mark.parametrize("error", [*UNSUPPORTED, errno.EPERM, errno.EIO], ids=named)
def test_without_syncfs_the_files_are_synced(tmp_path: Path, error: int) -> None:
    """With more files than are synced one by one. An error of syncfs may be that of another file."""
    with ForkServer(build_fault_library(tmp_path)) as fork_server, scratch_folder() as folder:
        source, lake = folder / "in", folder / "lake"
        sparkify_lake.sample(source, songs=300, events=50, days=2, users=3, quiet=True)
        usual = fork_server.run(source, lake, mode="count", like="fsync file")
        shutil.rmtree(lake)
        ended = fork_server.run(
            source, lake, refused_call="syncfs", errno=error, mode="count", like="fsync file"
        )
        assert ended["code"] == 0, ended
        assert len(data_files(lake)) > 150
        assert usual["count"] < 10, "syncfs syncs the files"
        assert ended["count"] > usual["count"] + 150, "each file is synced"
        assert check(lake, settled=True, report=ended["report"]) == []


@needs_filter
@pytest.mark.parametrize("error", NO_LOCKS, ids=named)
def test_a_file_system_without_locks(host: Host, error: int) -> None:
    """NFS without a lock manager, and FUSE: the run works, with a warning."""
    ended = host.run(refused_call="flock", errno=error)
    host.assert_complete(ended)
    warnings = [warning for warning in ended["report"]["warnings"] if "does not support locks" in warning]
    assert len(warnings) == 1 and "overlapping runs" in warnings[0], ended["report"]["warnings"]
    assert os.strerror(error) in warnings[0]
    assert not sparkify_lake.check(host.lake).is_guarded
    # With locks again, the next version has no warning.
    (next(host.source.rglob("*.json"))).touch()
    ended = host.fork_server.run(host.source, host.lake, options={"rebuild": True})
    assert ended["report"]["warnings"] == []


@needs_filter
@pytest.mark.parametrize("error", [errno.EIO, errno.EBADF], ids=named)
def test_a_lock_that_fails_is_an_error(host: Host, error: int) -> None:
    ended = host.run(refused_call="flock", errno=error)
    assert ended["code"] == 73, ended


def test_a_limit_of_threads_is_an_error_with_a_hint(host: Host) -> None:
    """The process can start only n more threads, for every n: the run needs fewer, or ends with an error."""
    codes: Counter[str] = Counter()
    for threads in range(0, 120, 4):
        ended = host.run(threads=threads, options={"threads": 4})
        assert ended["code"] in {0, 74}, ended
        codes[f"exit {ended['code']}"] += 1
        if ended["code"] == 74:
            assert "thread" in ended["error"], ended
            assert not table_files(host.lake)
        else:
            host.assert_complete(ended)
    print_counts("runs with few threads", codes)
    assert len(codes) == 2, "some runs have enough threads, and some have not"


@pytest.mark.parametrize("at", [-86_400, 0, 1, 2**31, 2**32 + 1, 10**10], ids=str)
def test_any_clock(host: Host, at: int) -> None:
    """Before 1970, and after 2038, 2106 and 2286."""
    ended = host.run(clock=at)
    host.assert_complete(ended)
    year = time.gmtime(at).tm_year
    assert ended["report"]["started_at"].startswith(f"{year}-"), ended["report"]["started_at"]
