"""The recorded results are those of real PySpark, and the notebook gives the same there and on this session.

Skipped where pyspark or a Java runtime is missing. The recorded results are checked only with the version of
pyspark that gave them: `make spark` has it in a separate environment, because Sail refuses its client. Each
engine runs in a separate process, in a time zone that is not UTC: Python sees times in that zone.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from session.record import as_text, recorded, recorded_version
from session.results import SETTINGS, TESTS, results_of

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.usefixtures("isolated_module", "real_spark"),
]

NOTEBOOK_ON = """
import pickle, sys
from pathlib import Path
engine, data, scratch, settings = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), eval(sys.argv[4])
if engine == "session":
    from sparkify_lake import session
    session.activate()
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]").appName("sparkify-lake tests")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")

# The functions of the job accept either session; they do not need it.
from sparkify_lake.etl import process_log_data, process_song_data
window = {"ts_window": "2018-01-01..2019-01-01", "quiet": True}
process_song_data(spark, data, scratch / "lake", **window)
process_log_data(spark, data, scratch / "lake", **window)
plays = spark.read.parquet(str(scratch / "lake" / "songplays_table")).count()

from session.notebook import run_cells
(scratch / "found").write_bytes(pickle.dumps({"plays": plays, **run_cells()}))
"""


@pytest.fixture(scope="module")
def real_spark() -> None:
    """PySpark with its JVM; the client alone cannot run it."""
    if find_spec("pyspark") is None or find_spec("py4j") is None:
        pytest.skip("pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("no Java runtime for Spark")


def test_the_recorded_results_are_those_of_pyspark(tmp_path: Path, record_property: Any) -> None:
    if version("pyspark") != recorded_version():
        pytest.skip(f"the results are those of pyspark {recorded_version()}; run make spark")
    expected, found = recorded(), results_of("pyspark", tmp_path)
    assert set(expected) == set(found)
    changed = {
        name: (expected[name], found[name])
        for name in found
        if as_text(expected[name]) != as_text(found[name])
    }
    assert changed == {}, "record them again: python -m session.record"
    record_property("summary", f"{len(found)} recorded results are those of PySpark")


def test_the_notebook_gives_the_same(data: Path, tmp_path: Path, record_property: Any) -> None:
    if find_spec("pysail") is None:
        pytest.skip("Sail is not installed")
    ours, spark = (_notebook(engine, data, tmp_path / engine) for engine in ("session", "pyspark"))
    assert ours["plays"] == spark["plays"] == 6
    for table, (folders, rows) in ours["tables"].items():
        assert len(rows) > 10, table
        assert folders == spark["tables"][table][0], table
        assert rows == spark["tables"][table][1], table
    for part in ("frames", "shown", "printed"):
        assert ours[part] == spark[part]
    assert "only showing top 5 rows" in ours["printed"]
    tables, frames = len(ours["tables"]), len(ours["frames"])
    record_property("summary", f"{tables} tables and {frames} frames of the notebook are the same on PySpark")


def _notebook(engine: str, data: Path, scratch: Path) -> dict[str, Any]:
    sparkify_lake.sample(scratch / "data", songs=120, events=4_000, days=30, users=40, quiet=True)
    settings = {**SETTINGS, "spark.sql.warehouse.dir": str(scratch / "warehouse")}
    path = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK_ON, engine, str(data), str(scratch), repr(settings)],
        env={
            **os.environ,
            "PYSPARK_PYTHON": sys.executable,
            "TZ": "Europe/Berlin",
            "PYTHONPATH": os.pathsep.join(path),
        },
        cwd=scratch,  # the paths of the cells are relative, and a JVM cannot change its folder later
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = pickle.loads((scratch / "found").read_bytes())
    return found
