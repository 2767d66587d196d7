"""Fixtures: a cluster of each kind, inputs, and the lake of a local run."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sparkify_lake
from support.clusters import Cluster, start, tables
from support.rounds import Rounds


@pytest.fixture(scope="module", params=["spark", "connect", "ray", "sail"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Spark with two executor processes, Spark Connect, Ray on two nodes, and Sail on this machine."""
    started = start(request.param, tmp_path_factory.mktemp(request.param))
    yield started
    started.close()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory, rounds: Callable[..., int]) -> Path:
    """An input of three months; with ``--long``, the size M of the benchmarks."""
    folder = tmp_path_factory.mktemp("clusters") / "in"
    songs, events = rounds(200, 15_000), rounds(20_000, 500_000)
    sparkify_lake.sample(folder, songs=songs, events=events, days=70, users=events // 100, quiet=True)
    return folder


@pytest.fixture(scope="session")
def expected(source: Path) -> dict[str, str]:
    """The table files of a local run."""
    lake = source.parent / "local"
    report = sparkify_lake.run(source, lake, quiet=True)
    assert report.executor == "local"
    return tables(lake)


@pytest.fixture
def shard_size(rounds: Rounds) -> str:
    """Small enough for several shards of songs and of logs."""
    return "1MiB" if not rounds.is_long else "24MiB"


@pytest.fixture(scope="module")
def shard_input(tmp_path_factory: pytest.TempPathFactory, isolated_module: Path) -> Path:
    """Logs of 70 days in four months, songs, and rejected records."""
    folder = tmp_path_factory.mktemp("shards") / "in"
    sparkify_lake.sample(folder, songs=60, events=6_000, days=70, users=40, quiet=True)
    logs = sorted((folder / "log_data").rglob("*.json"))
    for number, log in enumerate(logs[::9]):
        log.write_text(log.read_text() + '{"page": "NextSong", "ts": "no time"}\n' * (number + 1) + "{torn\n")
    songs = sorted((folder / "song_data").rglob("*.json"))
    songs[7].write_text('{"song_id": 17}')
    # A file with an event of another month, a file without a date, a compressed file.
    logs[3].write_text(logs[3].read_text() + logs[-1].read_text().splitlines()[0] + "\n")
    logs[20].rename(folder / "log_data" / "undated.json")
    logs[30].with_suffix(".json.gz").write_bytes(gzip.compress(logs[30].read_bytes()))
    logs[30].unlink()
    return folder
