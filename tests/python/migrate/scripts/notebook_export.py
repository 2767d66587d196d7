#!/usr/bin/env python
# coding: utf-8

# In[1]:

import os
from pathlib import Path
from pyspark.sql import SparkSession, functions as F

os.environ.setdefault("PYSPARK_PYTHON", "python3")
os.environ["AWS_PROFILE"] = "sparkify"
spark = (SparkSession.builder
         .config("spark.hadoop.fs.s3a.endpoint", "http://minio:9000")
         .config("spark.hadoop.fs.s3a.path.style.access", "true")
         .config("spark.sql.session.timeZone", "America/New_York")
         .getOrCreate())
spark.sparkContext.setLogLevel("ERROR")

# In[2]:

root = Path("/data") / "sparkify"
out = root / "lake"
songs = spark.read.json(str(root / "raw" / "song_data"))
logs = spark.read.json(str(root / "raw" / "log_data"))
songs.printSchema()
logs.show(5)

# In[3]:

logs = logs.filter(logs.page == "NextSong").withColumn("start_time", (F.col("ts") / 1000).cast("timestamp"))
s = songs.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates(["song_id"])
a = songs.select("artist_id", F.col("artist_name").alias("name"), F.col("artist_location").alias("location"),
                 F.col("artist_latitude").alias("latitude"), F.col("artist_longitude").alias("longitude"))
u = logs.select(F.col("userId").alias("user_id"), F.col("firstName").alias("first_name"),
                F.col("lastName").alias("last_name"), "gender", "level")
t = logs.select("start_time", *[f("start_time").alias(n) for n, f in {
    "hour": F.hour, "day": F.dayofmonth, "week": F.weekofyear, "month": F.month, "year": F.year,
    "weekday": F.dayofweek}.items()])
p = logs.join(songs, [logs.song == songs.title, logs.artist == songs.artist_name], "left").select(
    F.monotonically_increasing_id().alias("songplay_id"), "start_time", F.col("userId").alias("user_id"), "level",
    "song_id", songs.artist_id, F.col("sessionId").alias("session_id"), logs.location,
    F.col("userAgent").alias("user_agent"), F.year("start_time").alias("year"), F.month("start_time").alias("month"))

# In[4]:

for frame, name, parts in [(s, "songs", ["year", "artist_id"]), (a, "artists", []), (u, "users", []),
                           (t, "time", ["year", "month"]), (p, "songplays", ["year", "month"])]:
    frame.write.mode("overwrite").partitionBy(*parts).parquet(str(out / name))
