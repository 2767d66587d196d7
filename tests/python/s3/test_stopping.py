"""Ctrl-C and SIGTERM while a server is silent: the process ends at once and leaves nothing half-done."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.processes import Finished, clean_environment
from support.s3_faults import Kind
from support.s3_jobs import Data, differences, flags, home, report
from support.s3_proxy import Proxy
from support.s3_servers import Bucket

pytestmark = pytest.mark.timeout(120)

STOPS_WITHIN = 0.5  # seconds from the signal: the promise
TEARDOWN = 0.5  # seconds on top for the interpreter to end


def start(proxy: Proxy, bucket: Bucket, folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sparkify_lake", *words, "--quiet", *flags(proxy)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=clean_environment({**home(folder), **bucket.server.keys.environment}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_silence(proxy: Proxy, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not proxy.waiting:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no request ever waited"
        time.sleep(0.005)
    time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize(("kind", "which"), [("LIST", 1), ("GET", 1), ("GET", 20), ("PUT", 1), ("PUT", 12)])
def test_stopped_while_the_server_is_silent(
    weed_bucket: Bucket,
    proxy: Proxy,
    data: Data,
    bare: Path,
    lake_run: Callable[..., Finished],
    kind: Kind,
    which: int,
    number: signal.Signals,
) -> None:
    bucket = weed_bucket
    bucket.upload(data.input, "in")
    words = [bucket.url("in"), bucket.url("lake")]
    proxy.inject("hang", kind, first=which, count=10**9)
    process = start(proxy, bucket, bare, *words)
    wait_for_silence(proxy, process)
    sent = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    took = time.monotonic() - sent
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], errors
    assert "Traceback" not in errors
    assert took <= STOPS_WITHIN + TEARDOWN, f"{took:.2f} s"
    proxy.clear()
    report(lake_run(proxy, *words, "--json", "--quiet", keys=bucket.server.keys))
    assert differences(bucket.contents("lake"), data.lake) == []


@pytest.mark.parametrize("command", ["doctor", "check", "--dry-run"])
def test_other_commands_stop_too(
    weed_bucket: Bucket, proxy: Proxy, data: Data, bare: Path, command: str
) -> None:
    words = [command, weed_bucket.url("lake")]
    if command == "--dry-run":
        words = [str(data.input), weed_bucket.url("lake"), command]
    proxy.inject("hang", count=10**9)
    process = start(proxy, weed_bucket, bare, *words)
    wait_for_silence(proxy, process)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - sent <= STOPS_WITHIN + TEARDOWN
    assert process.returncode == 130, errors
