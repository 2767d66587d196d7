"""Calls on the scoreboard: columns, rows, groups and windows."""

from __future__ import annotations

from datetime import datetime

from session.scoreboard import Outcome, Place, rows, scored

# --- columns and rows ------------------------------------------------------------------------------------


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


# --- groups and windows ----------------------------------------------------------------------------------


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


@scored("generated column names")
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
        "unique and increasing; Spark does not promise which numbers"
    )
    return dict(frame.dtypes)["songplay_id"]
