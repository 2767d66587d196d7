"""Fixtures: a cluster of each kind, an input, and what a local run makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sparkify_lake
from support.clusters import Cluster, start, tables


@pytest.fixture(scope="module", params=["spark", "connect", "ray"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Spark with two executor processes, Spark Connect, and Ray on two nodes."""
    started = start(request.param, tmp_path_factory.mktemp(request.param))
    yield started
    started.close()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory, rounds: Callable[..., int]) -> Path:
    """An input of three months; with ``--long`` of the size M of the benchmark."""
    folder = tmp_path_factory.mktemp("clusters") / "in"
    songs, events = rounds(200, 15_000), rounds(20_000, 500_000)
    sparkify_lake.sample(folder, songs=songs, events=events, days=70, users=events // 100, quiet=True)
    return folder


@pytest.fixture(scope="session")
def expected(source: Path) -> dict[str, str]:
    """What a local run makes of it."""
    lake = source.parent / "local"
    report = sparkify_lake.run(source, lake, quiet=True)
    assert report.executor == "local"
    return tables(lake)
