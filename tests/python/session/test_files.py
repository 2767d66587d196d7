"""Paths, partitions and writes on the local disk: Spark's listing, Spark's names, no loss on a failure."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from session.handmade import write_handmade
from sparkify_lake.session import refusal

VALUES = [
    "AR1",
    "a/b",
    "c:d",
    "50%",
    "x=y",
    'q"',
    "ü",
    "tab\t",
    "[a]",
    "{b}",
    "^",
    "a b",
    ".",
    "0x10",
    "a\\b",
    "'",
]


def rows_of(frame: Any) -> list[Any]:
    return sorted((tuple(row) for row in frame.collect()), key=str)


# --- which files a path means -------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["json", "parquet", "csv", "text"])
@pytest.mark.parametrize("path", ["no_such", "no_such/*", "*.nothing", "{a,b}/*.json"])
def test_a_path_that_does_not_exist(without_spark: Any, tmp_path: Path, source: str, path: str) -> None:
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException, match="PATH_NOT_FOUND"):
        without_spark.read.format(source).load(str(tmp_path / path))


@pytest.mark.parametrize("path", ["song_data", "song_data/*"])
def test_a_folder_without_files(without_spark: Any, tmp_path: Path, path: str) -> None:
    data = write_handmade(tmp_path / "in")
    with pytest.raises(Exception, match="UNABLE_TO_INFER_SCHEMA"):
        without_spark.read.json(str(data / path))
    assert without_spark.read.option("recursiveFileLookup", True).json(str(data / "song_data")).count() > 0


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("*.json", 3),
        ("[ab].json", 2),
        ("[^a].json", 2),
        ("?.json", 3),
        ("{a,c}.json", 2),
        ("{a,b}.{json,x}", 2),
    ],
)
def test_patterns(without_spark: Any, tmp_path: Path, pattern: str, count: int) -> None:
    for name in ("a.json", "b.json", "c.json", "_hidden.json", ".d.json"):
        (tmp_path / name).write_text('{"a": 1}\n')
    assert without_spark.read.json(f"file://{tmp_path}/{pattern}").count() == count


def test_other_schemes_are_refused(without_spark: Any) -> None:
    for path in ("hdfs://host/x", "gs://bucket/x", "dbfs:/mnt/x"):
        with pytest.raises(refusal.UnsupportedCallError, match="a path with"):
            without_spark.read.parquet(path)


def test_a_relative_path_is_relative_to_this_process(
    without_spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert without_spark.range(1).count() == 1  # the server runs
    monkeypatch.chdir(tmp_path)
    without_spark.range(3).write.parquet("here")
    assert (tmp_path / "here" / "_SUCCESS").is_file()
    assert without_spark.read.parquet("here").count() == 3


def test_compressed_files(without_spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    assert without_spark.read.json(str(tmp_path)).count() == 2


# --- partitions ---------------------------------------------------------------------------------------------


def test_every_partition_value_survives(without_spark: Any, tmp_path: Path) -> None:
    rows = [(number, value) for number, value in enumerate([*VALUES, None])]
    frame = without_spark.createDataFrame([*rows, (99, "")], "n INT, value STRING")
    frame.write.partitionBy("value").parquet(str(tmp_path / "out"))
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert {
        "value=a%2Fb", "value=c%3Ad", "value=50%25", "value=x%3Dy", "value=ü",
        "value=__HIVE_DEFAULT_PARTITION__",
    } < folders  # fmt: skip
    assert len(folders) == len(rows)
    again = without_spark.read.parquet(str(tmp_path / "out"))
    assert rows_of(again) == sorted([*rows, (99, None)], key=str)
    assert [again.where(again.value == value).count() for value in VALUES] == [1] * len(VALUES)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "007"], "int"), (["1", "3000000000"], "bigint"), (["1", "2.5"], "double"),
        (["1", "x"], "string"),
        (["2018-11-01", "2018-11-02"], "date"), (["2018-11-01", "2018-11-01 10:00:00"], "timestamp"),
        (["2018-11-01", "1"], "string"), (["1", "__HIVE_DEFAULT_PARTITION__"], "int"),
        (["__HIVE_DEFAULT_PARTITION__"], "string"),
    ],
)  # fmt: skip
def test_the_type_of_a_partition_column(
    without_spark: Any, tmp_path: Path, values: list[str], kind: str
) -> None:
    for number, value in enumerate(values):
        folder = tmp_path / "t" / f"key={value}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"n": [number]}), folder / "a.parquet")
    frame = without_spark.read.parquet(str(tmp_path / "t"))
    assert dict(frame.dtypes)["key"] == kind
    nulls = sum(value.startswith("__HIVE") for value in values)
    assert frame.where("key IS NULL").count() == nulls


def test_some_partitions_of_a_table(without_spark: Any, tmp_path: Path) -> None:
    frame = without_spark.createDataFrame(
        [(n, 2018 + n % 3, f"a{n % 2}") for n in range(12)], "n INT, y INT, k STRING"
    )
    root = str(tmp_path / "t")
    frame.write.partitionBy("y", "k").parquet(root)
    based = without_spark.read.option("basePath", root)
    assert based.parquet(f"{root}/y=2018").count() == 4
    assert based.parquet(f"{root}/*/k=a1/*.parquet").columns == ["n", "y", "k"]
    two = based.parquet(f"{root}/y=2019/k=a1", f"{root}/y=2020/k=a0")
    assert rows_of(two.select("y", "k").distinct()) == [
        (2019, "a1"), (2020, "a0"),
    ]  # fmt: skip
    assert without_spark.read.parquet(f"{root}/y=2018").columns == ["n", "k"]


# --- writing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["setting", "option"])
def test_overwriting_only_the_partitions_that_are_written(
    without_spark: Any, tmp_path: Path, by: str
) -> None:
    target = str(tmp_path / "out")
    both = without_spark.createDataFrame([(1, 2018), (2, 2019)], "n INT, year INT")
    both.write.partitionBy("year").parquet(target)
    one = without_spark.createDataFrame([(3, 2019)], "n INT, year INT")
    name = "spark.sql.sources.partitionOverwriteMode"
    writer = one.write.mode("overwrite").partitionBy("year")
    if by == "setting":
        without_spark.conf.set(name, "dynamic")
    else:
        writer = writer.option("partitionOverwriteMode", "dynamic")
    writer.parquet(target)
    assert rows_of(without_spark.read.parquet(target)) == [(1, 2018), (3, 2019)]
    without_spark.conf.unset(name)
    one.write.mode("overwrite").partitionBy("year").parquet(target)
    assert rows_of(without_spark.read.parquet(target)) == [(3, 2019)]
    assert sorted(path.name for path in Path(target).iterdir()) == ["_SUCCESS", "year=2019"]


@pytest.mark.parametrize("existing", [False, True])
def test_a_write_that_fails_changes_nothing(without_spark: Any, tmp_path: Path, existing: bool) -> None:
    from pyspark.sql.functions import udf

    target = tmp_path / "out"
    good = without_spark.createDataFrame([(1,)], "n INT")
    if existing:
        good.write.parquet(str(target))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(Exception, match=r"division by zero|ZeroDivision"):
        good.select(udf(lambda n: 1 / 0)("n").alias("x")).write.mode("overwrite").parquet(str(target))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_modes_of_writing(without_spark: Any, tmp_path: Path) -> None:
    target = str(tmp_path / "out")
    frame = without_spark.range(2)
    frame.write.parquet(target)
    with pytest.raises(Exception, match="PATH_ALREADY_EXISTS"):
        frame.write.parquet(target)
    frame.write.mode("ignore").parquet(target)
    assert without_spark.read.parquet(target).count() == 2
    frame.write.mode("append").parquet(target)
    assert without_spark.read.parquet(target).count() == 4
    without_spark.read.parquet(target).where("id = 1").write.mode("overwrite").parquet(target)
    assert rows_of(without_spark.read.parquet(target)) == [(1,), (1,)]
    with pytest.raises(refusal.UnsupportedCallError, match="'sometimes'"):
        frame.write.mode("sometimes").parquet(target)


def test_an_empty_frame_has_its_columns(without_spark: Any, tmp_path: Path) -> None:
    frame = without_spark.createDataFrame([], "a INT, b STRING")
    frame.write.parquet(str(tmp_path / "out"))
    again = without_spark.read.parquet(str(tmp_path / "out"))
    assert again.count() == 0 and again.dtypes == [("a", "int"), ("b", "string")]


@pytest.mark.parametrize("source", ["parquet", "json", "csv"])
def test_times_keep_their_fractions(without_spark: Any, tmp_path: Path, source: str) -> None:
    frame = without_spark.sql("SELECT timestamp'2018-11-01 10:11:12.5' AS t")
    frame.write.format(source).save(str(tmp_path / "out"))
    again = without_spark.read.format(source).load(str(tmp_path / "out"))
    assert ".5" in str(again.selectExpr(f"CAST({again.columns[0]} AS STRING)").first()[0])


@pytest.mark.parametrize(
    ("columns", "words"),
    [(["nope"], "COLUMN_NOT_DEFINED"), (["a", "b"], "ALL_PARTITION_COLUMNS_NOT_ALLOWED")],
)
def test_partition_columns_that_cannot_be(
    without_spark: Any, tmp_path: Path, columns: list[str], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        without_spark.createDataFrame([(1, 2)], "a INT, b INT").write.partitionBy(*columns).parquet(
            str(tmp_path / "o")
        )
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "values", [[1.0, None], [None, 1.0], [1.0, 1.0, None], [None, None], [0.0, None, -0.0]]
)
def test_nan_is_a_value_in_any_column(without_spark: Any, tmp_path: Path, values: list[float | None]) -> None:
    """None stands for NaN: the statistics of a Parquet file leave it out."""
    numbers = [float("nan") if value is None else value for value in values]
    pq.write_table(pa.table({"x": pa.array(numbers, pa.float64())}), tmp_path / "numbers.parquet")
    frame = without_spark.read.parquet(str(tmp_path / "numbers.parquet"))
    assert [repr(row.x) for row in frame.collect()] == [repr(number) for number in numbers]
    assert frame.filter("isnan(x)").count() == values.count(None)
