import pyspark.sql.functions as F
from pyspark.sql import SparkSession


def process_song_data(spark, songs_path, output_path):
    songs = spark.read.json(songs_path)
    songs.createOrReplaceTempView("songs")
    spark.sql("select distinct song_id, title, artist_id, year, duration from songs").write.parquet(
        output_path + "/sparkify", mode="overwrite", partitionBy=["year", "artist_id"])
    spark.sql("""
        select artist_id, first(artist_name) as name, first(artist_location) as location,
               first(artist_latitude) as latitude, first(artist_longitude) as longitude
        from songs group by artist_id""").write.parquet(output_path + "/sparkify/artists", mode="overwrite")


def process_log_data(spark, logs_path, songs_path, output_path):
    logs = spark.read.json(logs_path).filter(F.col("page") == "NextSong")
    logs = logs.withColumn("start_time", (F.col("ts") / 1000).cast("timestamp"))
    logs.groupBy("userId").agg(F.first("firstName").alias("firstName"), F.first("lastName").alias("lastName"),
                               F.first("gender").alias("gender"), F.max("level").alias("level")) \
        .write.parquet(output_path + "/sparkify_users", mode="overwrite")
    songs = spark.read.json(songs_path)
    joined = logs.join(songs, (logs.song == songs.title) & (logs.artist == songs.artist_name), "right")
    joined.select("start_time", "userId", "level", "song_id", "artist_id", "sessionId", logs.location, "userAgent") \
        .write.parquet(output_path + "/sparkify_plays", mode="overwrite")


if __name__ == "__main__":
    spark = SparkSession.builder.getOrCreate()
    process_song_data(spark, "data/song_data/*/*/*/*.json", "lake")
    process_log_data(spark, "data/log_data/*/*/*.json", "data/song_data/*/*/*/*.json", "lake")
