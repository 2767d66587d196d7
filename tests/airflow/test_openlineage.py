"""OpenLineage: the events of tasks, sent by the provider of Airflow to a local receiver.

The provider reads its settings when Airflow starts, so every DAG run has its own process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from conftest import DAGS
from support.lineage_receiver import Event, Receiver, receiver

TABLES = {
    "songs": "songs_table", "artists": "artists_table", "users": "user_table", "time": "time_table",
    "songplays": "songplays_table",
}  # fmt: skip
RUN = """
import sys, json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert bag.import_errors == {}, bag.import_errors
(dag,) = bag.dags.values()
print("state:", dag.test(run_conf=json.loads(sys.argv[2])).state)
"""


@pytest.fixture
def received() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def run_dag(file: str, server: Receiver, **conf: str) -> str:
    """Runs a DAG of the DAG folder in a process with a configured provider; returns its output."""
    transport = json.dumps(
        {"type": "http", "url": server.url, "auth": {"type": "api_key", "apiKey": "sesame"}}
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN, DAGS / file, json.dumps(conf)],
        env={**os.environ, "AIRFLOW__OPENLINEAGE__TRANSPORT": transport},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "state: " in done.stdout, done.stderr
    assert "sesame" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def outputs_of(event: Event) -> dict[str, Event]:
    return {Path(one["name"]).name: one for one in event["outputs"]}


def plant_foreign_file(lake: Path) -> None:
    """Makes every run fail."""
    (lake / "songs_table").mkdir(parents=True)
    (lake / "songs_table" / "foreign.parquet").write_text("of another program")


def rows_of(outputs: Iterable[Event]) -> dict[str, int]:
    return {Path(one["name"]).name: one["outputFacets"]["outputStatistics"]["rowCount"] for one in outputs}


def assert_describes_the_lake(event: Event, raw: Path, lake: Path) -> None:
    """Whether the datasets of an event have the names, the schemas, the counts and the version."""
    assert [one["name"] for one in event["inputs"]] == [str(raw / name) for name in ("song_data", "log_data")]
    logs = event["inputs"][1]["inputFacets"]
    assert logs["dataQualityMetrics"]["rowCount"] > 0 and logs["dataQualityAssertions"]["assertions"]
    status = sparkify_lake.status(lake)
    assert rows_of(event["outputs"]) == {TABLES[table]: rows for table, rows in status.rows.items()}
    for output in event["outputs"]:
        assert output["namespace"] == "file" and output["name"].startswith(f"{lake}/")
        assert output["facets"]["version"]["datasetVersion"] == str(status.version)
        assert output["facets"]["schema"]["fields"]


def test_the_operator(raw: Path, lake: Path, received: Receiver) -> None:
    run_dag("nightly.py", received)
    start, complete = received.checked("sparkify_nightly.build_lake")
    assert [one["eventType"] for one in (start, complete)] == ["START", "COMPLETE"]
    assert list(outputs_of(start)) == list(outputs_of(complete))
    assert [one["name"] for one in start["inputs"]] == [one["name"] for one in complete["inputs"]]
    assert_describes_the_lake(complete, raw, lake)
    tags = {one["key"]: one["value"] for one in complete["run"]["facets"]["tags"]["tags"]}
    assert tags["sparkify_lake_state"] == "published" and "airflow" in complete["run"]["facets"]


def test_a_failing_operator(raw: Path, lake: Path, received: Receiver) -> None:
    plant_foreign_file(lake)
    run_dag("nightly.py", received)
    start, fail = received.checked("sparkify_nightly.build_lake")
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert list(outputs_of(fail)) == list(outputs_of(start)) and len(fail["outputs"]) == 5
    assert "hint: " in fail["run"]["facets"]["errorMessage"]["message"]


def test_a_python_operator(raw: Path, lake: Path, received: Receiver) -> None:
    run_dag("spark_era.py", received, input=str(raw), output=str(lake))
    jobs = {one["job"]["name"] for one in received.events if one["eventType"] == "RUNNING"}
    assert len(jobs) == 2, "both functions of the Spark job"
    tables: dict[str, Any] = {}
    for job in jobs:
        events = received.checked(job)
        assert [one["eventType"] for one in events] == ["START", "RUNNING", "COMPLETE"]
        assert len({one["run"]["runId"] for one in events}) == 1
        tables |= outputs_of(events[1])
        assert events[1]["inputs"] and "airflow" in events[1]["run"]["facets"]
        from_collector = {Path(one["name"]).name for one in events[2]["outputs"]}
        assert outputs_of(events[1]).keys() <= from_collector
    rows = sparkify_lake.status(lake).rows
    assert rows_of(tables.values()) == {TABLES[table]: number for table, number in rows.items()}
    assert all(one["facets"]["schema"]["fields"] for one in tables.values())


FAILING = """
from airflow.sdk import dag, task

@dag
def failing():
    @task
    def build():
        import sparkify_lake
        sparkify_lake.run({raw!r}, {lake!r})
    build()

failing()
"""


def test_a_failing_python_operator(raw: Path, lake: Path, received: Receiver) -> None:
    plant_foreign_file(lake)
    (DAGS / "failing.py").write_text(FAILING.format(raw=str(raw), lake=str(lake)))
    try:
        run_dag("failing.py", received)
    finally:
        (DAGS / "failing.py").unlink()
    assert [one["eventType"] for one in received.checked("failing.build")] == ["START", "RUNNING", "FAIL"]


def test_a_process_that_is_no_task_sends_its_own_events(raw: Path, lake: Path, received: Receiver) -> None:
    code = "import sys, airflow.sdk, sparkify_lake\nsparkify_lake.run(*sys.argv[1:], quiet=True)"
    subprocess.run(
        [sys.executable, "-c", code, raw, lake],
        env={**os.environ, "OPENLINEAGE_URL": received.url}, check=True, timeout=60,
    )  # fmt: skip
    start, complete = received.checked()
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert_describes_the_lake(complete, raw, lake)
