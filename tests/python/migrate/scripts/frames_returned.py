from pyspark.sql import SparkSession
from pyspark.sql.functions import col, date_format, dayofmonth, hour, month, monotonically_increasing_id, udf, weekofyear, year
from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType, TimestampType
from datetime import datetime

SONG_SCHEMA = StructType([StructField("song_id", StringType()), StructField("year", LongType()),
                          StructField("duration", DoubleType())])


def create_spark_session():
    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.parquet.compression.codec", "gzip")
    return spark


def process_song_data(spark, input_data, output_data, schema=SONG_SCHEMA):
    song_df = spark.read.schema(schema).json(input_data + "song_data/A/A/*/*.json")
    songs_table = song_df.select("song_id", "title", "artist_id", "artist_name", "year", "duration").dropDuplicates()
    songs_table.write.mode("overwrite").partitionBy("artist_id", "year").parquet(output_data + "songs")
    artists_table = song_df.select("artist_id", "artist_name", "artist_location", "artist_latitude", "artist_longitude")
    artists_table.write.mode("overwrite").parquet(output_data + "artists")
    return song_df


def process_log_data(spark, input_data, output_data, song_df):
    log_df = spark.read.json(input_data + "log_data/2018/11/*.json").filter(col("page") == "NextSong")
    get_timestamp = udf(lambda x: str(int(int(x) / 1000)))
    log_df = log_df.withColumn("timestamp", get_timestamp(log_df.ts))
    get_datetime = udf(lambda x: str(datetime.fromtimestamp(int(x))))
    log_df = log_df.withColumn("datetime", get_datetime(log_df.timestamp))
    users_table = log_df.select("userId", "firstName", "lastName", "gender", "level")
    users_table.write.mode("overwrite").parquet(output_data + "users")
    time_table = log_df.select(
        col("datetime").alias("start_time"), hour(log_df.datetime).alias("hour"), dayofmonth(log_df.datetime).alias("day"),
        weekofyear(log_df.datetime).alias("week"), month(log_df.datetime).alias("month"),
        year(log_df.datetime).alias("year"), date_format(log_df.datetime, "u").alias("weekday"),
    ).dropDuplicates()
    time_table.write.mode("overwrite").partitionBy("year", "month").parquet(output_data + "time")
    songplays_table = log_df.join(song_df, log_df.artist == song_df.artist_name).select(
        col("datetime").alias("start_time"), "userId", "level", "song_id", "artist_id", "sessionId",
        song_df.artist_location.alias("location"), "userAgent", song_df.year, month("datetime").alias("month"),
    ).withColumn("songplay_id", monotonically_increasing_id())
    songplays_table.write.mode("overwrite").partitionBy("year", "month").parquet(output_data + "songplays")
    return songplays_table


def main():
    spark = create_spark_session()
    song_df = process_song_data(spark, "s3a://udacity-dend/", "s3a://lake/out/")
    process_log_data(spark, "s3a://udacity-dend/", "s3a://lake/out/", song_df)


if __name__ == "__main__":
    main()
