"""Sail as an executor: a killed server leaves the lake whole, and `doctor` examines the workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clusters import Cluster, kill, start, tables
from support.lake_checker import check

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def sail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = start("sail", tmp_path_factory.mktemp("sail"))
    yield started
    started.close()


def test_a_killed_server_leaves_the_lake_whole(
    sail: Cluster, tmp_path: Path, source: Path, expected: dict[str, str]
) -> None:
    lake = tmp_path / "lake"
    for wait in (0.0, 0.2, 0.6):
        sail.ask("run", input=source, output=lake, shard_size="1MiB", rebuild=True)
        time.sleep(wait)
        for server in sail.workers():
            kill(server)
        result = sail.answer()
        assert result.get("state") == "published" or "error" in result, result
        assert "bug" not in str(result.get("error"))
        if lake.exists():
            assert check(lake, settled=False) == []
        report = sail.run(source, lake, shard_size="1MiB", rebuild=True)
        assert report.get("state") in ("published", "unchanged"), report
        assert report["executor"] == "spark"
        assert tables(lake) == expected


def test_doctor_examines_the_workers(sail: Cluster, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    sail.ask("doctor", location=str(tmp_path / "lake"))
    report = sail.answer()
    workers = [one for one in report["checks"] if one["name"] == "workers"]
    assert len(workers) == 1 and workers[0]["outcome"] == "ok", report
