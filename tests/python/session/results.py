"""Runs the calls of the scoreboard on one engine, in this process, and writes their results as JSON.

`python -m session.results ENGINE FOLDER [NAME …]`, with `tests/python` on the path. ENGINE is
`session` or `pyspark`. The process fills FOLDER with data and writes the results to `FOLDER/results.json`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from session import scoreboard

TESTS = Path(__file__).resolve().parents[1]
SECONDS_PER_CALL = 60
SPARK_PYTHON = os.environ.get("SPARK_PYTHON", sys.executable)
"""The Python that has the real PySpark; Sail refuses the client of its latest version."""
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "1",
}


def results_of(engine: str, folder: Path, only: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the calls in a new process, in a time zone that is not UTC: Python sees times in that zone."""
    run_on(engine, folder, "-m", "session.results", engine, str(folder), *only)
    found: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return found


def run_on(engine: str, folder: Path, *arguments: str) -> None:
    """Runs Python with an engine in a folder, because a JVM cannot change its folder later."""
    python = SPARK_PYTHON if engine == "pyspark" else sys.executable
    done = subprocess.run(
        [python, *arguments],
        env={
            **os.environ,
            "PYSPARK_PYTHON": python,
            "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "TZ": "Europe/Berlin",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def _session(engine: str, folder: Path) -> Any:
    if engine == "session":
        from sparkify_lake import session

        session.activate()
    exec(scoreboard.FIRST_CELL, scoreboard.BEFORE)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("scoreboard").config(
        "spark.sql.warehouse.dir", str(folder / "warehouse")
    )
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.master("local[1]").getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def _timed_out(*_: object) -> None:
    raise TimeoutError(f"no result after {SECONDS_PER_CALL} s")


def main(engine: str, folder: Path, *only: str) -> None:
    """Runs all calls, or only those that are named."""
    import sparkify_lake
    from session.handmade import write_handmade
    from sparkify_lake.session.refusal import UnsupportedCallError

    data = write_handmade(folder / "data")
    sparkify_lake.run(data, folder / "lake", ts_window="2018-01-01..2019-01-01", quiet=True)
    spark = _session(engine, folder)
    calls = importlib.import_module("session.calls").CALLS
    signal.signal(signal.SIGALRM, _timed_out)
    found: dict[str, Any] = {}
    for number, (name, call) in enumerate(calls.items()):
        if only and name not in only:
            continue
        scratch = folder / "calls" / str(number)
        scratch.mkdir(parents=True)
        signal.alarm(SECONDS_PER_CALL)
        try:
            found[name] = scoreboard.plain(call(scoreboard.Place(spark, data, scratch)))
        except Exception as error:
            found[name] = {
                "raises": type(error).__name__,
                "message": str(error)[:600],
                "hint": error.hint if isinstance(error, UnsupportedCallError) else None,
            }
            if isinstance(error, AssertionError):
                found[name]["message"] = traceback.format_exc(limit=-1)[-600:]
        finally:
            signal.alarm(0)
            spark.catalog.clearCache()  # a cached frame changes later calls, such as the names of files
    spark.stop()
    text = json.dumps(found, ensure_ascii=False, indent=1)
    (folder / "results.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve(), *sys.argv[3:])
