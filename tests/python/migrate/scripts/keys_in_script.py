import os
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, dayofmonth, dayofweek, hour, month, weekofyear, year

os.environ["AWS_ACCESS_KEY_ID"] = "AKIAFAKEFAKEFAKEFAKE"
os.environ["AWS_SECRET_ACCESS_KEY"] = "FAKEfake0123456789/FAKEfake0123456789abcd"
AWS_SESSION_TOKEN = "notARealTokenJustForThisTest"
SETTINGS = {"secret_key": "another-not-real-value"}


def create_spark_session():
    return (
        SparkSession.builder.config("spark.hadoop.fs.s3a.access.key", "AKIAFAKEFAKEFAKE2222")
        .config("spark.hadoop.fs.s3a.secret.key", "short-but-secret")
        .config("spark.hadoop.fs.s3a.endpoint", "s3.eu-central-1.amazonaws.com")
        .getOrCreate()
    )


def process_song_data(spark, input_data, output_data):
    df = spark.read.json(input_data + "song_data/*/*/*/*.json")
    df.select("song_id", "title", "artist_id", "year", "duration").write.mode("overwrite").partitionBy(
        "year", "artist_id"
    ).parquet(output_data + "songs_table")
    df.select(
        "artist_id", col("artist_name").alias("name"), col("artist_location").alias("location"),
        col("artist_latitude").alias("latitude"), col("artist_longitude").alias("longitude"),
    ).write.mode("overwrite").parquet(output_data + "artists_table")


def process_log_data(spark, input_data, output_data):
    df = spark.read.json(input_data + "log_data/*/*/*.json").filter("page = 'NextSong'")
    df = df.withColumn("start_time", (col("ts") / 1000).cast("timestamp"))
    df.selectExpr("userId user_id", "firstName first_name", "lastName last_name", "gender", "level").distinct() \
        .write.mode("overwrite").parquet(output_data + "user_table")
    df.select(
        "start_time", hour("start_time").alias("hour"), dayofmonth("start_time").alias("day"),
        weekofyear("start_time").alias("week"), month("start_time").alias("month"),
        year("start_time").alias("year"), dayofweek("start_time").alias("weekday"),
    ).distinct().write.mode("overwrite").partitionBy("year", "month").parquet(output_data + "time_table")


def main():
    spark = create_spark_session()
    process_song_data(spark, "s3a://udacity-dend/", "s3a://AKIAFAKEFAKEFAKE3333:p4ss/word@bucket/lake/")
    process_log_data(spark, "s3a://udacity-dend/", "s3a://AKIAFAKEFAKEFAKE3333:p4ss/word@bucket/lake/")


if __name__ == "__main__":
    main()
