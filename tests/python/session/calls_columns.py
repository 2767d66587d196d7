"""Calls on the scoreboard: columns and rows."""

from __future__ import annotations

from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.functions import col

from session.scoreboard import Ordered, Outcome, Place, printed, scored

# --- naming columns --------------------------------------------------------------------------------------


@scored("df[condition], df[list], df[number]")
def index(place: Place) -> Outcome:
    logs = place.logs
    return (
        logs[logs.page == "NextSong"][["userId", "ts"]],
        logs["userId", "ts"].columns,
        logs.select(logs[0]).columns,
    )


@scored("names in another case")
def other_case(place: Place) -> Outcome:
    plays = place.plays
    return plays.select("USERID", plays["FIRSTNAME"], col("Ts")), plays.groupBy("userid").agg(
        F.max("TS")
    ).columns


@scored("select(*), select(df.columns), select(list, column)")
def select_all(place: Place) -> Outcome:
    songs = place.songs
    found = [
        songs.select("*"),
        songs.select(songs.columns),
        songs.select([col("year"), "title"]),
        songs.select("*", "year"),
    ]
    return [frame.columns for frame in found]


@scored("select of a column twice")
def twice(place: Place) -> Outcome:
    return place.songs.select("song_id", "song_id", col("song_id").alias("SONG_ID"))


@scored("selectExpr(list), selectExpr with CAST and *")
def select_expr(place: Place) -> Outcome:
    users = ["userId as user_id", "firstName as first_name", "level"]
    return place.plays.selectExpr(users).distinct(), place.plays.selectExpr(
        "cast(userId as int) id", "ts/1000", "*"
    ).columns


@scored("filters on columns that are not selected")
def filter_after_select(place: Place) -> Outcome:
    plays = place.plays
    return plays.select("userId", "ts").where(plays.level == "paid"), plays.select("ts").filter(
        col("userId") == "7"
    )


@scored("orderBy a column that is not selected")
def order_after_select(place: Place) -> Outcome:
    plays = place.plays
    return Ordered(plays.select("userId").orderBy(plays.ts.desc())), Ordered(
        plays.select("userId").orderBy("ts")
    )


@scored("withColumn replaces in place, in another case")
def replace_column(place: Place) -> Outcome:
    frame = place.plays.select("userId", "ts").withColumn("userid", col("userId").cast("int"))
    return frame, frame.withColumn("TS", F.lit(0)).dtypes


@scored("withColumn from a column of another frame")
def parent_column(place: Place) -> Outcome:
    plays = place.plays
    frame = plays.withColumn("day", F.dayofmonth(F.timestamp_millis(plays.ts)))
    return frame.withColumn("double", plays.ts * 2).select("day", "double", plays.userId)


@scored("withColumns, withColumnsRenamed, toDF")
def with_columns(place: Place) -> Outcome:
    frame = place.songs.select("song_id", "year").withColumns({"a": F.lit(1), "b": col("year") + 1})
    return frame.withColumnsRenamed({"a": "A", "song_id": "id"}), frame.toDF("w", "x", "y", "z").columns


@scored("withColumnRenamed in another case")
def rename(place: Place) -> Outcome:
    return place.plays.withColumnRenamed("USERID", "user_id").select("user_id").distinct()


@scored("drop of several, of a column, of a missing one")
def drop(place: Place) -> Outcome:
    songs = place.songs
    return (
        songs.drop("year", "title").columns,
        songs.drop(songs.year).columns,
        songs.drop("nope", "YEAR").columns,
    )


@scored("a column name with a dot or a space")
def dotted(place: Place) -> Outcome:
    frame = place.frame([(1, 2)], "`a.b` int, `c d` int")
    return (
        frame.select("`a.b`", frame["c d"]),
        frame.withColumnRenamed("a.b", "x").columns,
        frame.where("`c d` = 2"),
    )


@scored("df.colRegex")
def col_regex(place: Place) -> Outcome:
    return place.songs.select(place.songs.colRegex("`artist_l.*`")).columns


@scored("names of columns: when, cast, arithmetic, functions")
def column_names(place: Place) -> Outcome:
    return place.plays.select(
        F.when(col("level") == "paid", 1).otherwise(0),
        col("ts").cast("string"),
        col("userId").cast(T.IntegerType()),
        col("ts") + 1,
        -col("ts"),
        ~(col("level") == "paid"),
        (col("level") == "paid") & col("song").isNull(),
        F.lit("x"),
        F.lit(1.5),
        F.lit(None),
        F.concat(col("level"), F.lit("-")),
        F.substring("level", 1, 2),
        F.round(col("length"), 2),
        F.to_timestamp("level"),
        F.date_format(F.timestamp_millis("ts"), "EEEE"),
        F.split("location", ","),
        col("song").startswith("N"),
        col("length").between(1, 2),
        col("userId").isin("7", "8"),
        F.coalesce(col("song"), F.lit("none")),
    ).columns


@scored("names of columns: aggregates and windows")
def aggregate_names(place: Place) -> Outcome:
    from pyspark.sql import Window

    plays = place.plays
    return [
        plays.agg(
            F.count("*"), F.count(F.lit(1)), F.sum(col("length") / 60), F.countDistinct("userId", "level")
        ).columns,
        plays.groupBy("level")
        .agg(F.first("song"), F.collect_list("ts"), F.approx_count_distinct("userId"))
        .columns,
        plays.groupBy(F.year(F.timestamp_millis("ts"))).count().columns,
        plays.groupBy("level").mean().columns,
        plays.groupBy("level").sum("ts", "length").columns,
        plays.groupBy("level").agg({"*": "count", "length": "avg"}).columns,
        plays.select(F.row_number().over(Window.orderBy("ts"))).columns,
    ]


# --- rows ------------------------------------------------------------------------------------------------


@scored("filter with several conditions")
def conditions(place: Place) -> Outcome:
    logs = place.logs
    return logs.filter((col("userId") != "") & col("artist").isNotNull() & ~(col("level") == "paid")).select(
        "ts"
    )


@scored('filter("text") with quotes and functions')
def text_filter(place: Place) -> Outcome:
    return place.logs.filter("page = \"NextSong\" and length > 1.5 and lower(level) = 'free'").select("ts")


@scored("filter(col.isin(list)), filter(~isin)")
def isin(place: Place) -> Outcome:
    users = ["7", "9"]
    return place.plays.filter(col("userId").isin(users)).select("ts"), place.plays.filter(
        ~col("userId").isin(users)
    ).count()


@scored("filter(text == number), filter(number == text)")
def loose_types(place: Place) -> Outcome:
    return place.plays.filter(col("userId") == 7).count(), place.plays.filter(
        col("sessionId") == "107"
    ).count()


@scored("rlike, endswith, substr, contains, ilike")
def text_tests(place: Place) -> Outcome:
    songs = place.songs.select("title")
    return songs.select(
        "title",
        col("title").rlike("^[NB]").alias("a"),
        col("title").endswith("n").alias("b"),
        col("title").substr(1, 3).alias("c"),
        col("title").contains("i").alias("d"),
        col("title").ilike("%NIGHT%").alias("e"),
    )


@scored("eqNullSafe, isNull, isnan, nanvl")
def nulls(place: Place) -> Outcome:
    frame = place.frame([(1.0, None), (float("nan"), "x"), (None, "y")], "a double, b string")
    return frame.select(
        col("b").eqNullSafe(None).alias("a"),
        F.isnan("a").alias("b"),
        F.isnull("b").alias("c"),
        F.nanvl("a", F.lit(0.0)).alias("d"),
        (col("a") > 1).alias("e"),
    )


@scored("na.drop with how, thresh and subset")
def na_drop(place: Place) -> Outcome:
    logs = place.logs.select("userId", "firstName", "artist", "song")
    return (
        logs.na.drop(),
        logs.dropna("all").count(),
        logs.dropna(thresh=3).count(),
        logs.dropna(how="any", subset=["userId"]),
    )


@scored("na.fill of numbers, texts and a dict")
def na_fill(place: Place) -> Outcome:
    frame = place.frame(
        [(None, None, None, None)], "theCount bigint, aText string, aDouble double, aFlag boolean"
    )
    return (
        frame.na.fill(0),
        frame.fillna("x"),
        frame.fillna({"aText": "y", "aDouble": 1.5}),
        frame.na.fill(True),
    )


@scored("na.replace")
def na_replace(place: Place) -> Outcome:
    plays = place.plays.select("userId", "level")
    return (
        plays.na.replace("free", "gratis"),
        plays.replace(["free", "paid"], ["f", "p"], "level"),
        plays.na.replace({"7": "70"}),
    )


@scored("dropDuplicates keeps columns, drop_duplicates(subset)")
def duplicates(place: Place) -> Outcome:
    return place.songs.dropDuplicates(), place.plays.drop_duplicates(subset=["userId"]).select("userId")


@scored("orderBy(ascending=False), orderBy(list, ascending=list)")
def ascending(place: Place) -> Outcome:
    plays = place.plays.select("level", "ts")
    return Ordered(plays.orderBy("ts", ascending=False)), Ordered(
        plays.orderBy(["level", "ts"], ascending=[0, 1])
    )


@scored("sort with NULL: asc_nulls_last, desc_nulls_first")
def sort_nulls(place: Place) -> Outcome:
    frame = place.frame([(1,), (None,), (2,)], "n int")
    orders = (col("n").asc(), col("n").desc(), F.asc_nulls_last("n"), F.desc_nulls_first("n"))
    return [Ordered(frame.orderBy(order)) for order in orders]


@scored("sort of texts, of mixed case")
def sort_texts(place: Place) -> Outcome:
    return Ordered(place.frame([(v,) for v in ("b", "A", "a", "B", "é", "", "Z", "_")], "v string").sort("v"))


@scored("union, unionByName, unionByName(allowMissingColumns)")
def unions(place: Place) -> Outcome:
    plays = place.plays
    one, other = plays.select("userId", "level"), plays.select("level", "userId")
    return (
        one.union(other),
        one.unionByName(other),
        one.unionByName(plays.select("ts", "level"), allowMissingColumns=True),
    )


@scored("union of unequal types")
def union_types(place: Place) -> Outcome:
    return place.frame([(1, "x")], "a int, b string").union(place.frame([(2.5, "y")], "c double, d string"))


@scored("subtract, exceptAll, intersect")
def sets(place: Place) -> Outcome:
    songs = place.songs.select("song_id")
    some = songs.where("song_id < 'SO3'")
    return songs.subtract(some), songs.exceptAll(some), songs.intersect(some), songs.intersectAll(some)


@scored("sample, randomSplit")
def sample(place: Place) -> Outcome:
    songs = place.songs
    parts = songs.randomSplit([0.5, 0.5], seed=42)
    return (
        songs.sample(False, 1.0, 42).count(),
        songs.sample(fraction=0.0).count(),
        sum(part.count() for part in parts),
    )


@scored("isEmpty, count of nothing, limit")
def empty(place: Place) -> Outcome:
    nothing = place.songs.filter("1 = 0")
    return (
        nothing.isEmpty(),
        place.songs.isEmpty(),
        nothing.count(),
        nothing.collect(),
        nothing.toPandas().shape,
    )


@scored("transform, filter chains, cache")
def transform(place: Place) -> Outcome:
    return place.songs.transform(lambda frame: frame.where("year > 0")).cache().select("title").distinct()


@scored("summary, describe of all columns")
def summary(place: Place) -> Outcome:
    plays = place.plays.select("userId", "length", "sessionId")
    return (
        plays.summary("count", "min", "25%", "75%", "max"),
        plays.describe().columns,
        plays.describe("length"),
    )


@scored("stat: corr, crosstab, approxQuantile, freqItems")
def stat(place: Place) -> Outcome:
    plays = place.plays
    table = plays.crosstab("level", "userId")
    return plays.stat.corr("length", "sessionId"), table, plays.approxQuantile("length", [0.5], 0.0)


@scored("repartition, coalesce, repartition by columns")
def repartition(place: Place) -> Outcome:
    plays = place.plays
    return plays.repartition(4, "userId").coalesce(1).count(), plays.repartition("userId", "level").select(
        "ts"
    )


@scored("explain, hint, checkpoint, storageLevel")
def plans(place: Place) -> Outcome:
    return (
        bool(printed(place.songs.explain)),
        place.songs.hint("broadcast").count(),
        place.songs.cache().is_cached,
    )
