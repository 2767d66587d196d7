"""The example DAGs, run by a real Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sparkify_lake

Load = Callable[[Any], Any]


def xcom(run: Any, task: str) -> Any:
    """The return value of a task."""
    (instance,) = [one for one in run.get_task_instances() if one.task_id == task]
    return instance.xcom_pull(task_ids=task)


def test_the_example_dag_of_the_spark_job(dag_of: Load, raw: Path, lake: Path) -> None:
    run = dag_of("spark_era.py").test(run_conf={"input": str(raw), "output": str(lake)})
    assert run.state == "success"
    assert sparkify_lake.check(lake).is_healthy
    assert set(sparkify_lake.status(lake).rows) == {"songs", "artists", "users", "time", "songplays"}


def test_the_example_dags_with_operator_and_sensor(dag_of: Load, raw: Path, lake: Path) -> None:
    run = dag_of("nightly.py").test()
    assert run.state == "success"
    result = xcom(run, "build_lake")
    assert result["state"] == "published" and result["version"] == 1
    assert result["rows"] == dict(sparkify_lake.status(lake).rows)
    assert len(json.dumps(result)) < 1000
    gate = dag_of("gate.py").test()
    assert gate.state == "success"
    assert xcom(gate, "report") == result["rows"]["songplays"]
