"""The number of requests of a run, counted by the proxy."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.settings.resolve import resolve
from sparkify_lake.watch import watch_with
from support.lake_files import WITH_HISTORY
from support.s3_jobs import Data, differences, options, sample
from support.s3_proxy import Proxy
from support.s3_servers import Bucket

needs_iceberg = pytest.mark.skipif(find_spec("pyiceberg") is None, reason="needs the package pyiceberg")
RecordProperty = Callable[[str, object], None]
FIXED_REQUESTS = 25  # requests that do not depend on the amount of data: preflight, region, commit log


def run_through(
    bucket: Bucket, proxy: Proxy, source: str, target: str, **options_of_run: Any
) -> dict[str, Any]:
    """Runs through the proxy, whose counters then have only the requests of this run."""
    proxy.clear()
    given = {**options(proxy), **bucket.server.keys.arguments, **options_of_run}
    done: dict[str, Any] = sparkify_lake.run(source, target, quiet=True, **given).to_dict()
    return done


def objects_written(done: dict[str, Any]) -> int:
    """The number of table objects that a run wrote."""
    return sum(table["written"] for table in done["tables"])


def check_counts(bucket: Bucket, proxy: Proxy, data: Data, record: RecordProperty) -> None:
    """A first and a second run on the input below `in`."""
    source, target = bucket.url("in"), bucket.url("lake")
    done = run_through(bucket, proxy, source, target)
    counts = proxy.count()
    assert differences(bucket.contents("lake"), data.lake) == []
    inputs, made = data.files, objects_written(done)
    record("summary", f"first run over {inputs} objects, {made} written: {counts}")
    pages = -(-inputs // 1000)

    gets = proxy.keys("GET")
    read = {key: times for key, times in gets.items() if key.startswith("in/")}
    assert len(read) == inputs
    assert set(read.values()) == {1}, "no object is read twice"
    control = {key: times for key, times in gets.items() if key not in read}
    record("summary", f"control files read: {control}")
    # While publishing, a run looks for a newer version.
    looks = sum(request.is_look for request in proxy.requests)
    assert sum(control.values()) <= 10
    # A look of 250 ms is renewed.
    assert looks <= 2 + 4 * done["seconds"]
    assert counts["LIST"] - looks <= pages + FIXED_REQUESTS + (40 if inputs > 1000 else 0)
    twice = {key: times for key, times in proxy.keys("PUT").items() if times > 1}
    assert not {key for key in twice if "/_etl/" not in key}, "no object of a table is written twice"
    puts = counts["PUT"] + counts.get("POST", 0)
    state = len(bucket.names("lake/_etl/state"))
    assert state == 2 + 2 * next(table["partitions"] for table in done["tables"] if table["name"] == "time")
    # The probe of conditions writes to a few objects.
    assert made + state <= puts <= made + state + 32, sorted(
        key for key in proxy.keys("PUT") if "/_etl/" in key
    )
    assert counts.get("HEAD", 0) <= 2
    assert counts.get("other", 0) == 0
    report = done["requests"]
    assert (report["list"], report["get"]) == (counts["LIST"], counts["GET"]), (
        "the report has the same numbers"
    )
    assert (report["put"], report["delete"]) == (puts, counts.get("DELETE", 0))
    assert report["retries"] == 0

    before = bucket.tags("lake/")
    again = run_through(bucket, proxy, source, target)
    counts = proxy.count()
    record("summary", f"second run: {counts}")
    after = bucket.tags("lake/")
    assert {key: tag for key, tag in after.items() if "/_etl/" not in key} == {
        key: tag for key, tag in before.items() if "/_etl/" not in key
    }
    assert objects_written(again) == 0
    assert counts.get("PUT", 0) + counts.get("POST", 0) <= 3, list(proxy.keys("PUT"))
    assert counts["GET"] <= 3
    assert [
        request for request in proxy.requests if request.kind == "PUT" and "/_etl/" not in request.key
    ] == []


@pytest.mark.timeout(300)
def test_requests_for_1500_songs(
    weed_bucket: Bucket,
    proxy: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: RecordProperty,
) -> None:
    data = sample(tmp_path_factory.mktemp("songs"), songs=1_500, events=3_000, days=60)
    weed_bucket.upload(data.input, "in")
    check_counts(weed_bucket, proxy, data, record_property)


@pytest.mark.timeout(60)
def test_requests_for_a_small_input(weed_bucket: Bucket, proxy: Proxy, data: Data) -> None:
    weed_bucket.upload(data.input, "in")
    check_counts(weed_bucket, proxy, data, lambda *_: None)


@pytest.mark.timeout(60)
def test_a_change_in_one_month_writes_only_that_month(weed_bucket: Bucket, proxy: Proxy, data: Data) -> None:
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
    assert written, "a removed play changes a file"
    assert all("songs_table" not in key for key in written), "songs are not rewritten"
    plays = {key.split("/month=")[1].split("/")[0] for key in written if "songplays_table" in key}
    assert len(plays) <= 1, "other months are not rewritten"
    assert objects_written(done) == len(written)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.skipif("not config.getoption('--large')", reason="takes minutes: pytest --large")
def test_requests_for_15000_songs(
    weed_bucket: Bucket,
    proxy: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: RecordProperty,
) -> None:
    data = sample(tmp_path_factory.mktemp("songs"), songs=15_000, events=100_000, days=60)
    weed_bucket.upload(data.input, "in")
    check_counts(weed_bucket, proxy, data, record_property)


def planned_requests(bucket: Bucket, proxy: Proxy, **options_of_run: Any) -> dict[str, int]:
    """The requests of the next run by `plan`, which itself only reads."""
    proxy.clear()
    given = {**options(proxy), **bucket.server.keys.arguments}
    plan = sparkify_lake.plan(bucket.url("in"), bucket.url("lake"), quiet=True, **given, **options_of_run)
    assert set(proxy.count()) <= {"LIST", "GET"}, "a plan only reads"
    assert plan.requests is not None
    requests = plan.requests
    return {kind: requests[kind] for kind in ("list", "get", "put", "delete")}


def counted_requests(proxy: Proxy) -> dict[str, int]:
    counts = proxy.count()
    assert counts.get("POST", 0) == 0 and counts.get("HEAD", 0) == 0 and counts.get("other", 0) == 0
    # The looks for a newer version depend on the duration of publishing, so the plan cannot count them.
    looks = sum(one.is_look for one in proxy.requests)
    assert looks <= 4
    counts["LIST"] -= looks
    return {kind: counts.get(kind.upper(), 0) for kind in ("list", "get", "put", "delete")}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "formats",
    [
        {},
        {"formats": "delta"},
        {"formats": "delta", "retain": 1},
        pytest.param({"formats": "iceberg"}, marks=needs_iceberg),
        pytest.param({"formats": "delta,iceberg", "retain": 1}, marks=needs_iceberg),
        {"tables": WITH_HISTORY},
    ],
    ids=["plain", "delta", "retained", "iceberg", "both retained", "history"],
)
def test_incremental_runs_need_the_requests_of_the_plan(
    weed_bucket: Bucket,
    proxy: Proxy,
    tmp_path: Path,
    record_property: RecordProperty,
    formats: dict[str, Any],
) -> None:
    """One more day, a song without plays, and no change: the counts are equal for each kind of request."""
    bucket, source = weed_bucket, tmp_path / "input"
    sparkify_lake.sample(source, songs=30, events=1200, days=70, users=12, quiet=True)
    files = sorted((source / "log_data").rglob("*.json"))
    held_back = files[-12]
    name, lines = held_back.relative_to(source), held_back.read_text()
    event = {**json.loads(lines.splitlines()[0]), "page": "NextSong", "userId": "a new user", "song": "new"}
    held_back.unlink()
    bucket.upload(source, "in")
    run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"), **formats)

    day = {f"in/{name}": (lines + json.dumps(event) + "\n").encode()}
    song = {"song_id": "SOLONELY", "artist_id": "ARLONELY", "title": "x", "artist_name": "y", "duration": 1.5}
    later = {name: value for name, value in formats.items() if name == "tables"}
    unplayed = {"in/song_data/lonely.json": json.dumps({**song, "year": 1999}).encode()}
    for what, added in (("a day", day), ("a song", unplayed), ("nothing", {})):
        for key, body in added.items():
            bucket.put(key, body)
        planned = planned_requests(bucket, proxy, **later)
        done = run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"), **later)
        record_property("summary", f"{what}: {planned}")
        assert counted_requests(proxy) == planned, what
        assert (objects_written(done) > 0) == bool(added)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "formats",
    [
        {},
        {"formats": "delta"},
        pytest.param({"formats": "iceberg"}, marks=needs_iceberg),
        {"tables": WITH_HISTORY},
    ],
    ids=["plain", "delta", "iceberg", "history"],
)
def test_a_first_run_and_a_rebuild_need_the_requests_of_the_plan(
    weed_bucket: Bucket,
    proxy: Proxy,
    tmp_path: Path,
    record_property: RecordProperty,
    formats: dict[str, Any],
) -> None:
    """PUT is an upper bound, because the plan does not know which songs share a partition."""
    bucket, source = weed_bucket, tmp_path / "input"
    sparkify_lake.sample(source, songs=30, events=1200, days=70, users=12, quiet=True)
    bucket.upload(source, "in")

    def requests(what: str, **options_of_run: Any) -> tuple[dict[str, int], dict[str, int]]:
        planned = planned_requests(bucket, proxy, **options_of_run)
        run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"), **options_of_run)
        counted = counted_requests(proxy)
        record_property("summary", f"{what}: {planned}, {counted}")
        assert counted["put"] <= planned["put"]
        return planned, counted

    planned, counted = requests("first run", **formats)
    assert {**planned, "put": 0} == {**counted, "put": 0}
    planned, counted = requests("rebuild", **{**formats, "formats": None}, rebuild=True)
    assert planned["get"] == counted["get"], "the files of the state are compared"
    assert all(counted[kind] <= planned[kind] <= counted[kind] + 10 for kind in ("list", "delete"))


def test_a_run_that_loses_its_version_starts_again(weed_bucket: Bucket, tmp_path: Path) -> None:
    """Two concurrent backfills: one loses its version to the other, starts again, and succeeds.

    If it ends first, the other one reports that its version is not the newest one anymore.
    """
    bucket, source = weed_bucket, tmp_path / "input"
    sparkify_lake.sample(source, songs=30, events=1200, days=60, users=12, quiet=True)
    bucket.upload(source, "in")
    given = {**options(bucket.server), **bucket.server.keys.arguments, "quiet": True}

    def backfill(since: str, until: str, lake: str) -> int:
        try:
            return sparkify_lake.run(
                bucket.url("in"), bucket.url(lake), since=since, until=until, **given
            ).version
        except sparkify_lake.RetryableError as error:
            assert "version 2 is there now" in str(error)
            return 1

    for turn in range(3):
        lake = f"lake{turn}"
        windows = (("2018-11-01", "2018-12-01"), ("2018-12-01", "2019-01-01"))
        with ThreadPoolExecutor(2) as pool:
            versions = list(pool.map(backfill, *zip(*windows, strict=True), [lake] * 2))
        assert sorted(versions) == [1, 2]
        last = sparkify_lake.run(bucket.url("in"), bucket.url(lake), **given)
        assert last.state == "unchanged" and last.input["logs"].files == 60


@pytest.mark.timeout(60)
def test_the_requests_of_a_watch(weed_bucket: Bucket, proxy: Proxy, data: Data) -> None:
    """A look lists the input and the commit log, and reads three small objects."""
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    looks: list[dict[str, int]] = []

    def pause(_: float) -> None:
        looks.append(dict(proxy.count()))
        proxy.clear()
        if len(looks) == 3:
            raise KeyboardInterrupt

    where = {**options(proxy), **bucket.server.keys.arguments, "quiet": True}
    watch_with(
        resolve("run", {"input": bucket.url("in"), "output": bucket.url("lake"), **where}), 60.0, str, pause
    )
    assert looks[0]["PUT"] > 0, "the first look finds new input"
    assert looks[1] == looks[2] == {"LIST": 5, "GET": 3}, "as docs/arrival.md says"


@pytest.mark.timeout(60)
def test_the_requests_of_a_history(weed_bucket: Bucket, proxy: Proxy, data: Data) -> None:
    """A history reads the format, and the record and the marker of each version; the newest marker twice."""
    bucket, where = weed_bucket, {**options(proxy), **weed_bucket.server.keys.arguments}
    bucket.upload(data.input, "in")
    report = run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"))
    proxy.clear()
    found = sparkify_lake.history(bucket.url("lake"), **where)
    assert proxy.count() == {"LIST": 1, "GET": 2 + 2 * len(found.versions)}
    (version,) = found.versions
    assert version.is_published and version.seconds is not None
    assert {name: size.rows for name, size in version.tables.items()} == {
        table["name"]: table["rows"] for table in report["tables"]
    }


@pytest.mark.timeout(60)
def test_a_check_reads_the_newest_record_once(weed_bucket: Bucket, proxy: Proxy, data: Data) -> None:
    """So the checks of the files and of the table formats are about the same version."""
    bucket, where = weed_bucket, {**options(proxy), **weed_bucket.server.keys.arguments}
    bucket.upload(data.input, "in")
    run_through(bucket, proxy, bucket.url("in"), bucket.url("lake"))
    proxy.clear()
    assert sparkify_lake.check(bucket.url("lake"), **where).exit_code == 0
    reads = {key: times for key, times in proxy.keys("GET").items() if key.startswith("lake/_etl/log/")}
    assert list(reads.values()) == [1]
