"""Tasks that are killed or time out under the supervisor of Airflow: the retry completes the tables.

`dag.test()` manages the run, its tries and its states; the supervisor forks a process for each try, as on a
worker. Only the API server is called without a network.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session
from sqlalchemy import select

import sparkify_lake
from conftest import DAGS, HOME
from support.s3_proxy import Proxy
from support.s3_servers import Server, seaweed

STOPS_WITHIN = 5.0  # seconds until Airflow sends SIGKILL
TIMEOUT = 2.0

DAG_FILE = """
import json, os
from datetime import datetime, timedelta
from airflow.sdk import DAG
from sparkify_lake.render import progress
from sparkify_lake.airflow import SparkifyOperator

progress.LOG_INTERVAL_SECONDS = 0.2  # the test takes less than ten seconds
arguments = json.loads(os.environ["SUPERVISED"])
seconds = arguments.pop("timeout", None)
with DAG("supervised", schedule=None, start_date=datetime(2018, 11, 1), catchup=False) as dag:
    SparkifyOperator(
        task_id="build",
        retries=1,
        retry_delay=timedelta(0),
        execution_timeout=timedelta(seconds=seconds) if seconds else None,
        **arguments,
    )
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with seaweed(tmp_path_factory.mktemp("weed")) as started:
        yield started


class Watch:
    """Watches the process of a try from a thread, and sends SIGTERM to the supervisor on a condition.

    The supervisor is this process. It may notice the end of the process five seconds late, so the thread
    watches the process itself.
    """

    began = sent = ended = 0.0

    def start(self, kill_when: Callable[[], bool] | None = None) -> None:
        self.began = time.monotonic()
        known = {child.pid for child in psutil.Process().children()}
        threading.Thread(target=self._look, args=(known, kill_when), daemon=True).start()

    def _look(self, known: set[int], kill_when: Callable[[], bool] | None) -> None:
        process = None
        while process is None or is_running(process):
            if time.monotonic() > self.began + 100:
                return
            if process is None:
                process = next((one for one in psutil.Process().children() if one.pid not in known), None)
            elif kill_when is not None and not self.sent and kill_when():
                self.sent = time.monotonic()
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.005)
        self.ended = time.monotonic()


def is_running(process: psutil.Process) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def supervised(dag_of: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``supervised(before, after, **arguments)`` -> the run, the number of tries, and the log of the task.

    `before` and `after` are called with the number of each try.
    """

    def call(before: Callable[[int], None], after: Callable[[int], None], **arguments: Any) -> Any:
        from airflow.executors.workloads import TaskInstance
        from airflow.sdk.api.datamodels._generated import BundleInfo
        from airflow.sdk.definitions import dag as module
        from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor, supervise_task
        from airflow.utils.state import TaskInstanceState

        monkeypatch.setenv("SUPERVISED", json.dumps(arguments))
        (DAGS / "supervised.py").write_text(DAG_FILE)
        lines: list[dict[str, Any]] = []

        def run_task(*, ti: Any, task: Any, run_triggerer: bool = False) -> None:
            ti.set_state(TaskInstanceState.QUEUED)
            before(ti.try_number)
            log = f"{ti.run_id}/{ti.try_number}.log"
            supervise_task(
                ti=TaskInstance.model_validate(ti, from_attributes=True),
                bundle_info=BundleInfo(name="dags-folder"),
                dag_rel_path="supervised.py",
                token="",
                client=InProcessTestSupervisor._api_client(task.dag),
                log_path=log,
            )
            after(ti.try_number)
            for line in (HOME / "logs" / log).read_text().splitlines():
                lines.append({**json.loads(line), "try": ti.try_number})

        monkeypatch.setattr(module, "_run_task", run_task)
        try:
            run = dag_of("supervised.py").test()
        finally:
            (DAGS / "supervised.py").unlink()
        (instance,) = run.get_task_instances()
        return run, instance.try_number, lines

    return call


def files(lake: Path) -> dict[str, bytes]:
    return {str(path.relative_to(lake)): path.read_bytes() for path in lake.glob("*_table/**/*.parquet")}


def test_a_killed_task_succeeds_on_retry(
    raw: Path, many: Path, lake: Path, tmp_path: Path, supervised: Callable[..., Any]
) -> None:
    sparkify_lake.run(raw, lake, quiet=True)
    old, watch = files(lake), Watch()

    def before(number: int) -> None:
        if number == 1:
            watch.start(kill_when=lambda: any((lake / "_etl" / "stage").rglob("*")))

    def after(number: int) -> None:
        if number == 1:
            assert sparkify_lake.check(lake).is_healthy and files(lake) == old, "the tables are unchanged"

    run, tries, lines = supervised(before, after, input_data=str(many), output_data=str(lake))
    assert (run.state, tries) == ("success", 2), lines
    assert 0 < watch.sent < watch.ended < watch.sent + STOPS_WITHIN
    assert "the task was killed" in json.dumps(lines)
    assert sparkify_lake.check(lake).is_healthy
    sparkify_lake.run(many, tmp_path / "other", quiet=True)
    assert files(lake) == files(tmp_path / "other")
    # The event of the outlet, as a DAG with this schedule gets it.
    with create_session() as session:
        (event,) = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id)).all()
        assert event.asset.uri == lake.as_uri()
        assert event.extra["rows"] == sparkify_lake.status(lake).rows


@pytest.mark.parametrize("how", ["SIGTERM", "execution_timeout"])
def test_a_task_stops_while_the_store_is_silent(
    how: str, raw: Path, server: Server, monkeypatch: pytest.MonkeyPatch, supervised: Callable[..., Any]
) -> None:
    bucket = server.bucket("silent-" + how.partition("_")[0].lower())
    bucket.upload(raw, "in")
    watch, silent = Watch(), []
    with Proxy(server.address) as proxy:
        extra = {"region_name": "us-east-1", "endpoint_url": proxy.url}
        keys = {"conn_type": "aws", "login": server.keys.id, "password": server.keys.secret, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(keys))

        def is_silent_for_a_while() -> bool:
            silent.extend([1] if proxy.waiting else [])
            return len(silent) > 100

        def before(number: int) -> None:
            if number == 1:
                proxy.inject("hang", "PUT", first=8, count=10**9)
                watch.start(kill_when=is_silent_for_a_while if how == "SIGTERM" else None)

        run, tries, lines = supervised(
            before,
            lambda number: proxy.clear(),
            input_data=bucket.url("in"),
            output_data=bucket.url("lake"),
            options={"allow_http": True},
            aws_conn_id="aws_default",
            **({} if how == "SIGTERM" else {"timeout": TIMEOUT}),
        )
        assert (run.state, tries) == ("success", 2), lines
        stopped = watch.sent or watch.began + TIMEOUT
        assert 0 < stopped < watch.ended < stopped + STOPS_WITHIN
        where = {
            "endpoint_url": proxy.url,
            "allow_http": True,
            "region": "us-east-1",
            **server.keys.arguments,
        }
        found = sparkify_lake.check(bucket.url("lake"), **where)
        assert found.is_healthy and found.version == 1

    # The log of the task has progress lines at a visible level, and no secret.
    progress = [one for one in lines if one["try"] == 1 and one.get("logger") == "sparkify_lake"]
    assert any(" after " in one["event"] for one in progress), lines
    assert {one["level"] for one in progress} == {"info"}
    log = json.dumps(lines)
    assert ("the task was killed" if how == "SIGTERM" else "AirflowTaskTimeout") in log
    assert server.keys.secret not in log
