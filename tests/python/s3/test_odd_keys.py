"""Unusual keys: they are skipped, read, or refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.generate_records import song
from support.processes import Finished
from support.s3_jobs import Data, assert_error, differences, report
from support.s3_servers import Bucket

pytestmark = pytest.mark.timeout(120)

LakeRun = Callable[..., Finished]


def run(lake_run: LakeRun, bucket: Bucket, *words: str) -> Finished:
    places = [bucket.url("in"), bucket.url("lake"), "--quiet", "--json", "--store-patience=2s"]
    return lake_run(bucket.server, *places, *words, keys=bucket.server.keys)


def test_objects_without_data_are_skipped(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    for key in (
        "in/",
        "in/song_data/",
        "in/song_data/A/",
        "in/log_data/2018/",
        "in/log_data/_SUCCESS",
        "in/log_data/_temporary/0/part.json",
        "in/log_data/.DS_Store",
        "in/log_data/.part.json.crc",
        "in/log_data/2018/11/x.json.swp",
        "in/log_data/2018/11/x.json~",
        "in/song_data/README.md",
        "in/other/x.json",
    ):
        bucket.put(key, b"" if key.endswith("/") else b"no data")
    run_report = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    assert sum(source["files"] for source in run_report["input"].values()) == data.files


def test_empty_objects_are_read(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    bucket.put("in/log_data/2018/11/empty.json", b"")
    bucket.put("in/song_data/blank.json", b"\n \n\r\n")
    run_report = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    assert sum(source["files"] for source in run_report["input"].values()) == data.files + 2


@pytest.mark.parametrize("ending", ["", ".json.1", "-0a1b2c"])
def test_objects_that_a_pattern_names_are_read(
    moto_bucket: Bucket, data: Data, lake_run: LakeRun, ending: str
) -> None:
    """Firehose writes objects without an ending, and logrotate appends a number."""
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    for key in bucket.names("in/log_data/"):
        bucket.put(key.removesuffix(".json") + ending, bucket.get(key))
        bucket.delete(key)
    refused = run(lake_run, bucket)
    assert_error(refused, 66, "not JSON by name", "--log-data")
    run_report = report(run(lake_run, bucket, f"--log-data={bucket.url('in/log_data/**')}"))
    assert differences(bucket.contents("lake"), data.lake) == []
    assert sum(source["files"] for source in run_report["input"].values()) == data.files


@pytest.mark.parametrize(
    "name",
    [
        "with space.json",
        "plus+and&and=.json",
        "é ü 日本.json",
        "100%25.json",
        "a%2Fb.json",
        "quote'\"(1).json",
        "#?.json",
    ],
)
def test_unusual_names_are_read(moto_bucket: Bucket, data: Data, lake_run: LakeRun, name: str) -> None:
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    song_key = next(key for key in bucket.names("in/") if "song_data" in key)
    body = bucket.get(song_key)
    bucket.delete(song_key)
    bucket.put(f"in/song_data/{name}", body)
    report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []


@pytest.mark.parametrize(
    "key",
    [
        "in/song_data//double.json",
        "in//song_data/x.json",
        "in/song_data/./x.json",
        "in/song_data/../x.json",
        "in/song_data/tab\there.json",
        "in/song_data/line\nbreak.json",
        "in/song_data/del\x7f.json",
    ],
)
def test_unusual_keys_are_read_or_refused_by_name(
    moto_bucket: Bucket, data: Data, lake_run: LakeRun, key: str
) -> None:
    """The object is read if possible, otherwise refused by name; the listing continues."""
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    try:
        bucket.put(key, song(99_999).raw)
        is_kept = key in bucket.names()
    except Exception as error:
        pytest.skip(f"the server does not accept the key: {type(error).__name__}")
    if not is_kept:
        pytest.skip("the server does not accept the key")
    finished = run(lake_run, bucket)
    if finished.returncode == 0:
        run_report = report(finished)
        below = key.startswith("in/song_data/")
        read = sum(source["files"] for source in run_report["input"].values())
        assert read == data.files + 1 or not below, "an object was skipped silently"
        return
    shown = key.rsplit("/", 1)[-1].split("\t")[0].split("\n")[0].split("\x7f")[0]
    assert_error(finished, finished.returncode, shown)
    assert finished.returncode in (65, 78)
    assert not any(character in finished.stderr for character in "\t\x7f"), "the key is shown escaped"
    assert [key for key in bucket.names("lake/") if "/_etl/" not in key] == []


def test_odd_keys_outside_the_input_are_ignored(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    for key in ("a//b", "tab\tkey", "in2/song_data//x.json", "in-other/x.json"):
        bucket.put(key, b"nonsense")
    report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []


def test_all_pages_of_a_listing_are_read(weed_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    """More than 1,000 hidden objects before, between and after the input objects."""
    from concurrent.futures import ThreadPoolExecutor

    bucket = weed_bucket
    bucket.upload(data.input, "in")
    client = bucket.server.client()
    keys = [f"in/song_data/{letter}/.hidden-{number:04}.json" for letter in "0Az" for number in range(700)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(Bucket=bucket.name, Key=key, Body=b"x"), keys))
    run_report = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    assert sum(source["files"] for source in run_report["input"].values()) == data.files


def test_a_bad_record_is_reported_with_its_object(weed_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    key = sorted(bucket.names("in/log_data"))[3]
    lines = bucket.get(key).splitlines(keepends=True)
    bucket.put(key, b"".join([*lines[:2], b"nonsense\n", *lines[2:]]))
    run_report = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    (reject,) = run_report["rejects"]
    assert reject["file"] == bucket.url(key)
    assert (reject["line"], reject["offset"]) == (3, sum(map(len, lines[:2])))


@pytest.mark.parametrize("body", [b"PAR1 no json", b"\x1f\x8b cut"], ids=["parquet", "cut gzip"])
def test_a_bad_object_refuses_the_run(
    weed_bucket: Bucket, data: Data, lake_run: LakeRun, body: bytes
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    bucket.put("in/log_data/bad.json", body)
    finished = run(lake_run, bucket)
    assert finished.returncode == 65, finished.stderr
    assert bucket.url("in/log_data/bad.json") in finished.stderr
    assert [key for key in bucket.names("lake/") if "/_etl/" not in key] == []
    report(run(lake_run, bucket, "--on-bad-file=quarantine"))
    assert differences(bucket.contents("lake"), data.lake) == []


def test_the_content_encoding_is_ignored(weed_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    """The first bytes decide whether an object is compressed, not its Content-Encoding."""
    import gzip

    bucket = weed_bucket
    bucket.upload(data.input, "in")
    client = bucket.server.client()
    compressed, plain = sorted(bucket.names("in/log_data"))[:2]
    for key, body in ((compressed, gzip.compress(bucket.get(compressed))), (plain, bucket.get(plain))):
        client.put_object(Bucket=bucket.name, Key=key, Body=body, ContentEncoding="gzip")
    report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
