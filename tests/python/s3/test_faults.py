"""Every fault at every kind of request: the tables come out right, or the run says so and the next one does.

A case is a fault, a kind of request, and which one of that kind is hit: the first, one in the middle, the
last. The run is over a lake that an earlier run made of another input, so that all kinds of requests occur.
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

# Time enough for a retry or two, not for a hang: the proxy's silence is longer than this.
PATIENCE = "2s"
KINDS: tuple[Kind, ...] = ("LIST", "GET", "PUT", "DELETE")
# What a run may end with when the store fails for longer than it is tried again.
CLEAN = (75,)
# The same, where a whole and sound answer has the wrong bytes: a control file then looks foreign.
WRONG_BYTES: dict[Fault, tuple[int, ...]] = {"cut page": (75, 76), "error in 200": (75, 76)}


@dataclass
class Place:
    """A lake of an older input in a bucket, which can be put back."""

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
        """Makes the lake the old one again, object by object."""
        now, then = self.now(), digests(self.old)
        self.bucket.delete(*(f"lake/{key}" for key in now.keys() - self.old.keys()))
        for key, body in self.old.items():
            if now.get(key) != then[key]:
                self.bucket.put(f"lake/{key}", body)

    def now(self) -> dict[str, str]:
        """The digests of what lies in the lake."""
        return self.bucket.digests("lake")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Smaller than elsewhere: there are many runs here."""
    return sample(tmp_path_factory.mktemp("small"), songs=10, events=250, days=35)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Ten other songs, other plays."""
    return sample(tmp_path_factory.mktemp("later"), songs=12, events=250, days=35, seed=2)


@pytest.fixture(scope="module")
def place(seaweedfs: Server, data: Data, later: Data) -> Iterator[Place]:
    """The older lake, and how many requests of each kind a run without faults takes."""
    bucket = new_bucket(seaweedfs)
    bucket.upload(later.input, "in")
    with Proxy(seaweedfs.address) as proxy:
        made = Place(bucket, proxy, {})
        made.run(str(data.input), seaweedfs)
        made.old = bucket.contents("lake")
        proxy.clear()
        made.run(bucket.url("in"), proxy)
        made.counts = proxy.count()
        assert differences(made.now(), digests(later.lake)) == []
        assert all(made.counts[kind] >= 1 for kind in KINDS), f"not every kind occurs: {made.counts}"
        yield made


def assert_old_or_new(place: Place, new: Data, where: str) -> None:
    """Every object of a table is the old or the new one, whole."""
    old_digests, new_digests = digests(place.old), digests(new.lake)
    for key, digest in tables_of(place.now()).items():
        assert digest in (old_digests.get(key), new_digests.get(key)), f"{where}: {key} is neither"


def one_case(place: Place, later: Data, fault: Fault, kind: Kind, number: int) -> str:
    """Runs with one fault; returns what became of it."""
    where = f"{fault} at {kind} {number} of {place.counts[kind]}"
    place.reset()
    place.proxy.clear()
    injection = place.proxy.inject(fault, kind, first=number)
    source = place.bucket.url("in")
    try:
        done = place.run(source, place.proxy, "40s" if fault == "hang" else PATIENCE)
    except sparkify_lake.SparkifyLakeError as error:
        assert injection.hits, f"{where}: failed without a fault: {error}"
        assert error.exit_code in WRONG_BYTES.get(fault, CLEAN), (
            f"{where}: exit code {error.exit_code}: {error}"
        )
        outcome = "refused"
        assert_old_or_new(place, later, where)
        place.proxy.clear()
        done = place.run(source, place.proxy)
    else:
        outcome = "right" if injection.hits else "not reached"
    assert done["state"] == "published", where
    assert differences(place.now(), digests(later.lake)) == [], where
    return outcome


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_every_kind(
    place: Place, later: Data, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    outcomes: dict[str, int] = {}
    # A silent server is believed to be at work for 20 s, so there are fewer cases of it.
    for kind in KINDS if fault != "hang" else ("GET", "PUT"):
        last = place.counts[kind]
        for number in sorted({1, (last + 1) // 2, last} if fault != "hang" else {(last + 1) // 2}):
            outcome = one_case(place, later, fault, kind, number)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    record_property("summary", f"{sum(outcomes.values())} cases: {outcomes}")
    assert outcomes.get("not reached", 0) <= 4, "faults were not met: the counts of requests vary too much"
    assert outcomes.get("right", 0) >= 1, "a single fault of any kind is overcome somewhere"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_keeps_failing(place: Place, later: Data, kind: Kind) -> None:
    """From the middle on nothing of that kind succeeds: exit 75, and the next run is right."""
    place.reset()
    place.proxy.clear()
    place.proxy.inject("slow down", kind, first=(place.counts[kind] + 1) // 2, count=10**9)
    with pytest.raises(sparkify_lake.SparkifyLakeError) as caught:
        place.run(place.bucket.url("in"), place.proxy)
    assert caught.value.exit_code == 75
    assert "SlowDown" in str(caught.value)
    assert_old_or_new(place, later, f"{kind} fails for good")
    place.proxy.clear()
    place.run(place.bucket.url("in"), place.proxy)
    assert differences(place.now(), digests(later.lake)) == []


@pytest.mark.timeout(120)
def test_one_request_in_five_fails(place: Place, later: Data) -> None:
    """Scattered faults of all kinds cost time and nothing else."""
    place.reset()
    place.proxy.clear()
    kinds: tuple[Fault, ...] = ("error 500", "slow down", "reset before", "cut body", "request timeout")
    for offset, fault in enumerate(kinds):
        for number in range(1, 400, 25):
            place.proxy.inject(fault, first=number + 5 * offset)
    done = place.run(place.bucket.url("in"), place.proxy)
    hits = sum(one.hits for one in place.proxy.injections)
    assert hits >= 10
    assert done["requests"]["retries"] >= hits - 2, "the report counts them"
    assert differences(place.now(), digests(later.lake)) == []


@pytest.mark.timeout(60)
def test_an_input_that_changes_while_it_is_read(place: Place, later: Data, data: Data) -> None:
    bucket, proxy = place.bucket, place.proxy
    fork_server = sorted(bucket.names("in/song_data"))[3]
    whole = bucket.get(fork_server)
    place.reset()
    for what in ("changed", "deleted"):
        proxy.clear()

        def meddle(what: str = what) -> None:
            if what == "changed":
                bucket.put(fork_server, whole + b"\n")
            else:
                bucket.delete(fork_server)

        injection = proxy.inject("call", "GET", key="^in/", call=meddle)
        proxy.inject("call", "GET", key=fork_server)
        with pytest.raises(sparkify_lake.RetryableError) as caught:
            place.run(bucket.url("in"), proxy)
        assert injection.hits == 1
        assert fork_server in str(caught.value)
        bucket.put(fork_server, whole)
        assert differences(place.now(), digests(tables_of(place.old))) == [], "nothing became visible"
    proxy.clear()
    place.run(bucket.url("in"), proxy)
    assert differences(place.now(), digests(later.lake)) == []
