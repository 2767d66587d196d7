"""Delta tables in a bucket: read with deltalake, and repaired after kills at any request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

import sparkify_lake
from s3 import test_crashes
from s3.test_crashes import CrashTest, crash_test
from support.generate_inputs import write_input
from support.generate_records import play, song, song_of_each_artist
from support.lake_files import FOLDERS
from support.rounds import Rounds
from support.s3_jobs import options
from support.s3_servers import Bucket, Server

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def crash(seaweedfs: Server) -> Iterator[CrashTest]:
    """As the fixture of `test_crashes.py`; the tables are also Delta tables."""
    with crash_test(seaweedfs, SPARKIFY_FORMATS="delta") as made:
        yield made


def test_tables_in_a_bucket_are_read_with_deltalake(weed_bucket: Bucket, tmp_path: Path) -> None:
    bucket, source = weed_bucket, tmp_path / "in"
    write_input(
        source, [*song_of_each_artist(), *map(song, range(20))], [play(seed) for seed in range(80)], 3
    )
    given: dict[str, Any] = {**options(bucket.server), **bucket.server.keys.arguments, "quiet": True}
    store = {
        "AWS_ENDPOINT_URL": bucket.server.url,
        "AWS_ACCESS_KEY_ID": given["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": given["secret_access_key"],
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    held_back = sorted(path for path in source.glob("log*data/**/*") if path.is_file())[-1]
    body = held_back.read_bytes()
    held_back.unlink()
    nested = {table: f"tables/{folder}" for table, folder in FOLDERS.items()}
    for names in (FOLDERS, nested):
        lake = bucket.url(f"lake-{len(names['songs'])}")
        sparkify_lake.run(source, lake, formats="delta", max_bad="100%", table_names=names, **given)
        held_back.write_bytes(body)
        report = sparkify_lake.run(source, lake, max_bad="100%", table_names=names, **given)
        assert report.rebuilt is None and report.state == "published"
        star = sparkify_lake.build(source, max_bad="100%", quiet=True)
        opened = sparkify_lake.open_lake(
            lake, table_names=names, **options(bucket.server), **bucket.server.keys.arguments
        )
        for table, wanted in star.items():
            columns = wanted.columns
            rows = opened[table].collect().sort(columns)
            assert rows.equals(wanted.sort(columns)), table
            delta = DeltaTable(f"{lake}/{names[table]}", storage_options=store)
            assert delta.to_pyarrow_table(columns=columns).num_rows == wanted.height, table
        held_back.unlink()


@pytest.mark.parametrize("moment", ["call", "call after"], ids=["before", "after"])
@pytest.mark.parametrize("old", [0, None], ids=["old version", "first version"])
def test_a_run_with_delta_logs_killed_at_every_change(
    crash: CrashTest, rounds: Rounds, moment: str, old: int | None
) -> None:
    test_crashes.test_a_run_killed_at_every_change(crash, rounds, moment, old)
    assert list(crash.download().rglob("_delta_log/*.json"))
