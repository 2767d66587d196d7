"""Calls on the scoreboard: views, the catalog, and what is displayed."""

from __future__ import annotations

from pyspark.sql import Row
from pyspark.sql import functions as F

from session.scoreboard import Outcome, Place, printed, raised, scored

# --- views and the catalog -------------------------------------------------------------------------------


@scored("views: created twice, replaced, dropped")
def views(place: Place) -> Outcome:
    place.plays.createTempView("scored_once")
    again = raised(lambda: place.plays.createTempView("scored_once"))
    place.songs.createOrReplaceTempView("scored_once")
    count = place.spark.table("scored_once").count()
    return (
        again,
        count,
        place.spark.catalog.dropTempView("scored_once"),
        raised(lambda: place.spark.table("scored_once").count()),
    )


@scored("views: names in another case, registerTempTable")
def view_names(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("Named_Plays")
    return place.spark.sql("SELECT count(*) AS n FROM NAMED_PLAYS"), raised(
        lambda: place.plays.registerTempTable("x")
    )


@scored("views: global_temp")
def global_view(place: Place) -> Outcome:
    place.songs.createOrReplaceGlobalTempView("scored_songs")
    return place.spark.sql("SELECT count(*) AS n FROM global_temp.scored_songs")


@scored("views: CREATE TEMP VIEW AS, and USING json")
def sql_views(place: Place) -> Outcome:
    place.sql("CREATE OR REPLACE TEMP VIEW paying AS SELECT * FROM p WHERE level = 'paid'", p=place.plays)
    path = place.file("a.json", '{"a": 1}\n')
    place.spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW of_file USING json OPTIONS (path '{path}')")
    return place.spark.sql("SELECT ts FROM paying"), place.spark.sql("SELECT * FROM of_file")


@scored("catalog.listTables, SHOW TABLES")
def list_tables(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("listed_view")
    found = [table for table in place.spark.catalog.listTables() if table.name == "listed_view"]
    shown = place.spark.sql("SHOW TABLES").where("tableName = 'listed_view'")
    return [(one.name, one.tableType, one.isTemporary) for one in found], shown


@scored("catalog.tableExists, currentDatabase, listDatabases, listColumns")
def catalog(place: Place) -> Outcome:
    found = place.spark.catalog
    place.plays.select("userId", "ts").createOrReplaceTempView("exists_view")
    columns = [(one.name, one.dataType) for one in found.listColumns("exists_view")]
    return (
        found.tableExists("exists_view"),
        found.tableExists("nope"),
        found.currentDatabase(),
        [one.name for one in found.listDatabases()],
        columns,
    )


@scored("catalog.cacheTable, isCached, clearCache, CACHE TABLE")
def cached(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("cached_view")
    place.spark.catalog.cacheTable("cached_view")
    place.spark.catalog.uncacheTable("cached_view")
    place.spark.catalog.clearCache()
    place.spark.sql("CACHE TABLE cached_view")
    return place.spark.table("cached_view").count()


@scored("DESCRIBE a view")
def describe(place: Place) -> Outcome:
    return place.sql("DESCRIBE described", described=place.songs.select("title", "year"))


@scored("CREATE DATABASE, USE, SHOW DATABASES")
def databases(place: Place) -> Outcome:
    place.spark.sql("CREATE DATABASE IF NOT EXISTS sparkify")
    place.spark.sql("USE sparkify")
    found = place.spark.catalog.currentDatabase()
    place.spark.sql("USE default")
    shown = place.spark.sql("SHOW DATABASES").collect()
    place.spark.sql("DROP DATABASE sparkify CASCADE")
    return found, sorted(row[0] for row in shown)


@scored("sql with parameters")
def parameters(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("p")
    named = place.spark.sql("SELECT ts FROM p WHERE level = :level", args={"level": "paid"})
    return named, place.spark.sql(
        "SELECT count(*) AS n FROM {plays} WHERE userId = {user}", plays=place.plays, user="7"
    )


@scored("sql of several lines, a trailing semicolon, comments")
def sql_text(place: Place) -> Outcome:
    return place.sql("\n  -- all plays\n  SELECT count(*) AS n\n  FROM p /* here */\n  ;\n", p=place.plays)


# --- output ----------------------------------------------------------------------------------------------


@scored("show of every type")
def show_types(place: Place) -> Outcome:
    frame = place.spark.sql("""
        SELECT 1 a, 2.50 b, 1e10D c, true d, null e, date'2018-11-01' f, timestamp'2018-11-01 10:00:00.5' g,
               array(1, null) h, map('k', 1) i, named_struct('x', 1, 'y', 'z') j, 'a\\nb' k, x'00ff' l,
               0.1f m, interval '1' day n, timestamp'2018-11-01 10:00:00' o, double('nan') p,
               cast(1.0 as double) q
    """)
    return printed(frame.show), printed(lambda: frame.show(vertical=True))


@scored("show of wide and of CJK text, truncate=10, n=0")
def show_text(place: Place) -> Outcome:
    frame = place.frame([("日本語のテキスト", "x" * 30), (None, "")], "a string, b string")
    return (
        printed(frame.show),
        printed(lambda: frame.show(1, 10)),
        printed(lambda: frame.show(1, False)),
        printed(lambda: frame.show(0)),
    )


@scored("show of an empty frame, of no columns")
def show_empty(place: Place) -> Outcome:
    return printed(place.songs.where("1 = 0").select("title", "year").show), printed(
        place.spark.range(1).select().show
    )


@scored("printSchema of nested types")
def print_nested(place: Place) -> Outcome:
    frame = place.frame(
        [], "a array<struct<x: int, y: map<string, double>>>, b decimal(10,2), c struct<d: timestamp>"
    )
    return printed(frame.printSchema), printed(lambda: frame.printSchema(1)), frame.schema.simpleString()


@scored("schema.json, StructType.fromJson, treeString, fields")
def schema(place: Place) -> Outcome:
    from pyspark.sql.types import StructType

    found = place.songs.select("title", "year").schema
    return (
        found.json(),
        StructType.fromJson(found.jsonValue()) == found,
        found["year"].dataType.typeName(),
        found.names,
        repr(found[0]),
    )


@scored("DataFrame and Column as text, _repr_html_")
def texts(place: Place) -> Outcome:
    plays = place.plays.select("userId", "ts")
    return (
        repr(plays),
        repr(plays.ts + 1),
        str(Row(a=1)),
        plays._repr_html_() is None,
        repr(F.col("a").alias("b")),
    )


@scored("display of rows: head, first, collect as text")
def rows_text(place: Place) -> Outcome:
    frame = place.plays.select("userId", "length", F.timestamp_millis("ts").alias("at")).orderBy("at")
    return repr(frame.head()), repr(frame.take(2)), str(frame.first())
