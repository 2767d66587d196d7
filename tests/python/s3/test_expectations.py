"""Expectations in a bucket: a refused run leaves no object, except rejected records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import DataRefusedError
from support.s3_jobs import Data, options
from support.s3_servers import Bucket


@pytest.mark.parametrize("executor", [None, "local"])
def test_a_refused_run_leaves_the_bucket_as_it_was(
    executor: str | None, bucket: Bucket, data: Data, later: Data, tmp_path: Path
) -> None:
    given: dict[str, Any] = {**options(bucket.server), **bucket.server.keys.arguments, "quiet": True}
    lake, rate = bucket.url("lake"), "users.gender.null_rate <= 5%"
    with pytest.raises(DataRefusedError):
        sparkify_lake.run(data.input, lake, expect=f"songs.rows >= 1000, {rate}", executor=executor, **given)
    # Workers leave what they did not write for a table; a later run removes it.
    kept = {key for key in bucket.contents("lake") if not key.startswith(("_etl/probe", "_etl/stage/"))}
    assert kept == {"_etl/FORMAT"}
    assert not [key for key in bucket.contents("lake") if "/tables/" in key or key.endswith(".bin")]
    ran = sparkify_lake.run(data.input, lake, expect=f"songs.rows >= 10, {rate}", executor=executor, **given)
    assert [one.passed for one in ran.expectations] == [True, True]
    before = bucket.contents("lake")
    for source in (data, later):
        with pytest.raises(DataRefusedError):
            sparkify_lake.run(
                source.input, lake, expect=f"songs.rows <= 10, {rate}", executor=executor,
                allow_shrink=True, **given,
            )  # fmt: skip
        now = bucket.contents("lake")
        assert {key: body for key, body in now.items() if key in before} == before
        assert not [key for key in now.keys() - before if "/tables/" in key or key.endswith(".bin")]
