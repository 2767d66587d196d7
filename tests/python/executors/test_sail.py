"""Sail as an executor: a killed server leaves the lake whole, and `doctor` examines the workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from glob import iglob
from pathlib import Path
from select import select
from typing import Any

import pytest

from s3.conftest import seaweedfs
from support.clusters import Cluster, kill, start, tables
from support.lake_checker import check
from support.s3_jobs import new_bucket, options
from support.s3_servers import Bucket

__all__ = ["seaweedfs"]  # a fixture
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An input and a lake, on disk or in a bucket."""

    folder: Path
    source: Path | str
    lake: Path | str
    bucket: Bucket | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def runs(self, pattern: str) -> set[str]:
        """The runs that have staged such a file, and not published it yet."""
        if self.bucket is not None:
            keys = self.bucket.names("lake/_etl/stage/")
            return {key.split("/")[3] for key in keys if fnmatch(key, f"lake/_etl/stage/*/{pattern}")}
        found = iglob(f"{self.lake}/_etl/stage/*/{pattern}")
        return {Path(path).relative_to(self.lake).parts[2] for path in found}

    def copy(self, name: str) -> Path:
        """The lake in a folder."""
        return Path(self.lake) if self.bucket is None else self.bucket.download("lake", self.folder / name)


@pytest.fixture
def sail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = start("sail", tmp_path_factory.mktemp("sail"))
    yield started
    started.close()


@pytest.fixture(params=["disk", "bucket"])
def target(request: pytest.FixtureRequest, tmp_path: Path, source: Path) -> Target:
    if request.param == "disk":
        return Target(folder=tmp_path, source=source, lake=tmp_path / "lake")
    server = request.getfixturevalue("seaweedfs")
    bucket = new_bucket(server)
    bucket.upload(source, "in")
    given = {**options(server), **server.keys.arguments}
    return Target(
        folder=tmp_path, source=bucket.url("in"), lake=bucket.url("lake"), bucket=bucket, options=given
    )


def test_a_killed_server_leaves_the_lake_whole(
    sail: Cluster, target: Target, expected: dict[str, str], shard_size: str, record_property: Any
) -> None:
    """The server is killed when a worker has staged plays, or the files of a month."""
    given = {**target.options, "shard_size": shard_size, "rebuild": True}
    ends = []
    for number, pattern in enumerate(["plays/*", "tables/songplays_table/*/*/*"] * 2):
        before = target.runs(pattern)
        sail.ask("run", input=target.source, output=target.lake, **given)
        while not target.runs(pattern) - before and not select([sail.process.stdout], [], [], 0.001)[0]:
            continue
        for server in sail.workers():
            kill(server)
        result = sail.answer()
        ends.append(result.get("state", "error"))
        assert result.get("state") == "published" or "the Sail server" in result["error"], result
        seen = target.copy(f"killed{number}")
        assert check(seen, bucket=target.bucket is not None, versions=[expected]) == []
        if number % 2:
            report = sail.run(target.source, target.lake, **given)
            assert report.get("state") == "published" and report["executor"] == "spark", report
            seen = target.copy(f"published{number}")
            assert check(seen, bucket=target.bucket is not None, settled=True, report=report) == []
            assert tables(seen) == expected
    assert "error" in ends, "every server was killed too late"
    record_property("summary", f"runs whose server was killed: {ends}")


def test_doctor_examines_the_workers(sail: Cluster, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    sail.ask("doctor", location=str(tmp_path / "lake"))
    report = sail.answer()
    workers = [one for one in report["checks"] if one["name"] == "workers"]
    assert len(workers) == 1 and workers[0]["outcome"] == "ok", report
