"""The job with input or output on S3: the tables equal those of a local run, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.ddl import ddl_with
from sparkify_lake.settings.resolve import resolve
from support.processes import ROOT, Finished, clean_environment
from support.s3_jobs import Data, differences, home, options, report, tables_of, tree
from support.s3_servers import REGION, Bucket

pytestmark = pytest.mark.timeout(180)


def access(bucket: Bucket, **more: Any) -> dict[str, Any]:
    return {**options(bucket.server), **bucket.server.keys.arguments, "quiet": True, **more}


def test_from_a_bucket_to_a_bucket(bucket: Bucket, data: Data) -> None:
    assert bucket.upload(data.input, "in") == data.files
    done = sparkify_lake.run(bucket.url("in"), bucket.url("out/lake"), **access(bucket)).to_dict()
    assert differences(bucket.contents("out/lake"), data.lake) == []
    assert done["state"] == "published"
    assert done["credentials"] == "arguments"
    assert done["output"] == bucket.url("out/lake")
    assert done["requests"]["get"] >= data.files


def test_tables_in_nested_folders(bucket: Bucket, data: Data) -> None:
    """Two runs, a check and a reader; the files are those of the plain folders, with another path."""
    names = {"songs": "songs/songs.parquet", "users": "dimensions/people/users.parquet"}
    given = access(bucket, table_names=names)
    done = sparkify_lake.run(data.input, bucket.url("lake"), **given)
    folders = {name: table.folder for name, table in done.tables.items()}
    assert folders["songs"] == names["songs"] and folders["artists"] == "artists_table"
    plain = {"songs_table": names["songs"], "user_table": names["users"]}
    nested = {
        "/".join([plain.get(folder, folder), rest]): content
        for path, content in data.lake.items()
        for folder, _, rest in [path.partition("/")]
    }
    assert differences(bucket.contents("lake"), nested) == []
    stamps = json.loads(bucket.get(f"lake/_etl/done/{1:020}.json"))["stamps"]
    known = {f"{folder}/{path}" for folder, paths in stamps.items() for path in paths}
    assert set(stamps) == set(folders.values()), "the folder of a table has several names"
    assert known == {path for path in nested if path.endswith(".parquet")}
    assert sparkify_lake.run(data.input, bucket.url("lake"), **given).state == "unchanged"
    assert sparkify_lake.run(data.input, bucket.url("lake"), rebuild=True, **given).version == 1
    store = {key: value for key, value in given.items() if key not in ("quiet", "table_names")}
    assert sparkify_lake.check(bucket.url("lake"), **store).problem_count == 0
    lake = sparkify_lake.open_lake(bucket.url("lake"), table_names=names, **store)
    assert len(lake.songs.collect()) == done.tables["songs"].rows


def test_statements_for_a_lake_in_a_bucket(bucket: Bucket, data: Data) -> None:
    """The commit log in the bucket names the folders and partitions; nothing is written."""
    given = access(bucket, table_names={"songs": "songs/songs.parquet"}, column_names="songs.year=released")
    sparkify_lake.run(data.input, bucket.url("lake"), **given)
    before = bucket.contents("lake")
    more = {
        name: value for name, value in given.items() if name not in ("quiet", "table_names", "column_names")
    }
    text = str(ddl_with("redshift", None, None, resolve("ddl", {"output": bucket.url("lake"), **more})))
    folders = {
        path.rpartition("/")[0] for path in before if path.endswith(".parquet") and "/songs/" in f"/{path}"
    }
    assert 'PARTITIONED BY ("released" INTEGER, "artist_id" VARCHAR(65535))' in text
    assert len(folders) > 5
    assert all(f"/{folder.partition('songs/')[2]}/'" in text for folder in folders)
    assert bucket.contents("lake") == before


def test_from_disk_to_a_bucket(bucket: Bucket, data: Data) -> None:
    sparkify_lake.run(data.input, bucket.url("lake"), **access(bucket))
    assert differences(bucket.contents("lake"), data.lake) == []


def test_from_a_bucket_to_disk(bucket: Bucket, data: Data, tmp_path: Path) -> None:
    bucket.upload(data.input, "in")
    sparkify_lake.run(bucket.url("in"), tmp_path / "lake", **access(bucket))
    assert differences(tree(tmp_path / "lake"), data.lake) == []


def test_the_output_can_be_a_whole_bucket(weed_bucket: Bucket, data: Data) -> None:
    sparkify_lake.run(data.input, weed_bucket.url(), **access(weed_bucket))
    found = {key: weed_bucket.get(key) for key in weed_bucket.names()}
    assert differences(found, data.lake) == []


@pytest.mark.parametrize("scheme", ["s3a", "s3n"])
def test_s3a_and_s3n_mean_s3(
    weed_bucket: Bucket, data: Data, lake_run: Callable[..., Finished], scheme: str
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    words = [bucket.url("in//", scheme), bucket.url("lake/", scheme), "--quiet", "--json"]
    done = report(lake_run(bucket.server, *words, keys=bucket.server.keys))
    assert done["output"] == bucket.url("lake"), "the report uses s3://"
    assert differences(bucket.contents("lake"), data.lake) == []


def test_table_names_compression_and_patterns_on_s3(weed_bucket: Bucket, data: Data, tmp_path: Path) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    given: dict[str, Any] = {"table_names": "plain", "compression": "zstd", "match": "title_artist"}
    sources = {
        "song_data": bucket.url("in/song_data/*/*/*/*.json"),
        "log_data": bucket.url("in/log_data"),
    }
    sparkify_lake.run(None, bucket.url("lake"), **access(bucket, **given, **sources))
    sparkify_lake.run(data.input, tmp_path / "lake", quiet=True, **given)
    assert differences(bucket.contents("lake"), tables_of(tree(tmp_path / "lake"))) == []


def test_compressed_objects_are_read(weed_bucket: Bucket, data: Data) -> None:
    import gzip

    import pyarrow as pa

    bucket = weed_bucket
    for number, path in enumerate(sorted(path for path in data.input.rglob("*") if path.is_file())):
        key, body = f"in/{path.relative_to(data.input).as_posix()}", path.read_bytes()
        match number % 3:
            case 0:
                bucket.put(f"{key}.gz", gzip.compress(body))
            case 1:
                bucket.put(f"{key}.zst", pa.compress(body, codec="zstd", asbytes=True))
            case _:
                bucket.put(key, gzip.compress(body))  # recognized by its first bytes
    sparkify_lake.run(bucket.url("in"), bucket.url("lake"), **access(bucket))
    assert differences(bucket.contents("lake"), data.lake) == []


def test_a_second_run_on_another_input_on_s3(bucket: Bucket, data: Data, later: Data) -> None:
    sparkify_lake.run(data.input, bucket.url("lake"), **access(bucket))
    done = sparkify_lake.run(later.input, bucket.url("lake"), **access(bucket)).to_dict()
    assert differences(bucket.contents("lake"), later.lake) == []
    assert sum(table["removed"] for table in done["tables"]) > 0, "the test must remove files"


def test_large_objects_are_read_in_ranges(weed_bucket: Bucket, data: Data, tmp_path: Path) -> None:
    bucket = weed_bucket
    (tmp_path / "large" / "log_data").mkdir(parents=True)
    logs = b"".join(path.read_bytes() for path in sorted((data.input / "log_data").rglob("*.json")))
    body = logs * (20 * 2**20 // len(logs) + 1)
    (tmp_path / "large" / "log_data" / "all.json").write_bytes(body)
    bucket.put("in/log_data/all.json", body)
    sources: dict[str, Any] = {"song_data": str(data.input / "song_data")}
    for place, root in (("in", bucket.url("in")), ("large", str(tmp_path / "large"))):
        out = bucket.url("lake") if place == "in" else str(tmp_path / "lake")
        given = {**sources, "log_data": f"{root}/log_data"}
        sparkify_lake.run(None, out, **access(bucket, **given))
    assert differences(bucket.contents("lake"), tables_of(tree(tmp_path / "lake"))) == []


def test_build_reads_from_a_bucket(weed_bucket: Bucket, data: Data) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    star = sparkify_lake.build(bucket.url("in"), **access(bucket))
    same = sparkify_lake.build(data.input, quiet=True)
    assert all(star[name].equals(same[name]) for name in ("songs", "artists", "users", "time", "songplays"))
    assert bucket.names() == [f"in/{key}" for key in sorted(tree(data.input))], "build writes no object"


def test_open_lake_reads_a_bucket(bucket: Bucket, data: Data, tmp_path: Path) -> None:
    sparkify_lake.run(data.input, bucket.url("lake"), **access(bucket))
    sparkify_lake.run(data.input, tmp_path / "lake", quiet=True)
    given = access(bucket)
    del given["quiet"]
    remote, local = (
        sparkify_lake.open_lake(bucket.url("lake"), **given),
        sparkify_lake.open_lake(tmp_path / "lake"),
    )
    for name in ("songs", "artists", "users", "time", "songplays"):
        ours, theirs = getattr(remote, name).collect(), getattr(local, name).collect()
        columns = theirs.columns
        assert ours.sort(columns).equals(theirs.sort(columns)), name


def test_a_plan_writes_nothing_and_estimates_requests(
    weed_bucket: Bucket, data: Data, lake_run: Callable[..., Finished]
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    before = bucket.tags()
    estimate = sparkify_lake.plan(bucket.url("in"), bucket.url("lake"), **access(bucket)).to_dict()[
        "requests"
    ]
    words = [bucket.url("in"), bucket.url("lake"), "--quiet", "--json", "--dry-run"]
    assert report(lake_run(bucket.server, *words, keys=bucket.server.keys))["requests"] == estimate
    assert bucket.tags() == before
    done = sparkify_lake.run(bucket.url("in"), bucket.url("lake"), **access(bucket)).to_dict()["requests"]
    assert estimate["get"] == done["get"] > data.files, "also the requests that test conditions"
    assert done["put"] <= estimate["put"], "the plan is an upper limit"
    assert estimate["cost_usd"] > 0
    assert estimate["prices_of"]


SPARK_JOB = """
from etl import create_spark_session, process_log_data, process_song_data
spark = create_spark_session()
process_song_data(spark, "{source}", "{target}")
process_log_data(spark, "{source}", "{target}")
"""


def test_the_functions_of_the_spark_job_with_dl_cfg(
    weed_bucket: Bucket, data: Data, bare: Path, tmp_path: Path
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    keys = bucket.server.keys
    (bare / "dl.cfg").write_text(
        f"[AWS]\nAWS_ACCESS_KEY_ID={keys.id}\nAWS_SECRET_ACCESS_KEY={keys.secret}\nREGION={REGION}\n"
    )
    (bare / "dl.cfg").chmod(0o600)
    (bare / "lake.cfg").write_text(f"[LAKE]\nENDPOINT_URL={bucket.server.url}\nALLOW_HTTP=true\n")
    text = SPARK_JOB.format(source=bucket.url("in/", "s3a"), target=bucket.url("lake/", "s3a"))
    finished = subprocess.run(
        [sys.executable, "-c", text],
        cwd=bare,
        env=clean_environment({**home(tmp_path), "PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert differences(bucket.contents("lake"), data.lake) == []


def test_the_script_with_locations_from_lake_cfg(
    weed_bucket: Bucket, data: Data, program: Callable[..., Finished], bare: Path, tmp_path: Path
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    places = [
        f"INPUT={bucket.url('in')}",
        f"OUTPUT={bucket.url('lake')}",
        f"ENDPOINT_URL={bucket.server.url}",
    ]
    (bare / "lake.cfg").write_text(
        "\n".join(["[LAKE]", *places, "ALLOW_HTTP=yes", "QUIET=yes", "JSON=yes", ""])
    )
    finished = program(cwd=bare, env={**home(tmp_path), **bucket.server.keys.environment})
    assert report(finished)["credentials"] == "environment variables"
    assert differences(bucket.contents("lake"), data.lake) == []


def test_check_and_doctor_on_s3(weed_bucket: Bucket, data: Data, lake_run: Callable[..., Finished]) -> None:
    bucket = weed_bucket
    keys = bucket.server.keys
    report(lake_run(bucket.server, data.input, bucket.url("lake"), "--json", "--quiet", keys=keys))
    before = bucket.tags()
    checked = lake_run(bucket.server, "check", bucket.url("lake"), "--json", keys=keys)
    assert checked.returncode == 0, checked.stderr
    examined = lake_run(bucket.server, "doctor", bucket.url("lake"), "--json", keys=keys)
    assert examined.returncode == 0, examined.stderr
    outcomes = {one["name"]: one["outcome"] for one in json.loads(examined.stdout)["checks"]}
    assert len(outcomes) >= 10
    assert "failed" not in outcomes.values()
    assert bucket.tags() == before, "the doctor removes its test objects"
    part = next(key for key in before if key.endswith(".parquet") and "/_etl/" not in key)
    bucket.put(part, b"PAR1 something else PAR1")
    checked = lake_run(bucket.server, "check", bucket.url("lake"), "--json", keys=keys)
    assert checked.returncode != 0
    assert part.removeprefix("lake/") in checked.stdout + checked.stderr


def test_overlapping_locations_are_refused(
    weed_bucket: Bucket, data: Data, lake_run: Callable[..., Finished]
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    before = bucket.tags()
    pairs = [("in", "in/lake"), ("in", "in"), ("in", ""), ("in/x", "in")]
    for source, target in pairs:
        words = [bucket.url(source), bucket.url(target, "s3a")]
        finished = lake_run(bucket.server, *words, keys=bucket.server.keys)
        assert finished.returncode == 78, (source, target, finished.stderr)
    assert bucket.tags() == before


def test_a_missing_input_does_not_empty_a_lake(
    weed_bucket: Bucket, data: Data, lake_run: Callable[..., Finished]
) -> None:
    bucket = weed_bucket
    keys = bucket.server.keys
    report(lake_run(bucket.server, data.input, bucket.url("lake"), "--json", "--quiet", keys=keys))
    before = bucket.tags()
    finished = lake_run(bucket.server, bucket.url("nothing"), bucket.url("lake"), keys=keys)
    assert finished.returncode == 66, finished.stderr
    assert bucket.tags() == before


def test_foreign_objects_are_refused_and_kept(
    weed_bucket: Bucket, data: Data, lake_run: Callable[..., Finished]
) -> None:
    bucket = weed_bucket
    key = "lake/songs_table/part-00000-spark.snappy.parquet"
    bucket.put(key, b"foreign")
    words = [data.input, bucket.url("lake"), "--quiet", "--json"]
    finished = lake_run(bucket.server, *words, keys=bucket.server.keys)
    assert finished.returncode == 76, finished.stderr
    assert "adopt" in finished.stderr
    assert bucket.get(key) == b"foreign"
    report(lake_run(bucket.server, *words, "--adopt", keys=bucket.server.keys))
    assert differences(bucket.contents("lake"), data.lake) == []
