"""Keys that are no files, keys that nobody would choose: skipped, read, or refused by name."""

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


def test_what_is_no_data_is_skipped(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
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
    told = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    assert sum(source["files"] for source in told["input"].values()) == data.files


def test_objects_without_a_byte(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    bucket.put("in/log_data/2018/11/empty.json", b"")
    bucket.put("in/song_data/blank.json", b"\n \n\r\n")
    told = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    assert sum(source["files"] for source in told["input"].values()) == data.files + 2


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
    fork_server = next(key for key in bucket.names("in/") if "song_data" in key)
    body = bucket.get(fork_server)
    bucket.delete(fork_server)
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
def test_keys_that_cannot_be_addressed(moto_bucket: Bucket, data: Data, lake_run: LakeRun, key: str) -> None:
    """Read if that can be done, else refused by name; the listing survives them."""
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    try:
        bucket.put(key, song(99_999).raw)
        kept = key in bucket.names()
    except Exception as error:
        pytest.skip(f"the server does not keep such a key: {type(error).__name__}")
    if not kept:
        pytest.skip("the server does not keep such a key")
    finished = run(lake_run, bucket)
    if finished.returncode == 0:
        told = report(finished)
        below = key.startswith("in/song_data/")
        read = sum(source["files"] for source in told["input"].values())
        assert read == data.files + 1 or not below, "an object was left out without a word"
        return
    shown = key.rsplit("/", 1)[-1].split("\t")[0].split("\n")[0].split("\x7f")[0]
    assert_error(finished, finished.returncode, shown)
    assert finished.returncode in (65, 78)
    assert not any(character in finished.stderr for character in "\t\x7f"), "shown escaped"
    assert [key for key in bucket.names("lake/") if "/_etl/" not in key] == []


def test_odd_keys_elsewhere_do_not_matter(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    for key in ("a//b", "tab\tkey", "in2/song_data//x.json", "in-other/x.json"):
        bucket.put(key, b"nonsense")
    report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []


def test_more_than_a_page_of_keys(weed_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    """1,001 hidden objects before, between and after: pages are followed to the end."""
    from concurrent.futures import ThreadPoolExecutor

    bucket = weed_bucket
    bucket.upload(data.input, "in")
    client = bucket.server.client()
    keys = [f"in/song_data/{letter}/.hidden-{number:04}.json" for letter in "0Az" for number in range(700)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(Bucket=bucket.name, Key=key, Body=b"x"), keys))
    told = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    assert sum(source["files"] for source in told["input"].values()) == data.files


def test_every_bad_record_is_found_in_its_object(weed_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    key = sorted(bucket.names("in/log_data"))[3]
    lines = bucket.get(key).splitlines(keepends=True)
    bucket.put(key, b"".join([*lines[:2], b"nonsense\n", *lines[2:]]))
    told = report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
    (reject,) = told["rejects"]
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


def test_a_content_encoding_is_not_believed(weed_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    """Bodies come as they are stored: packed or not is decided by their first bytes."""
    import gzip

    bucket = weed_bucket
    bucket.upload(data.input, "in")
    client = bucket.server.client()
    packed, plain = sorted(bucket.names("in/log_data"))[:2]
    for key, body in ((packed, gzip.compress(bucket.get(packed))), (plain, bucket.get(plain))):
        client.put_object(Bucket=bucket.name, Key=key, Body=body, ContentEncoding="gzip")
    report(run(lake_run, bucket))
    assert differences(bucket.contents("lake"), data.lake) == []
