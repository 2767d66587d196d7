"""Calls on the scoreboard: the session, reading, looking."""

from __future__ import annotations

from session.scoreboard import Outcome, Place, printed, rows, scored

# --- the session -----------------------------------------------------------------------------------------


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


# --- reading ---------------------------------------------------------------------------------------------


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


# --- looking ---------------------------------------------------------------------------------------------


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
    assert (found["count"].year, found["min"].title, float(found["max"].duration)) == (
        "6",
        "A Title That Is Longer Than Twenty",
        12345678.5,
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
