import os
from os import path

import pyspark.sql.functions as F
from pyspark.sql import SparkSession, Window


def create_spark_session():
    return SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()


def process_song_data(spark, input_data, output_data):
    df = spark.read.json(os.path.join(input_data, "song_data", "*", "*", "*", "*.json"))
    songs = df.select(["song_id", "title", "artist_id", "year", "duration"]).dropDuplicates(["song_id"])
    songs.write.mode("overwrite").partitionBy(["year", "artist_id"]).parquet(path.join(output_data, "songs_table"))
    artists = (
        df.select("artist_id", "artist_name", "artist_location", "artist_latitude", "artist_longitude")
        .withColumnRenamed("artist_name", "name")
        .withColumnRenamed("artist_location", "location")
        .withColumnRenamed("artist_latitude", "latitude")
        .withColumnRenamed("artist_longitude", "longitude")
        .dropDuplicates(["artist_id"])
    )
    artists.write.mode("overwrite").parquet(path.join(output_data, "artists_table"))


def process_log_data(spark, input_data, output_data):
    df = spark.read.json(os.path.join(input_data, "log_data", "*", "*", "*.json"))
    plays = df[df["page"] == "NextSong"].withColumn("start_time", F.to_timestamp(F.col("ts") / 1000))
    latest = Window.partitionBy("userId").orderBy(F.desc("ts"))
    users = (
        plays.withColumn("rank", F.row_number().over(latest))
        .where(F.col("rank") == 1)
        .select(
            F.col("userId").alias("user_id"), F.col("firstName").alias("first_name"),
            F.col("lastName").alias("last_name"), "gender", "level",
        )
    )
    users.write.mode("overwrite").parquet(path.join(output_data, "user_table"))
    time = plays.select("start_time").dropDuplicates(["start_time"])
    for name, function in [("hour", F.hour), ("day", F.dayofmonth), ("week", F.weekofyear), ("month", F.month),
                           ("year", F.year), ("weekday", F.dayofweek)]:
        time = time.withColumn(name, function("start_time"))
    time.write.mode("overwrite").partitionBy("year", "month").parquet(path.join(output_data, "time_table"))

    songs = spark.read.json(os.path.join(input_data, "song_data", "*", "*", "*", "*.json"))
    conditions = [plays.song == songs.title, plays.artist == songs.artist_name, plays.length == songs.duration]
    songplays = plays.join(songs, conditions, how="left").select(
        F.monotonically_increasing_id().alias("songplay_id"), plays.start_time,
        plays.userId.alias("user_id"), plays.level, songs.song_id, songs.artist_id,
        plays.sessionId.alias("session_id"), plays.location, plays.userAgent.alias("user_agent"),
        F.year("start_time").alias("year"), F.month("start_time").alias("month"),
    )
    songplays.write.mode("overwrite").partitionBy("year", "month").parquet(path.join(output_data, "songplays_table"))


def main():
    spark = create_spark_session()
    process_song_data(spark, "data", "lake")
    process_log_data(spark, "data", "lake")


if __name__ == "__main__":
    main()
