"""Calls on the scoreboard: mistakes, and the exceptions that notebooks catch."""

from __future__ import annotations

from pyspark.sql import functions as F
from pyspark.sql.functions import col

from session.scoreboard import Outcome, Place, raised, scored


@scored("error: select of a column that does not exist")
def no_column(place: Place) -> Outcome:
    return raised(lambda: place.songs.select("nope").collect())


@scored("error: the message names the column")
def names_column(place: Place) -> Outcome:
    try:
        place.songs.select("titles").collect()
    except Exception as error:
        return "titles" in str(error), "`title`" in str(error)
    return "no exception"


@scored("error: df.nope, df['nope']")
def no_attribute(place: Place) -> Outcome:
    return raised(lambda: place.songs.nope), raised(lambda: place.songs.select(place.songs["nope"]).collect())


@scored("error: hasattr of a frame")
def has_attribute(place: Place) -> Outcome:
    return hasattr(place.songs, "nope"), hasattr(place.songs, "title"), hasattr(place.songs, "toPandas")


@scored("error: filter with a bad expression")
def bad_filter(place: Place) -> Outcome:
    return raised(lambda: place.songs.filter("title = ").collect()), raised(
        lambda: place.songs.filter("nope > 1").collect()
    )


@scored("error: sql with a syntax error")
def syntax(place: Place) -> Outcome:
    return raised(lambda: place.spark.sql("SELEC 1").collect())


@scored("error: sql of a view that does not exist")
def no_view(place: Place) -> Outcome:
    return raised(lambda: place.spark.sql("SELECT * FROM nowhere").collect()), raised(
        lambda: place.spark.table("nowhere").collect()
    )


@scored("error: a condition with `and` instead of &")
def python_and(place: Place) -> Outcome:
    return raised(lambda: bool((col("level") == "paid") and (col("song") == "x")))


@scored("error: union of unequal numbers of columns")
def bad_union(place: Place) -> Outcome:
    return raised(lambda: place.songs.select("title").union(place.songs.select("title", "year")).collect())


@scored("error: drop of everything, a frame of no columns")
def no_columns(place: Place) -> Outcome:
    frame = place.songs.select("title").drop("title")
    return frame.columns, frame.count()


@scored("error: a text to an int in ANSI mode")
def ansi_cast(place: Place) -> Outcome:
    frame = place.frame([("x",)], "a string")
    return raised(frame.select(col("a").cast("int")).collect), frame.select(
        col("a").try_cast("int").alias("b")
    )


@scored("error: a division by zero in ANSI mode")
def ansi_division(place: Place) -> Outcome:
    return raised(place.spark.range(1).select(F.lit(1) / col("id")).collect)


@scored("error: an overflow in ANSI mode")
def overflow(place: Place) -> Outcome:
    frame = place.frame([(2147483647, 9223372036854775807)], "a int, b bigint")
    return raised(frame.select(col("a") + 1).collect), raised(frame.select(col("b") + 1).collect)


@scored("error: an aggregate in withColumn, a window without order")
def misplaced(place: Place) -> Outcome:
    from pyspark.sql import Window

    number = F.row_number().over(Window.partitionBy("level"))
    return (
        raised(lambda: place.plays.withColumn("n", F.count("*")).collect()) != "no exception",
        raised(lambda: place.plays.withColumn("n", number).collect()),
    )


@scored("error: groupBy.agg of nothing, show of a wrong n")
def bad_arguments(place: Place) -> Outcome:
    return raised(lambda: place.plays.groupBy("level").agg()) != "no exception", raised(
        lambda: place.plays.show("x")
    )


@scored("error: a wrong type of a condition")
def bad_condition(place: Place) -> Outcome:
    return raised(lambda: place.songs.filter(1)), raised(
        lambda: place.songs.filter("year").collect()
    ) != "no exception"


@scored("error: a session goes on after errors")
def goes_on(place: Place) -> Outcome:
    for query in ("SELEC 1", "SELECT * FROM nowhere", "SELECT 1 / 0"):
        raised(lambda q=query: place.spark.sql(q).collect())
    return place.spark.range(2).count()
