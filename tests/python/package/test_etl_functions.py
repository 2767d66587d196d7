"""The functions of the Spark job (`etl.py`), called as in notebooks and DAGs."""

from __future__ import annotations

import fcntl
import importlib.util
import inspect
import logging
import pickle
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake import etl
from support.lake_files import table_files
from support.report_samples import run_mapping

SCRIPT = Path(__file__).resolve().parents[3] / "etl.py"


pytestmark = pytest.mark.usefixtures("isolated")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The options of each call of a fake engine."""
    asked: list[dict[str, object]] = []

    def run(options: dict[str, object], on_tick: object, binding: object) -> dict[str, Any]:
        asked.append(options)
        return run_mapping()

    monkeypatch.setattr("sparkify_lake._engine.native", lambda: types.SimpleNamespace(run=run))
    return asked


def airflow_context() -> dict[str, Any]:
    """The keywords that Airflow's PythonOperator passes to a function with ``**kwargs``."""
    names = """
        conf dag dag_run data_interval_end data_interval_start ds ds_nodash exception expanded_ti_count inlets
        inlet_events logical_date macros map_index_template outlets outlet_events params
        prev_data_interval_end_success prev_data_interval_start_success prev_start_date_success reason run_id
        start_date task task_instance task_instance_key_str task_reschedule_count templates_dict test_mode ti
        triggering_asset_events try_number ts ts_nodash ts_nodash_with_tz value var
    """
    return {name: object() for name in names.split()}


def test_the_script_exports_the_functions_of_the_package() -> None:
    spec = importlib.util.spec_from_file_location("the_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    names = ["create_spark_session", "main", "process_log_data", "process_song_data"]
    assert sorted(script.__all__) == sorted(etl.__all__) == names
    for name in names:
        assert getattr(script, name) is getattr(etl, name)
    assert len(SCRIPT.read_text().splitlines()) < 15, "the script has only a few lines"


@pytest.mark.parametrize("process", [etl.process_song_data, etl.process_log_data])
def test_signatures_of_the_functions(process: Any) -> None:
    parameters = inspect.signature(process).parameters
    assert list(parameters)[:3] == ["spark", "input_data", "output_data"]
    for function in (process, etl.create_spark_session, etl.main):
        inspect.signature(function).bind()  # without arguments, the configuration decides
        inspect.signature(function).bind(*range(6), keyword=1)


def test_the_functions_in_a_notebook_cell(
    calls: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    spark = etl.create_spark_session()
    spark.sparkContext.setLogLevel("ERROR")
    etl.process_song_data(spark, "data", "lake")
    etl.process_log_data(spark, "data", "lake")
    spark.stop()
    assert calls == [
        {"input": "data", "output": "lake", "tables": "songs,artists"},
        {"input": "data", "output": "lake", "tables": "users,time,songplays"},
    ]
    assert capsys.readouterr().out.count("published in 1.3 s") == 2


def test_the_functions_ignore_the_context_of_airflow(
    calls: list[dict[str, object]], caplog: pytest.LogCaptureFixture
) -> None:
    context = airflow_context()
    op_kwargs: dict[str, Any] = {"spark": object(), "input_data": "data/", "output_data": Path("lake")}
    with caplog.at_level(logging.DEBUG):
        etl.process_song_data(**op_kwargs, **context)
        etl.process_log_data(**op_kwargs, **context)
        etl.main(input_data="data/", output_data="lake", **context)
        etl.main(input="data/", output="lake", compression="zstd", **context)
    locations = {"input": "data/", "output": "lake"}
    assert calls == [
        {**locations, "tables": "songs,artists"},
        {**locations, "tables": "users,time,songplays"},
        locations,
        {**locations, "compression": "zstd"},
    ]
    assert caplog.text == "", "no key of the context is taken for an option"


def test_a_misspelled_keyword_causes_a_warning(
    calls: list[dict[str, object]], caplog: pytest.LogCaptureFixture
) -> None:
    etl.main("data", "lake", ouput_data="elsewhere", compresion="zstd")
    assert "ouput_data is ignored; did you mean output_data?" in caplog.text
    assert "compresion is ignored; did you mean compression?" in caplog.text


def test_main_reads_the_configuration(
    calls: list[dict[str, object]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("dl.cfg").write_text("[S3]\nINPUT_DATA=in\nOUTPUT_DATA=out\nMATCH=title_artist\n")
    monkeypatch.setenv("SPARKIFY_QUIET", "1")
    assert etl.main() is None  # type: ignore[func-returns-value]
    assert calls == [{"input": "in", "output": "out", "match": "title_artist"}]
    assert capsys.readouterr().out == ""


def test_a_function_refuses_other_tables(calls: list[dict[str, object]]) -> None:
    Path("lake.cfg").write_text("TABLES=time\n")
    etl.process_song_data(None, "in", "out", tables="users")
    assert calls[0]["tables"] == "songs,artists"


@pytest.mark.parametrize("place", ["lake.cfg", "environment", "keyword"])
def test_the_function_for_logs_writes_the_history_if_it_is_selected(
    calls: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    tables, keywords = "songs, artists, users, users_history, time, songplays", {}
    if place == "lake.cfg":
        Path("lake.cfg").write_text(f"TABLES={tables}\n")
    elif place == "environment":
        monkeypatch.setenv("SPARKIFY_TABLES", tables)
    else:
        keywords = {"tables": tables}
    etl.process_song_data(None, "in", "out", **keywords)
    etl.process_log_data(None, "in", "out", **keywords)
    assert [call["tables"] for call in calls] == ["songs,artists", "users,time,songplays,users_history"]


def test_the_session_without_spark_explains_itself() -> None:
    spark = etl.create_spark_session()
    assert repr(spark) == "<SparklessSession: not started>"
    spark.conf.set("spark.sql.shuffle.partitions", 4)
    for name in ("_repr_html_", "resolve", "render", "__fspath__", "to_dict", "keys", "shape"):
        assert not hasattr(spark, name), "a program that asks for a name does not start the session"
    assert repr(pickle.loads(pickle.dumps(spark))) == repr(spark)
    with spark as again:
        assert again is spark


def test_the_functions_write_the_tables() -> None:
    sparkify_lake.sample("data", songs=20, events=200, days=3, users=5)
    etl.process_log_data(None, "data", "lake")
    assert sorted(path.name for path in Path("lake").glob("*_table")) == [
        "songplays_table",
        "time_table",
        "user_table",
    ]
    etl.process_song_data(None, "data", "lake")
    for table in ("songs", "artists", "user", "time", "songplays"):
        folder = Path("lake") / f"{table}_table"
        assert (folder / "_SUCCESS").is_file(), table
        assert list(folder.rglob("*.parquet")), table


@pytest.mark.parametrize("seconds", [0.3, 1.5])
def test_a_function_waits_for_another_run_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Two tasks of a DAG that start at the same time: one waits until the other releases the lock."""
    sparkify_lake.sample(tmp_path / "in", songs=5, events=50, days=2, users=3)
    lock = tmp_path / "lake" / "_etl" / "lock"
    lock.parent.mkdir(parents=True)
    held = lock.open("a")
    fcntl.flock(held, fcntl.LOCK_EX)
    timer = threading.Timer(seconds, held.close)
    begun = time.monotonic()
    timer.start()
    etl.process_song_data(None, tmp_path / "in", tmp_path / "lake", quiet=False)
    timer.join()
    assert time.monotonic() - begun >= seconds
    waiting = [record for record in caplog.records if "waiting up to 10 minutes" in record.message]
    assert len(waiting) == 1 and "another run is writing to" in waiting[0].message
    assert (tmp_path / "lake" / "songs_table" / "_SUCCESS").exists()
    # Not forever, and a run of the program does not wait at all.
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr(etl, "_MAX_WAIT_SECONDS", 0.2)
        with pytest.raises(sparkify_lake.RetryableError):
            etl.process_log_data(None, tmp_path / "in", tmp_path / "lake")
        with pytest.raises(sparkify_lake.RetryableError):
            sparkify_lake.run(tmp_path / "in", tmp_path / "lake")


def test_both_functions_at_the_same_time(tmp_path: Path) -> None:
    sparkify_lake.sample(tmp_path / "in", songs=5, events=50, days=2, users=3)
    lake = tmp_path / "lake"
    script = "import sys; from sparkify_lake import etl; getattr(etl, sys.argv[1])(None, *sys.argv[2:])"
    functions = ["process_song_data", "process_log_data"] * 2
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, function, tmp_path / "in", lake],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for function in functions
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    sparkify_lake.run(tmp_path / "in", tmp_path / "expected")
    assert table_files(lake) == table_files(tmp_path / "expected")
