"""A program that starts a cluster and runs jobs on it: each job is a line of JSON on stdin.

``python cluster_program.py spark|connect|ray|sail`` starts the workers and prints a line when they are
ready; it answers every job with a line. When stdin is closed, it stops everything that it started.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

QUIET = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.task.maxFailures": "8",
}


@contextmanager
def spark(master: str) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master)
    for name, value in QUIET.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@contextmanager
def connect() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote("local[2]").getOrCreate()
    assert "connect" in type(session).__module__
    yield session
    session.stop()


@contextmanager
def two_nodes(address: str | None = None) -> Iterator[str]:
    import ray
    from ray.cluster_utils import Cluster

    if address is not None:
        ray.init(address, log_to_driver=False, logging_level="ERROR")
        yield "ray"
        ray.shutdown()
        return
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    ray.init(nodes.address, log_to_driver=False, logging_level="ERROR")
    os.environ["CLUSTER"] = nodes.address
    yield "ray"
    ray.shutdown()
    nodes.shutdown()


@contextmanager
def sail() -> Iterator[Any]:
    from sparkify_lake.etl import create_spark_session

    with create_spark_session() as session:
        assert session.range(1).count() == 1
        yield session


def readers(session: Any, lake: str) -> dict[str, Any]:
    """The five tables as Spark reads them: types, partition columns, and the number of rows."""
    found = {}
    for path in sorted(Path(lake).iterdir()):
        if path.name.startswith("_"):
            continue
        table = session.read.parquet(str(path))
        found[path.name] = {"types": [list(pair) for pair in table.dtypes], "rows": table.count()}
    return found


def answer(task: dict[str, Any], executor: Any) -> Any:
    import sparkify_lake

    try:
        match task.pop("do"):
            case "read":
                return readers(executor, task["lake"])
            case "doctor":
                return sparkify_lake.doctor(executor=executor, **task).to_dict()
            case _:
                return sparkify_lake.run(executor=executor, quiet=True, **task).to_dict()
    except sparkify_lake.SparkifyLakeError as error:
        return {"code": error.exit_code, "error": str(error)}


def main(kind: str, *address: str) -> None:
    warnings.simplefilter("ignore")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the cluster prints must not mix with the answers
    sessions = {
        "spark": lambda: spark("local-cluster[2,1,1024]"),
        "connect": connect,
        "sail": sail,
        "ray": lambda: two_nodes(*address),
    }
    with sessions[kind]() as executor:
        print(json.dumps({"pid": os.getpid(), "cluster": os.environ.get("CLUSTER")}), file=out, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), executor)), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
