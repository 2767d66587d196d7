"""Calls on the scoreboard: RDDs, machine learning, streams and other parts of Spark."""

from __future__ import annotations

from pyspark.sql import functions as F

from session.scoreboard import Ordered, Outcome, Place, raised, scored


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


@scored("rdd: sortBy, groupByKey, mapValues, join")
def rdd_more(place: Place) -> Outcome:
    pairs = place.spark.sparkContext.parallelize([("b", 2), ("a", 1), ("b", 3)])
    grouped = sorted((key, sorted(values)) for key, values in pairs.groupByKey().collect())
    return (
        grouped,
        pairs.sortBy(lambda pair: pair[1]).collect(),
        sorted(pairs.mapValues(lambda v: v * 2).collect()),
    )


@scored("rdd: mapPartitions, glom, union, sum, max, countByKey")
def rdd_numbers(place: Place) -> Outcome:
    numbers = place.spark.sparkContext.parallelize([3, 1, 2], 1)
    doubled = numbers.mapPartitions(lambda part: (n * 2 for n in part)).collect()
    return doubled, numbers.sum(), numbers.max(), numbers.union(numbers).count(), numbers.mean()


@scored("rdd: saveAsTextFile")
def rdd_save(place: Place) -> Outcome:
    place.spark.sparkContext.parallelize(["a", "b"], 1).saveAsTextFile(str(place.scratch / "t"))
    return place.spark.read.text(str(place.scratch / "t"))


@scored("sc.wholeTextFiles")
def whole_text_files(place: Place) -> Outcome:
    place.file("in/a.txt", "one\ntwo\n")
    files = place.spark.sparkContext.wholeTextFiles(str(place.scratch / "in")).collect()
    return [(name.rpartition("/")[2], text) for name, text in files]


@scored("df.toJSON().collect()")
def to_json(place: Place) -> Outcome:
    return sorted(place.plays.select("userId", "length").toJSON().collect())


@scored("pyspark.ml: VectorAssembler")
def assembler(place: Place) -> Outcome:
    from pyspark.ml.feature import VectorAssembler

    features = VectorAssembler(inputCols=["length", "sessionId"], outputCol="features")
    return features.transform(place.plays.select("ts", "length", "sessionId")).count()


@scored("pyspark.ml: StringIndexer, Pipeline, LogisticRegression")
def pipeline(place: Place) -> Outcome:
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import StringIndexer, VectorAssembler

    steps = [
        StringIndexer(inputCol="level", outputCol="label"),
        VectorAssembler(inputCols=["length"], outputCol="features"),
        LogisticRegression(maxIter=1),
    ]
    model = Pipeline(stages=steps).fit(place.plays.select("level", "length"))
    return model.transform(place.plays.select("level", "length")).count()


@scored("readStream, writeStream")
def stream(place: Place) -> Outcome:
    place.file("in/a.txt", "one\n")
    lines = place.spark.readStream.text(str(place.scratch / "in"))
    query = lines.writeStream.format("memory").queryName("streamed").trigger(availableNow=True).start()
    query.awaitTermination(30)
    return lines.isStreaming, place.spark.table("streamed").count()


@scored("read.format of an unknown source")
def unknown_source(place: Place) -> Outcome:
    return raised(lambda: place.spark.read.format("no.such.source").load("x").count()) != "no exception"


@scored("orderBy(rand(seed)), sortWithinPartitions, unionAll, col(*)")
def other_methods(place: Place) -> Outcome:
    plays = place.plays.select("userId", "ts")
    ordered = plays.repartition(1).sortWithinPartitions("ts").select("ts")
    return (
        plays.orderBy(F.rand(42)).count(),
        Ordered(ordered),
        plays.unionAll(plays).count(),
        plays.select(F.col("*")),
    )


@scored("observe, withMetadata, alias in select, dropna chains")
def chains(place: Place) -> Outcome:
    plays = place.plays.alias("p").select("p.userId", F.col("p.ts").alias("t")).dropna().filter("t > 0")
    return (
        plays.limit(100).distinct(),
        plays.offset(4).count(),
        plays.head(2)[0].asDict(recursive=True).keys() >= {"t"},
    )
