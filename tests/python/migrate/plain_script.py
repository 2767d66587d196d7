"""A script for Spark that the migration understands in full; tests replace parts of it."""

from __future__ import annotations

from pathlib import Path

from sparkify_lake.migrate.conclusions import migrate
from sparkify_lake.migrate.report import Migration

SCRIPT = """\
import configparser
import os
from datetime import datetime
from pyspark.sql import SparkSession, functions as F
from pyspark.sql.functions import col, udf, year, month
from pyspark.sql.types import IntegerType, TimestampType

config = configparser.ConfigParser()
config.read("dl.cfg")
os.environ["AWS_ACCESS_KEY_ID"] = config["AWS"]["AWS_ACCESS_KEY_ID"]
os.environ["AWS_DEFAULT_REGION"] = "us-west-2"


def create_spark_session():
    return SparkSession.builder.getOrCreate()


def process_song_data(spark, input_data, output_data):
    df = spark.read.json(input_data + "/song_data/*/*/*/*.json")
    df.createOrReplaceTempView("staging")
    songs = df.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates(["song_id"])
    songs.write.partitionBy("year", "artist_id").parquet(output_data + "/songs", "overwrite")
    artists = spark.sql("select artist_id, first(artist_name) as name, first(artist_location) as location, "
                        "first(artist_latitude) as latitude, first(artist_longitude) as longitude "
                        "from staging group by artist_id")
    artists.write.parquet(output_data + "/artists", "overwrite")


def process_log_data(spark, input_data, output_data):
    logs = spark.read.json(input_data + "/log_data/*/*/*.json").filter("page = 'NextSong'")
    logs = logs.withColumn("start_time", F.to_timestamp(col("ts") / 1000))
    logs.createOrReplaceTempView("logs")
    users = spark.sql("select userId as user_id, firstName as first_name, lastName as last_name, gender, "
                      "level from logs").dropDuplicates(["user_id"])
    users.write.parquet(output_data + "/users", "overwrite")
    time = logs.select("start_time", F.hour("start_time").alias("hour"),
                       F.dayofmonth("start_time").alias("day"), F.weekofyear("start_time").alias("week"),
                       month("start_time").alias("month"), year("start_time").alias("year"),
                       F.dayofweek("start_time").alias("weekday")).distinct()
    time.write.partitionBy("year", "month").parquet(output_data + "/time", "overwrite")
    songs = spark.read.json(input_data + "/song_data/*/*/*/*.json")
    plays = logs.join(songs, (logs.song == songs.title) & (logs.artist == songs.artist_name), "left")
    plays = plays.select(F.monotonically_increasing_id().alias("songplay_id"), "start_time",
                         col("userId").alias("user_id"), "level", "song_id", "artist_id",
                         col("sessionId").alias("session_id"), "location",
                         col("userAgent").alias("user_agent"), year("start_time").alias("year"),
                         month("start_time").alias("month"))
    plays.write.partitionBy("year", "month").parquet(output_data + "/songplays", "overwrite")


def main():
    spark = create_spark_session()
    process_song_data(spark, "s3a://raw", "s3a://lake")
    process_log_data(spark, "s3a://raw", "s3a://lake")


main()
"""


def migrated(text: str, folder: Path) -> Migration:
    """Returns the migration of a script."""
    (folder / "old_etl.py").write_text(text)
    return migrate(folder / "old_etl.py", dry_run=True)


def remarks(result: Migration) -> list[tuple[int, str]]:
    """Returns what differs or is not understood."""
    return [(note.line, note.text) for note in (*result.differs, *result.unclear)]
