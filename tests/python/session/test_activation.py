"""The session in the place of Spark's: activated and undone, refused versions, errors, corrected requests."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from sparkify_lake import ConfigurationError, UsageError, session
from sparkify_lake.etl import create_spark_session
from sparkify_lake.session import activation
from sparkify_lake.session.refusal import UnsupportedCallError


def test_activating_is_noted_and_undone(capsys: pytest.CaptureFixture[str]) -> None:
    from pyspark.sql import SparkSession, SQLContext
    from pyspark.sql.connect.dataframe import DataFrame

    before = {owner: dict(vars(owner)) for owner in (SparkSession, SparkSession.Builder, DataFrame)}
    session.activate()
    session.activate()
    try:
        spark = SparkSession.builder.appName("x").enableHiveSupport().getOrCreate()
        assert isinstance(spark, SparkSession) and SparkSession.getActiveSession() is spark
        assert SparkSession(spark.sparkContext) is spark and create_spark_session().session is spark
        assert spark.sparkContext.appName == "x"
    finally:
        session.deactivate()
    session.deactivate()
    assert {owner: dict(vars(owner)) for owner in before} == before
    from pyspark.sql import SQLContext as restored

    assert restored is SQLContext
    assert capsys.readouterr().err.count("deactivate() undoes it") == 1


def test_a_session_with_a_jvm_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    context = type(
        "Module", (), {"SparkContext": type("SparkContext", (), {"_active_spark_context": object()})}
    )
    monkeypatch.setitem(sys.modules, "pyspark.core.context", context)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="with a JVM is active") as caught:
        session.activate()
    assert caught.value.hint is not None


def test_another_version_of_pyspark_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyspark

    monkeypatch.setattr(pyspark, "__version__", "4.3.0")
    with pytest.raises(ConfigurationError, match=r"does not support pyspark 4\.3\.0") as caught:
        create_spark_session().range(1)
    assert caught.value.hint is not None


def test_a_refusal_is_an_attribute_error_and_pickles(without_spark: Any) -> None:
    rows = without_spark.range(3).rdd
    assert not hasattr(rows, "mapPartitionsWithIndex")
    with pytest.raises(
        UnsupportedCallError, match=r"^rdd\.mapPartitionsWithIndex is not supported"
    ) as caught:
        rows.mapPartitionsWithIndex(print)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is UnsupportedCallError and str(again) == str(caught.value)
    assert again.context == {"call": "rdd.mapPartitionsWithIndex"}


def test_a_notebook_displays_every_object(without_spark: Any) -> None:
    """A cell that ends with one of these must not print a traceback."""
    context = without_spark.sparkContext
    shown = [without_spark, context, without_spark.range(3), context.parallelize([1]), without_spark.read]
    shown += [without_spark.conf, without_spark.catalog, without_spark.range(3).write, create_spark_session()]
    for one in shown:
        assert repr(one)
        for name in ("_repr_html_", "_repr_mimebundle_", "_ipython_display_", "_repr_png_"):
            method = getattr(one, name, None)  # IPython ignores what it cannot call, such as a column
            if callable(method):
                assert method() is None or isinstance(method(), str)


@pytest.mark.parametrize(
    ("key", "value"),
    [("spark.sql.session.timeZone", "Asia/Tokyo"), ("spark.sql.caseSensitive", "true")],
)
def test_settings_that_change_results_are_refused(without_spark: Any, key: str, value: str) -> None:
    with pytest.raises(UnsupportedCallError, match=key) as caught:
        without_spark.conf.set(key, value)
    assert caught.value.hint is not None


@pytest.mark.parametrize("module", ["pysail", "pyspark", "grpc", "pandas", "pyarrow"])
@pytest.mark.parametrize("start", [session.activate, lambda: create_spark_session().session])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, start: Any, module: str) -> None:
    monkeypatch.setattr(activation, "find_spec", lambda name: None if name == module else find_spec(name))
    with pytest.raises(ConfigurationError, match=f"there is no module {module}") as caught:
        start()
    assert caught.value.hint == "pip install 'sparkify-lake[notebook]'"
    assert not activation._replaced


TIME = "to_timestamp(1541106106.5)"


@pytest.mark.parametrize(
    ("query", "result"),
    [
        (f"SELECT {TIME} = timestamp'2018-11-01 21:01:46.5' AS a", True),
        (f"SELECT hour(TO_TIMESTAMP ( 1541106106796 / 1000 )) AS a, '{TIME}' AS b", 21),
        (f"SELECT '{TIME}' AS a", TIME),
        (f"SELECT 1 AS a -- {TIME}", 1),
        ("SELECT to_timestamp('2018-11-01', 'yyyy-MM-dd') = timestamp'2018-11-01' AS a", True),
        ("SELECT weekday(date'2018-11-04') AS a", 6),
        ("SELECT weekday(to_timestamp(0)) AS a", 3),
    ],
)
def test_functions_in_sql(without_spark: Any, query: str, result: Any) -> None:
    assert without_spark.sql(query).first()["a"] == result


def test_functions_in_python(without_spark: Any) -> None:
    from pyspark.sql import functions as F

    frame = without_spark.createDataFrame([(1541106106796, "2018-11-04")], "ts LONG, d STRING")
    frame = frame.select(F.to_timestamp(F.col("ts") / 1000).alias("t"), F.weekday(F.to_date("d")).alias("w"))
    assert frame.selectExpr("CAST(t AS STRING)", "w").collect() == [("2018-11-01 21:01:46.796", 6)]
    assert frame.where("to_timestamp(1541106106) <= t").count() == 1


def test_views_are_found_in_any_case(without_spark: Any) -> None:
    without_spark.range(3).createOrReplaceTempView("My_View")
    for query in (
        "SELECT * FROM my_view",
        "select ID from MY_VIEW v join my_View w using (id)",
        "DESCRIBE MY_VIEW",
    ):
        assert without_spark.sql(query).count() > 0
    assert without_spark.table("MY_view").count() == 3


def test_a_program_without_a_file() -> None:
    """Version 4.2 of pyspark takes `python -c` for its own tests and ends the process."""
    code = (
        "from sparkify_lake.etl import create_spark_session as s\nprint(s().sql('SELECT 1 AS a').collect())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[Row(a=1)]\n", "")
