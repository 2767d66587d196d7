"""The same calls and the same notebook, here and on real PySpark: what comes out is equal.

Skipped where pyspark or a Java runtime is missing. Each runs in a process of its own, in a zone that is not
UTC: what Python sees of times is in the host's.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from session.calls import CALLS

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("isolated_module"),
]

ON_EITHER = """
import os, pickle, sys
from pathlib import Path
which, data, scratch = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
sys.path.insert(0, sys.argv[4])
if which == "ours":
    from sparkify_lake import session
    session.activate()
from pyspark.sql import SparkSession
settings = {
    "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC", "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1", "spark.sql.shuffle.partitions": "1",
    "spark.sql.warehouse.dir": str(scratch / "warehouse"),
}
builder = SparkSession.builder.master("local[1]").appName("sparkify-lake tests")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")

from session.calls import CALLS, Place
found = {"calls": {}}
for number, (name, call) in enumerate(CALLS.items()):
    place = scratch / str(number)
    place.mkdir(parents=True)
    try:
        found["calls"][name] = repr(call(Place(spark, data, place)))
    except Exception as error:
        found["calls"][name] = f"{which} FAILS: {type(error).__name__}: {str(error)[:500]}"

# The functions of the job take the session, whichever it is, and do not need it.
from sparkify_lake.etl import process_log_data, process_song_data
window = {"ts_window": "2018-01-01..2019-01-01", "quiet": True}
process_song_data(spark, data, scratch / "lake", **window)
process_log_data(spark, data, scratch / "lake", **window)
found["plays"] = spark.read.parquet(str(scratch / "lake" / "songplays_table")).count()

from session.notebook import run_cells
found["notebook"] = run_cells()
(scratch / "found").write_bytes(pickle.dumps(found))
"""


@pytest.fixture(scope="module")
def found(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What comes out here ("ours") and there ("spark")."""
    if find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("no Java runtime for Spark")
    results = {}
    for which in ("ours", "spark"):
        scratch = tmp_path_factory.mktemp(which)
        sparkify_lake.sample(scratch / "data", songs=120, events=4_000, days=30, users=40, quiet=True)
        tests = Path(__file__).parents[1]
        done = subprocess.run(
            [sys.executable, "-c", ON_EITHER, which, str(data), str(scratch), str(tests)],
            env={**os.environ, "PYSPARK_PYTHON": sys.executable, "TZ": "Europe/Berlin"},
            cwd=scratch,  # the cells' paths are relative, and a JVM cannot change its folder later
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        results[which] = pickle.loads((scratch / "found").read_bytes())
    return results


def test_the_same_comes_out(found: dict[str, dict[str, Any]], record_property: Any) -> None:
    """One test, so that one worker runs it: Spark takes its time."""
    ours, spark = found["ours"], found["spark"]
    same_calls(ours["calls"], spark["calls"])
    same_notebook(ours["notebook"], spark["notebook"])
    assert ours["plays"] == spark["plays"] == 6, "a real session is taken, and not needed"
    tables, frames = len(ours["notebook"]["tables"]), len(ours["notebook"]["frames"])
    record_property(
        "summary", f"{len(CALLS)} calls, {tables} tables, {frames} frames are the same on PySpark"
    )


def same_calls(ours: dict[str, str], spark: dict[str, str]) -> None:
    assert set(ours) == set(spark) == set(CALLS)
    assert {name: (ours[name], spark[name]) for name in ours if ours[name] != spark[name]} == {}
    assert [text for text in spark.values() if "FAILS" in text] == []


def same_notebook(ours: dict[str, Any], spark: dict[str, Any]) -> None:
    for table, (folders, rows) in ours["tables"].items():
        assert len(rows) > 10, table
        assert folders == spark["tables"][table][0], table
        assert rows == spark["tables"][table][1], table
    assert ours["frames"] == spark["frames"]
    assert ours["shown"] == spark["shown"]
    assert ours["printed"] == spark["printed"]
    assert "only showing top 5 rows" in ours["printed"]
