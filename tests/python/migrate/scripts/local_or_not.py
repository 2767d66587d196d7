import sys
from pyspark.sql import SparkSession
import pyspark.sql.functions as F

LOCAL = len(sys.argv) > 1


def create_spark_session(local):
    builder = SparkSession.builder
    if not local:
        builder = builder.config("spark.jars.packages", "org.apache.hadoop:hadoop-aws:3.2.0")
    return builder.getOrCreate()


def process_song_data(spark, input_data, output_data, run_local):
    if run_local:
        song_data = input_data + "song_data/*.json"
    else:
        song_data = input_data + "song_data/*/*/*/*.json"
    df = spark.read.json(song_data)
    df.select("song_id", "title", "artist_id", "year", "duration").distinct().write.parquet(
        output_data + "songs.parquet", mode="overwrite", partitionBy=["year", "artist_id"])
    df.selectExpr("artist_id", "artist_name name", "artist_location location", "artist_latitude latitude",
                  "artist_longitude longitude").distinct().write.parquet(output_data + "artists.parquet", mode="overwrite")


def process_log_data(spark, input_data, output_data, run_local):
    pattern = "log_data/*.json" if run_local else "log_data/*/*/*.json"
    df = spark.read.json(input_data + pattern)
    df = df.filter((df.page == "NextSong") & (df.userId != ""))
    df = df.withColumn("start_time", F.to_timestamp(df.ts / 1000))
    df.selectExpr("userId user_id", "firstName first_name", "lastName last_name", "gender", "level").distinct() \
        .write.parquet(output_data + "users.parquet", mode="overwrite")
    df.select("start_time", F.hour("start_time").alias("hour"), F.dayofmonth("start_time").alias("day"),
              F.weekofyear("start_time").alias("week"), F.month("start_time").alias("month"),
              F.year("start_time").alias("year"), F.dayofweek("start_time").alias("weekday")).distinct() \
        .write.parquet(output_data + "time.parquet", mode="overwrite", partitionBy=["year", "month"])
    songs = spark.read.parquet(output_data + "songs.parquet")
    artists = spark.read.parquet(output_data + "artists.parquet").withColumnRenamed("location", "artist_place")
    full = songs.join(artists, "artist_id", "full").select("song_id", "title", "artist_id", "name", "duration")
    df.join(full, [df.song == full.title, df.artist == full.name, df.length == full.duration], "left").select(
        F.monotonically_increasing_id().alias("songplay_id"), "start_time", F.col("userId").alias("user_id"), "level",
        "song_id", "artist_id", F.col("sessionId").alias("session_id"), "location",
        F.col("userAgent").alias("user_agent"), F.year("start_time").alias("year"), F.month("start_time").alias("month"),
    ).write.parquet(output_data + "songplays.parquet", mode="overwrite", partitionBy=["year", "month"])


def main():
    spark = create_spark_session(LOCAL)
    if LOCAL:
        input_data, output_data = "data/", "spark-warehouse/"
    else:
        input_data = "s3a://udacity-dend/"
        output_data = "s3a://my-lake/"
    process_song_data(spark, input_data, output_data, LOCAL)
    process_log_data(spark, input_data, output_data, LOCAL)


if __name__ == "__main__":
    main()
