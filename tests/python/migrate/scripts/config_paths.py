from configparser import ConfigParser
import os
from pyspark.sql import SparkSession
from pyspark.sql.functions import *
from pyspark.sql.types import *

cfg = ConfigParser()
cfg.read("dl.cfg")
os.environ["AWS_ACCESS_KEY_ID"] = cfg["KEYS"]["AWS_ACCESS_KEY_ID"]
os.environ["AWS_SECRET_ACCESS_KEY"] = cfg["KEYS"]["AWS_SECRET_ACCESS_KEY"]
input_data = cfg["S3"]["INPUT_DATA"]
output_data = cfg["S3"]["TARGET_BUCKET"]


def create_spark_session():
    spark = SparkSession.builder.getOrCreate()
    return spark


def process_song_data(spark, input_data, output_data):
    df = spark.read.json(f"{input_data}/song_data/*/*/*/*.json")
    df.select(col("song_id"), col("title"), col("artist_id"), col("year"), col("duration")) \
        .dropDuplicates(["song_id"]).write.partitionBy("year", "artist_id") \
        .mode("overwrite").parquet(f"{output_data}/songs")
    df.select(col("artist_id"), col("artist_name").alias("artistName"), col("artist_location"),
              col("artist_latitude"), col("artist_longitude")) \
        .dropDuplicates(["artist_id"]).write.mode("overwrite").parquet(f"{output_data}/artists")


def process_log_data(spark, input_data, output_data):
    df = spark.read.json(f"{input_data}/log_data/*/*/*.json").filter(col("page") == "NextSong")
    df.selectExpr("userId as user_id", "firstName as first_name", "lastName as last_name", "gender", "level") \
        .dropDuplicates(["user_id"]).write.mode("overwrite").parquet(f"{output_data}/users")
    df = df.withColumn("ts_timestamp", from_unixtime(col("ts") / 1000).cast("timestamp"))
    df.select(col("ts_timestamp").alias("start_time"), hour("ts_timestamp").alias("hour"),
              dayofmonth("ts_timestamp").alias("day"), weekofyear("ts_timestamp").alias("week"),
              month("ts_timestamp").alias("month"), year("ts_timestamp").alias("year"),
              dayofweek("ts_timestamp").alias("weekday")) \
        .dropDuplicates().write.partitionBy("year", "month").mode("overwrite").parquet(f"{output_data}/time")
    songs = spark.read.parquet(f"{output_data}/songs")
    artists = spark.read.parquet(f"{output_data}/artists")
    joined = df.join(songs, [df.song == songs.title, df.length == songs.duration], "left") \
        .join(artists, df.artist == artists.artistName, "left")
    joined.select(
        expr("uuid()").alias("songplay_id"), col("ts_timestamp").alias("start_time"),
        col("userId").alias("user_id"), col("level"), col("song_id"), songs.artist_id,
        col("sessionId").alias("session_id"), col("location"), col("userAgent").alias("user_agent"),
        year("ts_timestamp").alias("year"), month("ts_timestamp").alias("month"),
    ).write.partitionBy("year", "month").mode("overwrite").parquet(f"{output_data}/songplays")


def main():
    spark = create_spark_session()
    process_song_data(spark, input_data, output_data)
    process_log_data(spark, input_data, output_data)


if __name__ == "__main__":
    main()
