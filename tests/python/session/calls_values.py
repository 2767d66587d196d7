"""Calls on the scoreboard: functions of columns."""

from __future__ import annotations

from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.functions import col

from session.scoreboard import Outcome, Place, scored


@scored("functions of texts")
def texts(place: Place) -> Outcome:
    title = col("title")
    return place.songs.select(
        F.lower(title).alias("a"),
        F.trim(F.lit("  x ")).alias("b"),
        F.concat_ws("-", title, "song_id", F.lit(None)).alias("c"),
        F.substring(title, 1, 3).alias("d"),
        F.regexp_replace(title, "[^a-z]", "").alias("e"),
        F.length(title).alias("f"),
        F.initcap(title).alias("g"),
        F.lpad("song_id", 5, "0").alias("h"),
        F.instr(title, "i").alias("i"),
        F.reverse(title).alias("j"),
        F.regexp_extract(title, r"(\w+) (\w+)", 2).alias("k"),
        F.split(title, " ").getItem(0).alias("l"),
        F.substring_index(title, " ", 1).alias("m"),
        F.translate(title, "aeiou", "AEIOU").alias("n"),
        F.upper(F.lit("größe")).alias("o"),
        F.levenshtein(title, F.lit("Night")).alias("p"),
        F.format_string("%s-%d", "song_id", "year").alias("q"),
        F.ascii(title).alias("r"),
    )


@scored("functions of numbers")
def numbers(place: Place) -> Outcome:
    length = col("length")
    return place.plays.select(
        F.round(length, 1).alias("a"),
        F.bround(F.lit(2.5)).alias("b"),
        F.floor(length).alias("c"),
        F.ceil(length).alias("d"),
        F.abs(-length).alias("e"),
        F.sqrt(length).alias("f"),
        F.pow(length, 2).alias("g"),
        (col("ts") % 7).alias("h"),
        (col("ts") / 1000).alias("i"),
        F.greatest("sessionId", "status").alias("j"),
        F.format_number(length, 2).alias("k"),
        F.hex("sessionId").alias("l"),
        F.log1p(length).alias("m"),
        F.expr("ts div 1000").alias("n"),
        F.signum(-length).alias("o"),
        length.cast("int").alias("p"),
        length.cast("string").alias("q"),
        F.round("ts", -3).alias("r"),
    )


@scored("hashes: md5, sha1, sha2, crc32, hash, xxhash64")
def hashes(place: Place) -> Outcome:
    return place.songs.select(
        F.md5("song_id").alias("a"),
        F.sha1("song_id").alias("b"),
        F.sha2("song_id", 256).alias("c"),
        F.crc32("song_id").alias("d"),
        F.hash("song_id", "year").alias("e"),
        F.xxhash64("song_id").alias("f"),
        F.base64("song_id").alias("g"),
    )


@scored("functions of arrays")
def arrays(place: Place) -> Outcome:
    frame = place.frame([(["b", "a", "b"], [3, 1, None])], "t array<string>, n array<int>")
    return frame.select(
        F.size("t").alias("a"),
        F.array_contains("t", "a").alias("b"),
        F.sort_array("n").alias("c"),
        F.array_distinct("t").alias("d"),
        F.concat_ws(",", "t").alias("e"),
        F.element_at("t", 1).alias("f"),
        col("t")[1].alias("g"),
        F.array("t").alias("h"),
        F.transform("n", lambda x: x + 1).alias("i"),
        F.filter("t", lambda x: x == "b").alias("j"),
        F.array_max("n").alias("k"),
        F.slice("t", 1, 2).alias("l"),
        F.array_join("t", "-").alias("m"),
        F.flatten(F.array("t", "t")).alias("n"),
        F.array_position("t", "b").alias("o"),
        F.arrays_zip("t", "n").alias("p"),
        F.exists("n", lambda x: x > 2).alias("q"),
    )


@scored("explode, posexplode, explode_outer")
def explode(place: Place) -> Outcome:
    frame = place.frame([(1, ["a", "b"]), (2, []), (3, None)], "id int, t array<string>")
    places = place.plays.select(F.explode(F.split("location", ", ")).alias("part")).groupBy("part").count()
    return frame.select("id", F.posexplode("t")), frame.select("id", F.explode_outer("t")), places


@scored("structs and maps")
def structs(place: Place) -> Outcome:
    frame = place.songs.select(
        F.struct("song_id", col("year").alias("y")).alias("s"), F.create_map(F.lit("k"), "year").alias("m")
    )
    return frame, frame.select(
        "s.*", "s.y", col("m")["k"].alias("v"), frame.s.song_id, col("s").getField("y")
    )


@scored("monotonically_increasing_id, uuid, rand")
def ids(place: Place) -> Outcome:
    frame = place.plays.select(
        F.monotonically_increasing_id().alias("id"),
        F.expr("uuid()").alias("u"),
        F.rand(42).alias("r"),
        F.spark_partition_id().alias("p"),
    )
    return (
        frame.dtypes,
        frame.select("id").distinct().count(),
        frame.select("u").distinct().count(),
        frame.where("r < 1").count(),
    )


@scored("when without otherwise, chained when, nested when")
def when(place: Place) -> Outcome:
    level = col("level")
    return place.plays.select(
        F.when(level == "paid", "yes").alias("a"),
        F.when(level == "paid", 1).when(level == "free", 2).otherwise(3).alias("b"),
        F.when(col("length") > 100, F.lit("long")).otherwise(level).alias("c"),
        F.expr("nvl(song, 'x')").alias("d"),
    )


@scored("cast: types by name and by class")
def casts(place: Place) -> Outcome:
    return place.plays.select(
        col("userId").cast("int").alias("a"),
        col("ts").cast(T.StringType()).alias("b"),
        col("length").cast("decimal(10,2)").alias("c"),
        col("userId").astype("double").alias("d"),
        col("length").cast(T.FloatType()).alias("e"),
        (col("level") == "paid").cast("int").alias("f"),
        col("registration").cast("string").alias("g"),
        col("registration").cast("bigint").alias("h"),
        F.lit("true").cast("boolean").alias("i"),
    )
