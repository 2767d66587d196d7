"""Every fault at every kind of request: the tables are right, or the run fails and the next one succeeds.

A case is a fault, a kind of request, and the request of that kind that is hit: the first, a middle one, or
the last. The run writes to the lake of an earlier run on another input, so that all kinds of requests occur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import sparkify_lake
from support.s3_faults import FAULTS, Fault, Kind
from support.s3_jobs import Data, differences, digests, new_bucket, options, sample, tables_of
from support.s3_proxy import Proxy
from support.s3_servers import Bucket, Server

# Enough for a retry or two, but not for a request that hangs in the proxy.
PATIENCE = "2s"
KINDS: tuple[Kind, ...] = ("LIST", "GET", "PUT", "DELETE")
# The exit code when the store fails for longer than requests are retried.
CLEAN = (75,)
# The exit codes when a complete answer has wrong bytes: control files may then look foreign.
WRONG_BYTES: dict[Fault, tuple[int, ...]] = {"cut page": (75, 76), "error in 200": (75, 76)}


@dataclass
class FaultTest:
    """A lake of an older input in a bucket, which can be restored."""

    bucket: Bucket
    proxy: Proxy
    old: dict[str, bytes]
    counts: dict[str, int] = field(default_factory=dict)

    def run(self, source: str, at: Server | Proxy, patience: str = PATIENCE) -> dict[str, Any]:
        given = {**options(at), **self.bucket.server.keys.arguments, "store_patience": patience}
        done: dict[str, Any] = sparkify_lake.run(
            source, self.bucket.url("lake"), quiet=True, **given
        ).to_dict()
        return done

    def reset(self) -> None:
        """Restores the old lake, object by object."""
        now, then = self.now(), digests(self.old)
        self.bucket.delete(*(f"lake/{key}" for key in now.keys() - self.old.keys()))
        for key, body in self.old.items():
            if now.get(key) != then[key]:
                self.bucket.put(f"lake/{key}", body)

    def now(self) -> dict[str, str]:
        """The digests of the current lake."""
        return self.bucket.digests("lake")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A smaller input than in other tests, because there are many runs."""
    return sample(tmp_path_factory.mktemp("small"), songs=10, events=250, days=35)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Another input, with other songs and plays."""
    return sample(tmp_path_factory.mktemp("later"), songs=12, events=250, days=35, seed=2)


@pytest.fixture(scope="module")
def target(seaweedfs: Server, data: Data, later: Data) -> Iterator[FaultTest]:
    """The older lake, and the number of requests of each kind in a run without faults."""
    bucket = new_bucket(seaweedfs)
    bucket.upload(later.input, "in")
    with Proxy(seaweedfs.address) as proxy:
        made = FaultTest(bucket, proxy, {})
        made.run(str(data.input), seaweedfs)
        made.old = bucket.contents("lake")
        proxy.clear()
        made.run(bucket.url("in"), proxy)
        made.counts = proxy.count()
        assert differences(made.now(), digests(later.lake)) == []
        assert all(made.counts[kind] >= 1 for kind in KINDS), (
            f"not every kind of request occurs: {made.counts}"
        )
        yield made


def assert_old_or_new(target: FaultTest, new: Data, where: str) -> None:
    """Every object of the tables equals the old or the new one."""
    old_digests, new_digests = digests(target.old), digests(new.lake)
    for key, digest in tables_of(target.now()).items():
        assert digest in (old_digests.get(key), new_digests.get(key)), (
            f"{where}: {key} is neither old nor new"
        )


def run_with_fault(target: FaultTest, later: Data, fault: Fault, kind: Kind, number: int) -> str:
    """Runs with one fault; returns the outcome."""
    where = f"{fault} at {kind} {number} of {target.counts[kind]}"
    target.reset()
    target.proxy.clear()
    injection = target.proxy.inject(fault, kind, first=number)
    source = target.bucket.url("in")
    try:
        done = target.run(source, target.proxy, "40s" if fault == "hang" else PATIENCE)
    except sparkify_lake.SparkifyLakeError as error:
        assert injection.hits, f"{where}: failed without a fault: {error}"
        assert error.exit_code in WRONG_BYTES.get(fault, CLEAN), (
            f"{where}: exit code {error.exit_code}: {error}"
        )
        outcome = "refused"
        assert_old_or_new(target, later, where)
        target.proxy.clear()
        done = target.run(source, target.proxy)
    else:
        outcome = "right" if injection.hits else "not reached"
    assert done["state"] == "published", where
    assert differences(target.now(), digests(later.lake)) == [], where
    return outcome


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_every_kind_of_request(
    target: FaultTest, later: Data, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    outcomes: dict[str, int] = {}
    # The engine waits 20 s for a silent server, so there are fewer cases of it.
    for kind in KINDS if fault != "hang" else ("GET", "PUT"):
        last = target.counts[kind]
        for number in sorted({1, (last + 1) // 2, last} if fault != "hang" else {(last + 1) // 2}):
            outcome = run_with_fault(target, later, fault, kind, number)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    record_property("summary", f"{sum(outcomes.values())} cases: {outcomes}")
    assert outcomes.get("not reached", 0) <= 4, (
        "too many faults were not reached: the number of requests varies too much"
    )
    assert outcomes.get("right", 0) >= 1, "no run succeeded in spite of the fault"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_keeps_failing_ends_the_run(target: FaultTest, later: Data, kind: Kind) -> None:
    """From the middle on, no request of that kind succeeds: exit code 75, and the next run succeeds."""
    target.reset()
    target.proxy.clear()
    target.proxy.inject("slow down", kind, first=(target.counts[kind] + 1) // 2, count=10**9)
    with pytest.raises(sparkify_lake.SparkifyLakeError) as caught:
        target.run(target.bucket.url("in"), target.proxy)
    assert caught.value.exit_code == 75
    assert "SlowDown" in str(caught.value)
    assert_old_or_new(target, later, f"every {kind} fails")
    target.proxy.clear()
    target.run(target.bucket.url("in"), target.proxy)
    assert differences(target.now(), digests(later.lake)) == []


@pytest.mark.timeout(120)
def test_scattered_faults_are_retried(target: FaultTest, later: Data) -> None:
    """Scattered faults of all kinds cost only time."""
    target.reset()
    target.proxy.clear()
    kinds: tuple[Fault, ...] = ("error 500", "slow down", "reset before", "cut body", "request timeout")
    for offset, fault in enumerate(kinds):
        for number in range(1, 400, 25):
            target.proxy.inject(fault, first=number + 5 * offset)
    done = target.run(target.bucket.url("in"), target.proxy)
    hits = sum(one.hits for one in target.proxy.injections)
    assert hits >= 10
    assert done["requests"]["retries"] >= hits - 2, "the report counts the retries"
    assert differences(target.now(), digests(later.lake)) == []


@pytest.mark.timeout(60)
def test_an_input_that_changes_during_the_run_ends_it(target: FaultTest, later: Data, data: Data) -> None:
    bucket, proxy = target.bucket, target.proxy
    changed_key = sorted(bucket.names("in/song_data"))[3]
    whole = bucket.get(changed_key)
    target.reset()
    for what in ("changed", "deleted"):
        proxy.clear()

        def change_input(what: str = what) -> None:
            if what == "changed":
                bucket.put(changed_key, whole + b"\n")
            else:
                bucket.delete(changed_key)

        injection = proxy.inject("call", "GET", key="^in/", call=change_input)
        proxy.inject("call", "GET", key=changed_key)
        with pytest.raises(sparkify_lake.RetryableError) as caught:
            target.run(bucket.url("in"), proxy)
        assert injection.hits == 1
        assert changed_key in str(caught.value)
        bucket.put(changed_key, whole)
        assert differences(target.now(), digests(tables_of(target.old))) == [], "no change is visible"
    proxy.clear()
    target.run(bucket.url("in"), proxy)
    assert differences(target.now(), digests(later.lake)) == []
