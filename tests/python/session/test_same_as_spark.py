"""The recorded results are those of real PySpark, and the notebook gives the same there and on this session.

Skipped where pyspark or a Java runtime is missing. The recorded results are checked only with the version of
pyspark that gave them: `make spark` has it in a separate environment, whose Python is `SPARK_PYTHON`. Each
engine runs in a separate process, in a time zone that is not UTC: Python sees times in that zone.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from session.record import as_text, recorded, recorded_version
from session.results import SETTINGS, SPARK_PYTHON, results_of, run_on

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
def real_spark() -> str:
    """The version of PySpark with its JVM; the client alone cannot run Spark."""
    program = "import py4j, pyspark; print(pyspark.__version__)"
    done = subprocess.run([SPARK_PYTHON, "-c", program], capture_output=True, text=True, check=False)
    has_java = "JAVA_HOME" in os.environ or shutil.which("java") is not None
    missing = "pyspark" if done.returncode else None if has_java else "a Java runtime"
    if missing is not None:
        (pytest.fail if "SPARK_PYTHON" in os.environ else pytest.skip)(f"{missing} is not installed")
    return done.stdout.strip()


def test_the_recorded_results_are_those_of_pyspark(
    tmp_path: Path, real_spark: str, record_property: Any
) -> None:
    if real_spark != recorded_version():
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
    run_on(engine, scratch, "-c", NOTEBOOK_ON, engine, str(data), str(scratch), repr(settings))
    found: dict[str, Any] = pickle.loads((scratch / "found").read_bytes())
    return found
