"""Denied access, missing servers and wrong settings: one sentence, a hint, the exit code, no leftovers."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.processes import Finished
from support.s3_faults import Kind
from support.s3_jobs import Data, assert_error, differences, report
from support.s3_proxy import Proxy
from support.s3_servers import (
    ANYTHING,
    REGION,
    Bucket,
    Certificates,
    Keys,
    Server,
    add_user,
    certificates,
    free_ports,
)

pytestmark = pytest.mark.timeout(120)

LakeRun = Callable[..., Finished]
PATIENCE = "--store-patience=2s"


def test_a_wrong_secret_is_denied(bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    wrong = replace(bucket.server.keys, secret="wrong" * 8)
    finished = lake_run(bucket.server, data.input, bucket.url("lake"), PATIENCE, keys=wrong)
    assert_error(finished, 77, "environment variables")
    assert bucket.names() == []


def test_an_unknown_key_id_is_denied(bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    wrong = replace(bucket.server.keys, id="AKIANOBODYKNOWSTHIS0")
    finished = lake_run(bucket.server, data.input, bucket.url("lake"), PATIENCE, keys=wrong)
    assert_error(finished, 77, "environment variables")
    assert bucket.names() == []


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_missing_bucket_is_reported(
    server: Server, data: Data, lake_run: LakeRun, tmp_path: Path, side: str
) -> None:
    place = "s3://no-such-bucket-anywhere/x"
    words = [place, tmp_path / "lake"] if side == "input" else [data.input, place]
    finished = lake_run(server, *words, PATIENCE, keys=server.keys)
    assert_error(finished, 78, "no-such-bucket-anywhere")


def user(server: Server, name: str, *denied: dict[str, object]) -> Keys:
    """A user of moto who may do everything except the denied actions."""
    return add_user(server.client(service="iam"), name, [*ANYTHING, *denied])


def deny(action: str, bucket: Bucket, key: str) -> dict[str, object]:
    return {"Effect": "Deny", "Action": action, "Resource": f"arn:aws:s3:::{bucket.name}/{key}"}


def test_a_denied_object_is_named(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = moto_bucket
    bucket.upload(data.input, "in")
    closed = next(key for key in reversed(bucket.names("in/")) if "song_data" in key)
    keys = user(bucket.server, f"reader-{bucket.name}", deny("s3:GetObject", bucket, closed))
    finished = lake_run(bucket.server, bucket.url("in"), bucket.url("lake"), PATIENCE, keys=keys)
    assert_error(finished, 77, closed)
    assert [key for key in bucket.names("lake/") if not key.startswith("lake/_etl/")] == []


def test_a_denied_write_is_found_before_reading(moto_bucket: Bucket, data: Data, lake_run: LakeRun) -> None:
    bucket = moto_bucket
    keys = user(bucket.server, f"guest-{bucket.name}", deny("s3:PutObject", bucket, "*"))
    with Proxy(bucket.server.address) as proxy:
        bucket.upload(data.input, "in")
        finished = lake_run(proxy, bucket.url("in"), bucket.url("lake"), PATIENCE, keys=keys)
        reads = proxy.count().get("GET", 0)
    assert_error(finished, 77)
    assert bucket.names("lake/") == []
    assert reads < 5, "the input was not read"


def test_a_denied_delete_is_found_before_writing(
    moto_bucket: Bucket, data: Data, later: Data, lake_run: LakeRun
) -> None:
    bucket = moto_bucket
    owner = bucket.server.keys
    report(lake_run(bucket.server, data.input, bucket.url("lake"), "--json", "--quiet", keys=owner))
    keys = user(bucket.server, f"writer-{bucket.name}", deny("s3:DeleteObject", bucket, "*"))
    words = [later.input, bucket.url("lake"), "--json", "--quiet", PATIENCE]
    before = bucket.contents("lake")
    finished = lake_run(bucket.server, *words, keys=keys)
    assert_error(finished, 77, "cannot delete", "AccessDenied")
    assert bucket.contents("lake") == before, "nothing was changed"
    report(lake_run(bucket.server, *words, keys=owner))
    assert differences(bucket.contents("lake"), later.lake) == []


@pytest.mark.parametrize(
    ("kind", "key", "first", "code"),
    [("GET", "", 12, 77), ("PUT", "_etl/stage/", 2, 77), ("PUT", "_table/", 2, 75)],
    ids=["read", "stage", "publish"],
)
def test_a_token_that_expires_during_the_run(
    weed_bucket: Bucket,
    proxy: Proxy,
    data: Data,
    lake_run: LakeRun,
    kind: Kind,
    key: str,
    first: int,
    code: int,
) -> None:
    """After the commit, the exit code is 75, because a retry publishes the version."""
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    injected = proxy.inject("expired token", kind, key=key, first=first, count=10**9)
    words = [bucket.url("in"), bucket.url("lake"), "--json", "--quiet", PATIENCE]
    finished = lake_run(proxy, *words, keys=bucket.server.keys)
    assert injected.hits >= 1
    assert_error(finished, code, "expired")
    if code == 77:
        assert [key for key in bucket.names("lake/") if not key.startswith("lake/_etl/")] == []
    proxy.clear()
    report(lake_run(proxy, *words, keys=bucket.server.keys))
    assert differences(bucket.contents("lake"), data.lake) == [], "the next run completes the lake"


def test_an_unreachable_server_is_reported(data: Data, lake_run: LakeRun) -> None:
    unreachable = Server(
        name="unreachable", port=free_ports(1)[0], keys=Keys(id="AKIANOBODY", secret="nothing")
    )
    begun = time.monotonic()
    finished = lake_run(unreachable, data.input, "s3://lake/x", PATIENCE, keys=unreachable.keys)
    assert_error(finished, 78, f"127.0.0.1:{unreachable.port}")
    assert time.monotonic() - begun < 10


def test_plain_http_needs_allow_http(
    weed_bucket: Bucket, proxy: Proxy, data: Data, program: Callable[..., Finished], bare: Path
) -> None:
    words = [data.input, weed_bucket.url("lake"), f"--endpoint-url={proxy.url}", f"--region={REGION}"]
    finished = program(*words, cwd=bare, env=weed_bucket.server.keys.environment)
    assert_error(finished, 78, "--allow-http")
    assert proxy.requests == [], "no request was sent unencrypted"


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown authority", "--ca-file"])
def test_a_private_certificate_needs_ca_file(
    weed_bucket: Bucket,
    certified: Certificates,
    data: Data,
    program: Callable[..., Finished],
    bare: Path,
    trusted: bool,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.certificate, certified.key)
    bucket = weed_bucket
    with Proxy(bucket.server.address, tls=context) as proxy:
        words = [
            data.input,
            bucket.url("lake"),
            f"--endpoint-url={proxy.url}",
            f"--region={REGION}",
            PATIENCE,
        ]
        words += [f"--ca-file={certified.authority}"] if trusted else []
        words += ["--json", "--quiet"]
        finished = program(*words, cwd=bare, env=bucket.server.keys.environment)
    if trusted:
        report(finished)
        assert differences(bucket.contents("lake"), data.lake) == []
    else:
        assert_error(finished, 78, "127.0.0.1", "--ca-file")
        assert bucket.names() == []


def test_an_invalid_ca_file_is_refused(
    weed_bucket: Bucket, data: Data, lake_run: LakeRun, bare: Path
) -> None:
    (bare / "ca.pem").write_text("not a certificate")
    for name in ("ca.pem", "missing.pem"):
        words = [data.input, weed_bucket.url("lake"), f"--ca-file={bare / name}"]
        assert_error(lake_run(weed_bucket.server, *words, keys=weed_bucket.server.keys), 78, name)


def test_a_store_without_conditional_writes_causes_a_warning(
    nanio_server: Server, data: Data, lake_run: LakeRun
) -> None:
    from support.s3_jobs import new_bucket

    bucket = new_bucket(nanio_server)
    finished = lake_run(nanio_server, data.input, bucket.url("lake"), "--json", keys=nanio_server.keys)
    warnings = report(finished)["warnings"]
    assert any("ignores conditional writes" in warning for warning in warnings), "a guarantee is missing"
    assert differences(bucket.contents("lake"), data.lake) == []


def test_a_wrong_clock_is_reported(weed_bucket: Bucket, proxy: Proxy, data: Data, lake_run: LakeRun) -> None:
    proxy.inject("clock skew", count=10**9)
    finished = lake_run(proxy, data.input, weed_bucket.url("lake"), PATIENCE, keys=weed_bucket.server.keys)
    assert_error(finished, 78, "clock")


def test_a_wrong_region_is_reported(weed_bucket: Bucket, proxy: Proxy, data: Data, lake_run: LakeRun) -> None:
    proxy.inject("wrong region", count=10**9)
    finished = lake_run(proxy, data.input, weed_bucket.url("lake"), PATIENCE, keys=weed_bucket.server.keys)
    assert_error(finished, 78, REGION, "eu-north-1")


def test_an_archived_object_is_named(
    weed_bucket: Bucket, proxy: Proxy, data: Data, lake_run: LakeRun
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    archived = next(key for key in bucket.names("in/") if "log_data" in key)
    proxy.inject("archived", "GET", key=archived, count=10**9)
    finished = lake_run(proxy, bucket.url("in"), bucket.url("lake"), PATIENCE, keys=bucket.server.keys)
    assert_error(finished, 77, archived, "InvalidObjectState")


def test_an_object_with_a_denied_kms_key_is_named(
    weed_bucket: Bucket, proxy: Proxy, data: Data, lake_run: LakeRun
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    denied = next(key for key in bucket.names("in/") if "song_data" in key)
    proxy.inject("kms denied", "GET", key=denied, count=10**9)
    finished = lake_run(proxy, bucket.url("in"), bucket.url("lake"), PATIENCE, keys=bucket.server.keys)
    assert_error(finished, 77, denied, "KMS")


def test_a_server_that_is_not_s3_is_reported(data: Data, lake_run: LakeRun, tmp_path: Path) -> None:
    import http.server
    import threading

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html><body>Welcome</body></html>"
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        server = Server(name="pages", port=pages.server_port, keys=Keys(id="AKIAX", secret="x"))
        finished = lake_run(server, "s3://lake/in", tmp_path / "lake", PATIENCE, keys=server.keys)
        pages.shutdown()
    assert_error(finished, 78, f"127.0.0.1:{server.port}")


def test_plain_http_in_lake_cfg_needs_allow_http(
    weed_bucket: Bucket, data: Data, program: Callable[..., Finished], bare: Path
) -> None:
    (bare / "lake.cfg").write_text(f"[LAKE]\nENDPOINT_URL={weed_bucket.server.url}\nREGION={REGION}\n")
    finished = program(data.input, weed_bucket.url("lake"), cwd=bare, env=weed_bucket.server.keys.environment)
    assert_error(finished, 78, "--allow-http")
