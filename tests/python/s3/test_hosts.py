"""Hosts that lack what a run with a bucket needs: a folder for scratch files, and threads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.crash_harness import build_fault_library
from support.processes import Finished, assert_refused, clean_environment
from support.s3_jobs import Data, home, tables_of
from support.s3_servers import Bucket


@pytest.mark.parametrize("place", ["missing", "file", "/proc"])
def test_a_folder_for_scratch_files_that_cannot_be_used(
    tmp_path: Path, weed_bucket: Bucket, data: Data, lake_run: Callable[..., Finished], place: str
) -> None:
    """``doctor`` finds it, and the run fails with the same hint."""
    (tmp_path / "file").write_text("a file")
    folder = place if place.startswith("/") else str(tmp_path / place)
    env = {"TMPDIR": folder}
    examined = lake_run(
        weed_bucket.server, "doctor", weed_bucket.url("lake"), "--json", keys=weed_bucket.server.keys, env=env
    )
    checks = {check["name"]: check for check in json.loads(examined.stdout)["checks"]}
    assert checks["scratch"]["outcome"] == "failed" and "TMPDIR" in checks["scratch"]["hint"]
    assert examined.returncode in {74, 77}
    done = lake_run(
        weed_bucket.server, data.input, weed_bucket.url("lake"), keys=weed_bucket.server.keys, env=env
    )
    assert_refused(done, 74, 77, says="TMPDIR")
    usual = lake_run(
        weed_bucket.server, "doctor", weed_bucket.url("lake"), "--json", keys=weed_bucket.server.keys
    )
    assert [one["outcome"] for one in json.loads(usual.stdout)["checks"] if one["name"] == "scratch"] == [
        "ok"
    ]


SCRIPT = """
import ctypes, sys, sparkify_lake
fault, count, source, lake, endpoint = sys.argv[1:]
getattr(ctypes.CDLL(None), fault)(ctypes.c_long(int(count)))
try:
    sparkify_lake.run(source, lake, endpoint_url=endpoint, allow_http=True, quiet=True, threads=2)
except sparkify_lake.SparkifyLakeError as error:
    print(f"error: {error} (hint: {error.hint})", file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("fault", ["faults_threads", "faults_thread_limit"])
def test_a_limit_of_threads_with_a_bucket(
    fault: str, tmp_path: Path, weed_bucket: Bucket, data: Data
) -> None:
    """The process can start, or can have, only n more threads, for every n, as under ``prlimit --nproc``."""
    library = build_fault_library(tmp_path)
    keys = weed_bucket.server.keys.environment
    codes = []
    for count in range(16):
        words = [fault, str(count), data.input, weed_bucket.url("lake"), weed_bucket.server.url]
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *words],
            env=clean_environment({"LD_PRELOAD": str(library), **keys, **home(tmp_path)}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode in {0, 74}, (count, done.stderr)
        assert done.returncode == 0 or "thread" in done.stderr
        codes.append(done.returncode)
    assert {0, 74} == set(codes), codes
    assert tables_of(weed_bucket.contents("lake")) == data.lake
