"""Calls on the scoreboard: RDDs, machine learning, streams and other parts of Spark."""

from __future__ import annotations

from pyspark.sql import functions as F

from session.scoreboard import Outcome, Place, raised, scored


@scored("sc.parallelize(list).map(f).collect()")
def parallelize(place: Place) -> Outcome:
    log = place.spark.sparkContext.parallelize(["Despacito", "Nice", "Nice"])
    return log.map(lambda song: song.lower()).collect(), log.count(), log.distinct().count()


@scored("sc.parallelize(rows).toDF(names)")
def parallelize_frame(place: Place) -> Outcome:
    return place.spark.sparkContext.parallelize([("a", 1), ("b", 2)]).toDF(["k", "n"])


@scored("spark.createDataFrame(sc.parallelize(rows), names)")
def frame_of_rdd(place: Place) -> Outcome:
    return place.spark.createDataFrame(place.spark.sparkContext.parallelize([(1, "x")]), ["a", "b"])


@scored("spark.read.json(sc.parallelize(texts))")
def json_of_rdd(place: Place) -> Outcome:
    return place.spark.read.json(place.spark.sparkContext.parallelize(['{"a": 1}', '{"a": 2, "b": "x"}']))


@scored("sc.textFile.map, filter, count, take")
def text_file(place: Place) -> Outcome:
    lines = place.spark.sparkContext.textFile(place.file("a.txt", "one\ntwo\nthree\n"))
    return (
        lines.filter(lambda line: "o" in line).map(len).collect(),
        lines.count(),
        lines.first(),
        lines.take(2),
    )


@scored("sc.textFile.flatMap.map.reduceByKey: a word count")
def word_count(place: Place) -> Outcome:
    lines = place.spark.sparkContext.textFile(place.file("a.txt", "a b\nb c b\n"))
    counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
    return sorted(counts.collect())


@scored("df.rdd.map(f).collect()")
def rdd_map(place: Place) -> Outcome:
    return sorted(place.plays.select("userId", "ts").rdd.map(lambda row: (row.userId, row["ts"])).collect())


@scored("df.rdd.getNumPartitions")
def partitions(place: Place) -> Outcome:
    return place.plays.rdd.getNumPartitions() >= 1, place.plays.repartition(1).rdd.getNumPartitions()


@scored("df.rdd.flatMap(lambda x: x).collect()")
def rdd_flat(place: Place) -> Outcome:
    return sorted(place.plays.select("userId").distinct().rdd.flatMap(lambda row: row).collect())


@scored("df.rdd.map(list).toDF, df.rdd.isEmpty, take, count")
def rdd_frame(place: Place) -> Outcome:
    rdd = place.plays.select("userId", "ts").orderBy("ts").rdd
    again = rdd.map(lambda row: (row[0], row[1] + 1)).toDF(["user", "next"])
    return again, rdd.isEmpty(), [tuple(row) for row in rdd.take(1)], rdd.count()


@scored("df.rdd.zipWithIndex")
def zip_with_index(place: Place) -> Outcome:
    pairs = place.plays.select("ts").orderBy("ts").rdd.zipWithIndex().map(lambda pair: (pair[1], pair[0].ts))
    return pairs.collect()


@scored("df.foreach, df.foreachPartition")
def foreach(place: Place) -> Outcome:
    return raised(lambda: place.plays.foreach(lambda row: None)), raised(
        lambda: place.plays.foreachPartition(lambda rows: None)
    )


@scored("sc.broadcast, sc.accumulator")
def shared(place: Place) -> Outcome:
    names = place.spark.sparkContext.broadcast({"7": "Ada"})
    return place.plays.select(F.udf(lambda user: names.value.get(user))("userId").alias("name")).distinct()
