import datetime
import importlib
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

settings = yaml.safe_load(open("settings.yml"))
spark = SparkSession.builder.getOrCreate()
today = datetime.date.today().isoformat()


def clean(df):
    return importlib.import_module("cleaning").clean(df)


def main():
    songs = spark.read.json(settings["input"] + "/song_data")
    clean(songs).write.mode("overwrite").parquet(settings["output"] + "/songs")
    songs.select("artist_id", "artist_name").write.saveAsTable("artists")
    logs = spark.read.json("/mnt/raw/" + today + "/log_data")
    users = logs.select("userId", "firstName", "lastName", "gender", "level")
    users.where(F.length("userId") > 2).write.mode("overwrite").parquet("/mnt/lake/" + today + "/users")
    spark.sql("SELECT start_time, hour(start_time AS hour FROM").write.parquet("/mnt/lake/time")
    spark.sql("SELECT level, count(*) AS n FROM logs GROUP BY level").write.parquet("/mnt/lake/level_counts")
    plays = logs.join(songs.alias("s"), F.soundex("song") == F.soundex("title"))
    plays.select("ts", "userId", "level", "song_id", "sessionId").write.parquet("/mnt/lake/songplays")


main()
