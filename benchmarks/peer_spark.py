"""The job on Spark: ``peer_spark.py INPUT OUTPUT``. Explicit schemas, local[*], each input cached once."""

from __future__ import annotations

import sys

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

SONG = (
    "num_songs int, artist_id string, artist_latitude double, artist_longitude double, "
    "artist_location string, artist_name string, song_id string, title string, duration double, year int"
)
EVENT = (
    "artist string, auth string, firstName string, gender string, itemInSession long, lastName string, "
    "length double, level string, location string, method string, page string, registration double, "
    "sessionId long, song string, status long, ts long, userAgent string, userId string"
)


def first_by(frame: DataFrame, key: str, *order: Column | str) -> DataFrame:
    """The first row of each key in that order."""
    ranked = frame.withColumn("rank", F.row_number().over(Window.partitionBy(key).orderBy(*order)))
    return ranked.where("rank = 1").drop("rank")


def main() -> None:
    source, output = sys.argv[1:3]
    spark = (
        SparkSession.builder.master("local[*]")
        .appName("sparkify")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    lines = spark.read.option("recursiveFileLookup", "true")
    read = lines.schema(SONG).json(f"{source}/song_data").cache()
    unknown = F.coalesce("year", F.lit(0)) == 0
    songs = first_by(
        read, "song_id", unknown, "artist_id", "title", "year", "duration", "artist_name"
    ).cache()

    def write(frame: DataFrame, table: str, *keys: str) -> None:
        frame.write.mode("overwrite").parquet(f"{output}/{table}", partitionBy=list(keys) or None)

    write(songs.select("song_id", "title", "duration", "year", "artist_id"), "songs", "year", "artist_id")
    known = (
        (F.coalesce("artist_location", F.lit("")) != "").cast("int")
        + F.col("artist_latitude").isNotNull().cast("int")
        + F.col("artist_longitude").isNotNull().cast("int")
    )
    artists = first_by(read, "artist_id", known.desc(), "song_id", "artist_name", "artist_location")
    write(
        artists.selectExpr(
            "artist_id",
            "artist_name AS name",
            "artist_location AS location",
            "artist_latitude AS latitude",
            "artist_longitude AS longitude",
        ),
        "artists",
    )
    logs = (
        lines.schema(EVENT)
        .json(f"{source}/log_data")
        .where("page = 'NextSong'")
        .withColumn("start_time", F.timestamp_millis("ts"))
        .cache()
    )
    latest = logs.groupBy("userId").agg(
        F.max_by(
            F.struct("firstName", "lastName", "gender", "level"),
            F.struct("ts", "sessionId", "itemInSession", "level"),
        ).alias("latest")
    )
    write(
        latest.selectExpr(
            "userId AS user_id",
            "latest.firstName AS first_name",
            "latest.lastName AS last_name",
            "latest.gender AS gender",
            "latest.level AS level",
        ),
        "users",
    )
    calendar = (
        "hour(start_time) hour, day(start_time) day, weekofyear(start_time) week, month(start_time) month, "
    )
    calendar += "year(start_time) year, dayofweek(start_time) weekday"
    times = logs.select("start_time").distinct().selectExpr("start_time", *calendar.split(", "))
    write(times, "time", "year", "month")
    keys = ["title", "artist_name", "duration"]
    catalogue = songs.groupBy(*keys).agg(F.min_by(F.struct("song_id", "artist_id"), "song_id").alias("match"))
    match = (
        (logs.song == F.col("title"))
        & (logs.artist == F.col("artist_name"))
        & (logs.length == F.col("duration"))
    )
    plays = logs.join(catalogue, match, "left").selectExpr(
        "monotonically_increasing_id() AS songplay_id",
        "start_time",
        "userId AS user_id",
        "level",
        "match.song_id AS song_id",
        "match.artist_id AS artist_id",
        "sessionId AS session_id",
        "location",
        "userAgent AS user_agent",
        "year(start_time) AS year",
        "month(start_time) AS month",
    )
    write(plays, "songplays", "year", "month")
    spark.stop()


if __name__ == "__main__":
    main()
