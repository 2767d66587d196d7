"""Calls on the scoreboard: createDataFrame, and frames as Python objects."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pandas as pd
from pyspark.sql import Row
from pyspark.sql import types as T

from session.scoreboard import Ordered, Outcome, Place, kinds, raised, scored


@scored("createDataFrame of tuples with names")
def tuples(place: Place) -> Outcome:
    return place.spark.createDataFrame([("a", 1), ("b", None)], ["x", "y"])


@scored("createDataFrame of tuples without names")
def no_names(place: Place) -> Outcome:
    return place.spark.createDataFrame([("a", 1, 2.5, True)])


@scored("createDataFrame of dicts")
def dicts(place: Place) -> Outcome:
    return place.spark.createDataFrame([{"b": 1, "a": "x"}, {"a": "y", "b": None, "c": 2.5}])


@scored("createDataFrame of Rows")
def rows_of(place: Place) -> Outcome:
    return place.spark.createDataFrame([Row(song="x", plays=1), Row(song=None, plays=2)])


@scored("createDataFrame of Rows in another order than the schema")
def row_order(place: Place) -> Outcome:
    return place.spark.createDataFrame([Row(b=1, a="x")], "b int, a string")


@scored("createDataFrame of a Row class")
def row_class(place: Place) -> Outcome:
    User = Row("name", "level")
    return place.spark.createDataFrame([User("Ada", "paid"), User("Bob", "free")])


@scored("createDataFrame with a StructType")
def struct_type(place: Place) -> Outcome:
    schema = T.StructType(
        [
            T.StructField("id", T.IntegerType(), False),
            T.StructField("name", T.StringType(), True),
            T.StructField("at", T.TimestampType()),
            T.StructField("on", T.DateType()),
            T.StructField("price", T.DecimalType(10, 2)),
            T.StructField("tags", T.ArrayType(T.StringType())),
            T.StructField("more", T.MapType(T.StringType(), T.IntegerType())),
            T.StructField("place", T.StructType([T.StructField("x", T.FloatType())])),
            T.StructField("raw", T.BinaryType()),
        ]
    )
    one = (
        1,
        "a",
        dt.datetime(2018, 11, 1, 12),
        dt.date(2018, 11, 1),
        Decimal("1.50"),
        ["x"],
        {"k": 1},
        (0.5,),
        b"\x00",
    )
    return place.spark.createDataFrame([one, (2, *[None] * 8)], schema)


@scored("createDataFrame with a schema as text")
def text_schema(place: Place) -> Outcome:
    return place.spark.createDataFrame([(1, 2.0)], schema="a: short, b: float")


@scored("createDataFrame of single values")
def single_values(place: Place) -> Outcome:
    return place.spark.createDataFrame([1, 2, 3], "int"), place.spark.createDataFrame(["a"], T.StringType())


@scored("createDataFrame of no rows")
def no_rows(place: Place) -> Outcome:
    return place.spark.createDataFrame([], "a string, b int")


@scored("createDataFrame of no rows without a schema")
def no_rows_no_schema(place: Place) -> Outcome:
    return raised(lambda: place.spark.createDataFrame([]))


@scored("createDataFrame with a value of another type")
def wrong_value(place: Place) -> Outcome:
    return raised(lambda: place.spark.createDataFrame([("x",)], "a int").collect()) != "no exception"


@scored("createDataFrame of whole numbers and floats")
def mixed_numbers(place: Place) -> Outcome:
    return place.spark.createDataFrame([(1, 1), (2, 3)], "a double, b bigint")


@scored("createDataFrame of pandas")
def pandas_frame(place: Place) -> Outcome:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": [0.5, 1.5], "d": pd.to_datetime(["2018-11-01", "2018-11-02"])}
    )
    return place.spark.createDataFrame(frame)


@scored("createDataFrame of pandas with a schema")
def pandas_schema(place: Place) -> Outcome:
    return place.spark.createDataFrame(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "a int, b string")


@scored("createDataFrame of pandas with names")
def pandas_names(place: Place) -> Outcome:
    return place.spark.createDataFrame(pd.DataFrame([[1, "x"]]), ["n", "text"])


@scored("createDataFrame of nested lists and dicts")
def nested(place: Place) -> Outcome:
    return place.spark.createDataFrame([(["a", "b"], {"k": 1}, (1, "x")), ([], {}, None)], ["l", "m", "s"])


@scored("createDataFrame keeps camel-case names")
def names(place: Place) -> Outcome:
    frame = place.spark.createDataFrame(
        [("7", "Ada", None)], "userId string, firstName string, lastName string"
    )
    return frame, frame.na.fill("x"), frame.dropna(subset=["userId"]), frame.fillna({"lastName": "Ek"})


@scored("range")
def a_range(place: Place) -> Outcome:
    return place.spark.range(3), place.spark.range(1, 10, 4)


@scored("Row: fields, items, asDict, in, equality")
def row(place: Place) -> Outcome:
    first = place.songs.orderBy("song_id").first()
    number, *_ = Row(a=1, b="x")
    return (
        [first.song_id, first["song_id"], first[0], "song_id" in first, len(first), number],
        sorted(first.asDict()),
        Row(a=1) == Row(a=1),
        raised(lambda: first.nope),
        raised(lambda: first["nope"]),
        repr(Row(a=1, b=None)),
    )


@scored("toPandas: types of columns")
def pandas_types(place: Place) -> Outcome:
    frame = place.frame(
        [(1, "x", 2.5, True, dt.datetime(2018, 11, 1), dt.date(2018, 11, 1), Decimal("1.5"), [1])],
        "a int, b string, c double, d boolean, e timestamp, f date, g decimal(3,1), h array<int>",
    ).toPandas()
    return kinds(frame), len(frame)


@scored("toPandas: numbers with NULL")
def pandas_null(place: Place) -> Outcome:
    frame = place.frame([(1, None, None), (None, 1.5, True)], "a bigint, b double, c boolean").toPandas()
    return kinds(frame), frame.isna().sum().tolist()


@scored("toPandas of groups, sorted")
def pandas_groups(place: Place) -> Outcome:
    return place.plays.groupBy("level", "gender").count().orderBy("level", "gender").toPandas()


@scored("pandas.DataFrame(take, columns)")
def pandas_of_rows(place: Place) -> Outcome:
    frame = place.songs.select("song_id", "year").orderBy("song_id", "year")
    return pd.DataFrame(frame.take(2), columns=frame.columns)


@scored("toLocalIterator, foreach over rows")
def iterate(place: Place) -> Outcome:
    frame = place.plays.select("ts").orderBy("ts")
    return [row.ts for row in frame.toLocalIterator()], [row["ts"] for row in frame.collect()][:1]


@scored("collect()[0][0], head()[0], first().column")
def scalars(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    frame = place.plays.agg(F.max("ts").alias("last"))
    return frame.collect()[0][0], frame.head()[0], frame.first().last, place.plays.where("1 = 0").first()


@scored("tail, take, head(n), limit(0)")
def ends(place: Place) -> Outcome:
    frame = place.plays.select("ts").orderBy("ts")
    return frame.tail(2), frame.take(2), frame.head(1), frame.limit(0).collect(), Ordered(frame.limit(2))
