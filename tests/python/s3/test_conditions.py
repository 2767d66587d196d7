"""Each way in which a store can honor a condition of a request or not: `doctor`, reports and `check` agree.

The proxy turns the in-memory server, which honors everything, into a store that does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import sparkify_lake
from support import s3_servers
from support.s3_faults import Fault, Kind
from support.s3_jobs import Data, differences, new_bucket, options
from support.s3_proxy import Proxy
from support.s3_servers import Bucket, Server

pytestmark = pytest.mark.timeout(120)

WITHOUT: dict[str, tuple[Kind, str, str]] = {
    "conditional create": ("PUT", "if-none-match", "ignores conditional writes"),
    "conditional replace": ("PUT", "if-match", "ignores conditional writes"),
    "conditional delete": ("DELETE", "if-match", "ignores conditional deletes"),
}
"""The requests with each condition, and the warning of a run on a store that does not honor it."""

ANSWERS: tuple[Fault, ...] = ("ignore condition", "not implemented", "invalid request")


@pytest.fixture(scope="module")
def open_bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A bucket on an in-memory server for unsigned requests, whose headers a proxy can change."""
    with s3_servers.memory(tmp_path_factory.mktemp("open"), open_bucket="open") as server:
        yield Bucket(server=server, name="open")


@pytest.fixture
def between(open_bucket: Bucket) -> Iterator[Proxy]:
    with Proxy(open_bucket.server.address) as proxy:
        yield proxy


def given(proxy: Proxy) -> dict[str, Any]:
    return {**options(proxy), "anonymous": True}


def doctor(bucket: Bucket, proxy: Proxy) -> dict[str, str]:
    """The outcomes of the checks."""
    found = sparkify_lake.doctor(bucket.url("lake"), **given(proxy))
    return {check.name: check.outcome for check in found.checks}


def test_a_store_that_honors_everything(seaweedfs: Server, memory_server: Server) -> None:
    """In every one of many races, one write succeeds."""
    for server in (seaweedfs, memory_server):
        found = sparkify_lake.doctor(
            new_bucket(server).url("lake"), **options(server), **server.keys.arguments
        )
        assert {check.name: check.detail for check in found.checks if check.outcome != "ok"} == {}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("condition", [None, *WITHOUT])
def test_a_store_without_a_condition(
    open_bucket: Bucket, between: Proxy, data: Data, later: Data, condition: str | None, answer: Fault
) -> None:
    bucket, proxy = open_bucket, between
    lake = bucket.url(f"lake-{condition}-{answer}".replace(" ", "-"))
    if condition:
        kind, header, _ = WITHOUT[condition]
        proxy.inject(answer, kind, header=header, count=10**9)
    said = doctor(bucket, proxy)
    assert {name for name in WITHOUT if said[name] != "ok"} == ({condition} if condition else set())
    assert "failed" not in said.values(), said
    expected = [WITHOUT[condition][2]] if condition else []
    for one in (data, later, data):
        report = sparkify_lake.run(one.input, lake, allow_shrink=True, quiet=True, **given(proxy))
        assert differences(bucket.contents(lake.rpartition("/")[2]), one.lake) == []
        assert len(report.warnings) == len(expected), report.warnings
        assert all(words in warning for words, warning in zip(expected, report.warnings, strict=True))
    checked = sparkify_lake.check(lake, **given(proxy))
    assert (checked.exit_code, checked.is_guarded) == (0, condition is None)


@pytest.mark.parametrize("key", ["_etl/FORMAT", "_etl/done/", "songs_table/"])
def test_a_store_that_refuses_to_create_what_does_not_exist(
    open_bucket: Bucket, between: Proxy, data: Data, key: str
) -> None:
    """Such a store takes the marker of a deletion in a versioned bucket for an object."""
    name = f"refused-{key.strip('_/').replace('/', '-').lower()}"
    hits = between.inject("refused", "PUT", key=f"{name}/{key}", header="if-none-match", count=10**9)
    sparkify_lake.run(data.input, open_bucket.url(name), quiet=True, **given(between))
    assert hits.hits
    assert differences(open_bucket.contents(name), data.lake) == []
    checked = sparkify_lake.check(open_bucket.url(name), **given(between))
    assert checked.exit_code == 0


def test_a_lake_that_cannot_be_made_again(open_bucket: Bucket, between: Proxy, data: Data) -> None:
    """The commit record keeps its condition, because it decides between overlapping runs."""
    between.inject("refused", "PUT", key="again/_etl/log/", header="if-none-match", count=10**9)
    with pytest.raises(sparkify_lake.ProtocolError, match="refused to create") as error:
        sparkify_lake.run(data.input, open_bucket.url("again"), quiet=True, **given(between))
    assert "choose another output" in (error.value.hint or "")
    assert differences(open_bucket.contents("again"), {}) == []


def test_a_store_that_lists_no_tags(open_bucket: Bucket, between: Proxy, data: Data) -> None:
    open_bucket.upload(data.input, "untagged")
    between.inject("no tags", "LIST", count=10**9)
    with pytest.raises(sparkify_lake.ProtocolError, match="without an ETag"):
        sparkify_lake.run(open_bucket.url("untagged"), open_bucket.url("out"), quiet=True, **given(between))
    assert doctor(open_bucket, between)["tags"] == "failed"
