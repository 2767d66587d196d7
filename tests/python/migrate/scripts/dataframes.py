import configparser
from datetime import datetime
import os
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf, col, monotonically_increasing_id
from pyspark.sql.functions import year, month, dayofmonth, hour, weekofyear, date_format
from pyspark.sql.types import TimestampType

config = configparser.ConfigParser()
config.read("dl.cfg")

os.environ["AWS_ACCESS_KEY_ID"] = config["AWS"]["AWS_ACCESS_KEY_ID"]
os.environ["AWS_SECRET_ACCESS_KEY"] = config["AWS"]["AWS_SECRET_ACCESS_KEY"]


def create_spark_session():
    spark = SparkSession.builder.config(
        "spark.jars.packages", "org.apache.hadoop:hadoop-aws:2.7.0"
    ).getOrCreate()
    return spark


def process_song_data(spark, input_data, output_data):
    song_data = input_data + "song_data/*/*/*/*.json"
    df = spark.read.json(song_data)

    songs_table = df.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates()
    songs_table.write.partitionBy("year", "artist_id").parquet(output_data + "songs/songs.parquet")

    artists_table = df.select(
        "artist_id", "artist_name", "artist_location", "artist_latitude", "artist_longitude"
    ).dropDuplicates()
    artists_table.write.parquet(output_data + "artists/artists.parquet", mode="overwrite")


def process_log_data(spark, input_data, output_data):
    log_data = input_data + "log_data/*/*/*.json"
    df = spark.read.json(log_data)
    df = df.filter(df.page == "NextSong")

    users_table = df.select("userId", "firstName", "lastName", "gender", "level").dropDuplicates()
    users_table.write.mode("overwrite").parquet(output_data + "users/users.parquet")

    get_timestamp = udf(lambda x: datetime.fromtimestamp(x / 1000.0), TimestampType())
    df = df.withColumn("start_time", get_timestamp(df.ts))
    get_weekday = udf(lambda x: x.weekday())

    time_table = (
        df.select("start_time")
        .dropDuplicates()
        .withColumn("hour", hour(col("start_time")))
        .withColumn("day", dayofmonth("start_time"))
        .withColumn("week", weekofyear(col("start_time")))
        .withColumn("month", month(col("start_time")))
        .withColumn("year", year(col("start_time")))
        .withColumn("weekday", get_weekday("start_time"))
    )
    time_table.write.partitionBy("year", "month").mode("overwrite").parquet(output_data + "time/time.parquet")

    song_df = spark.read.parquet(output_data + "songs/songs.parquet/*/*/*")
    song_df = spark.read.json(input_data + "song_data/*/*/*/*.json")

    songplays_table = df.join(
        song_df,
        (df.song == song_df.title) & (df.artist == song_df.artist_name) & (df.length == song_df.duration),
    ).select(
        monotonically_increasing_id().alias("songplay_id"),
        col("start_time"),
        col("userId").alias("user_id"),
        "level",
        "song_id",
        "artist_id",
        col("sessionId").alias("session_id"),
        "location",
        col("userAgent").alias("user_agent"),
        year("start_time").alias("year"),
        month("start_time").alias("month"),
    )
    songplays_table.write.partitionBy("year", "month").parquet(output_data + "songplays/songplays.parquet")


def main():
    spark = create_spark_session()
    input_data = "s3a://udacity-dend/"
    output_data = "s3a://sparkify-lake/analytics/"

    process_song_data(spark, input_data, output_data)
    process_log_data(spark, input_data, output_data)


if __name__ == "__main__":
    main()
