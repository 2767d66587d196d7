"""A run that is paused at a request or at any time while other runs publish newer versions.

The newest version is in place at the end, or the next run puts it there; a run never reports that it has
published a version that is not the newest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import pytest

import sparkify_lake
from support.crash_harness import ForkServer, Versions, print_counts, scratch_folder
from support.lake_checker import check, contents
from support.paused_runs import MOMENTS, PausedRuns, with_growing_input
from support.rounds import Rounds
from support.s3_jobs import home, new_bucket, options
from support.s3_proxy import Proxy
from support.s3_servers import Server

pytestmark = pytest.mark.timeout(3_600)


@pytest.fixture(
    scope="module",
    params=[("seaweedfs", "parquet"), ("seaweedfs", "delta"), ("memory_server", "parquet")],
    ids="-".join,
)
def paused_runs(request: pytest.FixtureRequest) -> Iterator[PausedRuns]:
    """Paused runs on a server, also with Delta logs, which a paused run may write too."""
    server_name, formats = request.param
    server: Server = request.getfixturevalue(server_name)
    with scratch_folder() as folder, ExitStack() as stack:
        bucket = new_bucket(server)
        proxy = stack.enter_context(Proxy(server.address))
        env = {**home(folder), **server.keys.environment, "SPARKIFY_FORMATS": formats}
        paused, other = (stack.enter_context(ForkServer(env=env)) for _ in range(2))
        versions = with_growing_input(Versions.make(folder, other, 3, songs=6, plays=16), folder, other)
        yield PausedRuns(folder, bucket, proxy, paused, other, versions)


def test_a_paused_run_harms_no_newer_version(paused_runs: PausedRuns, rounds: Rounds) -> None:
    """Every request of a run in turn, in each of the ways to stop there, and random times."""
    random = Random(rounds.seed)
    print(f"seed {rounds.seed}")
    at = made = 0
    while made < rounds(10, 150):
        at += 1 if rounds.is_long else random.randint(2, 9)
        moment = MOMENTS[made % len(MOMENTS)] if rounds.is_long else random.choice(MOMENTS)
        made += 1
        where = f"seed {rounds.seed}, round {made}, stopped {moment} request {at}"
        if not paused_runs.round(random, at, moment, where):
            at = 0
    print_counts("paused runs", paused_runs.ends)
    assert paused_runs.ends["exit 75"] >= 1, "no pause was long enough"


@pytest.mark.parametrize("key", ["_etl/log/", "_table/", "_etl/done/"])
def test_a_run_that_is_stopped_after_its_commit(paused_runs: PausedRuns, key: str) -> None:
    """The version before it is published again meanwhile: it changes nothing, and names the newer version."""
    ended = paused_runs.reverted("call after", key)
    assert ended["code"] == 75, ended
    assert "version 3 is there now" in ended["error"]
    name = f"paused-{paused_runs.lakes}"
    seen = paused_runs.seen(name)
    assert contents(seen) == paused_runs.versions.held[0]
    assert check(seen, settled=True, bucket=True) == []


def test_a_request_in_flight_is_repaired_by_the_next_run(paused_runs: PausedRuns) -> None:
    """No client can cancel a request that the network has: the file is recognized, and replaced."""
    ended = paused_runs.reverted("call held", "songplays_table/")
    assert ended["code"] == 75, ended
    assert "version 3 is there now" in ended["error"]
    bucket, name = paused_runs.bucket, f"paused-{paused_runs.lakes}"
    assert contents(paused_runs.seen(name)) != paused_runs.versions.held[0], "the request has arrived"
    given = {**options(bucket.server), **bucket.server.keys.arguments}
    for call in (sparkify_lake.check, sparkify_lake.recover):
        checked = call(bucket.url(name), **given)
        assert checked.exit_code == 76
        assert {problem.what for problem in checked.problems} == {"outdated"}
        assert checked.repair and checked.repair.startswith("run again"), checked.repair
    assert paused_runs.run(0, name, paused_runs.other)["code"] == 0
    assert contents(paused_runs.seen(name)) == paused_runs.versions.held[0]
    assert sparkify_lake.check(bucket.url(name), **given).exit_code == 0
