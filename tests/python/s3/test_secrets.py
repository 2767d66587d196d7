"""A canary: the secret of a run occurs nowhere but in the memory of the process.

It is looked for, plain and in the forms that text takes on the way (percent and base64 encoded), in what is
printed, in what is written, in exceptions, their tracebacks and pickles, in logs, in the environment.
"""

from __future__ import annotations

import base64
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import sparkify_lake
from sparkify_lake.secret import Secret
from support.processes import Finished
from support.s3_jobs import Data, options
from support.s3_proxy import Proxy
from support.s3_servers import Bucket, Keys

pytestmark = pytest.mark.timeout(120)

LakeRun = Callable[..., Finished]
TOKEN = "canary/session+token=="


def forms(secret: str) -> list[bytes]:
    plain = secret.encode()
    return [
        plain,
        quote(secret, safe="").encode(),
        base64.b64encode(plain)[:-4],
        plain[4:-4],
        plain.hex().encode(),
    ]


def assert_absent(where: str, text: str | bytes, *secrets: str) -> None:
    data = text.encode() if isinstance(text, str) else text
    for secret in secrets:
        for form in forms(secret):
            assert form not in data, f"the secret is in {where}"


def files_below(*folders: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("dl.cfg", "credentials")
    }


SCENES = (
    "goes well",
    "wrong secret",
    "missing bucket",
    "store fails",
    "expired token",
    "plan",
    "doctor",
    "check",
)


@pytest.mark.parametrize("how", ["environment", "dl.cfg"])
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_that_is_printed_or_written(
    weed_bucket: Bucket,
    proxy: Proxy,
    data: Data,
    lake_run: LakeRun,
    bare: Path,
    tmp_path: Path,
    scene: str,
    how: str,
) -> None:
    bucket = weed_bucket
    secret = "canary/wrong+secret-9XkQ7pLm" if scene == "wrong secret" else bucket.server.keys.secret
    keys = Keys(id=bucket.server.keys.id, secret=secret)
    place = "s3://missing-bucket/lake" if scene == "missing bucket" else bucket.url("lake")
    match scene:
        case "store fails":
            proxy.inject("error 500", "PUT", count=10**9)
        case "expired token":
            proxy.inject("expired token", count=10**9)
    words: list[str | Path] = [data.input, place, "--verbose", "--store-patience=1s"]
    match scene:
        case "plan":
            words.append("--dry-run")
        case "doctor" | "check":
            words = [scene, place]
    if how == "dl.cfg":
        (bare / "dl.cfg").write_text(f"[AWS]\nKEY={keys.id}\nSECRET={keys.secret}\n")
        (bare / "dl.cfg").chmod(0o600)
    debug = {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "PYTHONFAULTHANDLER": "1"}
    env = debug | (keys.environment if how == "environment" else {})
    finished = lake_run(proxy, *words, env=env)
    assert (finished.returncode == 0) == (scene in ("goes well", "plan", "doctor")), finished.stderr
    assert_absent("stdout", finished.stdout, secret)
    assert_absent("stderr", finished.stderr, secret)
    written = files_below(bare, tmp_path) | {key: bucket.get(key) for key in bucket.names()}
    for name, body in written.items():
        assert_absent(name, body, secret)
    if scene == "goes well":
        assert any("_etl/log/" in name for name in written), "the record was looked at"


def everything_about(error: BaseException) -> dict[str, str | bytes]:
    """All that a logger, a debugger or another process could show of an exception."""
    told: dict[str, str | bytes] = {
        "its text": str(error),
        "its repr": repr(error),
        "its traceback": "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        ),
    }
    if isinstance(error, sparkify_lake.SparkifyLakeError):
        told["its pickle"] = pickle.dumps(error)
        told["its context"] = repr(error.context)
    return told


@pytest.mark.parametrize("wrapped", [False, True], ids=["str", "Secret"])
@pytest.mark.parametrize("scene", ["goes well", "wrong secret", "missing bucket", "bad option"])
def test_nothing_in_exceptions_and_reports(
    weed_bucket: Bucket, data: Data, caplog: pytest.LogCaptureFixture, scene: str, wrapped: bool
) -> None:
    bucket = weed_bucket
    secret = bucket.server.keys.secret if scene != "wrong secret" else "canary/wrong+secret-9XkQ7pLm"
    place = "s3://missing-bucket/lake" if scene == "missing bucket" else bucket.url("lake")
    kept: Any = Secret(secret) if wrapped else secret
    given: dict[str, Any] = {
        **options(bucket.server),
        "access_key_id": bucket.server.keys.id,
        "secret_access_key": kept,
        "store_patience": "nonsense" if scene == "bad option" else "1s",
    }
    before = dict(os.environ)
    caplog.set_level(logging.DEBUG)
    try:
        done = sparkify_lake.run(data.input, place, **given)
    except sparkify_lake.SparkifyLakeError as error:
        assert scene != "goes well", error
        told = everything_about(error)
    else:
        assert scene == "goes well"
        told = {
            "the report": done.to_json(),
            "its text": str(done),
            "its repr": repr(done),
            "pickled": pickle.dumps(done),
        }
    # This function's own locals hold it: only what lies below counts.
    if "its traceback" in told:
        told["its traceback"] = below_this_function(told["its traceback"])
    for where, text in told.items():
        assert_absent(where, text, secret)
    assert_absent("the log", caplog.text, secret)
    assert dict(os.environ) == before, "the environment is as it was"


def below_this_function(text: str | bytes) -> str:
    """The frames of a traceback without this file's: their locals hold the secret by intent."""
    assert isinstance(text, str)
    frames = text.split('  File "')
    return '  File "'.join(frame for frame in frames if not frame.startswith(__file__))


def test_a_lake_that_is_open_tells_nothing(weed_bucket: Bucket, data: Data) -> None:
    bucket = weed_bucket
    given = {**options(bucket.server), **bucket.server.keys.arguments}
    sparkify_lake.run(data.input, bucket.url("lake"), quiet=True, **given)
    lake = sparkify_lake.open_lake(bucket.url("lake"), **given)
    plays = lake.songplays
    plays.collect()
    shown = {
        "repr": repr(lake),
        "html": lake._repr_html_(),
        "plan": plays.explain(),
        "logical": plays.explain(optimized=False),
    }
    for where, text in shown.items():
        assert_absent(where, text, bucket.server.keys.secret)
    with suppress(TypeError, pickle.PicklingError):
        assert_absent("a pickle", pickle.dumps(lake), bucket.server.keys.secret)


def test_a_session_token_is_a_secret(
    weed_bucket: Bucket, data: Data, lake_run: LakeRun, proxy: Proxy
) -> None:
    env = weed_bucket.server.keys.environment | {"AWS_SESSION_TOKEN": TOKEN}
    words = [data.input, weed_bucket.url("lake"), "--verbose", "--store-patience=1s"]
    finished = lake_run(proxy, *words, env=env)
    assert_absent("stdout", finished.stdout, TOKEN)
    assert_absent("stderr", finished.stderr, TOKEN)
    for key in weed_bucket.names():
        assert_absent(key, weed_bucket.get(key), TOKEN)
