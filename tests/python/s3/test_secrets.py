"""The secret of a run exists only in the memory of the process.

The tests search for it, also percent and base64 encoded, in printed output, written files, exceptions with
their tracebacks and pickles, logs, and the environment.
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


SCENARIOS = (
    "success",
    "wrong secret",
    "missing bucket",
    "store fails",
    "expired token",
    "plan",
    "doctor",
    "check",
)


@pytest.mark.parametrize("how", ["environment", "dl.cfg"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_secret_in_output_and_files(
    weed_bucket: Bucket,
    proxy: Proxy,
    data: Data,
    lake_run: LakeRun,
    bare: Path,
    tmp_path: Path,
    scenario: str,
    how: str,
) -> None:
    bucket = weed_bucket
    secret = "canary/wrong+secret-9XkQ7pLm" if scenario == "wrong secret" else bucket.server.keys.secret
    keys = Keys(id=bucket.server.keys.id, secret=secret)
    place = "s3://missing-bucket/lake" if scenario == "missing bucket" else bucket.url("lake")
    match scenario:
        case "store fails":
            proxy.inject("error 500", "PUT", count=10**9)
        case "expired token":
            proxy.inject("expired token", count=10**9)
    words: list[str | Path] = [data.input, place, "--verbose", "--store-patience=1s"]
    match scenario:
        case "plan":
            words.append("--dry-run")
        case "doctor" | "check":
            words = [scenario, place]
    if how == "dl.cfg":
        (bare / "dl.cfg").write_text(f"[AWS]\nKEY={keys.id}\nSECRET={keys.secret}\n")
        (bare / "dl.cfg").chmod(0o600)
    debug = {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "PYTHONFAULTHANDLER": "1"}
    env = debug | (keys.environment if how == "environment" else {})
    finished = lake_run(proxy, *words, env=env)
    assert (finished.returncode == 0) == (scenario in ("success", "plan", "doctor")), finished.stderr
    assert_absent("stdout", finished.stdout, secret)
    assert_absent("stderr", finished.stderr, secret)
    written = files_below(bare, tmp_path) | {key: bucket.get(key) for key in bucket.names()}
    for name, body in written.items():
        assert_absent(name, body, secret)
    if scenario == "success":
        assert any("_etl/log/" in name for name in written), "the commit record was searched"


def everything_about(error: BaseException) -> dict[str, str | bytes]:
    """Everything that a logger, a debugger or another process could show of an exception."""
    texts: dict[str, str | bytes] = {
        "its text": str(error),
        "its repr": repr(error),
        "its traceback": "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        ),
    }
    if isinstance(error, sparkify_lake.SparkifyLakeError):
        texts["its pickle"] = pickle.dumps(error)
        texts["its context"] = repr(error.context)
    return texts


@pytest.mark.parametrize("wrapped", [False, True], ids=["str", "Secret"])
@pytest.mark.parametrize("scenario", ["success", "wrong secret", "missing bucket", "bad option"])
def test_no_secret_in_exceptions_and_reports(
    weed_bucket: Bucket, data: Data, caplog: pytest.LogCaptureFixture, scenario: str, wrapped: bool
) -> None:
    bucket = weed_bucket
    secret = bucket.server.keys.secret if scenario != "wrong secret" else "canary/wrong+secret-9XkQ7pLm"
    place = "s3://missing-bucket/lake" if scenario == "missing bucket" else bucket.url("lake")
    value: Any = Secret(secret) if wrapped else secret
    given: dict[str, Any] = {
        **options(bucket.server),
        "access_key_id": bucket.server.keys.id,
        "secret_access_key": value,
        "store_patience": "nonsense" if scenario == "bad option" else "1s",
    }
    before = dict(os.environ)
    caplog.set_level(logging.DEBUG)
    try:
        done = sparkify_lake.run(data.input, place, **given)
    except sparkify_lake.SparkifyLakeError as error:
        assert scenario != "success", error
        texts = everything_about(error)
    else:
        assert scenario == "success"
        texts = {
            "the report": done.to_json(),
            "its text": str(done),
            "its repr": repr(done),
            "pickled": pickle.dumps(done),
        }
    # The locals of this test hold the secret, so only the frames below it count.
    if "its traceback" in texts:
        texts["its traceback"] = below_this_function(texts["its traceback"])
    for where, text in texts.items():
        assert_absent(where, text, secret)
    assert_absent("the log", caplog.text, secret)
    assert dict(os.environ) == before, "the environment is unchanged"


def below_this_function(text: str | bytes) -> str:
    """The frames of a traceback without those of this file, whose locals hold the secret."""
    assert isinstance(text, str)
    frames = text.split('  File "')
    return '  File "'.join(frame for frame in frames if not frame.startswith(__file__))


def test_no_secret_in_an_open_lake(weed_bucket: Bucket, data: Data) -> None:
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


def test_no_session_token_in_output_and_files(
    weed_bucket: Bucket, data: Data, lake_run: LakeRun, proxy: Proxy
) -> None:
    env = weed_bucket.server.keys.environment | {"AWS_SESSION_TOKEN": TOKEN}
    words = [data.input, weed_bucket.url("lake"), "--verbose", "--store-patience=1s"]
    finished = lake_run(proxy, *words, env=env)
    assert_absent("stdout", finished.stdout, TOKEN)
    assert_absent("stderr", finished.stderr, TOKEN)
    for key in weed_bucket.names():
        assert_absent(key, weed_bucket.get(key), TOKEN)
