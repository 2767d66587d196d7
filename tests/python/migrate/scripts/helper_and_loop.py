from datetime import datetime
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, dayofmonth, dayofweek, hour, month, udf, weekofyear, year
from pyspark.sql.types import TimestampType

TABLE_PATHS = {"songs": "dim/songs", "artists": "dim/artists", "users": "dim/users", "time": "dim/time"}
FACT_PATH = "fact/songplays"


@udf(TimestampType())
def to_start_time(ms):
    return datetime.utcfromtimestamp(ms / 1000)


def get_spark():
    return SparkSession.builder.appName("etl").getOrCreate()


def save(df, folder, *partitions, mode="overwrite"):
    writer = df.write.mode(mode)
    if partitions:
        writer = writer.partitionBy(*partitions)
    writer.parquet(folder)


def process_song_data(spark, source, target):
    df = spark.read.json("{}/song_data/*/*/*/*.json".format(source))
    tables = {
        "songs": (df.select("song_id", "title", "artist_id", "year", "duration").distinct(), ["year", "artist_id"]),
        "artists": (
            df.select(
                "artist_id",
                *[col("artist_" + name).alias(name) for name in ["name", "location", "latitude", "longitude"]],
            ).distinct(),
            [],
        ),
    }
    for name, (frame, partitions) in tables.items():
        save(frame, target + "/" + TABLE_PATHS[name], *partitions)


def process_log_data(spark, source, target):
    df = spark.read.json("%s/log_data/*/*/*.json" % source)
    df = df.filter(df.page == "NextSong").withColumn("start_time", to_start_time(df.ts))
    renames = {"userId": "user_id", "firstName": "first_name", "lastName": "last_name", "sessionId": "session_id",
               "userAgent": "user_agent"}
    for old, new in renames.items():
        df = df.withColumnRenamed(old, new)
    save(df.select("user_id", "first_name", "last_name", "gender", "level").distinct(), f"{target}/{TABLE_PATHS['users']}")
    time = df.select(
        "start_time", hour("start_time").alias("hour"), dayofmonth("start_time").alias("day"),
        weekofyear("start_time").alias("week"), month("start_time").alias("month"),
        year("start_time").alias("year"), dayofweek("start_time").alias("weekday"),
    ).distinct()
    save(time, f"{target}/{TABLE_PATHS['time']}", "year", "month")
    songs = spark.read.json("%s/song_data/*/*/*/*.json" % source)
    plays = df.join(
        songs,
        on=(df.song == songs.title) & (df.artist == songs.artist_name) & (df.length == songs.duration),
        how="inner",
    )
    plays = plays.select(
        "start_time", "user_id", "level", "song_id", "artist_id", "session_id", "location", "user_agent",
        year("start_time").alias("year"), month("start_time").alias("month"),
    )
    save(plays, f"{target}/{FACT_PATH}", "year", "month", mode="append")


def main(source="s3a://udacity-dend", target="s3a://sparkify/model"):
    spark = get_spark()
    process_song_data(spark, source, target)
    process_log_data(spark, source, target)


if __name__ == "__main__":
    main()
