from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

INPUT = "s3a://udacity-dend"
spark = SparkSession.builder.getOrCreate()


def process_songs(spark):
    songs = spark.read.json("s3a://udacity-dend/song-data/*/*/*/*.json")
    songs.select("song_id", "title", "artist_id", "year", "duration").write.parquet(
        "s3a://lake-of-team/songs/", "overwrite", ["year", "artist_id"]
    )
    artists = songs.selectExpr(
        "artist_id", "artist_name as name", "artist_location as location",
        "artist_latitude as latitude", "artist_longitude as longitude",
    )
    artists.dropDuplicates(["artist_id"]).write.parquet("s3a://lake-of-team/artists/", "overwrite")


def process_events(spark):
    logs = spark.read.json("s3a://udacity-dend/log-data/")
    logs = logs.withColumn("start_time", (F.col("ts") / 1000).cast(T.TimestampType()))
    users = logs.select(
        F.col("userId").cast("int").alias("user_id"),
        F.col("firstName").alias("first_name"),
        F.col("lastName").alias("last_name"),
        "gender",
        "level",
    ).dropDuplicates(["user_id"])
    users.write.parquet("s3a://lake-of-team/users/", "overwrite")
    time = logs.select("start_time").distinct()
    time = (
        time.withColumn("hour", F.hour("start_time"))
        .withColumn("day", F.dayofmonth("start_time"))
        .withColumn("week", F.weekofyear("start_time"))
        .withColumn("month", F.month("start_time"))
        .withColumn("year", F.year("start_time"))
        .withColumn("weekday", F.date_format("start_time", "E"))
    )
    time.write.parquet("s3a://lake-of-team/time/", "overwrite", ["year", "month"])
    songs = spark.read.json("s3a://udacity-dend/song-data/*/*/*/*.json")
    plays = logs.join(songs, (logs.song == songs.title) & (logs.artist == songs.artist_name), "left_outer")
    plays = plays.select(
        F.monotonically_increasing_id().alias("songplay_id"), "start_time",
        F.col("userId").alias("user_id"), "level", "song_id", "artist_id",
        F.col("sessionId").alias("session_id"), logs.location, F.col("userAgent").alias("user_agent"),
    )
    plays.write.parquet("s3a://lake-of-team/songplays/", "overwrite")


if __name__ == "__main__":
    process_songs(spark)
    process_events(spark)
