"""The URL of a bucket is that of boto3. The engine's unit test reads the same file, `bucket_urls.json`."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

FILE = Path(__file__).with_name("bucket_urls.json")

BUCKETS = ("data", "a.b", "Upper", "under_score")
REGIONS = ("eu-west-1", "us-gov-west-1", "cn-north-1")
ENDPOINTS = (None, "https://store.example.com:9000", "http://localhost:9000/gateway")
STYLES = ("auto", "virtual", "path")
VARIANTS = ((False, False), (True, False), (False, True), (True, True))


def boto3_url(case: dict[str, Any]) -> str:
    """The URL of the bucket in a request of boto3, which is not sent."""
    client = boto3.client(
        "s3",
        region_name=case["region"],
        endpoint_url=case["endpoint_url"],
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(
            s3={"addressing_style": case["addressing_style"]},
            use_fips_endpoint=case["use_fips_endpoint"],
            use_dualstack_endpoint=case["use_dualstack_endpoint"],
        ),
    )
    seen: list[str] = []

    def stop(request: Any, **_: object) -> Any:
        seen.append(request.url)
        raise RuntimeError("not sent")

    client.meta.events.register("before-send.s3.HeadBucket", stop)
    with pytest.raises(RuntimeError, match="not sent"):
        client.head_bucket(Bucket=case["bucket"])
    return seen[0].rstrip("/")


def cases() -> list[dict[str, Any]]:
    """All combinations that AWS has: an endpoint has no variants, and China has no FIPS endpoints."""
    found = []
    for bucket, region, endpoint, style, (fips, dualstack) in product(
        BUCKETS, REGIONS, ENDPOINTS, STYLES, VARIANTS
    ):
        if (endpoint and (fips or dualstack)) or (fips and region.startswith("cn-")):
            continue
        case = {
            "bucket": bucket,
            "region": region,
            "endpoint_url": endpoint,
            "addressing_style": style,
            "use_fips_endpoint": fips,
            "use_dualstack_endpoint": dualstack,
        }
        found.append(case | {"url": boto3_url(case)})
    return found


def test_the_file_has_the_urls_of_boto3() -> None:
    assert json.loads(FILE.read_text()) == cases()


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases()) + "\n]\n")
