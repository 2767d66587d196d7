import os
from pyspark.sql import SparkSession
from sql_queries import *
import sql_queries


def create_spark_session():
    return SparkSession.builder.enableHiveSupport().getOrCreate()


def write(df, name, partitions=None):
    path = os.path.join(output_data, name, name + ".parquet")
    df.write.parquet(path, mode="overwrite", partitionBy=partitions)


def process_song_data(spark, input_data, output_data):
    spark.read.json(input_data + "song_data/*/*/*/*.json").registerTempTable("staging_songs")
    write(spark.sql(songs_table_query), "songs", ["year", "artist_id"])
    write(spark.sql(artists_table_query), "artists")


def process_log_data(spark, input_data, output_data):
    spark.read.json(input_data + "log_data/*/*/*.json").registerTempTable("staging_events")
    write(spark.sql(sql_queries.users_table_query), "users")
    write(spark.sql(sql_queries.time_table_query), "time", ["year", "month"])
    write(spark.sql(sql_queries.songplays_table_query), "songplays", ["year", "month"])


input_data = "s3a://udacity-dend/"
output_data = "s3a://emr-lake/warehouse/"


def main():
    spark = create_spark_session()
    process_song_data(spark, input_data, output_data)
    process_log_data(spark, input_data, output_data)


if __name__ == "__main__":
    main()
