"""Iceberg tables in a bucket: read with PyIceberg and Polars, and repaired after kills at any request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from s3 import test_crashes
from s3.test_crashes import CrashTest, crash_test
from support.growing_input import GrowingInput
from support.lake_files import WITH_HISTORY
from support.rounds import Rounds
from support.s3_faults import Fault
from support.s3_jobs import options
from support.s3_servers import Bucket, Server

pytest.importorskip("pyiceberg", reason="needs the package pyiceberg")

from pyiceberg.table import StaticTable

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:Iceberg scan planning"),
]


@pytest.fixture(scope="module")
def crash(seaweedfs: Server) -> Iterator[CrashTest]:
    """As the fixture of `test_crashes.py`; the tables and users_history are also Delta and Iceberg tables."""
    with crash_test(seaweedfs, SPARKIFY_FORMATS="delta,iceberg", SPARKIFY_TABLES=WITH_HISTORY) as made:
        yield made


def opened(bucket: Bucket, lake: str, table: str) -> StaticTable:
    """A table at the commit that its version hint names."""
    keys = bucket.server.keys.arguments
    properties = {
        "s3.endpoint": bucket.server.url,
        "s3.access-key-id": keys["access_key_id"],
        "s3.secret-access-key": keys["secret_access_key"],
        "s3.region": "us-east-1",
    }
    return StaticTable.from_metadata(bucket.url(f"{lake}/_etl/iceberg/{table}"), properties)


def assert_equal_tables(bucket: Bucket, lake: str, star: sparkify_lake.Star) -> None:
    for table, wanted in star.items():
        columns = wanted.columns
        frame = pl.from_arrow(opened(bucket, lake, table).scan().to_arrow())
        assert isinstance(frame, pl.DataFrame) and frame.columns == columns
        found = frame.cast(dict(wanted.schema)).sort(columns)
        assert found.equals(wanted.sort(columns)), table


def test_tables_in_a_bucket_are_read_with_other_readers(weed_bucket: Bucket, tmp_path: Path) -> None:
    bucket, place = weed_bucket, GrowingInput(tmp_path)
    place.lake = bucket.url("deep/lake")  # type: ignore[assignment]
    given: dict[str, Any] = {**options(bucket.server), **bucket.server.keys.arguments}
    place.keep(2)
    place.run(formats="delta,iceberg", retain=1, **given)
    for count in (3, 7, 11):
        place.keep(count)
        report = place.run(**given)
        assert report.rebuilt is None and report.state == "published"
        star = place.build()
        assert_equal_tables(bucket, "deep/lake", star)
    snapshots = opened(bucket, "deep/lake", "songplays").snapshots()
    assert len(snapshots) == 2, "of the newest version and of the one that is retained"
    assert place.run(**given).state == "unchanged"
    checkup = sparkify_lake.check(place.lake, **given)
    assert checkup.exit_code == 0, checkup.problems
    lazy = sparkify_lake.open_lake(place.lake, **given)
    for table, wanted in star.items():
        columns = wanted.columns
        assert lazy[table].collect().sort(columns).equals(wanted.sort(columns)), table
    location = opened(bucket, "deep/lake", "songplays").metadata_location
    store = {
        "s3.endpoint": bucket.server.url,
        "s3.access-key-id": bucket.server.keys.arguments["access_key_id"],
        "s3.secret-access-key": bucket.server.keys.arguments["secret_access_key"],
        "s3.region": "us-east-1",
    }
    found = pl.scan_iceberg(location, storage_options=store).collect()
    assert found.height == star.songplays.height
    place.run(formats="parquet", **given)
    assert bucket.names("deep/lake/_etl/iceberg") == []


def test_retained_files_of_a_lake_in_a_bucket_are_not_read(weed_bucket: Bucket, tmp_path: Path) -> None:
    bucket, place = weed_bucket, GrowingInput(tmp_path)
    place.lake = bucket.url("lake")  # type: ignore[assignment]
    given: dict[str, Any] = {**options(bucket.server), **bucket.server.keys.arguments}
    place.keep(2)
    place.run(formats="iceberg", retain=3, **given)
    place.keep(9)
    place.run(**given)
    star = place.build()
    lazy = sparkify_lake.open_lake(place.lake, **given)
    for table, wanted in star.items():
        assert lazy[table].collect().height == wanted.height, table


@pytest.mark.parametrize("moment", ["call", "call after"], ids=["before", "after"])
@pytest.mark.parametrize("old", [0, None], ids=["old version", "first version"])
def test_a_run_with_both_formats_killed_at_every_change(
    crash: CrashTest, rounds: Rounds, moment: str, old: int | None
) -> None:
    test_crashes.test_a_run_killed_at_every_change(crash, rounds, moment, old)
    lake = crash.download()
    hints = {path.parent.parent.name for path in lake.rglob("version-hint.text")}
    assert hints == {*WITH_HISTORY.split(",")}


def test_overlapping_runs_with_both_formats(crash: CrashTest, rounds: Rounds) -> None:
    test_crashes.test_overlapping_runs_equal_sequential_runs(crash, rounds)


@pytest.mark.parametrize("fault", ["error 500", "reset after"])
def test_a_run_with_both_formats_and_every_request_failing(
    crash: CrashTest, rounds: Rounds, fault: Fault
) -> None:
    test_crashes.test_a_run_with_every_request_failing(crash, rounds, fault, True, {75})


def test_a_run_with_both_formats_that_is_paused_during_many_versions(crash: CrashTest) -> None:
    test_crashes.test_a_run_paused_during_many_versions_starts_again(crash)
