from pyspark.sql import SparkSession
from pyspark.sql import functions as F

OUT = "s3://team-lake/sparkify"


def load_songs(spark):
    return spark.read.json("s3://team-raw/song_data/")


def load_plays(spark):
    logs = spark.read.json("s3://team-raw/log_data/")
    return logs.where(logs["page"] == "NextSong").withColumn("start_time", (logs["ts"] / 1000).cast("timestamp"))


def write_songs(songs_df):
    songs_df.select("song_id", "title", "artist_id", "year", "duration").drop_duplicates(["song_id"]) \
        .write.partitionBy("year", "artist_id").mode("overwrite").parquet(f"{OUT}/songs/")


def write_artists(songs_df):
    columns = {"artist_name": "name", "artist_location": "location", "artist_latitude": "latitude",
               "artist_longitude": "longitude"}
    df = songs_df.select("artist_id", *columns)
    for old, new in columns.items():
        df = df.withColumnRenamed(old, new)
    df.drop_duplicates(["artist_id"]).write.mode("overwrite").parquet(f"{OUT}/artists/")


def write_users(plays):
    plays.groupBy("userId").agg(
        F.last("firstName").alias("first_name"), F.last("lastName").alias("last_name"),
        F.last("gender").alias("gender"), F.last("level").alias("level"),
    ).withColumnRenamed("userId", "user_id").write.mode("overwrite").parquet(f"{OUT}/users/")


def write_time(plays):
    plays.select(
        plays.start_time, F.hour(plays.start_time).alias("hour"), F.dayofmonth(plays.start_time).alias("day"),
        F.weekofyear(plays.start_time).alias("week"), F.month(plays.start_time).alias("month"),
        F.year(plays.start_time).alias("year"), F.dayofweek(plays.start_time).alias("weekday"),
    ).distinct().write.partitionBy("year", "month").mode("overwrite").parquet(f"{OUT}/time/")


def write_songplays(plays, songs_df):
    plays.join(songs_df, (plays.song == songs_df.title) & (plays.length == songs_df.duration), "inner").select(
        F.monotonically_increasing_id().alias("songplay_id"), plays.start_time, plays.userId.alias("user_id"),
        plays.level, songs_df.song_id, songs_df.artist_id, plays.sessionId.alias("session_id"), plays.location,
        plays.userAgent.alias("user_agent"), F.year(plays.start_time).alias("year"),
        F.month(plays.start_time).alias("month"),
    ).write.partitionBy("year", "month").mode("overwrite").parquet(f"{OUT}/songplays/")


def main():
    spark = SparkSession.builder.getOrCreate()
    songs_df, plays = load_songs(spark), load_plays(spark)
    write_songs(songs_df)
    write_artists(songs_df)
    write_users(plays)
    write_time(plays)
    write_songplays(plays, songs_df)


if __name__ == "__main__":
    main()
