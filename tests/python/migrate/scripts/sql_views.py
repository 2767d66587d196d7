import configparser
import os

from pyspark.sql import SparkSession

config = configparser.ConfigParser()
config.read_file(open("dl.cfg"))

os.environ["AWS_ACCESS_KEY_ID"] = config.get("AWS", "KEY")
os.environ["AWS_SECRET_ACCESS_KEY"] = config.get("AWS", "SECRET")


def create_spark_session():
    """Create the session."""
    return SparkSession.builder.appName("Sparkify").getOrCreate()


def process_song_data(spark, input_data, output_data):
    """Songs and artists."""
    song_data = os.path.join(input_data, "song_data/*/*/*/*.json")
    df = spark.read.json(song_data)
    df.createOrReplaceTempView("song_data_table")

    songs_table = spark.sql("""
        SELECT DISTINCT song_id, title, artist_id, year, duration
        FROM song_data_table
        WHERE song_id IS NOT NULL
    """)
    songs_table.write.mode("overwrite").partitionBy("year", "artist_id").parquet(output_data + "songs_table/")

    artists_table = spark.sql("""
        SELECT DISTINCT artist_id, artist_name AS name, artist_location AS location,
               artist_latitude AS lat, artist_longitude AS longitude
        FROM song_data_table
        WHERE artist_id IS NOT NULL
    """)
    artists_table.write.mode("overwrite").parquet(output_data + "artists_table/")


def process_log_data(spark, input_data, output_data):
    """Users, time and songplays."""
    log_data = os.path.join(input_data, "log_data/*/*/*.json")
    df = spark.read.json(log_data)
    df = df.where("page = 'NextSong'")
    df.createOrReplaceTempView("log_data_table")

    users_table = spark.sql("""
        SELECT DISTINCT userId AS user_id, firstName AS first_name, lastName AS last_name, gender, level
        FROM log_data_table WHERE userId IS NOT NULL
    """)
    users_table.write.mode("overwrite").parquet(output_data + "users_table/")

    time_table = spark.sql("""
        SELECT T.start_time_sub AS start_time,
               hour(T.start_time_sub) AS hour,
               dayofmonth(T.start_time_sub) AS day,
               weekofyear(T.start_time_sub) AS week,
               month(T.start_time_sub) AS month,
               year(T.start_time_sub) AS year,
               dayofweek(T.start_time_sub) AS weekday
        FROM (SELECT to_timestamp(ts / 1000) AS start_time_sub FROM log_data_table WHERE ts IS NOT NULL) T
    """)
    time_table.write.mode("overwrite").partitionBy("year", "month").parquet(output_data + "time_table/")

    songplays_table = spark.sql("""
        SELECT monotonically_increasing_id() AS songplay_id,
               to_timestamp(l.ts / 1000) AS start_time,
               month(to_timestamp(l.ts / 1000)) AS month,
               year(to_timestamp(l.ts / 1000)) AS year,
               l.userId AS user_id, l.level, s.song_id, s.artist_id,
               l.sessionId AS session_id, l.location, l.userAgent AS user_agent
        FROM log_data_table l
        LEFT JOIN song_data_table s ON l.artist = s.artist_name AND l.song = s.title
    """)
    songplays_table.write.mode("overwrite").partitionBy("year", "month").parquet(output_data + "songplays_table/")


def main():
    spark = create_spark_session()
    input_data = "s3a://udacity-dend/"
    output_data = "s3a://sparkify-dwh/"
    process_song_data(spark, input_data, output_data)
    process_log_data(spark, input_data, output_data)


if __name__ == "__main__":
    main()
