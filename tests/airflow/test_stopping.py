"""Tasks with an execution timeout, in separate processes: they stop and leave the tables complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sparkify_lake
from conftest import DAGS

WITHIN = 5.0
"""Seconds between the timeout and the end of the process, including the work of Airflow."""

DAG_FILE = """
import json, os
from datetime import datetime, timedelta
from airflow import DAG
from airflow.providers.standard.operators.python import PythonOperator
from sparkify_lake.airflow import SparkifyOperator
from sparkify_lake.etl import main

raw, lake, seconds, kind = json.loads(os.environ["STOPPED"])
with DAG("stopped", start_date=datetime(2018, 11, 1), schedule=None) as dag:
    limit = timedelta(seconds=seconds) if seconds else None
    if kind == "operator":
        SparkifyOperator(
            task_id="build", input_data=raw, output_data=lake, options={"threads": 1}, execution_timeout=limit
        )
    else:
        PythonOperator(
            task_id="build", python_callable=main, execution_timeout=limit,
            op_kwargs={"input_data": raw, "output_data": lake, "threads": 1},
        )
"""
PROGRAM = """
import sys
from airflow.dag_processing.dagbag import DagBag

bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
print("ended", bag.dags["stopped"].test().state, flush=True)
"""


def start(raw: Path, lake: Path, seconds: float, kind: str) -> subprocess.Popen[str]:
    file = DAGS / "stopped.py"
    file.write_text(DAG_FILE)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, file],
        env={**os.environ, "STOPPED": json.dumps([str(raw), str(lake), seconds, kind])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def has_staged_files(lake: Path) -> bool:
    """Whether a run has staged files."""
    return any((lake / "_etl" / "stage").glob("*/*"))


def assert_whole_and_rerun(raw: Path, lake: Path) -> None:
    """Every version in the commit log is complete, and the next run succeeds."""
    if list((lake / "_etl" / "log").glob("*.json")):
        sparkify_lake.recover(lake)
        assert sparkify_lake.check(lake).is_healthy
    else:
        assert not list(lake.glob("*_table")), "without a commit, no table is visible"
    with start(raw, lake, 0, "operator") as again:
        out, _ = again.communicate(timeout=120)
    assert "ended success" in out, out[-3000:]
    assert sparkify_lake.check(lake).is_healthy


def wait_for_staged_files(process: subprocess.Popen[str], lake: Path) -> float:
    """Waits until the run has staged files; returns the time."""
    deadline = time.monotonic() + 60
    while not has_staged_files(lake):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.parametrize("kind", ["operator", "function"])
def test_an_execution_timeout_stops_the_run(kind: str, many: Path, lake: Path) -> None:
    limit = 1.0
    with start(many, lake, limit, kind) as process:
        begun = wait_for_staged_files(process, lake)
        out, _ = process.communicate(timeout=120)
        took = time.monotonic() - begun
    assert "ended failed" in out and "AirflowTaskTimeout" in out, out[-3000:]
    assert took < limit + WITHIN
    assert_whole_and_rerun(many, lake)
