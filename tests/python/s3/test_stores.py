"""The whole job on S3 servers of other makes: `make stores` installs them and runs these tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

import sparkify_lake
from support import s3_stores
from support.crash_harness import ForkServer, Versions, print_counts, scratch_folder
from support.lake_checker import contents
from support.paused_runs import MOMENTS, PausedRuns, with_growing_input
from support.rounds import Rounds
from support.s3_jobs import Data, differences, home, new_bucket, options
from support.s3_proxy import Proxy
from support.s3_servers import Bucket, Server

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif("not config.getoption('--stores')", reason="needs servers: make stores"),
]
WRONG = '"00000000000000000000000000000000"'
WITHDRAWN = {
    "conditional create": "ignores conditional writes",
    "conditional replace": "ignores conditional writes",
    "concurrent writes": "not check conditions atomically",
    "conditional delete": "ignores conditional",
}
"""The warning of a run for each check of `doctor` that is a warning."""


@pytest.fixture(scope="module", params=list(s3_stores.SERVERS))
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file, start = s3_stores.SERVERS[request.param]
    if not (s3_stores.STORES / file).exists():
        pytest.skip(f"{file} is not installed: make stores")
    with start(tmp_path_factory.mktemp(request.param)) as server:
        yield server


def given(bucket: Bucket) -> dict[str, Any]:
    return {**options(bucket.server), **bucket.server.keys.arguments, "quiet": True}


def doctor(bucket: Bucket) -> dict[str, str]:
    """The outcome of every check of `doctor`."""
    found = sparkify_lake.doctor(bucket.url("lake"), **options(bucket.server), **bucket.server.keys.arguments)
    for check in found.checks:
        print(f"  {check.name}: {check.outcome}: {check.detail}")
    return {check.name: check.outcome for check in found.checks}


def is_refused(call: Callable[[], object]) -> bool:
    """Whether the store rejects a request because of its condition."""
    try:
        call()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status in (409, 412)
    return False


def test_doctor_says_what_the_store_does(store: Server) -> None:
    """Every verdict on conditions equals what boto3 observes."""
    bucket = new_bucket(store)
    said = doctor(bucket)
    client, at = store.client(), {"Bucket": bucket.name, "Key": "observed/key"}
    bucket.put("observed/key", b"first")
    observed = {
        "conditional create": is_refused(lambda: client.put_object(**at, Body=b"second", IfNoneMatch="*")),
        "conditional replace": is_refused(lambda: client.put_object(**at, Body=b"third", IfMatch=WRONG)),
        "conditional delete": is_refused(lambda: client.delete_object(**at, IfMatch=WRONG)),
    }
    assert {name: said[name] == "ok" for name in observed} == observed
    assert said["tags"] == "ok"
    assert said["get"] == "ok"


def test_the_lake_equals_the_local_one(store: Server, data: Data) -> None:
    bucket = new_bucket(store)
    said = doctor(bucket)
    bucket.upload(data.input, "in")
    report = sparkify_lake.run(bucket.url("in"), bucket.url("lake"), **given(bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    for name, words in WITHDRAWN.items():
        # A race can be won by chance, so one of the two probes may not see it.
        if said[name] == "warning" and name != "concurrent writes":
            assert any(words in warning for warning in report.warnings), (name, report.warnings)
    checked = sparkify_lake.check(bucket.url("lake"), **options(store), **store.keys.arguments)
    assert (checked.exit_code, checked.is_guarded) == (0, not report.warnings)
    again = sparkify_lake.run(bucket.url("in"), bucket.url("lake"), **given(bucket))
    assert (again.state, again.warnings) == ("unchanged", report.warnings)


def test_files_that_come_back_in_a_versioned_bucket(store: Server, data: Data, later: Data) -> None:
    """Files are removed and created again, which leaves markers of deletions in a bucket with versioning."""
    bucket = new_bucket(store)
    client = store.client()
    try:
        client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    except ClientError as error:
        pytest.skip(f"{store.name} has no versioning: {error}")
    said = doctor(bucket)["create again"]
    for turn, one in enumerate((data, later, data, later)):
        sparkify_lake.run(one.input, bucket.url("lake"), allow_shrink=True, **given(bucket))
        assert differences(bucket.contents("lake"), one.lake) == [], turn
    bucket.delete(*bucket.names("lake/"))
    try:
        sparkify_lake.run(data.input, bucket.url("lake"), **given(bucket))
    except sparkify_lake.ProtocolError as error:
        # The store takes the marker of a deletion for an object, so a lake cannot be created here again.
        assert said == "warning"
        assert "refused to create" in str(error)
        assert re.search("another output|deletion markers", error.hint or "")
    else:
        assert differences(bucket.contents("lake"), data.lake) == []
    sparkify_lake.run(data.input, bucket.url("lake-2"), **given(bucket))


def test_overlapping_and_paused_runs(store: Server, rounds: Rounds) -> None:
    """As on SeaweedFS, if the store honors conditions; if not, the warning withdraws this."""
    with scratch_folder() as folder, ExitStack() as stack:
        bucket = new_bucket(store)
        said = doctor(bucket)
        withdrawn = [name for name in WITHDRAWN if said[name] != "ok"]
        proxy = stack.enter_context(Proxy(store.address))
        env = {**home(folder), **store.keys.environment}
        paused, other = (stack.enter_context(ForkServer(env=env)) for _ in range(2))
        versions = with_growing_input(Versions.make(folder, other, 3, songs=6, plays=16), folder, other)
        runs = PausedRuns(folder, bucket, proxy, paused, other, versions)
        if {"conditional create", "conditional replace"} & set(withdrawn):
            print(f"{store.name}: overlapping and paused runs are not kept apart, because of {withdrawn}")
            return
        random, at = Random(rounds.seed), 0
        for number in range(rounds(8, 60)):
            at += random.randint(2, 9)
            if not runs.round(random, at, MOMENTS[number % len(MOMENTS)], f"round {number} at {at}"):
                at = 0
        print_counts(f"paused runs on {store.name}", runs.ends)
        if withdrawn:
            print(f"overlapping runs: withdrawn, because of {withdrawn}")
            return
        for number in range(rounds(3, 20)):
            name = f"overlapping-{number}"
            paused.start(versions.sources[0], bucket.url(name), options=options(store))
            other.start(versions.sources[1], bucket.url(name), options=options(store))
            ended = [paused.end(), other.end()]
            assert {one["code"] for one in ended} <= {0, 75}, ended
            assert contents(runs.seen(name)) == runs.newest(name)[1], ended
