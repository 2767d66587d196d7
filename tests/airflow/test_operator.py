"""The operator and the sensor as single tasks: results, refusals, and retries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time import macros

import sparkify_lake
from sparkify_lake import airflow as ours
from sparkify_lake import etl
from sparkify_lake.airflow import SparkifyOperator, SparkifyPublishedSensor, lake_asset
from sparkify_lake.airflow_provider import get_provider_info


def operator(raw: object, lake: object, **arguments: Any) -> SparkifyOperator:
    return SparkifyOperator(task_id="build", input_data=str(raw), output_data=str(lake), **arguments)


def test_the_outlet_is_the_asset_of_the_lake() -> None:
    assert operator("raw", "/srv/lake").outlets == [Asset("file:///srv/lake")]
    assert operator("raw", "s3a://bucket/lake/").outlets == [Asset("s3://bucket/lake")]
    assert lake_asset("s3://bucket/lake").uri == "s3://bucket/lake"
    # Templates are not known when the DAG is parsed; relative paths differ between workers.
    for output in ("{{ params.output }}", "lake"):
        assert operator("raw", output).outlets == []
    assert operator("raw", "/srv/lake", outlets=[Asset("s3://b/x")]).outlets == [Asset("s3://b/x")]


def test_the_event_has_the_rows(raw: Path, lake: Path) -> None:
    events = {Asset(lake.as_uri()): SimpleNamespace(extra={"of": "before"})}
    result = operator(raw, lake).execute({"outlet_events": events})
    (event,) = events.values()
    names = ("state", "version", "run_id", "rows")
    assert event.extra == {"of": "before", **{name: result[name] for name in names}}
    assert event.extra["rows"]["songplays"] > 0


def test_an_unknown_option_fails_when_the_dag_is_parsed() -> None:
    with pytest.raises(sparkify_lake.UsageError, match="compresion"):
        operator("raw", "lake", options={"compresion": "zstd"})
    with pytest.raises(sparkify_lake.UsageError, match="compression"):
        SparkifyPublishedSensor(task_id="gate", output_data="lake", options={"compression": "zstd"})


@pytest.mark.parametrize(
    "window", ["2018-11-30..2018-11-30", ("2018-11-30", "2018-11-30"), "2018-11-30T00:00 .. 2018-11-30T00:00"]
)
def test_an_empty_window_is_refused_by_the_operator(window: Any, raw: Path, lake: Path) -> None:
    day = "2018-11-30T00:00:00+00:00"
    for options in ({"ts_window": window}, {"since": day, "until": day}):
        task = operator(raw, lake, options=options)
        expected = "data_interval_start equals data_interval_end"
        with pytest.raises(AirflowFailException, match=expected) as refused:
            task.execute({})
        assert "hint: use a range such as " in str(refused.value)
        assert not lake.exists()


def test_a_window_is_templated(raw: Path, lake: Path) -> None:
    days = {"since": "{{ ds }}", "until": "{{ macros.ds_add(ds, 1) }}"}
    for day, files in (("2018-11-01", 1), ("2018-11-02", 2)):
        task = operator(raw, lake, options=dict(days))
        task.render_template_fields({"ds": day, "macros": macros})
        task.execute({})
        status = sparkify_lake.status(lake)
        assert (status.known["logs"].files, status.known["logs"].last_day) == (files, day)


def test_a_permanent_error_fails_without_retries(raw: Path, lake: Path) -> None:
    lake.mkdir()
    with pytest.raises(AirflowFailException, match="there is no song_data in") as failed:
        operator(lake, raw.parent / "elsewhere").execute({})
    assert "hint:" in str(failed.value) and failed.value.__cause__ is None


def test_a_retryable_error_is_left_to_retries(raw: Path, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(config: object, **options: object) -> None:
        raise sparkify_lake.RetryableError("another run is writing")

    monkeypatch.setattr("sparkify_lake.jobs.run_with", busy)
    with pytest.raises(sparkify_lake.RetryableError) as later:
        operator(raw, lake).execute({})
    assert not isinstance(later.value, AirflowFailException)


def test_expectations_and_metrics(raw: Path, lake: Path, tmp_path: Path) -> None:
    metrics = tmp_path / "lake.prom"
    for limit, success in ((1, 1), (10**9, 0)):
        task = operator(raw, lake, options={"expect": [f"songs.rows >= {limit}"], "metrics": str(metrics)})
        if success:
            task.execute({})
        else:
            with pytest.raises(AirflowFailException, match=r"songs\.rows >= 1000000000 is not met"):
                task.execute({})
        written = metrics.read_text()
        assert f'sparkify_lake_last_run_success{{lake="{lake}"}} {success}.0\n' in written
        assert f'sparkify_lake_table_rows{{lake="{lake}",table="songs"}} 60.0\n' in written


def test_a_killed_task_stops(many: Path, lake: Path) -> None:
    task = operator(many, lake, options={"threads": 1})
    # Calls on_kill during the run, as the SIGTERM handler of Airflow does; it sets a flag and returns.
    ticks = []
    watch = task._watch

    def third(tick: Any) -> None:
        ticks.append(tick)
        if len(ticks) == 3:
            task.on_kill()
        watch(tick)

    task._watch = third
    with pytest.raises(Exception, match="the task was killed"):
        task.execute({})
    assert len(ticks) == 3
    assert not list(lake.glob("*_table")), "no table was published"
    # A retry in the same process starts again.
    del task._watch
    assert task.execute({})["state"] == "published"


def test_keys_are_not_in_results_and_options(raw: Path, lake: Path) -> None:
    keys = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "hunter2hunter2"}
    task = operator(raw, lake, options={**keys, "quiet": True})
    result = task.execute({})
    from airflow.serialization.serialized_objects import BaseSerialization

    for text in (json.dumps(result), repr(task.options), str(BaseSerialization.serialize(task.options))):
        assert "hunter2" not in text and "AKIAEXAMPLE" not in text


def test_lineage_of_a_function_call(raw: Path, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.lineage import HookLineageCollector

    collector = HookLineageCollector()
    monkeypatch.setattr("airflow.sdk.lineage.get_hook_lineage_collector", lambda: collector)
    etl.main(str(raw), str(lake))  # like a PythonOperator
    found = collector.collected_assets
    assert {one.asset.uri for one in found.inputs} == {
        (raw / name).as_uri() for name in ("song_data", "log_data")
    }
    rows = sparkify_lake.status(lake).rows
    assert {one.asset.uri: one.asset.extra["rows"] for one in found.outputs} == {
        (lake / folder).as_uri(): rows[table]
        for table, folder in {
            "songs": "songs_table", "artists": "artists_table", "users": "user_table", "time": "time_table",
            "songplays": "songplays_table",
        }.items()
    }  # fmt: skip


def test_a_failing_lineage_collector_does_not_fail_the_run(
    raw: Path, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: object) -> None:
        raise RuntimeError("the collector is broken")

    monkeypatch.setattr("sparkify_lake.airflow_lineage.collect_lineage", broken)
    assert sparkify_lake.run(raw, lake, quiet=True).state == "published"


def test_the_sensor_waits_for_a_version(raw: Path, lake: Path) -> None:
    def poke(**arguments: Any) -> Any:
        return SparkifyPublishedSensor(task_id="gate", output_data=str(lake), **arguments).poke({})

    assert poke() is False, "there is no lake yet"
    report = sparkify_lake.run(raw, lake, quiet=True)
    seen = poke()
    assert seen.is_done and seen.xcom_value["version"] == 1
    assert seen.xcom_value["rows"] == {name: table.rows for name, table in report.tables.items()}
    assert poke(newer_than=report.started_at).is_done
    assert poke(newer_than="2018-11-30T00:00:00").is_done
    assert poke(newer_than="2999-01-01T00:00:00Z") is False
    assert poke(min_version="1").is_done
    assert poke(min_version=2) is False
    # A run without changes writes no version, so waiting for a newer time would never end.
    again = sparkify_lake.run(raw, lake, quiet=True)
    assert poke(newer_than=again.started_at) is False and poke(min_version=again.version).is_done
    with pytest.raises(AirflowFailException, match="min_version cannot be 'None'"):
        poke(min_version="None")
    with pytest.raises(AirflowFailException, match="newer_than cannot be 'soon'"):
        poke(newer_than="soon")
    with pytest.raises(sparkify_lake.UsageError, match="does not accept the option input"):
        poke(options={"input": str(raw)})
    # A version that is committed, but not published.
    (done,) = (lake / "_etl" / "done").iterdir()
    done.unlink()
    assert poke() is False


def test_a_connection_needs_the_amazon_provider(
    raw: Path, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks.base_aws", None)
    with pytest.raises(AirflowFailException, match=r"Amazon provider\n.*sparkify-lake\[airflow\]"):
        operator(raw, lake, aws_conn_id="aws_default").execute({})


def test_a_missing_connection_is_reported(raw: Path, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The hook of the provider would use these.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASOMEBODYS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somebodys")
    with pytest.raises(AirflowFailException, match="Airflow has no connection aws_defualt\nhint: "):
        operator(raw, lake, aws_conn_id="aws_defualt").execute({})


def test_options_from_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region_name": "eu-north-1", "endpoint_url": "https://store", "verify": "/etc/ca.pem"}
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps({"conn_type": "aws", "extra": extra}))
    found = {"region": "eu-north-1", "endpoint_url": "https://store", "ca_file": "/etc/ca.pem"}
    assert ours._connection_options("bare") == found, "without keys, the run looks for credentials itself"
    full = {"conn_type": "aws", "login": "AKIA", "password": "hunter2", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FULL", json.dumps(full))
    keys = {"access_key_id": "AKIA", "secret_access_key": "hunter2"}
    assert ours._connection_options("full") == found | {
        name: sparkify_lake.Secret(key) for name, key in keys.items()
    }


def test_an_empty_window_is_refused_in_a_function_call(raw: Path, lake: Path) -> None:
    with pytest.raises(sparkify_lake.UsageError) as refused:
        etl.main(str(raw), str(lake), ts_window="2018-11-30..2018-11-30")
    assert "data_interval_start equals data_interval_end" in str(refused.value.cause)


def test_airflow_lists_the_provider() -> None:
    from airflow.providers_manager import ProvidersManager

    listed = ProvidersManager().providers["sparkify-lake"].data
    assert {**listed, **get_provider_info()} == listed, "Airflow adds a documentation-url"


IMPORT = """
import sys, time
import airflow, airflow.sdk
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import BaseOperator, BaseSensorOperator, Asset, DAG, task
import runpy
before = set(sys.modules)
began = time.perf_counter()
runpy.run_path(sys.argv[1])
print(time.perf_counter() - began)
new = set(sys.modules) - before
heavy = new & {"polars", "sparkify_lake._native", "rich", "sparkify_lake._engine", "sparkify_lake.jobs"}
assert not heavy, heavy
"""


@pytest.mark.parametrize("example", ["spark_era.py", "nightly.py", "gate.py"])
def test_parsing_an_example_is_cheap(example: str) -> None:
    file = Path(__file__).resolve().parents[2] / "examples" / "airflow" / example
    times = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", IMPORT, file], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        times.append(float(done.stdout.splitlines()[-1]))
    assert min(times) < 0.040, times
