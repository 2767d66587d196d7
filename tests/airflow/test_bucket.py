"""The example DAGs on a real S3 server, with the connection aws_default."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from support.s3_servers import Server, seaweed


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        yield stack.enter_context(seaweed(tmp_path_factory.mktemp("weed")))


def test_the_examples_on_s3(
    server: Server, raw: Path, dag_of: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bucket = server.bucket("airflow")
    bucket.upload(raw, "raw")
    connection = {
        "conn_type": "aws",
        "login": server.keys.id,
        "password": server.keys.secret,
        "extra": {"region_name": "us-east-1", "endpoint_url": server.url},
    }
    monkeypatch.setitem(os.environ, "AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setitem(os.environ, "SPARKIFY_RAW", bucket.url("raw"))
    monkeypatch.setitem(os.environ, "SPARKIFY_LAKE", bucket.url("lake"))
    assert dag_of("nightly.py").test().state == "success"
    assert dag_of("gate.py").test().state == "success"
    where = {"endpoint_url": server.url, "allow_http": True, "region": "us-east-1", **server.keys.arguments}
    assert sparkify_lake.check(bucket.url("lake"), **where).is_healthy
    told = capfd.readouterr()
    assert "published" in told.out
    assert server.keys.secret not in told.out + told.err
