import pyspark.sql.functions as F
from pyspark.sql import SparkSession


def process_song_data(spark, input_data, output_data):
    df = spark.read.json(input_data + "/song_data/A/A/A/*.json")
    df.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates(["song_id"]).write \
        .partitionBy("year", "artist_id").mode("overwrite").option("compression", "zstd").parquet(output_data + "_songs")
    df.select("artist_id", F.col("artist_name").alias("name"), F.col("artist_location").alias("location"),
              F.col("artist_latitude").alias("latitude"), F.col("artist_longitude").alias("longitude")) \
        .dropDuplicates(["artist_id"]).write.mode("overwrite").parquet(output_data + "_artists")


def process_log_data(spark, input_data, output_data):
    df = spark.read.json(input_data + "/log_data/2018/11/*.json").where(F.col("page") == "NextSong")
    df = df.withColumn("start_time", F.to_timestamp(F.from_unixtime(F.col("ts") / 1000)))
    df.select(F.col("userId").alias("user_id"), F.col("firstName").alias("first_name"),
              F.col("lastName").alias("last_name"), "gender", "level").distinct() \
        .write.mode("overwrite").csv(output_data + "_users")
    df.select("start_time", F.hour("start_time").alias("hour"), F.dayofmonth("start_time").alias("day"),
              F.weekofyear("start_time").alias("week"), F.month("start_time").alias("month"),
              F.year("start_time").alias("year"), F.dayofweek("start_time").alias("weekday")).distinct() \
        .write.mode("overwrite").partitionBy("year", "month").parquet(output_data + "_time")


def main():
    spark = SparkSession.builder.getOrCreate()
    process_song_data(spark, "data", "lake/sparkify")
    process_log_data(spark, "data", "lake/sparkify")


if __name__ == "__main__":
    main()
