"""The session by itself: its life, its place as pyspark, its refusals, its paths."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from session.handmade import write_handmade
from session.scoreboard import printed
from sparkify_lake import ConfigurationError, NoInputError, OutputError, UsageError, session
from sparkify_lake.etl import create_spark_session
from sparkify_lake.session.refusal import QueryError, UnsupportedCallError, UnsupportedImportError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def songs(without_spark: Any, tmp_path: Path) -> Any:
    """The hand-made songs as a frame."""
    return without_spark.read.json(str(write_handmade(tmp_path / "in") / "song_data/*/*/*/*.json"))


def test_a_session_ends_and_begins_again(without_spark: Any) -> None:
    without_spark.createDataFrame([(1,)], ["a"]).createOrReplaceTempView("a")
    assert without_spark.table("a").count() == 1
    without_spark.stop()
    with pytest.raises(QueryError, match="there is no view a"):
        without_spark.table("a")
    with create_spark_session() as spark:
        assert spark.range(3).count() == 3


def test_what_python_writes_to_stderr_at_its_end() -> None:
    code = (
        "from sparkify_lake.etl import create_spark_session as s\nprint(s().sql('SELECT 1 AS a').collect())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[Row(a=1)]\n", "")


# --- in the place of pyspark ------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_pyspark")
def test_activating_is_said_and_undone(capsys: pytest.CaptureFixture[str]) -> None:
    session.activate()
    session.activate()
    try:
        from pyspark.sql import SparkSession  # type: ignore[import-not-found,unused-ignore]

        assert SparkSession is session.SparklessSession
        assert isinstance(SparkSession.builder.getOrCreate(), SparkSession)
    finally:
        session.deactivate()
    session.deactivate()
    assert not [name for name in sys.modules if name.partition(".")[0] == "pyspark"]
    assert capsys.readouterr().err.count("deactivate() undoes it") == 1


@pytest.mark.usefixtures("no_pyspark")
def test_a_real_pyspark_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    real = type(sys)("pyspark")
    monkeypatch.setitem(sys.modules, "pyspark", real)
    with pytest.raises(UsageError, match="imported already"):
        session.activate()
    session.deactivate()
    assert sys.modules["pyspark"] is real


@pytest.mark.parametrize(
    "statement",
    [
        "from pyspark.sql import SQLContext",
        "from pyspark.sql.functions import pandas_udf",
        "from pyspark.sql.types import VariantType",
        "import pyspark.sql; pyspark.sql.SparkSessionExtensions",
    ],
)
def test_names_that_are_not_there_are_named(without_spark: Any, statement: str) -> None:
    with pytest.raises(UnsupportedImportError, match=statement.split()[-1].rpartition(".")[2]) as caught:
        exec(statement)
    assert caught.value.hint is not None
    assert isinstance(caught.value, ImportError)


# --- refusals ---------------------------------------------------------------------------------------------


def test_a_refusal_is_an_attribute_error_and_pickles(songs: Any) -> None:
    assert not hasattr(songs, "rdd") and not hasattr(songs, "_repr_html_")
    with pytest.raises(UnsupportedCallError, match=r"^df\.rdd is not covered") as caught:
        _ = songs.rdd
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is UnsupportedCallError and str(again) == str(caught.value)
    assert again.context == {"call": "df.rdd"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda spark, songs: spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo"), "timeZone"),
        (lambda spark, songs: spark.conf.get("no.such"), "no.such"),
        (lambda spark, songs: spark.builder.remote("sc://x"), r"builder\.remote"),
        (lambda spark, songs: spark.read.option("sep", ","), "'sep'"),
        (lambda spark, songs: spark.read.format("csv"), "'csv'"),
        (lambda spark, songs: songs.write.mode("sometimes"), "'sometimes'"),
        (lambda spark, songs: songs.write.format("delta"), "'delta'"),
        (lambda spark, songs: songs.write.partitionBy("no_such").parquet("x"), "no_such"),
        (lambda spark, songs: songs.groupBy("year").applyInPandas(print, "a int"), "applyInPandas"),
        (lambda spark, songs: spark.sql("SELECT 1; SELECT 2"), "several statements"),
        (lambda spark, songs: spark.sql("SELECT date_format(1, 'QQQ')").count(), "QQQ"),
        (lambda spark, songs: songs.write.parquet("s3://bucket/songs"), "s3://"),
    ],
)
def test_what_is_not_covered_is_named(without_spark: Any, songs: Any, call: Any, words: str) -> None:
    with pytest.raises(UnsupportedCallError, match=words) as caught:
        call(without_spark, songs)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda spark, songs: spark.sql("SELEC 1").show(), "SELEC|query"),
        (lambda spark, songs: spark.sql("SELECT * FROM nothing"), "there is no view nothing"),
        (lambda spark, songs: songs.select("no_such").show(), "no_such"),
        (lambda spark, songs: songs.filter("title = ").count(), "query|title"),
    ],
)
def test_queries_that_fail_say_why(without_spark: Any, songs: Any, call: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call(without_spark, songs)


def test_settings_are_kept_for_the_process() -> None:
    spark = create_spark_session()
    spark.conf.set("spark.some.flag", True)
    assert create_spark_session().conf.get("spark.some.flag") == "true"
    spark.conf.unset("spark.some.flag")
    assert spark.conf.get("spark.some.flag", None) is None
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"


# --- paths ------------------------------------------------------------------------------------------------


def test_a_glob_that_misses_a_level_is_an_error(without_spark: Any, tmp_path: Path) -> None:
    data = write_handmade(tmp_path / "in")
    for path in ("song_data/*.json", "no_such", "song_data", "song_data/*"):
        with pytest.raises(NoInputError) as caught:
            without_spark.read.json(str(data / path))
        assert caught.value.hint is not None and "glob" in caught.value.hint


def test_hidden_files_are_no_data(without_spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}\n')
    for name in ("_SUCCESS", ".hidden.json", "_metadata"):
        (tmp_path / name).write_text("no json")
    assert without_spark.read.json(f"file://{tmp_path}").collect() == [(1,)]


def test_compressed_json(without_spark: Any, tmp_path: Path) -> None:
    import gzip

    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    assert without_spark.read.json(str(tmp_path)).count() == 2


def test_one_value_in_several_lines(without_spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[\n {"a": 1},\n {"a": 2}\n]\n')
    assert without_spark.read.json(str(tmp_path), multiLine=True).collect() == [(1,), (2,)]


@pytest.mark.parametrize(("mode", "rows"), [("DROPMALFORMED", 1), ("FAILFAST", None)])
def test_modes_of_reading(without_spark: Any, tmp_path: Path, mode: str, rows: int | None) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}\n{"a": \n')
    reader = without_spark.read.option("mode", mode)
    if rows is None:
        with pytest.raises(ValueError, match="no JSON object"):
            reader.json(str(tmp_path))
    else:
        assert reader.json(str(tmp_path)).count() == rows


VALUES = ["AR1", "a/b", "50%", "x=y", 'q"', "ü", "tab\t", "[a]", "{b}", "^", "a b", ".", "0x10"]


def test_every_partition_value_survives(without_spark: Any, tmp_path: Path) -> None:
    rows = [(number, value) for number, value in enumerate([*VALUES, None])]
    frame = without_spark.createDataFrame(rows, "n INT, value STRING")
    frame.write.partitionBy("value").parquet(str(tmp_path / "out"))
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert {"value=a%2Fb", "value=50%25", "value=x%3Dy", "value=__HIVE_DEFAULT_PARTITION__"} < folders
    assert sorted(without_spark.read.parquet(str(tmp_path / "out")).collect()) == rows


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "007"], "int"),
        (["1", "3000000000"], "bigint"),
        (["1", "2.5"], "double"),
        (["1", "x"], "string"),
        (["2018-11-01", "2018-11-02"], "date"),
        (["2018-11-01", "1"], "string"),
    ],
)
def test_the_type_of_a_partition_column(
    without_spark: Any, tmp_path: Path, values: list[str], kind: str
) -> None:
    for number, value in enumerate(values):
        frame = without_spark.createDataFrame([(number,)], "n INT")
        frame.write.parquet(str(tmp_path / "t" / f"key={value}"))
    assert dict(without_spark.read.parquet(str(tmp_path / "t")).dtypes)["key"] == kind


def test_overwriting_only_the_partitions_that_are_written(without_spark: Any, tmp_path: Path) -> None:
    target = str(tmp_path / "out")
    both = without_spark.createDataFrame([(1, 2018), (2, 2019)], "n INT, year INT")
    both.write.partitionBy("year").parquet(target)
    one = without_spark.createDataFrame([(3, 2019)], "n INT, year INT")
    one.write.mode("overwrite").option("partitionOverwriteMode", "dynamic").partitionBy("year").parquet(
        target
    )
    assert sorted(without_spark.read.parquet(target).collect()) == [(1, 2018), (3, 2019)]
    one.write.mode("overwrite").partitionBy("year").parquet(target)
    assert without_spark.read.parquet(target).collect() == [(3, 2019)]


def test_a_write_that_fails_leaves_what_was_there(without_spark: Any, tmp_path: Path) -> None:
    from pyspark.sql.functions import udf  # type: ignore[import-not-found,unused-ignore]

    target = tmp_path / "out"
    good = without_spark.createDataFrame([(1,)], "n INT")
    good.write.parquet(str(target))
    before = sorted(path.name for path in target.iterdir())
    with pytest.raises(QueryError, match="refused"):
        good.select(udf(lambda n: 1 / 0)("n").alias("x")).write.mode("overwrite").parquet(str(target))
    assert sorted(path.name for path in target.iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(OutputError, match="already"):
        good.write.parquet(str(target))


def test_a_table_may_be_written_over_itself(without_spark: Any, tmp_path: Path) -> None:
    target = str(tmp_path / "out")
    without_spark.createDataFrame([(1,), (2,)], "n INT").write.parquet(target)
    without_spark.read.parquet(target).where("n = 2").write.mode("overwrite").parquet(target)
    assert without_spark.read.parquet(target).collect() == [(2,)]


def test_an_empty_frame_has_its_columns(without_spark: Any, tmp_path: Path, songs: Any) -> None:
    songs.where("year = 1").select("title", "year").write.parquet(str(tmp_path / "out"))
    again = without_spark.read.parquet(str(tmp_path / "out"))
    assert again.count() == 0 and again.columns == ["title", "year"]
    assert printed(again.show) == "+-----+----+\n|title|year|\n+-----+----+\n+-----+----+\n\n"


def test_an_error_of_the_extras_is_a_configuration_error() -> None:
    from sparkify_lake.session.refusal import missing_extra

    error = missing_extra("spark.read", "there is no module sqlframe")
    assert isinstance(error, ConfigurationError)
    assert str(error).splitlines()[-1] == "hint: pip install 'sparkify-lake[notebook]'"
