"""Encryption, storage class, access control, payer: every request has the headers that a policy demands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import sparkify_lake
from support.processes import Finished
from support.s3_jobs import Data, assert_error, differences, options, report
from support.s3_proxy import Proxy
from support.s3_servers import REGION, Bucket

pytestmark = pytest.mark.timeout(120)
LakeRun = Callable[..., Finished]

POLICIES = {
    "kms": (
        ["--sse=aws:kms", "--sse-kms-key-id=alias/lake", "--bucket-key-enabled"],
        {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": "alias/lake",
            "x-amz-server-side-encryption-bucket-key-enabled": "true",
        },
    ),
    "s3": (["--sse=AES256"], {"x-amz-server-side-encryption": "AES256"}),
    "class and owner": (
        ["--storage-class=INTELLIGENT_TIERING", "--acl=bucket-owner-full-control"],
        {"x-amz-storage-class": "INTELLIGENT_TIERING", "x-amz-acl": "bucket-owner-full-control"},
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_every_new_object_has_the_headers(
    moto_bucket: Bucket, data: Data, lake_run: LakeRun, policy: str
) -> None:
    flags, headers = POLICIES[policy]
    keys = moto_bucket.server.keys
    with Proxy(moto_bucket.server.address) as proxy:
        for command in (["doctor", moto_bucket.url("lake")], [str(data.input), moto_bucket.url("lake")]):
            finished = lake_run(proxy, *command, *flags, keys=keys)
            assert finished.returncode == 0, finished.stderr
        requests = [request for request in proxy.requests if request.kind in ("PUT", "POST")]
    # A part of an object, and the request that joins the parts, belong to an upload that has the headers.
    creating = [request for request in requests if "uploadId" not in request.query]
    assert len(creating) > 20 and any("uploads" in request.query for request in creating)
    for request in creating:
        assert headers.items() <= request.headers.items(), request.key
        assert all(name in request.headers["authorization"] for name in headers), "the headers are signed"
    assert differences(moto_bucket.contents("lake"), data.lake) == []
    stored = moto_bucket.server.client().head_object(
        Bucket=moto_bucket.name, Key=moto_bucket.names("lake/song")[0]
    )
    expected = {name: value for name, value in headers.items() if "acl" not in name}
    assert expected.items() <= stored["ResponseMetadata"]["HTTPHeaders"].items()


def test_a_bucket_whose_readers_pay(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    """Without the header, such a bucket denies every request."""
    moto_bucket.upload(data.input, "in")
    words = [moto_bucket.url("in"), moto_bucket.url("lake"), "--requester-pays"]
    with Proxy(moto_bucket.server.address) as proxy:
        finished = lake_run(proxy, *words, keys=moto_bucket.server.keys)
        assert finished.returncode == 0, finished.stderr
        assert {request.headers.get("x-amz-request-payer") for request in proxy.requests} == {"requester"}
        assert {request.kind for request in proxy.requests} >= {"LIST", "GET", "PUT", "DELETE"}
        assert all("x-amz-request-payer" in request.headers["authorization"] for request in proxy.requests)
        proxy.clear()
        given = {**options(proxy), **moto_bucket.server.keys.arguments, "requester_pays": True}
        lake = sparkify_lake.open_lake(moto_bucket.url("lake"), **given)
        assert lake.songplays.collect().height > 0
        assert all(request.headers.get("x-amz-request-payer") for request in proxy.requests)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--storage-class=GLACIER"], "GLACIER_IR"),
        (["--sse=SSE-KMS"], "aws:kms"),
        (["--sse=AES256", "--sse-kms-key-id=k"], "set sse to aws:kms"),
        (["--acl=everybody"], "bucket-owner-full-control"),
        (["--addressing-style=host"], "auto, virtual, path"),
    ],
)
def test_invalid_values_are_refused_before_any_request(
    moto_bucket: Bucket, data: Data, lake_run: LakeRun, flags: list[str], says: str
) -> None:
    with Proxy(moto_bucket.server.address) as proxy:
        finished = lake_run(proxy, data.input, moto_bucket.url("lake"), *flags, keys=moto_bucket.server.keys)
        assert proxy.requests == []
    assert_error(finished, 64, says)


@pytest.mark.parametrize("place", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "profile"])
def test_a_run_uses_the_endpoint_of_aws_tools(
    moto_bucket: Bucket,
    data: Data,
    program: Callable[..., Finished],
    bare: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """The job, and Polars reading the lake, without our own option for the endpoint."""
    env = moto_bucket.server.keys.environment | {"HOME": str(tmp_path), "AWS_DEFAULT_REGION": REGION}
    if place == "profile":
        (tmp_path / ".aws").mkdir()
        endpoint = f"s3 =\n  endpoint_url = {moto_bucket.server.url}\n"
        (tmp_path / ".aws" / "config").write_text(
            f"[default]\nservices = local\n[services local]\n{endpoint}"
        )
    else:
        env[place] = moto_bucket.server.url
    words = [data.input, moto_bucket.url("lake"), "--allow-http", "--json", "--quiet"]
    assert report(program(*words, cwd=bare, env=env))["state"] == "published"
    assert differences(moto_bucket.contents("lake"), data.lake) == []
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert sparkify_lake.open_lake(moto_bucket.url("lake"), allow_http=True).songplays.collect().height > 0
    shown = program("config", data.input, moto_bucket.url("lake"), "--json", cwd=bare, env=env)
    origin = json.loads(shown.stdout)["endpoint_url"]["origin"]
    assert origin == ("endpoint_url in [services local] (~/.aws)" if place == "profile" else place)
