"""The scoreboard: calls that Sparkify notebooks make on Spark, each with its right result.

Every function runs on this session and, in a marked test, on real PySpark: it imports pyspark by itself, as a
cell does, and asserts. What it returns is compared between the two.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from session.queries import QUERIES

Outcome = Any


@dataclass(frozen=True)
class Place:
    """Where a call reads and writes, and the session it runs on."""

    spark: Any
    data: Path
    scratch: Path

    @property
    def songs(self) -> Any:
        """The songs as a frame."""
        return self.spark.read.json(str(self.data / "song_data/*/*/*/*.json"))

    @property
    def logs(self) -> Any:
        """The events as a frame."""
        return self.spark.read.json(str(self.data / "log_data/*/*/*.json"))

    @property
    def plays(self) -> Any:
        """The plays as a frame."""
        return self.logs.where("page = 'NextSong'")


CALLS: dict[str, Callable[[Place], Outcome]] = {}
REFUSED: dict[str, Callable[[Place], Outcome]] = {}


def scored(name: str) -> Callable[[Callable[[Place], Outcome]], Callable[[Place], Outcome]]:
    """Puts a call on the scoreboard."""

    def add(function: Callable[[Place], Outcome]) -> Callable[[Place], Outcome]:
        assert name not in CALLS
        CALLS[name] = function
        return function

    return add


def printed(show: Callable[[], object]) -> str:
    """Returns what a call prints."""
    caught = io.StringIO()
    with contextlib.redirect_stdout(caught):
        assert show() is None
    return caught.getvalue()


def rows(frame: Any) -> list[tuple[Any, ...]]:
    """Returns the rows of a frame as tuples, sorted."""
    return sorted((tuple(row) for row in frame.collect()), key=repr)


# --- the session ------------------------------------------------------------------------------------------


@scored("import SparkSession, functions, types, Window")
def imports(place: Place) -> Outcome:
    from pyspark.sql import Row, SparkSession, Window  # noqa: F401
    from pyspark.sql import functions as F
    from pyspark.sql import types as T
    from pyspark.sql.functions import col, date_format, desc, udf  # noqa: F401
    from pyspark.sql.types import DoubleType as Dbl
    from pyspark.sql.types import IntegerType, StructField, StructType  # noqa: F401
    from pyspark.sql.window import Window as SameWindow

    assert SameWindow is Window
    assert T.DoubleType is Dbl
    assert F.col is col
    return T.StructType([T.StructField("a", T.StringType())]).simpleString()


@scored("builder.appName.config.getOrCreate")
def builder(place: Place) -> Outcome:
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("sparkify").config("spark.sql.shuffle.partitions", "1").getOrCreate()
    return spark.sql("SELECT 1 AS one").collect()[0].one


@scored("conf.set, conf.get")
def conf(place: Place) -> Outcome:
    place.spark.conf.set("spark.sql.shuffle.partitions", "3")
    assert place.spark.conf.get("spark.sql.shuffle.partitions") == "3"
    place.spark.conf.set("spark.sql.shuffle.partitions", 1)
    assert place.spark.conf.get("spark.no.such.setting", "given") == "given"
    return place.spark.conf.get("spark.sql.shuffle.partitions")


@scored("sparkContext.setLogLevel")
def log_level(place: Place) -> Outcome:
    return place.spark.sparkContext.setLogLevel("ERROR")


# --- reading ----------------------------------------------------------------------------------------------


@scored("read.json(glob)")
def read_glob(place: Place) -> Outcome:
    frame = place.songs
    assert frame.columns == sorted(frame.columns), "inferred columns are in the order of their names"
    assert frame.count() == 6
    return rows(frame)


@scored("read.json(several paths)")
def read_several(place: Place) -> Outcome:
    paths = [str(file) for file in sorted((place.data / "log_data").rglob("*.json"))]
    assert place.spark.read.json(paths).count() == 7
    return place.spark.read.json(paths[0]).count()


@scored("read.json(path, schema=StructType)")
def read_schema(place: Place) -> Outcome:
    from pyspark.sql import types as T

    schema = T.StructType(
        [
            T.StructField("title", T.StringType()),
            T.StructField("year", T.IntegerType()),
            T.StructField("duration", T.DoubleType()),
            T.StructField("no_such_key", T.LongType()),
            T.StructField("artist_name", T.DoubleType()),
        ]
    )
    frame = place.spark.read.json(str(place.data / "song_data/*/*/*/*.json"), schema=schema)
    assert frame.columns == ["title", "year", "duration", "no_such_key", "artist_name"]
    found = rows(frame.where("title = 'Blue Door'"))
    assert found == [("Blue Door", 0, 180.25, None, None)], "what does not fit the type is NULL"
    return rows(frame)


@scored('read.schema("a STRING, b INT").json')
def read_text_schema(place: Place) -> Outcome:
    frame = place.spark.read.schema("song_id STRING, year INT").json(
        str(place.data / "song_data/*/*/*/*.json")
    )
    assert frame.dtypes == [("song_id", "string"), ("year", "int")]
    return rows(frame)


@scored("read.json(folder)")
def read_folder(place: Place) -> Outcome:
    frame = place.spark.read.json(str(place.data / "log_data/2018/11"))
    assert frame.count() == 7
    return rows(frame.select("userId", "ts"))


@scored('read.format("json").load')
def read_load(place: Place) -> Outcome:
    frame = place.spark.read.format("json").load(str(place.data / "log_data/*/*/*.json"))
    assert frame.count() == 7
    return frame.columns


@scored("read.option(recursiveFileLookup)")
def read_recursively(place: Place) -> Outcome:
    frame = place.spark.read.option("recursiveFileLookup", "true").json(str(place.data / "song_data"))
    assert frame.count() == 6
    return frame.columns


@scored("read.json of broken lines")
def read_broken(place: Place) -> Outcome:
    file = place.scratch / "broken" / "a.json"
    file.parent.mkdir()
    file.write_text(
        '{"b": 1, "A": "2018-11-01"}\n\n{"b": 2\n{"b": 2.5, "c": [1, 2], "d": {"y": 1, "x": null}}\n'
    )
    frame = place.spark.read.json(
        str(file)
    ).cache()  # Spark refuses to select the broken lines alone otherwise
    assert frame.dtypes == [
        ("A", "string"),
        ("_corrupt_record", "string"),
        ("b", "double"),
        ("c", "array<bigint>"),
        ("d", "struct<x:string,y:bigint>"),
    ]
    found = [tuple(row)[:4] for row in frame.collect()]
    assert found == [
        ("2018-11-01", None, 1.0, None),
        (None, '{"b": 2', None, None),
        (None, None, 2.5, [1, 2]),
    ]
    return found


@scored("printSchema")
def print_schema(place: Place) -> Outcome:
    text = printed(place.logs.select("userId", "ts", "length").printSchema)
    assert text.startswith("root\n |-- userId: string (nullable = true)\n |-- ts: long (nullable = true)\n")
    assert " |-- length: double (nullable = true)\n" in text
    return text + printed(place.songs.printSchema)


@scored("columns")
def columns(place: Place) -> Outcome:
    names = place.logs.columns
    assert names[0] == "artist" and "userAgent" in names and len(names) == 18
    return names


@scored("dtypes")
def dtypes(place: Place) -> Outcome:
    kinds = dict(place.logs.dtypes)
    assert (kinds["ts"], kinds["length"], kinds["userId"]) == ("bigint", "double", "string")
    return place.logs.dtypes


@scored("schema")
def schema(place: Place) -> Outcome:
    from pyspark.sql import types as T

    grown = T.StructType().add("title", T.StringType()).add("year", "long", True)
    found = place.songs.select("title", "year").schema
    assert found == grown and found.fieldNames() == ["title", "year"]
    assert found == T.StructType(
        [T.StructField("title", T.StringType()), T.StructField("year", T.LongType())]
    )
    return found.simpleString(), repr(found)


# --- looking ----------------------------------------------------------------------------------------------


@scored("show(5)")
def show(place: Place) -> Outcome:
    frame = place.songs.select("title", "duration", "artist_latitude", "year").orderBy("title", "year")
    text = printed(lambda: frame.show(3))
    assert text == (
        "+--------------------+------------+---------------+----+\n"
        "|               title|    duration|artist_latitude|year|\n"
        "+--------------------+------------+---------------+----+\n"
        "|A Title That Is L...|1.23456785E7|       35.14968|2005|\n"
        "|           Blue Door|      180.25|           NULL|   0|\n"
        "|               Größe|        99.0|       35.14968|1999|\n"
        "+--------------------+------------+---------------+----+\n"
        "only showing top 3 rows\n"
    )
    return text


@scored("show(2, truncate=False)")
def show_whole(place: Place) -> Outcome:
    frame = place.songs.select("title", "artist_location").orderBy("title")
    text = printed(lambda: frame.show(2, truncate=False))
    assert "|A Title That Is Longer Than Twenty|Memphis, TN    |" in text
    assert "|Blue Door                         |               |" in text
    return text


@scored("show of all rows, show(truncate=5), show(vertical=True)")
def show_otherwise(place: Place) -> Outcome:
    frame = place.plays.select("firstName", "ts", "length").orderBy("ts")
    whole, cut = printed(frame.show), printed(lambda: frame.show(truncate=5))
    assert "only showing" not in whole
    assert "|15...|" in cut
    return whole, cut, printed(lambda: frame.show(2, vertical=True))


@scored("count")
def count(place: Place) -> Outcome:
    assert place.logs.count() == 7
    return place.plays.count()


@scored("take, first, head, collect")
def take(place: Place) -> Outcome:
    frame = place.plays.select("firstName", "ts").orderBy("ts")
    first = frame.first()
    assert (first.firstName, first["ts"], first[1]) == ("Ada", 1541106106796, 1541106106796)
    assert frame.head() == first and frame.take(2) == frame.head(2) and len(frame.collect()) == 6
    assert first.asDict() == {"firstName": "Ada", "ts": 1541106106796}
    return [tuple(row) for row in frame.take(3)], repr(first)


@scored("limit")
def limit(place: Place) -> Outcome:
    frame = place.plays.orderBy("ts").limit(2)
    assert frame.count() == 2
    return rows(frame.select("ts"))


@scored("describe")
def describe(place: Place) -> Outcome:
    frame = place.songs.select("duration", "year", "title").describe()
    found = {row.summary: row for row in frame.collect()}
    assert list(found) == ["count", "mean", "stddev", "min", "max"]
    assert (found["count"].year, found["min"].title, found["max"].duration) == (
        "6",
        "A Title That Is Longer Than Twenty",
        "1.23456785E7",
    )
    assert found["mean"].title is None
    near = [(row.summary, float(row.duration), float(row.year)) for row in frame.collect()]
    return near, frame.columns


@scored("toPandas")
def to_pandas(place: Place) -> Outcome:
    frame = place.plays.groupBy("level").count().orderBy("level").toPandas()
    assert list(frame.columns) == ["level", "count"]
    assert frame["count"].tolist() == [3, 3]
    times = place.plays.selectExpr("CAST(ts / 1000 AS timestamp) AS at").orderBy("at").toPandas()
    assert str(times["at"][0])[:23] == "2018-11-01 21:01:46.796"
    return frame["level"].tolist(), [str(one) for one in times["at"]]


# --- columns and rows -------------------------------------------------------------------------------------


@scored("select(list).dropDuplicates")
def select_list(place: Place) -> Outcome:
    frame = place.songs.select(["song_id", "title", "year"]).dropDuplicates()
    assert frame.count() == 5
    return rows(frame)


@scored("dropDuplicates(subset)")
def drop_duplicates(place: Place) -> Outcome:
    frame = place.plays.dropDuplicates(["userId", "level"])
    assert frame.count() == 4
    return rows(frame.select("userId", "level"))


@scored("distinct")
def distinct(place: Place) -> Outcome:
    found = rows(place.plays.select("userId").distinct())
    assert found == [("7",), ("8",), ("9",)]
    return found


@scored("selectExpr")
def select_expr(place: Place) -> Outcome:
    frame = place.songs.selectExpr("artist_id", "artist_name AS name", "year + 1 AS next", "upper(song_id)")
    assert frame.columns == ["artist_id", "name", "next", "upper(song_id)"]
    found = rows(frame.where("name = 'Bea'"))
    assert found == [("AR2", "Bea", 1, "SO2")]
    return rows(frame)


@scored("col.alias")
def alias(place: Place) -> Outcome:
    from pyspark.sql.functions import col

    plays = place.plays
    frame = plays.select(col("userId").alias("user_id"), plays["level"], "ts")
    assert frame.columns == ["user_id", "level", "ts"]
    return rows(frame)


@scored('filter(df.page == "NextSong")')
def filter_column(place: Place) -> Outcome:
    frame = place.logs
    frame = frame.filter(frame.page == "NextSong")
    assert frame.count() == 6
    assert frame.filter((frame.level == "paid") & (frame.length > 1.0)).count() == 2
    return rows(frame.filter(frame["userId"] != "7").select("ts"))


@scored("where(text)")
def where_text(place: Place) -> Outcome:
    frame = place.logs.where("page = 'NextSong' AND location LIKE '%CA'")
    assert frame.count() == 3
    return rows(frame.select("ts"))


@scored("isin, like, between, isNull, startswith, contains")
def conditions(place: Place) -> Outcome:
    from pyspark.sql.functions import col

    logs = place.logs
    found = [
        logs.filter(col("userId").isin("7", "9")).count(),
        logs.filter(col("location").like("%MA")).count(),
        logs.filter(col("length").between(100, 200.5)).count(),
        logs.filter(col("song").isNull()).count(),
        logs.filter(col("song").isNotNull()).count(),
        logs.filter(col("song").startswith("N")).count(),
        logs.filter(col("song").contains("e")).count(),
        logs.filter(~(col("level") == "paid")).count(),
    ]
    assert found == [5, 3, 4, 1, 6, 3, 3, 4]
    return found


@scored("withColumn, when.otherwise, lit")
def with_column(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    frame = place.plays.withColumn("pays", F.when(F.col("level") == "paid", 1).otherwise(0))
    frame = frame.withColumn("length", F.round(F.col("length") / 60, 2)).withColumn("source", F.lit("app"))
    assert frame.columns[-2:] == ["pays", "source"]
    return rows(frame.select("ts", "pays", "length", "source"))


@scored("withColumnRenamed")
def with_column_renamed(place: Place) -> Outcome:
    frame = place.songs.withColumnRenamed("artist_name", "name").withColumnRenamed("no_such", "x")
    assert "name" in frame.columns and "artist_name" not in frame.columns
    return frame.columns


@scored("drop, union")
def drop(place: Place) -> Outcome:
    frame = place.songs.select("song_id", "year", "title").drop("year")
    assert frame.columns == ["song_id", "title"]
    assert frame.union(frame).count() == 12
    return rows(frame.union(frame).distinct())


@scored("na.drop, na.fill, fillna")
def missing(place: Place) -> Outcome:
    songs = place.songs.select("song_id", "artist_latitude", "artist_location")
    assert songs.na.drop(subset=["artist_latitude"]).count() == 5
    found = rows(songs.fillna({"artist_latitude": 0.0}).where("song_id = 'SO2'"))
    assert found == [("SO2", 0.0, "")]
    return rows(songs.na.fill("nowhere", subset=["artist_location"]))


@scored("orderBy(desc), sort")
def order(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    frame = place.songs.select("artist_latitude", "title", "year").distinct()
    down = frame.orderBy(F.desc("artist_latitude"), "title").collect()
    up = frame.sort(F.col("artist_latitude").asc(), F.col("year").desc(), "title").collect()
    assert down[-1].title == up[0].title == "Blue Door", "NULL sorts before every value"
    return [tuple(row) for row in down], [tuple(row) for row in up]


@scored("createDataFrame")
def create_frame(place: Place) -> Outcome:
    from pyspark.sql import types as T

    at = datetime(2018, 11, 1, 21, 1, 46, 796000)
    frame = place.spark.createDataFrame([("7", 1, 2.5, at), ("8", None, None, None)], ["id", "n", "x", "at"])
    assert frame.dtypes == [("id", "string"), ("n", "bigint"), ("x", "double"), ("at", "timestamp")]
    assert [tuple(row) for row in frame.collect()] == [("7", 1, 2.5, at), ("8", None, None, None)]
    schema = T.StructType([T.StructField("n", T.IntegerType())])
    assert place.spark.createDataFrame([(1,), (2,)], schema).dtypes == [("n", "int")]
    return rows(frame.select("id", "n"))


@scored("cache, persist, unpersist")
def cache(place: Place) -> Outcome:
    frame = place.plays.cache()
    assert frame.persist().count() == 6
    return frame.unpersist().count()


# --- groups and windows -----------------------------------------------------------------------------------


@scored("groupBy.count.orderBy(desc)")
def group_count(place: Place) -> Outcome:
    from pyspark.sql.functions import desc

    frame = place.plays.groupBy("userId").count().orderBy(desc("count"), "userId")
    assert frame.columns == ["userId", "count"]
    found = [tuple(row) for row in frame.collect()]
    assert found == [("7", 3), ("8", 2), ("9", 1)]
    return found


@scored("groupBy.agg")
def group_agg(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    frame = place.plays.groupBy("level").agg(
        F.count("*").alias("plays"),
        F.countDistinct("userId").alias("users"),
        F.sum("sessionId").alias("sessions"),
        F.avg("length").alias("mean"),
        F.max("ts").alias("last"),
    )
    kinds = dict(frame.dtypes)
    assert (kinds["plays"], kinds["sessions"], kinds["mean"]) == ("bigint", "bigint", "double")
    return rows(frame)


@scored("names of columns that nobody named")
def unnamed(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    plays = place.plays
    names = [
        plays.groupBy("level").agg(F.count("*"), F.sum("length"), F.avg("ts"), F.max("userId")).columns,
        plays.groupBy("level").agg({"ts": "max"}).columns,
        plays.groupBy("level").avg("length").columns,
        plays.select(F.countDistinct("userId"), F.min("ts")).columns,
        plays.select(F.year(F.col("ts").cast("timestamp"))).columns,
        plays.select(F.col("ts") / 1000, F.upper("song"), F.monotonically_increasing_id()).columns,
    ]
    assert names[0] == ["level", "count(1)", "sum(length)", "avg(ts)", "max(userId)"]
    assert names[3] == ["count(DISTINCT userId)", "min(ts)"]
    return names


@scored("row_number over Window")
def row_number(place: Place) -> Outcome:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    latest = Window.partitionBy("userId").orderBy(F.desc("ts"))
    frame = place.plays.withColumn("rank", F.row_number().over(latest)).where("rank = 1")
    assert dict(frame.dtypes)["rank"] == "int"
    found = rows(frame.select("userId", "level", "ts"))
    assert found[0] == ("7", "paid", 1543784506796)
    return found


@scored("lag, sum over Window")
def lag(place: Place) -> Outcome:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    by_time = Window.partitionBy("userId").orderBy("ts")
    frame = place.plays.withColumn("before", F.lag("level").over(by_time))
    upgrades = frame.filter((F.col("before") == "free") & (F.col("level") == "paid"))
    assert rows(upgrades.select("userId", "ts")) == [("7", 1541116906123)]
    running = by_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return rows(place.plays.select("userId", "ts", F.sum("length").over(running).alias("heard")))


@scored("monotonically_increasing_id")
def increasing_id(place: Place) -> Outcome:
    from pyspark.sql.functions import monotonically_increasing_id

    frame = place.plays.withColumn("songplay_id", monotonically_increasing_id())
    found = [row.songplay_id for row in frame.collect()]
    assert found == sorted(set(found)) and len(found) == 6, (
        "unique and increasing; which numbers is nobody's promise"
    )
    return dict(frame.dtypes)["songplay_id"]


# --- times ------------------------------------------------------------------------------------------------


@scored("udf(lambda, TimestampType()) with withColumn")
def udf_time(place: Place) -> Outcome:
    from pyspark.sql.functions import hour, udf
    from pyspark.sql.types import TimestampType

    get_timestamp = udf(lambda ts: datetime.fromtimestamp(ts / 1000.0), TimestampType())
    plays = place.plays
    frame = plays.withColumn("start_time", get_timestamp(plays.ts)).orderBy("ts")
    first = frame.first()
    assert first.start_time == datetime.fromtimestamp(1541106106.796)
    assert dict(frame.dtypes)["start_time"] == "timestamp"
    assert [row[0] for row in frame.select(hour("start_time")).take(2)] == [21, 22]
    return rows(frame.select("start_time"))


@scored("udf with the types string, integer, double, date")
def udf_types(place: Place) -> Outcome:
    from pyspark.sql.functions import udf
    from pyspark.sql.types import DoubleType, IntegerType

    @udf(returnType=IntegerType())
    def letters(text: str) -> int:
        return len(text) if text else -1

    seconds = udf(lambda ts: ts / 1000.0, DoubleType())
    lower = udf(lambda text: None if text is None else text.lower())
    frame = place.logs.select(
        "ts", letters("song").alias("n"), seconds("ts").alias("s"), lower("song").alias("l")
    )
    assert frame.dtypes == [("ts", "bigint"), ("n", "int"), ("s", "double"), ("l", "string")]
    found = rows(frame)
    assert found[0] == (1541106106796, 11, 1541106106.796, "night train")
    assert (1541113306000, -1, 1541113306.0, None) in found
    return found


@scored("udf of a time")
def udf_of_time(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    day = F.udf(lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S.%f"))
    frame = place.plays.select(day((F.col("ts") / 1000).cast("timestamp")).alias("day"))
    local = datetime.fromtimestamp(1541106106.796).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert (local,) in rows(frame)
    return rows(frame)


@scored("spark.udf.register")
def udf_register(place: Place) -> Outcome:
    from pyspark.sql.types import IntegerType, TimestampType

    place.spark.udf.register("letters", lambda text: len(text), IntegerType())
    place.spark.udf.register("moment", lambda ts: datetime.fromtimestamp(ts / 1000.0), TimestampType())
    place.plays.createOrReplaceTempView("udf_plays")
    frame = place.spark.sql("SELECT letters(song) AS n, hour(moment(ts)) AS h FROM udf_plays")
    assert (11, 21) in rows(frame)
    return rows(frame)


@scored('(ts / 1000).cast("timestamp")')
def cast_time(place: Place) -> Outcome:
    from pyspark.sql import functions as F
    from pyspark.sql.types import TimestampType

    frame = place.plays.select(
        "ts",
        (F.col("ts") / 1000).cast("timestamp").alias("a"),
        (F.col("ts") / 1000.0).cast(TimestampType()).alias("b"),
        F.from_unixtime(F.col("ts") / 1000, "yyyy-MM-dd HH").alias("c"),
        F.to_timestamp(F.col("ts") / 1000).alias("d"),
        F.timestamp_millis("ts").alias("e"),
        (F.col("ts") / 1000).cast("int").alias("f"),
        (F.col("ts") / 1000).cast("timestamp").cast("string").alias("g"),
        F.to_date((F.col("ts") / 1000).cast("timestamp")).alias("h"),
    ).orderBy("ts")
    first = frame.first()
    assert first.a == first.b == first.d == first.e == datetime.fromtimestamp(1541106106.796)
    assert (first.c, first.f, first.g) == ("2018-11-01 21", 1541106106, "2018-11-01 21:01:46.796")
    return [tuple(row) for row in frame.collect()], frame.dtypes


@scored("hour of a text, in Python and SQL")
def calendar_of_text(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    get_datetime = F.udf(lambda ts: str(datetime.utcfromtimestamp(int(ts) / 1000)))
    plays = place.plays
    frame = plays.withColumn("datetime", get_datetime(plays.ts)).select("datetime")
    frame = frame.withColumn("start_time", frame.datetime).withColumn("hour", F.hour("datetime"))
    frame = frame.withColumn("week", F.weekofyear("datetime")).withColumn("weekday", F.dayofweek("datetime"))
    assert ("2018-11-01 21:01:46.796000", "2018-11-01 21:01:46.796000", 21, 44, 5) in rows(frame)
    plays.createOrReplaceTempView("texts")
    again = place.spark.sql("""
        SELECT hour(from_unixtime(ts / 1000)) AS hour, dayofweek(from_unixtime(ts / 1000)) AS weekday,
               weekday(from_unixtime(ts / 1000)), extract(month FROM timestamp_millis(ts)) AS firstMonth,
               userId IS NULL AS noUsers, isnull(song)
        FROM texts
    """)
    assert again.columns[3:5] == ["firstMonth", "noUsers"], "as they are written"
    assert {kind for _, kind in again.dtypes} == {"int", "boolean"}
    assert (21, 5, 3, 11, False, False) in rows(again)
    return rows(frame), rows(again)


@scored("hour, dayofmonth, weekofyear, month, year, dayofweek, date_format")
def calendar(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    frame = place.plays.withColumn("at", (F.col("ts") / 1000).cast("timestamp")).select(
        F.hour("at").alias("hour"),
        F.dayofmonth("at").alias("day"),
        F.weekofyear("at").alias("week"),
        F.month("at").alias("month"),
        F.year("at").alias("year"),
        F.dayofweek("at").alias("weekday"),
        F.date_format("at", "E").alias("short"),
        F.date_format("at", "EEEE").alias("long"),
        F.date_format("at", "yyyy-MM-dd HH:mm:ss.SSS").alias("text"),
        F.date_format("at", "d MMM yy, h a").alias("other"),
        F.minute("at").alias("minute"),
        F.second("at").alias("second"),
    )
    assert {kind for _, kind in frame.dtypes} == {"int", "string"}
    first = min(frame.collect(), key=lambda row: row.text)
    assert tuple(first) == (
        21, 1, 44, 11, 2018, 5, "Thu", "Thursday", "2018-11-01 21:01:46.796", "1 Nov 18, 9 PM", 1, 46,
    )  # fmt: skip
    return rows(frame)


# --- SQL and joins ----------------------------------------------------------------------------------------


@scored("createOrReplaceTempView, sql with joins")
def sql_join(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("log")
    place.songs.dropDuplicates(["song_id"]).createOrReplaceTempView("songs")
    frame = place.spark.sql("""
        SELECT s.title, l.userId AS user_id, count(*) AS plays, round(sum(l.length), 1) AS heard
        FROM log l
        LEFT JOIN songs s ON l.song = s.title AND l.artist = s.artist_name
        WHERE l.page = 'NextSong'
        GROUP BY s.title, l.userId
        ORDER BY plays DESC, title, user_id
    """)
    found = [tuple(row) for row in frame.collect()]
    assert found[0] == ("Night Train", "7", 2, 400.5)
    assert (None, "9", 1, 1.0) in found
    return found, frame.columns


@scored("sql with WITH, CASE, windows and times")
def sql_more(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("log")
    frame = place.spark.sql("""
        WITH timed AS (SELECT userId, level, to_timestamp(ts / 1000) AS at FROM log),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY userId ORDER BY at DESC) AS rank FROM timed
        )
        SELECT userId, CASE WHEN level = 'paid' THEN 'pays' ELSE 'does not' END AS pays,
               date_format(at, 'EEEE') AS weekday, year(at) AS year, hour(at),
               from_unixtime(1541106106, 'yyyy') AS y
        FROM ranked WHERE rank = 1
    """)
    assert frame.columns == ["userId", "pays", "weekday", "year", "hour(at)", "y"]
    found = rows(frame)
    assert found[0] == ("7", "pays", "Sunday", 2018, 21, "2018")
    return found


@scored("sql: text, numbers, times, windows, joins")
def sql_queries(place: Place) -> Outcome:
    rows_of_t = [("7", 1541106106796, "free", 200.5, None), ("8", 1541109706796, "paid", 1.0, 3)]
    frame = place.spark.createDataFrame(rows_of_t, ["userId", "ts", "level", "length", "n"])
    frame.createOrReplaceTempView("t")
    found = {}
    for query in QUERIES:
        frame = place.spark.sql(query)
        found[query] = frame.dtypes, rows(frame)
    assert len(found) > 45
    return found


@scored("a view replaced by a query on itself")
def view_again(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("again")
    place.spark.sql("SELECT userId, level FROM again").createOrReplaceTempView("again")
    frame = place.spark.table("again").distinct()
    assert frame.columns == ["userId", "level"]
    return rows(frame)


@scored('join(condition & condition, "left")')
def join_left(place: Place) -> Outcome:
    logs, songs = place.plays, place.songs.dropDuplicates(["song_id"])
    matches = (
        (logs.song == songs.title) & (logs.artist == songs.artist_name) & (logs.length == songs.duration)
    )
    frame = logs.join(songs, matches, "left").select("ts", songs.song_id, "artist_id", logs.location)
    assert frame.count() == 6
    found = rows(frame)
    assert found[0] == (1541106106796, "SO1", "AR1", "San Jose-Sunnyvale-Santa Clara, CA")
    assert sum(row[1] is None for row in found) == 2
    return found


@scored("join(on=name), join(on=[names])")
def join_name(place: Place) -> Outcome:
    users = place.plays.select("userId", "firstName").distinct()
    frame = place.plays.select("userId", "level", "ts").join(users, "userId")
    assert frame.columns == ["userId", "level", "ts", "firstName"]
    both = place.plays.select("userId", "level", "ts").join(
        frame.drop("firstName"), ["userId", "level", "ts"], "left_anti"
    )
    assert both.count() == 0
    return rows(frame)


@scored("five-way join")
def join_five(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    songs = place.songs.dropDuplicates(["song_id"])
    plays = place.plays.withColumn("start_time", (F.col("ts") / 1000).cast("timestamp"))
    time = plays.select("start_time", F.hour("start_time").alias("hour")).distinct()
    users = plays.select(F.col("userId").alias("user_id"), "gender").distinct()
    artists = place.songs.select("artist_id", F.col("artist_name").alias("name")).distinct()
    titles = place.songs.select("song_id", "title").distinct()
    songplays = plays.join(songs, (plays.song == songs.title) & (plays.length == songs.duration)).select(
        "start_time", F.col("userId").alias("user_id"), "song_id", "artist_id", plays.level
    )
    frame = (
        songplays.join(time, "start_time")
        .join(users, "user_id")
        .join(titles, songplays.song_id == titles.song_id)
        .join(artists, on="artist_id", how="left")
        .select("title", "name", "gender", "hour", "level")
    )
    assert frame.count() == 4
    return rows(frame)


# --- writing ----------------------------------------------------------------------------------------------


@scored('write.mode("overwrite").partitionBy(a, b).parquet')
def write_partitions(place: Place) -> Outcome:
    target = place.scratch / "songs"
    frame = place.songs.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates()
    for _ in range(2):
        frame.write.mode("overwrite").partitionBy("year", "artist_id").parquet(str(target))
    folders = sorted({str(file.parent.relative_to(target)) for file in target.rglob("*.parquet")})
    assert folders == [
        "year=0/artist_id=AR2",
        "year=1999/artist_id=AR%2F3",
        "year=1999/artist_id=AR1",
        "year=1999/artist_id=__HIVE_DEFAULT_PARTITION__",
        "year=2005/artist_id=AR1",
    ]
    assert (target / "_SUCCESS").is_file()
    assert all(file.name.endswith(".snappy.parquet") for file in target.rglob("*.parquet"))
    return folders


@scored("read.parquet(folder) with partition columns")
def read_partitions(place: Place) -> Outcome:
    target = str(place.scratch / "partitioned")
    frame = place.songs.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates()
    frame.write.partitionBy("year", "artist_id").parquet(target)
    again = place.spark.read.parquet(target)
    assert again.dtypes == [
        ("song_id", "string"),
        ("title", "string"),
        ("duration", "double"),
        ("year", "int"),
        ("artist_id", "string"),
    ]
    found = rows(again)
    assert ("SO4", "Größe", 99.0, 1999, "AR/3") in found
    assert ("SO5", "No Artist", 61.125, 1999, None) in found, "the empty text comes back as NULL"
    assert place.spark.read.parquet(target + "/year=2005").columns[-1] == "artist_id"
    return found


@scored("write.parquet(path, mode=, partitionBy=)")
def write_keywords(place: Place) -> Outcome:
    target = str(place.scratch / "keywords")
    frame = place.plays.selectExpr("userId", "CAST(ts / 1000 AS timestamp) AS start_time")
    frame = frame.selectExpr("*", "year(start_time) AS year", "month(start_time) AS month")
    frame.write.parquet(target, mode="overwrite", partitionBy=["year", "month"])
    again = place.spark.read.parquet(target)
    assert again.dtypes[1] == ("start_time", "timestamp")
    assert rows(again.groupBy("year", "month").count()) == [(2018, 11, 5), (2018, 12, 1)]
    return rows(again)


@scored("write modes append, ignore, error")
def write_modes(place: Place) -> Outcome:
    target = str(place.scratch / "modes")
    frame = place.plays.select("userId", "ts")
    frame.write.parquet(target)
    frame.write.mode("append").parquet(target)
    frame.write.mode("ignore").parquet(target)
    with pytest.raises(Exception, match=r"(?i)already"):
        frame.write.parquet(target)
    assert place.spark.read.parquet(target).count() == 12
    frame.limit(1).write.mode("overwrite").format("parquet").save(target)
    return place.spark.read.parquet(target).count()


@scored("read.parquet of the lake's five tables")
def read_lake(place: Place) -> Outcome:
    found = {}
    for table in ("songs", "artists", "user", "time", "songplays"):
        frame = place.spark.read.parquet(str(place.data.parent / "lake" / f"{table}_table"))
        assert frame.count() > 0
        found[table] = (sorted(frame.dtypes), rows(frame.select(*sorted(frame.columns))))
    return found


@scored("DataFrame as text")
def frame_text(place: Place) -> Outcome:
    text = str(place.songs.select("title", "year"))
    assert text == "DataFrame[title: string, year: bigint]"
    return text


# --- what there is no counterpart of ----------------------------------------------------------------------


def refused(name: str) -> Callable[[Callable[[Place], Outcome]], None]:
    """Puts a call on the scoreboard that is refused by the name in its own."""

    def add(function: Callable[[Place], Outcome]) -> None:
        REFUSED[name] = function

    return add


refused("df.rdd")(lambda place: place.plays.rdd)
refused("df.toLocalIterator")(lambda place: list(place.plays.toLocalIterator()))
refused("df.foreach")(lambda place: place.plays.foreach(print))
refused("spark.sparkContext.parallelize")(lambda place: place.spark.sparkContext.parallelize([1]))
refused("spark.sparkContext.textFile")(lambda place: place.spark.sparkContext.textFile("a"))
refused("spark.read.csv")(lambda place: place.spark.read.csv("a.csv"))
refused("df.write.csv")(lambda place: place.plays.write.csv("a"))
refused("df.write.saveAsTable")(lambda place: place.plays.write.saveAsTable("a"))
refused("df.writeStream")(lambda place: place.plays.writeStream)
refused("spark.catalog")(lambda place: place.spark.catalog)
refused("spark.newSession")(lambda place: place.spark.newSession())
refused("percentile_approx")(
    lambda place: place.plays.selectExpr("percentile_approx(length, 0.5) AS p").collect()
)
refused("spark.sql(INSERT")(lambda place: place.spark.sql("INSERT INTO a VALUES (1)"))
refused("spark.read.json of s3a://")(lambda place: place.spark.read.json("s3a://bucket/song_data"))
