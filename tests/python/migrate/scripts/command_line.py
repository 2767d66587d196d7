import argparse
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import *


def etl_songs(spark, input_dir, output_dir):
    song_df = spark.read.option("recursiveFileLookup", "true").json(input_dir + "/song_data")
    song_df["song_id", "title", "artist_id", "year", "duration"].dropDuplicates(["song_id"]) \
        .write.format("parquet").mode("overwrite").partitionBy("year", "artist_id").save(output_dir + "/songs")
    song_df.select(song_df.artist_id, song_df.artist_name.alias("name"), song_df.artist_location.alias("location"),
                   song_df.artist_latitude.alias("latitude"), song_df.artist_longitude.alias("longitude")) \
        .dropDuplicates(["artist_id"]).write.save(output_dir + "/artists", format="parquet", mode="overwrite")


def etl_logs(spark, input_dir, output_dir):
    log_df = spark.read.json(input_dir + "/log_data").filter(col("page") == "NextSong")
    log_df = log_df.withColumn("start_time", from_unixtime(col("ts") / 1000).cast("timestamp"))
    log_df.select(col("userId").alias("user_id"), col("firstName").alias("first_name"),
                  col("lastName").alias("last_name"), col("gender"), col("level")) \
        .dropDuplicates(["user_id", "level"]).write.mode("overwrite").parquet(output_dir + "/users")
    log_df.select("start_time").distinct().withColumn("hour", hour("start_time")) \
        .withColumn("day", dayofmonth("start_time")).withColumn("week", weekofyear("start_time")) \
        .withColumn("month", month("start_time")).withColumn("year", year("start_time")) \
        .withColumn("weekday", dayofweek("start_time")) \
        .write.mode("overwrite").partitionBy("year", "month").parquet(output_dir + "/time")
    song_df = spark.read.json(input_dir + "/song_data")
    log_df.alias("l").join(song_df.alias("s"), (col("l.song") == col("s.title")) & (col("l.artist") == col("s.artist_name")) &
                           (col("l.length") == col("s.duration")), "leftouter") \
        .select(monotonically_increasing_id().alias("songplay_id"), col("l.start_time"), col("l.userId").alias("user_id"),
                col("l.level"), col("s.song_id"), col("s.artist_id"), col("l.sessionId").alias("session_id"),
                col("l.location"), col("l.userAgent").alias("user_agent"), year("l.start_time").alias("year"),
                month("l.start_time").alias("month")) \
        .write.mode("overwrite").partitionBy("year", "month").parquet(output_dir + "/songplays")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--input-dir", default="s3a://udacity-dend")
    parser.add_argument("output_dir")
    args = parser.parse_args()
    spark = SparkSession.builder.appName(sys.argv[0]).getOrCreate()
    etl_songs(spark, args.input_dir, args.output_dir)
    etl_logs(spark, args.input_dir, args.output_dir)
