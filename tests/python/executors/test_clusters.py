"""Runs on Spark, Spark Connect and Ray write the lake of a local run, also when processes are killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import sparkify_lake
from s3.conftest import seaweedfs
from support.clusters import Cluster, kill, start, tables
from support.lake_checker import check
from support.lake_files import FOLDERS
from support.rounds import Rounds
from support.s3_jobs import differences, new_bucket, options, tables_of, tree
from support.s3_servers import Server

__all__ = ["seaweedfs"]  # a fixture
pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]
TYPES = {
    "songs": ["string", "string", "double", "int", "string"],
    "artists": ["string"] * 3 + ["double"] * 2,
    "users": ["string"] * 5,
    "time": ["timestamp", "int", "int", "int", "int", "int", "int"],
    "songplays": ["bigint", "timestamp", *["string"] * 4, "bigint", "string", "string", "int", "int"],
}


def test_the_lake_equals_that_of_a_local_run(
    cluster: Cluster, tmp_path: Path, source: Path, expected: dict[str, str], shard_size: str
) -> None:
    report = cluster.run(source, tmp_path / "lake", shard_size=shard_size)
    assert report.get("state") == "published", report
    assert report["executor"] == ("ray" if cluster.kind == "ray" else "spark")
    assert tables(tmp_path / "lake") == expected
    assert check(tmp_path / "lake", settled=True, report=report) == []
    assert cluster.run(source, tmp_path / "lake")["state"] == "unchanged"
    if cluster.kind != "ray":
        cluster.ask("read", lake=tmp_path / "lake")
        seen = cluster.answer()
        rows = {table["name"]: table["rows"] for table in report["tables"]}
        for name, types in TYPES.items():
            assert [kind for _, kind in seen[FOLDERS[name]]["types"]] == types, name
            assert seen[FOLDERS[name]]["rows"] == rows[name], name
        assert [column for column, _ in seen[FOLDERS["songs"]]["types"]][-2:] == ["year", "artist_id"]


def test_the_lake_in_a_bucket_equals_that_of_a_local_run(
    cluster: Cluster, source: Path, seaweedfs: Server, shard_size: str, tmp_path: Path
) -> None:
    """Input and lake are in a bucket; the workers get the keys from the run."""
    inputs, bucket = new_bucket(seaweedfs), new_bucket(seaweedfs)
    inputs.upload(source, "in")
    given = {**options(seaweedfs), **seaweedfs.keys.arguments}
    report = cluster.run(f"s3://{inputs.name}/in", f"s3://{bucket.name}/lake", shard_size=shard_size, **given)
    assert report.get("state") == "published", report
    sparkify_lake.run(source, tmp_path / "local", quiet=True)
    found = bucket.contents("lake")
    assert differences(found, tables_of(tree(tmp_path / "local"))) == []
    # The run leaves no files in its stage.
    assert [key for key in found if key.startswith("_etl/stage/")] == []
    secret = seaweedfs.keys.arguments["secret_access_key"]
    assert secret not in cluster.log.read_text()


@pytest.mark.timeout(2_400)
def test_a_killed_worker_is_replaced(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    source: Path,
    expected: dict[str, str],
    shard_size: str,
    rounds: Rounds,
) -> None:
    for kind in ("spark", "ray"):
        cluster = start(kind, tmp_path_factory.mktemp(kind))
        try:
            random, killed = Random(rounds.seed), 0
            for turn in range(rounds(2, 8)):
                lake = tmp_path / f"{kind}{turn}"
                workers = cluster.workers()
                assert workers, "the cluster has no workers"
                cluster.ask("run", input=source, output=lake, shard_size=shard_size)
                # During the work: when the first worker has written plays, or a month.
                mark = random.choice(("plays/*", "tables/songplays_table/*/*/*", "tables/time_table/*/*/*"))
                deadline = time.monotonic() + 60
                while not any(lake.glob(f"_etl/stage/*/{mark}")) and time.monotonic() < deadline:
                    if (lake / "songs_table" / "_SUCCESS").exists():
                        break
                    time.sleep(0.001)
                kill(random.choice(workers))
                killed += not (lake / "songs_table" / "_SUCCESS").exists()
                report = cluster.answer()
                assert report.get("state") == "published", report
                assert tables(lake) == expected
                assert check(lake, settled=True, report=report) == []
            assert killed > 0, f"{kind}: no worker was killed in time"
        finally:
            cluster.close()


@pytest.fixture
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Ray on two nodes, for several leaders."""
    started = start("ray", tmp_path_factory.mktemp("nodes"))
    yield started
    started.close()


@pytest.mark.timeout(2_400)
@pytest.mark.parametrize("kind", ["ray", "spark"])
def test_a_killed_leader_leaves_nothing_partially_visible(
    kind: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    source: Path,
    expected: dict[str, str],
    shard_size: str,
    rounds: Rounds,
    request: pytest.FixtureRequest,
) -> None:
    """On Ray, the workers outlive the leader for a while; on Spark, the cluster ends with it."""
    if kind == "spark" and not rounds.is_long:
        pytest.skip("Spark is restarted for each kill, which takes minutes: pytest --long")
    address = (request.getfixturevalue("nodes").ready["cluster"],) if kind == "ray" else ()
    random, lake, committed = Random(rounds.seed), tmp_path / "lake", 0
    whole: dict[str, Any] = {"input": source, "output": lake, "shard_size": shard_size}
    took = 0.0
    for turn in range(rounds(5, 20)):
        leader = start(kind, tmp_path_factory.mktemp(f"leader{turn}"), *address)
        if not took:
            begun = time.monotonic()
            assert leader.run(source, tmp_path / "first", shard_size=shard_size)["state"] == "published"
            took = time.monotonic() - begun
        # Half of the runs write a new lake, the others an existing lake.
        if turn % 2 == 0:
            lake = tmp_path / f"lake{turn}"
            whole["output"] = lake
        leader.ask("run", rebuild=True, **whole)
        time.sleep(random.uniform(0.02, 1.1) * took)
        leader.kill()
        leader.close()
        assert check(lake, versions=[expected]) == [] or not lake.exists()
        committed += bool(tables(lake)) if lake.exists() else 0
        report = sparkify_lake.run(source, lake, quiet=True)
        assert tables(lake) == expected, turn
        time.sleep(0.3)  # workers that are still running must not change the lake
        assert tables(lake) == expected, turn
        again = sparkify_lake.run(source, lake, rebuild=True, quiet=True)
        assert check(lake, settled=True, report=again.to_dict()) == [], (turn, report.state)


def test_doctor_checks_the_workers(cluster: Cluster, tmp_path: Path) -> None:
    cluster.ask("doctor", location=tmp_path)
    found = cluster.answer()
    check = next(check for check in found["checks"] if check["name"] == "workers")
    assert check["outcome"] == "ok", check
    assert "2 slots have sparkify-lake" in check["detail"]


def test_a_refused_run_reports_the_reason(cluster: Cluster, tmp_path: Path, source: Path) -> None:
    (tmp_path / "in" / "log_data").mkdir(parents=True)
    (tmp_path / "in" / "log_data" / "2018-11-01.json").write_bytes(b"\xff\xfe{\x00}\x00")
    (tmp_path / "in" / "song_data").symlink_to(source / "song_data")
    answer = cluster.run(tmp_path / "in", tmp_path / "lake")
    assert answer["code"] == 65
    assert "encoding_utf16" in answer["error"]
    assert len(answer["error"].splitlines()) <= 3
