"""Runs on S3: a new bucket, the options for a server, and the comparison with a local lake."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import sparkify_lake
from support.processes import Finished
from support.s3_proxy import Proxy
from support.s3_servers import REGION, Bucket, Server

Body = TypeVar("Body", bytes, str)
_NUMBERS = itertools.count(1)


def new_bucket(server: Server) -> Bucket:
    return server.bucket(f"lake-{os.getpid()}-{next(_NUMBERS)}")


def home(folder: Path) -> dict[str, str]:
    """An environment without credentials."""
    return {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True, slots=True)
class Data:
    """An input on disk, and the lake that a local run writes from it."""

    input: Path
    lake: dict[str, bytes]
    files: int


def tables_of(lake: dict[str, Body]) -> dict[str, Body]:
    """The files of the tables: everything except `_etl/`."""
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


def digests(lake: dict[str, bytes]) -> dict[str, str]:
    """The MD5 of every file."""
    return {key: hashlib.md5(body, usedforsecurity=False).hexdigest() for key, body in lake.items()}


def differences(lake: dict[str, Body], expected: dict[str, Body]) -> list[str]:
    """The differences between the tables of a lake (or their digests) and the expected ones."""
    lake = tables_of(lake)
    wrong = [f"missing: {key}" for key in expected.keys() - lake.keys()]
    wrong += [f"too many: {key}" for key in lake.keys() - expected.keys()]
    wrong += [f"differs: {key}" for key in expected.keys() & lake.keys() if expected[key] != lake[key]]
    return sorted(wrong)


def options(server: Server | Proxy) -> dict[str, Any]:
    """Keyword arguments for runs on a server."""
    return {"endpoint_url": server.url, "allow_http": True, "region": REGION}


def flags(server: Server | Proxy) -> list[str]:
    """Flags for runs on a server."""
    return [f"--endpoint-url={server.url}", "--allow-http", f"--region={REGION}"]


def report(finished: Finished) -> dict[str, Any]:
    """The report of a successful run with `--json`."""
    assert finished.returncode == 0, finished.stderr
    parsed: dict[str, Any] = json.loads(finished.stdout)
    return parsed


def assert_error(finished: Finished, code: int, *says: str) -> None:
    """One error line, a hint, the exit code; no traceback and nothing on stdout."""
    lines = finished.stderr.strip().splitlines()
    assert finished.returncode == code, finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    assert not finished.stdout
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, finished.stderr
    assert len(errors[0]) < 1500, "one sentence, which may list ten keys"
    assert any(line.startswith("hint: ") and len(line) > 12 for line in lines), finished.stderr
    for words in says:
        assert words.lower() in finished.stderr.lower(), (words, finished.stderr)


def through(bucket: Bucket, proxy: Proxy) -> Bucket:
    """The bucket as seen through a proxy."""
    return replace(bucket, server=replace(bucket.server, port=proxy.port))
