"""What a run asks of the store, counted on the line: nothing twice, nothing per object but what must be."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from support.s3_jobs import Data, differences, options, sample
from support.s3_proxy import Proxy
from support.s3_servers import Bucket

Tell = Callable[[str, object], None]
SOME = 25  # requests that do not grow with the data: preflight, region, heads of the log


def run_through(bucket: Bucket, proxy: Proxy, source: str, target: str) -> dict[str, Any]:
    """Runs through the proxy; its counters hold that run's requests alone."""
    proxy.clear()
    given = {**options(proxy), **bucket.server.keys.arguments}
    done: dict[str, Any] = sparkify_lake.run(source, target, quiet=True, **given).to_dict()
    return done


def changed(done: dict[str, Any]) -> int:
    """Objects of tables that a run wrote."""
    return sum(table["written"] for table in done["tables"])


def check_counts(bucket: Bucket, proxy: Proxy, data: Data, tell: Tell) -> None:
    """A first run and a second, of the input below `in`."""
    source, target = bucket.url("in"), bucket.url("lake")
    done = run_through(bucket, proxy, source, target)
    counts = proxy.count()
    assert differences(bucket.contents("lake"), data.lake) == []
    inputs, made = data.files, changed(done)
    tell("told", f"first run over {inputs} objects, {made} written: {counts}")
    pages = -(-inputs // 1000)

    gets = proxy.keys("GET")
    read = {key: times for key, times in gets.items() if key.startswith("in/")}
    assert len(read) == inputs
    assert set(read.values()) == {1}, "no object is read twice"
    control = {key: times for key, times in gets.items() if key not in read}
    tell("told", f"control files read: {control}")
    # A publisher looks every half second whether somebody overtook it.
    looks = sum(times for key, times in control.items() if key.endswith("_etl/log/00000000000000000002.json"))
    assert sum(control.values()) - looks <= 10
    assert looks <= 2 + 2 * done["seconds"]
    assert counts["LIST"] <= pages + SOME + (40 if inputs > 1000 else 0)
    twice = {key: times for key, times in proxy.keys("PUT").items() if times > 1}
    assert not {key for key in twice if "/_etl/" not in key}, "no object of a table is written twice"
    puts = counts["PUT"] + counts.get("POST", 0)
    state = len(bucket.names("lake/_etl/state"))
    assert state == 2 + 2 * next(table["partitions"] for table in done["tables"] if table["name"] == "time")
    assert made + state <= puts <= made + state + 10, sorted(
        key for key in proxy.keys("PUT") if "/_etl/" in key
    )
    assert counts.get("HEAD", 0) <= 2
    assert counts.get("other", 0) == 0
    report = done["requests"]
    assert (report["list"], report["get"]) == (counts["LIST"], counts["GET"]), "the report tells the same"
    assert (report["put"], report["delete"]) == (puts, counts.get("DELETE", 0))
    assert report["retries"] == 0

    before = bucket.tags("lake/")
    again = run_through(bucket, proxy, source, target)
    counts = proxy.count()
    tell("told", f"second run: {counts}")
    after = bucket.tags("lake/")
    assert {key: tag for key, tag in after.items() if "/_etl/" not in key} == {
        key: tag for key, tag in before.items() if "/_etl/" not in key
    }
    assert changed(again) == 0
    assert counts.get("PUT", 0) + counts.get("POST", 0) <= 3, list(proxy.keys("PUT"))
    assert counts["GET"] <= 3
    assert [
        request for request in proxy.requests if request.kind == "PUT" and "/_etl/" not in request.key
    ] == []


@pytest.mark.timeout(300)
def test_fifteen_hundred_songs(
    weed_bucket: Bucket,
    proxy: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Tell,
) -> None:
    data = sample(tmp_path_factory.mktemp("songs"), songs=1_500, events=3_000, days=60)
    weed_bucket.upload(data.input, "in")
    check_counts(weed_bucket, proxy, data, record_property)


@pytest.mark.timeout(60)
def test_a_small_input_takes_few_requests(weed_bucket: Bucket, proxy: Proxy, data: Data) -> None:
    weed_bucket.upload(data.input, "in")
    check_counts(weed_bucket, proxy, data, lambda *_: None)


@pytest.mark.timeout(60)
def test_a_change_of_one_month_writes_what_changed(weed_bucket: Bucket, proxy: Proxy, data: Data) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"))
    before = bucket.tags("lake/")
    months = sorted(
        {key.split("/month=")[1].split("/")[0] for key in before if "songplays_table/year" in key}
    )
    assert len(months) >= 2
    logs = sorted(key for key in bucket.names("in/log_data"))
    lines = bucket.get(logs[-1]).splitlines(keepends=True)
    last_play = max(number for number, line in enumerate(lines) if b'"NextSong"' in line)
    bucket.put(logs[-1], b"".join(lines[:last_play] + lines[last_play + 1 :]))
    done = run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"))
    written = {key for key in proxy.keys("PUT") if "/_etl/" not in key and not key.endswith("_SUCCESS")}
    assert written, "a play less changes a file"
    assert all("songs_table" not in key for key in written), "songs did not change"
    plays = {key.split("/month=")[1].split("/")[0] for key in written if "songplays_table" in key}
    assert len(plays) <= 1, "the other months did not change"
    assert changed(done) == len(written)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.skipif("not config.getoption('--large')", reason="needs minutes: pytest --large")
def test_fifteen_thousand_songs(
    weed_bucket: Bucket,
    proxy: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Tell,
) -> None:
    data = sample(tmp_path_factory.mktemp("songs"), songs=15_000, events=100_000, days=60)
    weed_bucket.upload(data.input, "in")
    check_counts(weed_bucket, proxy, data, record_property)


def foretold(bucket: Bucket, proxy: Proxy) -> dict[str, int]:
    """What `plan` says that a run will ask, and that it asks nothing more than it must itself."""
    proxy.clear()
    given = {**options(proxy), **bucket.server.keys.arguments}
    plan = sparkify_lake.plan(bucket.url("in"), bucket.url("lake"), quiet=True, **given)
    assert set(proxy.count()) <= {"LIST", "GET"}, "a plan writes nothing"
    assert plan.requests is not None
    told = plan.requests
    return {"list": told["list"], "get": told["get"], "put": told["put"], "delete": told["delete"]}


def asked(proxy: Proxy) -> dict[str, int]:
    counts = proxy.count()
    assert counts.get("POST", 0) == 0 and counts.get("HEAD", 0) == 0 and counts.get("other", 0) == 0
    # How long it publishes, and so how often it looks whether somebody overtook it, nobody knows beforehand.
    looks = [
        one for one in proxy.requests if one.kind == "GET" and "/_etl/log/" in one.key and one.status == 404
    ]
    assert len(looks) <= 2
    counts["GET"] -= len(looks)
    return {kind: counts.get(kind.upper(), 0) for kind in ("list", "get", "put", "delete")}


@pytest.mark.timeout(120)
def test_incremental_runs_ask_what_plan_said(
    weed_bucket: Bucket, proxy: Proxy, tmp_path: Path, record_property: Tell
) -> None:
    """A day more, a song that nobody played, nothing: the counts are equal, kind by kind."""
    bucket, source = weed_bucket, tmp_path / "input"
    sparkify_lake.sample(source, songs=30, events=1200, days=70, users=12, quiet=True)
    files = sorted((source / "log_data").rglob("*.json"))
    held = files[-12]
    name, lines = held.relative_to(source), held.read_text()
    event = {**json.loads(lines.splitlines()[0]), "page": "NextSong", "userId": "somebody", "song": "new"}
    held.unlink()
    bucket.upload(source, "in")
    run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"))

    day = {f"in/{name}": (lines + json.dumps(event) + "\n").encode()}
    song = {"song_id": "SOLONELY", "artist_id": "ARLONELY", "title": "x", "artist_name": "y", "duration": 1.5}
    lonely = {"in/song_data/lonely.json": json.dumps({**song, "year": 1999}).encode()}
    for what, arrivals in (("a day", day), ("a song", lonely), ("nothing", {})):
        for key, body in arrivals.items():
            bucket.put(key, body)
        said = foretold(bucket, proxy)
        done = run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"))
        record_property("summary", f"{what}: {said}")
        assert asked(proxy) == said, what
        assert (changed(done) > 0) == bool(arrivals)


def test_a_run_that_is_overtaken_plans_again(weed_bucket: Bucket, tmp_path: Path) -> None:
    """Two backfills at once: one of them loses its version, sees what the other did, and comes to its end."""
    bucket, source = weed_bucket, tmp_path / "input"
    sparkify_lake.sample(source, songs=30, events=1200, days=60, users=12, quiet=True)
    bucket.upload(source, "in")
    given = {**options(bucket.server), **bucket.server.keys.arguments, "quiet": True}

    def backfill(since: str, until: str, lake: str) -> dict[str, Any]:
        done = sparkify_lake.run(bucket.url("in"), bucket.url(lake), since=since, until=until, **given)
        return dict(done.to_dict())

    for turn in range(3):
        lake = f"lake{turn}"
        windows = (("2018-11-01", "2018-12-01"), ("2018-12-01", "2019-01-01"))
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(backfill, *zip(*windows, strict=True), [lake] * 2))
        assert sorted(one["version"] for one in done) == [1, 2]
        last = sparkify_lake.run(bucket.url("in"), bucket.url(lake), **given)
        assert last.state == "unchanged" and last.input["logs"].files == 60
