"""Calls on the scoreboard: whole tables, as the jobs of public notebooks make them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.functions import col, udf

from session.scoreboard import Ordered, Outcome, Place, printed, scored, written


@scored("etl: songs table by year and artist")
def songs_table(place: Place) -> Outcome:
    songs = place.songs.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates()
    songs.write.partitionBy("year", "artist_id").parquet(str(place.scratch / "songs"), mode="overwrite")
    return written(place, "songs"), place.spark.read.parquet(str(place.scratch / "songs")).dtypes


@scored("etl: artists table with renamed columns")
def artists_table(place: Place) -> Outcome:
    artists = place.songs.select(
        "artist_id", "artist_name", "artist_location", "artist_latitude", "artist_longitude"
    )
    artists = artists.withColumnRenamed("artist_name", "name").withColumnRenamed(
        "artist_location", "location"
    )
    return artists.dropDuplicates(["artist_id"]).where("artist_id <> ''")


@scored("etl: users table by selectExpr, the latest level")
def users_table(place: Place) -> Outcome:
    latest = Window.partitionBy("userId").orderBy(F.desc("ts"))
    plays = place.plays.withColumn("n", F.row_number().over(latest)).where("n == 1")
    columns = [
        "cast(userId as int) as user_id",
        "firstName as first_name",
        "lastName as last_name",
        "gender",
        "level",
    ]
    return Ordered(plays.selectExpr(columns).orderBy("user_id"))


@scored("etl: time table of a udf")
def time_table(place: Place) -> Outcome:
    get_timestamp = udf(lambda ms: dt.datetime.fromtimestamp(ms / 1000.0), T.TimestampType())
    plays = place.plays.withColumn("start_time", get_timestamp("ts"))
    time = plays.select("start_time").dropDuplicates().withColumn("hour", F.hour("start_time"))
    time = time.withColumn("day", F.dayofmonth(col("start_time"))).withColumn(
        "week", F.weekofyear("start_time")
    )
    time = time.withColumn("month", F.month("start_time")).withColumn("year", F.year(time.start_time))
    time = time.withColumn("weekday", F.dayofweek("start_time"))
    time.write.mode("overwrite").partitionBy("year", "month").parquet(str(place.scratch / "time"))
    return written(place, "time"), place.spark.read.parquet(str(place.scratch / "time"))


def _songplays(place: Place, how: str) -> Any:
    plays, songs = place.plays, place.songs.dropDuplicates(["song_id"])
    matches = (
        (plays.song == songs.title) & (plays.artist == songs.artist_name) & (plays.length == songs.duration)
    )
    return plays.join(songs, matches, how).select(
        (plays.ts / 1000).cast("timestamp").alias("start_time"),
        plays.userId.alias("user_id"),
        plays.level,
        songs.song_id,
        songs.artist_id,
        plays.sessionId.alias("session_id"),
        plays.location,
        plays.userAgent.alias("user_agent"),
    )


@scored("etl: songplays by three conditions, left")
def songplays_left(place: Place) -> Outcome:
    plays = (
        _songplays(place, "left_outer")
        .withColumn("year", F.year("start_time"))
        .withColumn("month", F.month("start_time"))
    )
    plays = plays.withColumn("songplay_id", F.monotonically_increasing_id())
    plays.drop("songplay_id").write.partitionBy("year", "month").parquet(
        str(place.scratch / "songplays"), "overwrite"
    )
    return written(place, "songplays"), plays.select("songplay_id").distinct().count()


@scored("etl: songplays by row_number")
def songplays_numbered(place: Place) -> Outcome:
    return _songplays(place, "inner").withColumn(
        "songplay_id", F.row_number().over(Window.orderBy("start_time"))
    )


@scored("etl: songplays with sql over views")
def songplays_sql(place: Place) -> Outcome:
    return place.sql(
        """
        SELECT DISTINCT to_timestamp(l.ts / 1000) AS start_time, l.userId AS user_id, l.level,
               s.song_id, s.artist_id, l.sessionId AS session_id, l.location, l.userAgent AS user_agent,
               month(to_timestamp(l.ts / 1000)) AS month, year(to_timestamp(l.ts / 1000)) AS year
        FROM logs l LEFT JOIN songs s ON l.song = s.title AND l.artist = s.artist_name
        WHERE l.page = "NextSong"
        """,
        logs=place.logs,
        songs=place.songs,
    )


@scored("etl: songplays read back from the songs table")
def songplays_read_back(place: Place) -> Outcome:
    target = str(place.scratch / "songs")
    place.songs.select("song_id", "title", "artist_id", "year", "duration").distinct().write.partitionBy(
        "year", "artist_id"
    ).parquet(target)
    songs, plays = place.spark.read.parquet(target), place.plays
    joined = plays.join(songs, plays.song == songs.title, "left").drop(songs.year)
    return joined.select("ts", "song_id", "artist_id", plays.location)


@scored("etl: staging tables with sql, filtered again")
def staging(place: Place) -> Outcome:
    staged = place.sql(
        "SELECT *, cast(ts / 1000 AS timestamp) AS start_time FROM staging_events WHERE page = 'NextSong'",
        staging_events=place.logs,
    )
    staged.createOrReplaceTempView("staging_events")
    return place.spark.sql("""
        SELECT start_time, hour(start_time) AS hour, dayofmonth(start_time) AS day,
               weekofyear(start_time) AS week, dayofweek(start_time) AS weekday,
               date_format(start_time, 'EEEE') AS name
        FROM staging_events GROUP BY start_time ORDER BY start_time
    """)


@scored("etl: checks of quality")
def quality(place: Place) -> Outcome:
    songs = place.songs
    nulls = songs.select([F.count(F.when(F.isnull(name), name)).alias(name) for name in songs.columns])
    empty = songs.select(
        [F.sum(F.when(col(name) == "", 1).otherwise(0)).alias(name) for name in ("artist_id", "artist_name")]
    )
    return (
        nulls,
        empty,
        songs.count() - songs.dropDuplicates(["song_id"]).count(),
        songs.where(col("song_id").isNull()).count() == 0,
    )


@scored("etl: songs in every hour, as pandas")
def by_hour(place: Place) -> Outcome:
    get_hour = udf(lambda ts: dt.datetime.utcfromtimestamp(ts / 1000.0).hour)
    logs = place.logs
    logs = logs.withColumn("hour", get_hour(logs.ts))
    counts = logs.filter(logs.page == "NextSong").groupby(logs.hour).count().orderBy(logs.hour.cast("float"))
    return counts.toPandas()


@scored("etl: users who upgrade, a flag and a phase")
def upgrades(place: Place) -> Outcome:
    flag = udf(lambda level: 1 if level == "paid" else 0, T.IntegerType())
    window = Window.partitionBy("userId").orderBy(F.desc("ts")).rangeBetween(Window.unboundedPreceding, 0)
    logs = place.logs.dropna(how="any", subset=["userId", "sessionId"]).filter(col("userId") != "")
    logs = logs.withColumn("upgraded", flag("level")).withColumn("phase", F.sum("upgraded").over(window))
    return Ordered(
        logs.select("userId", "firstname", "ts", "page", "level", "phase")
        .where(logs.userId == "7")
        .sort("ts")
    )


@scored("etl: features of users, joined")
def features(place: Place) -> Outcome:
    logs = place.logs
    songs = (
        logs.where(col("song").isNotNull())
        .groupBy("userId")
        .agg(F.count("song").alias("songs"), F.avg("length").alias("mean"))
    )
    pages = logs.groupBy("userId").pivot("page").count().na.fill(0)
    sessions = (
        logs.groupBy("userId", "sessionId")
        .agg(((F.max("ts") - F.min("ts")) / 60000).alias("minutes"))
        .groupBy("userId")
        .agg(F.avg("minutes").alias("minutes"))
    )
    gender = logs.select("userId", F.when(col("gender") == "F", 1).otherwise(0).alias("female")).distinct()
    return (
        gender.join(songs, "userId", "left")
        .join(pages, on="userId")
        .join(sessions, ["userId"], "outer")
        .fillna(0)
    )


@scored("etl: the first look at a data set")
def first_look(place: Place) -> Outcome:
    logs = place.logs
    pages = printed(logs.select("page").dropDuplicates().sort("page").show)
    return (
        printed(logs.printSchema),
        pages,
        printed(logs.describe("length").show),
        printed(lambda: logs.select("userId", "ts").sort("ts").show(2, False)),
    )


@scored("etl: the most played artist and song")
def most_played(place: Place) -> Outcome:
    plays = place.plays
    top = (
        plays.select("Artist")
        .groupBy("Artist")
        .agg({"Artist": "count"})
        .withColumnRenamed("count(Artist)", "n")
        .sort(F.desc("n"), "Artist")
    )
    return (
        Ordered(top.limit(2)),
        printed(lambda: plays.groupBy("song").count().orderBy(F.desc("count"), "song").show(1)),
        printed(lambda: top.show(1)),
    )


@scored("etl: writing with a schema made by hand")
def by_schema(place: Place) -> Outcome:
    R, Fld, Str, Int, Dbl = T.StructType, T.StructField, T.StringType, T.IntegerType, T.DoubleType
    schema = R(
        [Fld("song_id", Str(), False), Fld("title", Str()), Fld("year", Int()), Fld("duration", Dbl())]
    )
    songs = place.spark.read.json(f"{place.data}/song_data/*/*/*/*.json", schema=schema).filter(
        "song_id is not null"
    )
    songs.repartition("year").write.mode("overwrite").partitionBy("year").parquet(str(place.scratch / "s"))
    return written(place, "s")


@scored("etl: new rows appended by an anti join")
def incremental(place: Place) -> Outcome:
    target = str(place.scratch / "users")
    users = place.plays.select(col("userId").alias("user_id"), "firstName").distinct()
    users.where("user_id < 9").write.parquet(target)
    known = place.spark.read.parquet(target)
    users.join(known, "user_id", "left_anti").write.mode("append").parquet(target)
    return place.spark.read.parquet(target)
