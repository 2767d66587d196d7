"""Runs on S3 that are killed at any request, or overlap: old or new, never a mix, and a rerun makes it whole.

The proxy sees every request of a run and ends the run's process right before the n-th change, or right after
it, when the server did it and nobody heard. What lies in the bucket then is judged by the checker of the
tests of trust.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
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
    """Ends the connection of a client that is no more: the server never hears of the request."""


class Place:
    """Two versions of an input, a bucket, and fork_servers that write to it."""

    def __init__(
        self,
        folder: Path,
        bucket: Bucket,
        proxy: Proxy,
        fork_servers: tuple[ForkServer, ForkServer],
        versions: Versions,
    ) -> None:
        self.folder, self.bucket, self.proxy, self.versions = folder, bucket, proxy, versions
        self.fork_server, self.other = fork_servers
        self.lakes = 0
        self.name = ""

    def begin(self, old: int | None) -> None:
        """A new lake that holds an old version, or none."""
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

    def seen(self) -> Path:
        """The lake as it lies in the bucket now."""
        folder = self.folder / f"seen-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return self.bucket.download(self.name, folder)

    def must_be_sound(self, where: str) -> None:
        assert check(self.seen(), versions=self.versions.held, bucket=True) == [], where

    def must_become(self, new: int, where: str) -> None:
        ended = self.run(new)
        assert ended["code"] == 0, f"{where}: {ended}"
        seen = self.seen()
        held = self.versions.held
        assert check(seen, versions=held, settled=True, bucket=True, report=ended["report"]) == [], where
        assert contents(seen) == held[new], where


@pytest.fixture(scope="module")
def place(seaweedfs: Server) -> Iterator[Place]:
    with scratch_folder() as folder, ExitStack() as stack:
        bucket = new_bucket(seaweedfs)
        proxy = stack.enter_context(Proxy(seaweedfs.address))
        env = {**home(folder), **seaweedfs.keys.environment}
        fork_servers = (stack.enter_context(ForkServer(env=env)), stack.enter_context(ForkServer(env=env)))
        versions = Versions.make(folder, fork_servers[0], 3, songs=6, plays=16)
        (folder / "seen").mkdir()
        yield Place(folder / "seen", bucket, proxy, fork_servers, versions)


@pytest.mark.parametrize("moment", ["call", "call after"], ids=["before", "after"])
@pytest.mark.parametrize("old", [0, None], ids=["over an old version", "the first version"])
def test_killed_at_every_change(place: Place, rounds: Rounds, moment: str, old: int | None) -> None:
    hits: Counter[str] = Counter()
    random = Random(rounds.seed)
    kinds: tuple[Kind, ...] = ("PUT", "DELETE")
    for kind in kinds:
        at = 0
        while True:
            at += 1 if rounds.is_long else random.randint(4, 9)
            place.begin(old)

            def kill() -> None:
                place.fork_server.kill()
                if moment == "call":
                    raise Killed

            place.proxy.clear()
            injection = place.proxy.inject(
                "call" if moment == "call" else "call after", kind, first=at, call=kill
            )
            ended = place.run(1)
            if not injection.hits:
                assert ended["code"] == 0, ended
                break
            where = f"seed {rounds.seed}, killed {moment} {kind} {at}"
            assert ended["code"] == KILLED, f"{where}: {ended}"
            place.proxy.clear()
            hits[kind] += 1
            place.must_be_sound(where)
            place.must_become(1 if at % 2 else 2, where)
    print_counts(f"killed {'before' if moment == 'call' else 'after'} a change", hits)
    assert hits["PUT"] >= 2


@pytest.mark.parametrize(
    ("fault", "for_good", "codes"),
    [
        ("error 500", True, {75}),
        ("reset after", True, {75}),
        # Once the version is committed, whoever mends the rights only has to run again.
        ("access denied", True, {75, 77}),
        ("access denied", False, {0, 75, 77}),
    ],
)
def test_every_request_fails(
    place: Place, rounds: Rounds, fault: Fault, for_good: bool, codes: set[int]
) -> None:
    """From the n-th request on, for every n, or the n-th alone with what is not tried again."""
    hits: Counter[str] = Counter()
    random = Random(rounds.seed)
    at = 0
    while True:
        at += 1 if rounds.is_long else random.randint(2, 5)
        place.begin(0 if at % 4 else None)
        place.proxy.clear()
        injection = place.proxy.inject(fault, first=at, count=10**9 if for_good else 1)
        ended = place.run(1, store_patience="250ms")
        if not injection.hits:
            assert ended["code"] == 0, ended
            break
        where = f"seed {rounds.seed}, {fault} at request {at}: {ended}"
        assert ended["code"] in codes, where
        hits[f"exit {ended['code']}"] += 1
        place.proxy.clear()
        place.must_be_sound(where)
        place.must_become(1 if at % 2 else 2, where)
    print_counts(f"{fault} {'from' if for_good else 'at'} a request{' on' if for_good else ''}", hits)
    assert hits.total() >= 4


def test_a_run_that_sleeps_through_many_versions_plans_again(place: Place) -> None:
    """Records of old versions are forgotten: one who wakes before its commit finds the place free again.

    It must see that it is not the next one's. What it then makes follows the newest version.
    """
    held = place.versions.held
    place.begin(0)
    asleep = place.proxy.inject("hang", "PUT", key="_etl/log/")
    place.start(1)
    deadline = time.monotonic() + 30
    while not asleep.hits:
        assert time.monotonic() < deadline, f"the run never came to its commit: {place.fork_server.end()}"
        time.sleep(0.01)
    for number in range(1, 19):
        # None takes back what the one before it did, and so none waits.
        ended = place.run(number % 3, place.other, tables="users")
        assert ended["code"] == 0, ended
    place.proxy.clear()
    ended = place.fork_server.end()
    assert ended["code"] == 0, ended
    assert ended["report"]["version"] == 20, "one, eighteen, and its own"
    seen = place.seen()
    assert contents(seen) == held[1]
    assert check(seen, settled=True, bucket=True, report=ended["report"]) == []


def stops(random: Random, seconds: float) -> list[tuple[float, int]]:
    """When to stop a run and when to wake it."""
    at = random.random() * seconds
    return (
        [(at, signal.SIGSTOP), (at + random.random() * seconds, signal.SIGCONT)]
        if random.random() < 0.7
        else []
    )


def test_overlapping_runs_equal_sequential_runs(place: Place, rounds: Rounds) -> None:
    random = Random(rounds.seed)
    print(f"seed {rounds.seed}")
    ends: Counter[str] = Counter()
    held = place.versions.held
    place.begin(0)
    with ExitStack() as stack:
        env = {**home(place.folder.parent), **place.bucket.server.keys.environment}
        fork_servers = [stack.enter_context(ForkServer(env=env)) for _ in range(3)]
        seconds = place.run(1)["seconds"]
        for number in range(rounds(6, 60)):
            runs = random.sample(range(3), random.randint(2, 3))
            for run in runs:
                place.start(run, fork_servers[run], signals=stops(random, seconds))
            ended = {run: fork_servers[run].end() for run in runs}
            where = f"seed {rounds.seed}, round {number}: {ended}"
            codes = {run: end["code"] for run, end in ended.items()}
            assert set(codes.values()) <= {0, 75}, where
            assert 0 in codes.values(), where
            ends.update(f"exit {code}" for code in codes.values())
            seen = place.seen()
            assert contents(seen) in [held[run] for run in runs], where
            assert check(seen, versions=held, settled=True, bucket=True) == [], where
    print_counts("overlapping runs", ends)
