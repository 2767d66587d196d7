"""Calls on the scoreboard: functions in Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.functions import col, udf

from session.scoreboard import Outcome, Place, raised, scored


@scored("udf without a type returns text, given a float")
def untyped_float(place: Place) -> Outcome:
    return place.plays.select(udf(lambda ts: ts / 1000)("ts").alias("a"))


@scored("udf without a type returns text, given other values")
def untyped_values(place: Place) -> Outcome:
    values = {
        "int": 1,
        "float": 1e20,
        "bool": True,
        "list": [1, 2],
        "dict": {"a": 1},
        "date": dt.date(2018, 11, 1),
        "none": None,
    }
    return [
        (name, place.spark.range(1).select(udf(lambda n, v=value: v)("id").alias("a")))
        for name, value in values.items()
    ]


@scored("udf without a type, given a datetime")
def untyped_datetime(place: Place) -> Outcome:
    return place.plays.select(udf(lambda ts: dt.datetime.utcfromtimestamp(ts / 1000))("ts").alias("a"))


@scored("udf with IntegerType, given a float")
def int_of_float(place: Place) -> Outcome:
    return place.plays.select(udf(lambda ts: ts / 1000, T.IntegerType())("ts").alias("a")).distinct()


@scored("udf with DoubleType, given an int")
def double_of_int(place: Place) -> Outcome:
    return place.plays.select(udf(lambda n: n, T.DoubleType())("sessionId").alias("a")).distinct()


@scored("udf with StringType, given a number")
def text_of_number(place: Place) -> Outcome:
    return place.plays.select(
        udf(lambda n: n, T.StringType())("sessionId").alias("a"),
        udf(lambda x: x, "string")("length").alias("b"),
    )


@scored("udf with LongType, given a text")
def long_of_text(place: Place) -> Outcome:
    return place.plays.select(udf(lambda n: "12", T.LongType())("sessionId").alias("a")).distinct()


@scored("udf as a decorator, with and without a type")
def decorators(place: Place) -> Outcome:
    @udf(returnType=T.TimestampType())
    def moment(ts: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(ts / 1000)

    @udf("int")
    def hour(at: dt.datetime) -> int:
        return at.hour

    @udf
    def text(ts: int) -> str:
        return f"<{ts}>"

    return place.plays.select(
        moment("ts").alias("a"), hour(moment(col("ts"))).alias("b"), text("ts").alias("c")
    )


@scored("udf chain: str, then datetime, then hour")
def chain(place: Place) -> Outcome:
    seconds = udf(lambda ts: str(int(int(ts) / 1000)))
    moment = udf(lambda ts: str(dt.datetime.utcfromtimestamp(int(ts))))
    plays = place.plays
    plays = plays.withColumn("timestamp", seconds(plays.ts))
    plays = plays.withColumn("datetime", moment(plays.timestamp))
    return plays.select(
        "timestamp", "datetime", F.hour("datetime").alias("h"), F.weekofyear(plays.datetime).alias("w")
    )


@scored("udf with DateType")
def date_type(place: Place) -> Outcome:
    return place.plays.select(
        udf(lambda ts: dt.datetime.utcfromtimestamp(ts / 1000).date(), T.DateType())("ts").alias("a")
    )


@scored("udf with DateType, given a datetime")
def date_of_datetime(place: Place) -> Outcome:
    return place.plays.select(
        udf(lambda ts: dt.datetime.utcfromtimestamp(ts / 1000), T.DateType())("ts").alias("a")
    )


@scored("udf with ArrayType, MapType, StructType")
def nested_types(place: Place) -> Outcome:
    words = udf(lambda text: text.split(), T.ArrayType(T.StringType()))
    counts = udf(
        lambda text: {word: len(word) for word in text.split()}, T.MapType(T.StringType(), T.IntegerType())
    )
    both = udf(lambda text: (text, len(text)), T.StructType().add("text", "string").add("n", T.IntegerType()))
    frame = place.plays.select(words("song").alias("a"), counts("song").alias("b"), both("song").alias("c"))
    return frame, frame.select("c.n", F.explode("a").alias("word"))


@scored("udf of NULL, and returning None")
def nulls(place: Place) -> Outcome:
    return place.logs.select(
        udf(lambda song: "none" if song is None else song)("song").alias("a"),
        udf(lambda song: None, T.DoubleType())("song").alias("b"),
    )


@scored("udf of several columns and of a literal")
def several(place: Place) -> Outcome:
    return place.plays.select(
        udf(lambda a, b, c: f"{a}-{b}-{c}")("userId", col("level"), F.lit(1)).alias("a")
    )


@scored("udf of a struct and of an array")
def of_nested(place: Place) -> Outcome:
    frame = place.frame([(["a", "b"], (1, "x"))], "t array<string>, s struct<n: int, v: string>")
    return frame.select(
        udf(lambda t: "+".join(t))("t").alias("a"), udf(lambda s: f"{s.n}{s['v']}")("s").alias("b")
    )


@scored("udf in a filter, a group and a join")
def in_conditions(place: Place) -> Outcome:
    is_paid = udf(lambda level: level == "paid", T.BooleanType())
    first = udf(lambda song: song[0])
    plays = place.plays
    return plays.filter(is_paid("level")).select("ts"), plays.groupBy(first("song").alias("letter")).count()


@scored("udf used twice, and its name as a column")
def names(place: Place) -> Outcome:
    def letters(text: str) -> int:
        return len(text)

    counted = udf(letters, "int")
    return place.plays.select(counted("song"), counted("level")), place.plays.select(
        udf(lambda x: x)("ts")
    ).columns


@scored("udf that raises")
def raises(place: Place) -> Outcome:
    return raised(place.plays.select(udf(lambda ts: 1 / 0)("ts")).collect)


@scored("except an exception of a udf: its message")
def message(place: Place) -> Outcome:
    try:
        place.plays.select(udf(lambda ts: int("x" + str(ts)), "int")("ts")).collect()
    except Exception as error:
        return "ValueError" in str(error)
    return "no exception"


@scored("spark.udf.register of a function, with sql")
def register(place: Place) -> Outcome:
    place.spark.udf.register("get_hour", lambda ts: int(dt.datetime.utcfromtimestamp(ts / 1000).hour))
    place.spark.udf.register("double_it", lambda n: n * 2, T.LongType())
    return place.sql(
        "SELECT get_hour(ts) AS hour, double_it(sessionId) AS d, count(*) AS n FROM p GROUP BY 1, 2",
        p=place.plays,
    )


@scored("spark.udf.register of a udf, with selectExpr")
def register_udf(place: Place) -> Outcome:
    place.spark.udf.register("shout", udf(lambda text: text.upper()))
    return place.plays.selectExpr("shout(level) AS level").distinct()


@scored("pandas_udf of a column")
def pandas_column(place: Place) -> Outcome:
    @F.pandas_udf("double")
    def minutes(length: pd.Series) -> pd.Series:
        return length / 60

    return place.plays.select("ts", minutes("length").alias("a"))


@scored("groupBy.applyInPandas, mapInPandas")
def in_pandas(place: Place) -> Outcome:
    def newest(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.sort_values("ts").tail(1)

    def doubled(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            yield frame.assign(ts=frame["ts"] * 2)

    plays = place.plays.select("userId", "ts")
    return plays.groupBy("userId").applyInPandas(newest, "userId string, ts long"), plays.mapInPandas(
        doubled, plays.schema
    )
