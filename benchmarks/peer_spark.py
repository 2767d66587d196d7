"""The job on Spark, or on Sail with Spark's client: ``peer_spark.py INPUT OUTPUT [--sail]``.

Explicit schemas, local[*], each input read once. Sail runs in this process. Its JSON reader fails for a
number in a column of text, as in ``"userId":45``, so from_json parses the lines. Its cache() does nothing, so
tables that are used several times are written to scratch Parquet files.
"""

from __future__ import annotations

import os
import sys
import tempfile

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
    """The first row per key in that order."""
    ranked = frame.withColumn("rank", F.row_number().over(Window.partitionBy(key).orderBy(*order)))
    return ranked.where("rank = 1").drop("rank")


class OnSpark:
    """How Spark reads JSON and keeps a table that is used several times."""

    def __init__(self) -> None:
        self.session = (
            SparkSession.builder.master("local[*]")
            .appName("sparkify")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.memory", "4g")
            # The defaults are for a cluster: 200 tasks per shuffle, and tasks of 32 small files.
            .config("spark.sql.shuffle.partitions", os.cpu_count() or 1)
            .config("spark.sql.files.openCostInBytes", 65536)
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .getOrCreate()
        )

    def read(self, folder: str, schema: str) -> DataFrame:
        return self.session.read.option("recursiveFileLookup", "true").schema(schema).json(folder)

    def keep(self, frame: DataFrame) -> DataFrame:
        return frame.cache()


class OnSail(OnSpark):
    """The same for Sail, with a server in this process."""

    def __init__(self) -> None:
        from pysail.spark import SparkConnectServer

        self.server = SparkConnectServer(ip="127.0.0.1", port=0)
        self.server.start(background=True)
        port = self.server.listening_address[1]
        self.session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        self.session.conf.set("spark.sql.session.timeZone", "UTC")
        self.scratch = tempfile.TemporaryDirectory()

    def read(self, folder: str, schema: str) -> DataFrame:
        lines = self.session.read.option("recursiveFileLookup", "true").text(folder)
        return lines.select(F.from_json("value", schema).alias("record")).select("record.*")

    def keep(self, frame: DataFrame) -> DataFrame:
        folder = tempfile.mkdtemp(dir=self.scratch.name)
        frame.write.mode("overwrite").parquet(folder)
        return self.session.read.parquet(folder)


def main() -> None:
    source, output = sys.argv[1:3]
    engine = OnSail() if "--sail" in sys.argv[3:] else OnSpark()
    read = engine.keep(engine.read(f"{source}/song_data", SONG))
    unknown = F.coalesce("year", F.lit(0)) == 0
    order = (unknown, "artist_id", "title", "year", "duration", "artist_name")
    songs = engine.keep(first_by(read, "song_id", *order))

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
    events = engine.read(f"{source}/log_data", EVENT).where("page = 'NextSong'")
    logs = engine.keep(events.withColumn("start_time", F.timestamp_millis("ts")))
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
    catalog = songs.groupBy(*keys).agg(F.min_by(F.struct("song_id", "artist_id"), "song_id").alias("match"))
    match = (
        (logs.song == F.col("title"))
        & (logs.artist == F.col("artist_name"))
        & (logs.length == F.col("duration"))
    )
    plays = logs.join(catalog, match, "left").selectExpr(
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
    engine.session.stop()


if __name__ == "__main__":
    main()
