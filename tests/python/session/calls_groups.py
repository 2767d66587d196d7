"""Calls on the scoreboard: groups, pivots and windows."""

from __future__ import annotations

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.functions import col
from pyspark.sql.functions import sum as Fsum

from session.scoreboard import Ordered, Outcome, Place, scored

# --- groups ----------------------------------------------------------------------------------------------


@scored("agg({name: function}) renamed")
def agg_dict(place: Place) -> Outcome:
    found = place.plays.groupBy("level").agg({"userId": "count", "ts": "max"})
    return found.withColumnRenamed("count(userId)", "plays").withColumnRenamed("max(ts)", "last")


@scored("agg({name: function}) without groups")
def agg_all(place: Place) -> Outcome:
    return place.plays.agg({"length": "avg", "*": "count"}), place.plays.agg(F.min("ts"), F.max("ts"))


@scored("groupBy.sum() of all numbers")
def sum_all(place: Place) -> Outcome:
    return place.plays.select("userId", "sessionId", "length").groupBy("userId").sum()


@scored("groupBy.sum().withColumnRenamed(generated)")
def rename_sum(place: Place) -> Outcome:
    flag = F.when(col("level") == "paid", 1).otherwise(0)
    found = place.plays.withColumn("paying", flag).groupBy("userId").sum("paying")
    return found.withColumnRenamed("sum(paying)", "paying").where(col("paying") > 0)


@scored("groupBy.count, then groupBy again")
def count_of_counts(place: Place) -> Outcome:
    return place.plays.groupBy("userId").count().groupBy("count").count().toDF("plays", "users")


@scored("groupBy.count: filter and sort on count")
def count_column(place: Place) -> Outcome:
    found = place.plays.groupBy("song").count()
    return found.filter(col("count") > 1), Ordered(found.orderBy(found["count"].desc(), "song"))


@scored("groupby(df.column).max, .min, .mean, .avg")
def simple_aggregates(place: Place) -> Outcome:
    plays = place.plays
    groups = plays.groupby(plays.level)
    return groups.max("ts"), groups.min("length"), groups.mean("length"), groups.avg("length", "ts").columns


@scored("groupBy an expression")
def by_expression(place: Place) -> Outcome:
    at = F.timestamp_millis("ts")
    return place.plays.groupBy(F.hour(at).alias("hour"), F.to_date(at).alias("day")).agg(
        F.count("*").alias("plays")
    )


@scored("groupBy with NULL and no groups")
def null_groups(place: Place) -> Outcome:
    frame = place.frame([(None, 1), (None, 2), ("a", None)], "k string, n int")
    return frame.groupBy("k").agg(Fsum("n").alias("n"), F.count("n").alias("c")), frame.groupBy().sum("n")


@scored("aggregates of no rows")
def of_nothing(place: Place) -> Outcome:
    nothing = place.plays.where("1 = 0")
    return nothing.agg(Fsum("ts"), F.count("ts"), F.max("level"), F.collect_list("ts")), nothing.groupBy(
        "level"
    ).count()


@scored("collect_list, collect_set, first, last, max_by")
def collecting(place: Place) -> Outcome:
    return place.plays.groupBy("userId").agg(
        F.sort_array(F.collect_set("level")).alias("a"),
        F.sort_array(F.collect_list("ts")).alias("b"),
        F.max_by("level", "ts").alias("c"),
        F.min_by("song", "ts").alias("d"),
        F.size(F.collect_list("song")).alias("e"),
        F.array_sort(F.collect_set("gender"))[0].alias("f"),
    )


@scored("first(ignorenulls), last of sorted rows")
def first_last(place: Place) -> Outcome:
    frame = place.frame([(1, None), (1, "a"), (1, "b")], "k int, v string").coalesce(1)
    return frame.groupBy("k").agg(
        F.first("v", ignorenulls=True).alias("a"), F.first("v").alias("b"), F.last("v").alias("c")
    )


@scored("countDistinct, sumDistinct, approx_count_distinct")
def distinct_counts(place: Place) -> Outcome:
    return place.plays.agg(
        F.countDistinct("userId", "level").alias("a"),
        F.sum_distinct("sessionId").alias("b"),
        F.approx_count_distinct("userId").alias("c"),
        F.count_distinct(col("level")).alias("d"),
    )


@scored("stddev, variance, skewness, corr, percentile_approx, median, mode")
def statistics(place: Place) -> Outcome:
    return place.plays.agg(
        F.stddev("length").alias("a"),
        F.variance("length").alias("b"),
        F.skewness("length").alias("c"),
        F.kurtosis("length").alias("d"),
        F.corr("length", "sessionId").alias("e"),
        F.stddev_pop("length").alias("f"),
        F.percentile_approx("length", 0.5).alias("g"),
        F.median("length").alias("h"),
        F.mode("level").alias("i"),
        F.covar_samp("length", "sessionId").alias("j"),
        F.percentile_approx("ts", [0.25, 0.75]).alias("k"),
    )


@scored("types of sums and means")
def sum_types(place: Place) -> Outcome:
    frame = place.frame([(1, 2, 1.5, 0.5)], "a int, b bigint, c double, d float")
    decimals = frame.select(col("a").cast("decimal(10,2)").alias("x"))
    return (
        frame.groupBy().sum(),
        frame.groupBy().avg(),
        frame.agg(F.max("a"), F.count("d")),
        decimals.agg(Fsum("x"), F.avg("x")),
    )


@scored("cube, rollup, grouping_id")
def cube(place: Place) -> Outcome:
    plays = place.plays
    return plays.cube("level", "gender").count(), plays.rollup("level").agg(
        F.grouping("level").alias("g"), F.count("*").alias("n")
    )


# --- pivots ----------------------------------------------------------------------------------------------


@scored("groupBy.pivot.count")
def pivot(place: Place) -> Outcome:
    return place.plays.groupBy("level").pivot("gender").count(), place.plays.groupBy("userId").pivot(
        "level"
    ).count()


@scored("groupBy.pivot with values, sum")
def pivot_values(place: Place) -> Outcome:
    return place.plays.groupBy("userId").pivot("level", ["paid", "free", "none"]).sum("length")


@scored("groupBy.pivot with several aggregates")
def pivot_several(place: Place) -> Outcome:
    found = (
        place.plays.groupBy("userId").pivot("level").agg(F.count("ts").alias("n"), F.max("ts").alias("last"))
    )
    return found, place.plays.groupBy("userId").pivot("level").agg(F.count("ts"), F.max("ts")).columns


@scored("groupBy.pivot.agg, then fillna(0)")
def pivot_fill(place: Place) -> Outcome:
    return place.logs.groupBy("userId").pivot("page").agg(F.count("ts")).fillna(0)


@scored("groupBy.pivot of numbers and NULL")
def pivot_null(place: Place) -> Outcome:
    frame = place.frame([("a", 1, 5), ("a", None, 6), ("b", 2, 7)], "k string, p int, v int")
    return frame.groupBy("k").pivot("p").sum("v")


@scored("unpivot, melt")
def unpivot(place: Place) -> Outcome:
    frame = place.frame([("a", 1, 2)], "k string, x int, y int")
    return frame.unpivot("k", ["x", "y"], "name", "value"), frame.melt("k", ["x"], "n", "v")


# --- windows ---------------------------------------------------------------------------------------------


@scored("window: rank, dense_rank, percent_rank, ntile, cume_dist")
def ranks(place: Place) -> Outcome:
    by_level = Window.partitionBy("level").orderBy(F.desc("length"), "ts")
    return place.plays.select(
        "ts",
        F.rank().over(by_level).alias("a"),
        F.dense_rank().over(by_level).alias("b"),
        F.ntile(2).over(by_level).alias("c"),
        F.percent_rank().over(by_level).alias("d"),
        F.cume_dist().over(by_level).alias("e"),
        F.row_number().over(by_level).alias("f"),
    )


@scored("window: sum over rangeBetween, newest first")
def phases(place: Place) -> Outcome:
    window = Window.partitionBy("userId").orderBy(F.desc("ts")).rangeBetween(Window.unboundedPreceding, 0)
    flagged = place.plays.withColumn("paying", (col("level") == "paid").cast("int"))
    return flagged.withColumn("phase", Fsum("paying").over(window)).select("userId", "ts", "phase")


@scored("window: lag and lead with defaults")
def lag_lead(place: Place) -> Outcome:
    window = Window.partitionBy("userId").orderBy("ts")
    return place.plays.select(
        "ts",
        F.lag("level", 1, "none").over(window).alias("a"),
        F.lead("ts", 2).over(window).alias("b"),
        (col("ts") - F.lag("ts").over(window)).alias("c"),
        F.lag(col("length"), default=0.0).over(window).alias("d"),
    )


@scored("window: the latest row of every user")
def latest(place: Place) -> Outcome:
    window = Window.partitionBy("userId").orderBy(col("ts").desc())
    plays = place.plays.withColumn("n", F.row_number().over(window))
    return plays.filter(plays.n == 1).drop("n").select("userId", "level", "ts")


@scored("window: first and last over a whole partition")
def whole_partition(place: Place) -> Outcome:
    window = Window.partitionBy("userId").orderBy("ts")
    whole = window.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    return place.plays.select(
        "ts",
        F.first("level").over(whole).alias("a"),
        F.last("level").over(whole).alias("b"),
        F.last("ts").over(window).alias("c"),
        F.count("*").over(Window.partitionBy("userId")).alias("d"),
        F.avg("length").over(window.rowsBetween(-1, 1)).alias("e"),
        F.collect_list("level").over(window).alias("f"),
        F.max("ts").over(Window.partitionBy()).alias("g"),
    )


@scored("window: row_number over the whole frame")
def numbered(place: Place) -> Outcome:
    window = Window.orderBy("ts")
    by_id = Window.orderBy(F.monotonically_increasing_id())
    plays = place.plays.withColumn("id", F.row_number().over(window))
    return plays.select("id", "ts"), place.plays.withColumn("id", F.row_number().over(by_id)).agg(F.max("id"))


@scored("window: songs between visits of Home")
def between_visits(place: Place) -> Outcome:
    home = F.udf(lambda page: int(page == "Home"), "int")
    window = Window.partitionBy("userId").orderBy(F.desc("ts")).rangeBetween(Window.unboundedPreceding, 0)
    logs = place.logs.filter((col("page") == "NextSong") | (col("page") == "Home")).select(
        "userId", "page", "ts"
    )
    visits = logs.withColumn("home", home("page")).withColumn("period", Fsum("home").over(window))
    return visits.filter("page = 'NextSong'").groupBy("userId", "period").agg({"period": "count"})


@scored("window(time, duration)")
def time_window(place: Place) -> Outcome:
    plays = place.plays.withColumn("at", F.timestamp_millis("ts"))
    counts = plays.groupBy(F.window("at", "1 day")).count()
    return counts.select("window.start", "window.end", "count")
