"""Runs on S3 that are killed at any request, or that overlap: the lake is old or new, and a rerun repairs it.

The proxy sees every request of a run. It kills the process of the run right before the n-th change, or right
after the server has made the change. Then the lake checker checks the contents of the bucket.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.crash_harness import KILLED, ForkServer, Versions, print_counts, scratch_folder
from support.lake_checker import check, contents
from support.rounds import Rounds
from support.s3_faults import Fault, Kind
from support.s3_jobs import home, new_bucket, options
from support.s3_proxy import Proxy
from support.s3_servers import Bucket, Server

pytestmark = pytest.mark.timeout(900)


class Killed(ConnectionError):
    """Closes the connection of a killed client before the request reaches the server."""


class CrashTest:
    """Versions of an input, a bucket, and processes that write to it."""

    def __init__(
        self,
        folder: Path,
        bucket: Bucket,
        proxy: Proxy,
        fork_servers: tuple[ForkServer, ForkServer],
        versions: Versions,
        env: dict[str, str],
    ) -> None:
        self.folder, self.bucket, self.proxy, self.versions, self.env = folder, bucket, proxy, versions, env
        self.fork_server, self.other = fork_servers
        self.lakes = 0
        self.name = ""

    def begin(self, old: int | None) -> None:
        """Starts a new lake with an old version, or without any."""
        self.proxy.clear()
        self.lakes += 1
        self.name = f"lake-{self.lakes}"
        if old is not None:
            assert self.run(old)["code"] == 0

    def run(self, new: int, fork_server: ForkServer | None = None, **given: Any) -> dict[str, Any]:
        self.start(new, fork_server, **given)
        return (fork_server or self.fork_server).end()

    def start(
        self,
        new: int,
        fork_server: ForkServer | None = None,
        signals: Sequence[tuple[float, int]] = (),
        **given: Any,
    ) -> None:
        source, output = self.versions.sources[new], self.bucket.url(self.name)
        task = {"signals": signals} if signals else {}
        given = {**options(self.proxy), "store_patience": "60s", **given}
        (fork_server or self.fork_server).start(source, output, options=given, **task)

    def download(self) -> Path:
        """A copy of the current lake in the bucket."""
        folder = self.folder / f"seen-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return self.bucket.download(self.name, folder)

    def assert_sound(self, where: str) -> None:
        assert check(self.download(), versions=self.versions.held, bucket=True) == [], where

    def assert_next_run_publishes(self, new: int, where: str) -> None:
        ended = self.run(new)
        assert ended["code"] == 0, f"{where}: {ended}"
        seen = self.download()
        held = self.versions.held
        assert check(seen, versions=held, settled=True, bucket=True, report=ended["report"]) == [], where
        assert contents(seen) == held[new], where


@contextmanager
def crash_test(server: Server, **settings: str) -> Iterator[CrashTest]:
    """Makes a crash test on a server; its processes have these variables of the environment."""
    with scratch_folder() as folder, ExitStack() as stack:
        bucket = new_bucket(server)
        proxy = stack.enter_context(Proxy(server.address))
        env = {**home(folder), **server.keys.environment, **settings}
        fork_servers = (stack.enter_context(ForkServer(env=env)), stack.enter_context(ForkServer(env=env)))
        versions = Versions.make(folder, fork_servers[0], 3, songs=6, plays=16)
        (folder / "seen").mkdir()
        yield CrashTest(folder / "seen", bucket, proxy, fork_servers, versions, env)


@pytest.fixture(scope="module")
def crash(seaweedfs: Server) -> Iterator[CrashTest]:
    with crash_test(seaweedfs) as made:
        yield made


@pytest.mark.parametrize("moment", ["call", "call after"], ids=["before", "after"])
@pytest.mark.parametrize("old", [0, None], ids=["old version", "first version"])
def test_a_run_killed_at_every_change(crash: CrashTest, rounds: Rounds, moment: str, old: int | None) -> None:
    hits: Counter[str] = Counter()
    random = Random(rounds.seed)
    kinds: tuple[Kind, ...] = ("PUT", "DELETE")
    for kind in kinds:
        at = 0
        while True:
            at += 1 if rounds.is_long else random.randint(4, 9)
            crash.begin(old)

            def kill() -> None:
                crash.fork_server.kill()
                if moment == "call":
                    raise Killed

            crash.proxy.clear()
            injection = crash.proxy.inject(
                "call" if moment == "call" else "call after", kind, first=at, call=kill
            )
            ended = crash.run(1)
            if not injection.hits:
                assert ended["code"] == 0, ended
                break
            where = f"seed {rounds.seed}, killed {moment} {kind} {at}"
            assert ended["code"] == KILLED, f"{where}: {ended}"
            crash.proxy.clear()
            hits[kind] += 1
            crash.assert_sound(where)
            crash.assert_next_run_publishes(1 if at % 2 else 2, where)
    print_counts(f"killed {'before' if moment == 'call' else 'after'} a change", hits)
    assert hits["PUT"] >= 2


@pytest.mark.parametrize(
    ("fault", "for_good", "codes"),
    [
        ("error 500", True, {75}),
        ("reset after", True, {75}),
        # After the commit, another run is enough once the permissions are fixed (75).
        ("access denied", True, {75, 77}),
        ("access denied", False, {0, 75, 77}),
    ],
)
def test_a_run_with_every_request_failing(
    crash: CrashTest, rounds: Rounds, fault: Fault, for_good: bool, codes: set[int]
) -> None:
    """Every request from the n-th one on fails, for every n, or only the n-th one with a permanent error."""
    hits: Counter[str] = Counter()
    random = Random(rounds.seed)
    at = 0
    while True:
        at += 1 if rounds.is_long else random.randint(2, 5)
        crash.begin(0 if at % 4 else None)
        crash.proxy.clear()
        injection = crash.proxy.inject(fault, first=at, count=10**9 if for_good else 1)
        ended = crash.run(1, store_patience="250ms")
        if not injection.hits:
            assert ended["code"] == 0, ended
            break
        where = f"seed {rounds.seed}, {fault} at request {at}: {ended}"
        assert ended["code"] in codes, where
        hits[f"exit {ended['code']}"] += 1
        crash.proxy.clear()
        crash.assert_sound(where)
        crash.assert_next_run_publishes(1 if at % 2 else 2, where)
    print_counts(f"{fault} {'from' if for_good else 'at'} a request{' on' if for_good else ''}", hits)
    assert hits.total() >= 4


def test_a_run_paused_during_many_versions_starts_again(crash: CrashTest) -> None:
    """A run that is paused before its commit finds its version free again, because old records are removed.

    It must notice that newer versions exist, and start again from the newest one.
    """
    held = crash.versions.held
    crash.begin(0)
    paused = crash.proxy.inject("hang", "PUT", key="_etl/log/")
    crash.start(1)
    deadline = time.monotonic() + 30
    while not paused.hits:
        assert time.monotonic() < deadline, f"the run never reached its commit: {crash.fork_server.end()}"
        time.sleep(0.01)
    # A running process would repeat the request after its timeout, before the others have made all versions.
    os.kill(crash.fork_server.child, signal.SIGSTOP)
    for number in range(1, 19):
        # No run reverts its predecessor, so no run has to wait.
        ended = crash.run(number % 3, crash.other, tables="users")
        assert ended["code"] == 0, ended
    os.kill(crash.fork_server.child, signal.SIGCONT)
    crash.proxy.release()
    ended = crash.fork_server.end()
    assert ended["code"] == 0, ended
    assert ended["report"]["version"] == 20, "1 version before, 18 during the pause, and its own"
    seen = crash.download()
    assert contents(seen) == held[1]
    assert check(seen, settled=True, bucket=True, report=ended["report"]) == []


def stops(random: Random, seconds: float) -> list[tuple[float, int]]:
    """Random times to pause a run and to resume it."""
    at = random.random() * seconds
    return (
        [(at, signal.SIGSTOP), (at + random.random() * seconds, signal.SIGCONT)]
        if random.random() < 0.7
        else []
    )


def test_overlapping_runs_equal_sequential_runs(crash: CrashTest, rounds: Rounds) -> None:
    random = Random(rounds.seed)
    print(f"seed {rounds.seed}")
    ends: Counter[str] = Counter()
    held = crash.versions.held
    crash.begin(0)
    with ExitStack() as stack:
        fork_servers = [stack.enter_context(ForkServer(env=crash.env)) for _ in range(3)]
        seconds = crash.run(1)["seconds"]
        for number in range(rounds(6, 60)):
            runs = random.sample(range(3), random.randint(2, 3))
            for run in runs:
                crash.start(run, fork_servers[run], signals=stops(random, seconds))
            ended = {run: fork_servers[run].end() for run in runs}
            where = f"seed {rounds.seed}, round {number}: {ended}"
            codes = {run: end["code"] for run, end in ended.items()}
            assert set(codes.values()) <= {0, 75}, where
            assert 0 in codes.values(), where
            ends.update(f"exit {code}" for code in codes.values())
            seen = crash.download()
            assert contents(seen) in [held[run] for run in runs], where
            assert check(seen, versions=held, settled=True, bucket=True) == [], where
    print_counts("overlapping runs", ends)
