import os

from pyspark.sql import SparkSession
from pyspark.sql import functions as F


class SparkifyJob:
    layout = {"songs": "songs.parquet", "artists": "artists.parquet"}

    def __init__(self, source, target):
        self.spark = SparkSession.builder.getOrCreate()
        self.source = source
        self.target = target

    def path(self, name):
        return os.path.join(self.target, name)

    def songs(self):
        return self.spark.read.json(self.source + "/song_data/*/*/*/*.json")

    def run_songs(self):
        songs = self.songs()
        songs.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates(["song_id"]) \
            .write.partitionBy("year", "artist_id").parquet(self.path(self.layout["songs"]), mode="overwrite")
        songs.select("artist_id", "artist_name", "artist_location", "artist_latitude", "artist_longitude") \
            .toDF("artist_id", "name", "location", "latitude", "longitude").dropDuplicates(["artist_id"]) \
            .write.parquet(self.path(self.layout["artists"]), mode="overwrite")

    def run_logs(self):
        logs = self.spark.read.json(self.source + "/log_data/*/*/*.json").where(F.col("page") == F.lit("NextSong"))
        logs = logs.where("page == 'NextSong'").withColumn("start_time", F.expr("timestamp_millis(ts)"))
        logs.select(
            F.col("userId").alias("user_id"), F.col("firstName").alias("first_name"),
            F.col("lastName").alias("last_name"), "gender", "level",
        ).dropDuplicates().write.parquet(self.path("users.parquet"), mode="overwrite")
        logs.select("start_time").dropDuplicates().selectExpr(
            "start_time", "hour(start_time) as hour", "day(start_time) as day", "weekofyear(start_time) as week",
            "month(start_time) as month", "year(start_time) as year", "dayofweek(start_time) as weekday",
        ).write.partitionBy("year", "month").parquet(self.path("time.parquet"), mode="overwrite")
        songs = self.songs()
        logs.join(songs, (logs.artist == songs.artist_name) & (logs.song == songs.title), "left").select(
            F.monotonically_increasing_id().alias("songplay_id"), "start_time", F.col("userId").alias("user_id"),
            "level", "song_id", "artist_id", F.col("sessionId").alias("session_id"), "location",
            F.col("userAgent").alias("user_agent"), F.year("start_time").alias("year"),
            F.month("start_time").alias("month"),
        ).write.partitionBy("year", "month").parquet(self.path("songplays.parquet"), mode="overwrite")


if __name__ == "__main__":
    job = SparkifyJob(source="data", target="output")
    job.run_songs()
    job.run_logs()
