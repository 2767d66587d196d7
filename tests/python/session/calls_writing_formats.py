"""Calls on the scoreboard: writing other formats, and what is left on disk."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import functions as F
from pyspark.sql import types as T

from session.scoreboard import Outcome, Place, raised, rows, scored, written

PLAYS = ("userId", "level")


@scored("write.parquet: the files")
def parquet_files(place: Place) -> Outcome:
    place.plays.select("userId", "ts", F.timestamp_millis("ts").alias("at"), "length").write.parquet(
        str(place.scratch / "t")
    )
    return written(place, "t")


@scored("write.parquet(path, mode) by position")
def by_position(place: Place) -> Outcome:
    for _ in range(2):
        place.plays.select(*PLAYS).write.parquet(str(place.scratch / "t"), "overwrite", "level")
    return written(place, "t")


@scored('write.save(path, format="parquet", mode, partitionBy)')
def save(place: Place) -> Outcome:
    place.plays.select(*PLAYS).write.save(
        str(place.scratch / "t"), format="parquet", mode="overwrite", partitionBy=["level"]
    )
    return written(place, "t")


@scored("write.save without a format, with header")
def save_default(place: Place) -> Outcome:
    place.plays.select(*PLAYS).write.save(str(place.scratch / "t"), header=True)
    return written(place, "t")


@scored('write.format("parquet").option.mode.save')
def format_save(place: Place) -> Outcome:
    write = (
        place.plays.select(*PLAYS)
        .write.format("parquet")
        .option("maxRecordsPerFile", 1000)
        .options(header="true")
    )
    write.mode("overwrite").partitionBy(["level"]).save(str(place.scratch / "t"))
    return written(place, "t")


@scored("write.option(compression)")
def compression(place: Place) -> Outcome:
    for name in ("gzip", "none", "zstd"):
        place.plays.select(*PLAYS).write.option("compression", name).parquet(str(place.scratch / name))
    return [written(place, name)["suffixes"] for name in ("gzip", "none", "zstd")]


@scored("write.mode: every mode, on a folder that exists")
def modes(place: Place) -> Outcome:
    target, frame = str(place.scratch / "t"), place.plays.select(*PLAYS).limit(1)
    frame.write.parquet(target)
    found = [
        raised(lambda m=mode: frame.write.mode(m).parquet(target))
        for mode in ("append", "ignore", "error", "errorifexists")
    ]
    return (
        found,
        place.spark.read.parquet(target).count(),
        raised(lambda: frame.write.mode("sometimes").parquet(target)) != "no exception",
    )


@scored("write: partitions of special texts")
def special_partitions(place: Place) -> Outcome:
    texts = (
        "a/b",
        "c:d",
        "e%f",
        "g h+i",
        "é",
        "x=y",
        'q"',
        "t\tb",
        "[a]",
        "{b}",
        "^",
        ".",
        "a\\b",
        "a'b",
        "#",
        "*",
        "?",
        "日本",
        "~",
        "&",
    )
    frame = place.frame([(number, text) for number, text in enumerate(texts)], "n int, k string")
    frame.write.partitionBy("k").parquet(str(place.scratch / "t"))
    return written(place, "t")["folders"], place.spark.read.parquet(str(place.scratch / "t"))


@scored("write: partitions of NULL and empty texts")
def null_partitions(place: Place) -> Outcome:
    place.frame([(1, None), (2, ""), (3, "a")], "n int, k string").write.partitionBy("k").parquet(
        str(place.scratch / "t")
    )
    return written(place, "t"), place.spark.read.parquet(str(place.scratch / "t"))


@scored("write: partitions of NULL numbers")
def null_numbers(place: Place) -> Outcome:
    place.frame([(1, None, 1.5), (2, 2018, None)], "n int, y int, d double").write.partitionBy(
        "y", "d"
    ).parquet(str(place.scratch / "t"))
    return written(place, "t"), place.spark.read.parquet(str(place.scratch / "t"))


@scored("write: partitions of dates, booleans, doubles, times")
def typed_partitions(place: Place) -> Outcome:
    frame = place.frame(
        [(1, dt.date(2018, 11, 1), True, 1.0, dt.datetime(2018, 11, 1, 12))],
        "n int, d date, b boolean, x double, t timestamp",
    )
    frame.write.partitionBy("d", "b", "x").parquet(str(place.scratch / "t"))
    frame.select("n", "t").write.partitionBy("t").parquet(str(place.scratch / "u"))
    read = place.spark.read
    return (
        written(place, "t")["folders"],
        read.parquet(str(place.scratch / "t")),
        written(place, "u")["folders"],
    )


@scored("write: partitions of texts with leading zeros")
def leading_zeros(place: Place) -> Outcome:
    place.frame([(1, "007"), (2, "010")], "n int, k string").write.partitionBy("k").parquet(
        str(place.scratch / "t")
    )
    return written(place, "t")["folders"], place.spark.read.parquet(str(place.scratch / "t"))


@scored("write: partition columns with capitals")
def capital_partitions(place: Place) -> Outcome:
    place.plays.select("userId", "ts").write.partitionBy("userid").parquet(str(place.scratch / "t"))
    return written(place, "t")["folders"], place.spark.read.parquet(str(place.scratch / "t")).columns


@scored("write: all columns as partitions, an unknown one")
def odd_partitions(place: Place) -> Outcome:
    frame = place.plays.select(*PLAYS)
    return [
        raised(lambda: frame.write.partitionBy(*PLAYS).parquet(str(place.scratch / "t"))) != "no exception",
        raised(lambda: frame.write.partitionBy("nope").parquet(str(place.scratch / "u"))) != "no exception",
    ]


@scored("write: partitionOverwriteMode=dynamic")
def dynamic(place: Place) -> Outcome:
    target, name = str(place.scratch / "t"), "spark.sql.sources.partitionOverwriteMode"
    place.frame([(1, "a"), (2, "b")], "k int, v string").write.partitionBy("k").parquet(target)
    new = place.frame([(2, "z"), (3, "c")], "k int, v string")
    place.spark.conf.set(name, "dynamic")
    try:
        new.write.mode("overwrite").partitionBy("k").parquet(target)
    finally:
        place.spark.conf.set(name, "static")
    return written(place, "t")["folders"], place.spark.read.parquet(target)


@scored("write: option partitionOverwriteMode=dynamic, then static")
def dynamic_option(place: Place) -> Outcome:
    target = str(place.scratch / "t")
    place.frame([(1, "a"), (2, "b")], "k int, v string").write.partitionBy("k").parquet(target)
    write = place.frame([(2, "z")], "k int, v string").write.mode("overwrite").partitionBy("k")
    write.option("partitionOverwriteMode", "dynamic").parquet(target)
    both = written(place, "t")["folders"]
    place.frame([(2, "z")], "k int, v string").write.mode("overwrite").partitionBy("k").parquet(target)
    return both, written(place, "t")["folders"]


@scored("write: append to partitions")
def append(place: Place) -> Outcome:
    for value in ("a", "b"):
        place.frame([(1, value)], "k int, v string").write.mode("append").partitionBy("k").parquet(
            str(place.scratch / "t")
        )
    return written(place, "t"), place.spark.read.parquet(str(place.scratch / "t"))


@scored("write: a frame over the files that it reads")
def over_itself(place: Place) -> Outcome:
    target = str(place.scratch / "t")
    place.frame([(1,), (2,)], "n int").write.parquet(target)
    kept = place.spark.read.parquet(target).where("n = 2")
    return raised(lambda: kept.write.mode("overwrite").parquet(target)) != "no exception"


@scored("write: a failed write leaves what was there")
def failed(place: Place) -> Outcome:
    target = str(place.scratch / "t")
    place.frame([(1,)], "n int").write.parquet(target)
    bad = place.frame([(1,)], "n int").select(F.udf(lambda n: 1 / 0, "int")("n").alias("n"))
    return raised(
        lambda: bad.write.mode("append").parquet(target)
    ) != "no exception", place.spark.read.parquet(target)


@scored("write: an empty frame")
def empty(place: Place) -> Outcome:
    place.songs.where("1 = 0").select("title", "year").write.parquet(str(place.scratch / "t"))
    return written(place, "t")["_SUCCESS"], place.spark.read.parquet(str(place.scratch / "t"))


@scored("write: nested types, decimals and dates")
def nested(place: Place) -> Outcome:
    schema = "a array<int>, m map<string, int>, s struct<x: int>, d decimal(10,2), t timestamp"
    schema += ", e date, f float, b binary"
    row = ([1, None], {"k": 1}, (1,), None, dt.datetime(2018, 11, 1), dt.date(2018, 11, 1), 0.5, b"\x01")
    place.frame([row], schema).write.parquet(str(place.scratch / "t"))
    return place.spark.read.parquet(str(place.scratch / "t"))


@scored("write: columns of one name")
def same_names(place: Place) -> Outcome:
    frame = place.plays.select("userId", F.col("level").alias("USERID"))
    return raised(lambda: frame.write.parquet(str(place.scratch / "t"))) != "no exception"


@scored("write: a column with a space, with a dot")
def odd_names(place: Place) -> Outcome:
    place.frame([(1, 2)], "`a b` int, `c.d` int").write.parquet(str(place.scratch / "t"))
    return place.spark.read.parquet(str(place.scratch / "t"))


@scored("write.csv(header=True)")
def csv(place: Place) -> Outcome:
    frame = place.songs.select("song_id", "title", "artist_location", "year", "duration").dropDuplicates()
    frame.write.csv(str(place.scratch / "t"), header=True)
    return written(place, "t"), place.spark.read.csv(str(place.scratch / "t"), header=True)


@scored("write.csv: NULL, empty texts, quotes, times, booleans")
def csv_values(place: Place) -> Outcome:
    frame = place.frame(
        [
            (None, "", 'say "x"', "a,b", True, 1e20, dt.datetime(2018, 11, 1, 12), dt.date(2018, 11, 1)),
            (1, " x ", "l\\n", None, None, 0.5, None, None),
        ],
        "a int, b string, c string, d string, e boolean, f double, g timestamp, h date",
    )
    frame.write.csv(str(place.scratch / "t"))
    return written(place, "t")


@scored("write.csv(sep, nullValue, compression)")
def csv_options(place: Place) -> Outcome:
    frame = place.frame([(1, None), (2, "x")], "a int, b string")
    frame.write.option("sep", "|").option("header", True).option("nullValue", "-").csv(
        str(place.scratch / "t")
    )
    frame.write.csv(str(place.scratch / "u"), compression="gzip")
    return written(place, "t"), sorted(file.suffix for file in (place.scratch / "u").glob("part-*"))


@scored('write.save(format="csv", header=True), read again')
def csv_save(place: Place) -> Outcome:
    place.plays.select("userId", "level", "ts").write.save(
        str(place.scratch / "t.csv"), format="csv", header=True
    )
    again = place.spark.read.csv(str(place.scratch / "t.csv"), header=True)
    return again, again.select("userID").count()


@scored("write.json")
def json(place: Place) -> Outcome:
    place.songs.select("song_id", "artist_latitude", "title", "duration").dropDuplicates().write.json(
        str(place.scratch / "t")
    )
    return written(place, "t"), place.spark.read.json(str(place.scratch / "t"))


@scored("write.json: nested values, times, NULL")
def json_values(place: Place) -> Outcome:
    schema = "a array<int>, m map<string, int>, s struct<x: int, y: string>, t timestamp"
    schema += ", d date, n string, f double"
    rows = [
        ([1, None], {"k": 1}, (1, None), dt.datetime(2018, 11, 1), dt.date(2018, 11, 1), None, 1e7),
        (None,) * 7,
    ]
    place.frame(rows, schema).write.mode("overwrite").json(str(place.scratch / "t"))
    return written(place, "t")


@scored("write.json with partitions, gzip")
def json_partitions(place: Place) -> Outcome:
    place.plays.select(*PLAYS).write.partitionBy("level").json(str(place.scratch / "t"))
    place.plays.select(*PLAYS).write.json(str(place.scratch / "u"), compression="gzip")
    return (
        written(place, "t"),
        place.spark.read.json(str(place.scratch / "t")),
        place.spark.read.json(str(place.scratch / "u")),
    )


@scored("write.text")
def text(place: Place) -> Outcome:
    place.plays.select("song").write.text(str(place.scratch / "t"))
    return written(place, "t"), place.spark.read.text(str(place.scratch / "t"))


@scored("coalesce(1).write: one file")
def one_file(place: Place) -> Outcome:
    place.plays.select(*PLAYS).repartition(3).coalesce(1).write.parquet(str(place.scratch / "t"))
    return len(list((place.scratch / "t").glob("part-*.parquet")))


@scored("write.saveAsTable, spark.table, DROP TABLE")
def table(place: Place) -> Outcome:
    place.plays.select(*PLAYS).write.mode("overwrite").saveAsTable("scored_plays")
    found = place.spark.table("scored_plays"), place.spark.sql("SELECT count(*) AS n FROM scored_plays")
    counts = [rows(frame) for frame in found]
    place.spark.sql("DROP TABLE scored_plays")
    return counts, place.spark.catalog.tableExists("scored_plays")


@scored("CREATE TABLE AS SELECT, INSERT INTO")
def create_table(place: Place) -> Outcome:
    place.sql("CREATE TABLE scored_levels USING parquet AS SELECT DISTINCT level FROM p", p=place.plays)
    place.spark.sql("INSERT INTO scored_levels VALUES ('none')")
    found = place.spark.table("scored_levels").collect()
    place.spark.sql("DROP TABLE scored_levels")
    return sorted(found)


@scored("write.bucketBy.sortBy.saveAsTable")
def buckets(place: Place) -> Outcome:
    place.plays.select(*PLAYS).write.bucketBy(2, "userId").sortBy("level").saveAsTable("scored_buckets")
    found = place.spark.table("scored_buckets").count()
    place.spark.sql("DROP TABLE scored_buckets")
    return found


@scored("writeTo, insertInto of a table that does not exist")
def insert_into(place: Place) -> Outcome:
    return raised(lambda: place.plays.write.insertInto("nowhere"))


@scored("write of a void column")
def void(place: Place) -> Outcome:
    frame = place.plays.select("userId", F.lit(None).alias("nothing"))
    return (
        frame.dtypes,
        raised(lambda: frame.write.parquet(str(place.scratch / "t"))),
        T.NullType().simpleString(),
    )
