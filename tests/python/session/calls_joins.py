"""Calls on the scoreboard: joins."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F
from pyspark.sql.functions import broadcast, col

from session.scoreboard import Outcome, Place, raised, scored


def _songs(place: Place) -> Any:
    return place.songs.dropDuplicates(["song_id"])


def _two(place: Place) -> tuple[Any, Any]:
    one = place.frame([(1, "a"), (2, "b"), (None, "c")], "id int, a string")
    return one, place.frame([(2, "x"), (3, "y"), (None, "z")], "id int, b string")


@scored("join: select(j.b_col) of the joined frame")
def select_of_join(place: Place) -> Outcome:
    one, other = _two(place)
    joined = one.join(other, one.id == other.id)
    return joined.select(joined.b, joined["a"], one.id)


@scored("join: drop of one side's column")
def drop_one_side(place: Place) -> Outcome:
    one, other = _two(place)
    joined = one.join(other, one.id == other.id, "left")
    return joined.drop(other.id), joined.drop(one.id).columns, joined.drop("id").columns


@scored("join: both columns of the condition stay")
def both_columns(place: Place) -> Outcome:
    one, other = _two(place)
    return one.join(other, one["id"] == other["id"], "outer")


@scored("join: an ambiguous name is an error")
def ambiguous(place: Place) -> Outcome:
    one, other = _two(place)
    return raised(lambda: one.join(other, one.id == other.id).select("id").collect())


@scored("join: every kind, by name")
def kinds(place: Place) -> Outcome:
    one, other = _two(place)
    names = (
        "inner",
        "left",
        "left_outer",
        "right",
        "outer",
        "full",
        "left_semi",
        "left_anti",
        "semi",
        "anti",
    )
    return [one.join(other, "id", name) for name in names]


@scored("join: crossJoin")
def cross(place: Place) -> Outcome:
    one, other = _two(place)
    return one.crossJoin(other.select("b")), one.join(other).count()


@scored("join: a list of conditions")
def list_of_conditions(place: Place) -> Outcome:
    plays, songs = place.plays, _songs(place)
    conditions = [plays.song == songs.title, plays.artist == songs.artist_name]
    return plays.join(songs, conditions, how="left").select("ts", "song_id")


@scored("join: aliases and col('l.name')")
def aliases(place: Place) -> Outcome:
    plays, songs = place.plays.alias("l"), _songs(place).alias("s")
    joined = plays.join(songs, col("l.song") == col("s.title"), "left")
    return joined.select("l.ts", col("s.song_id"), col("l.level").alias("level")), joined.select(
        "s.*"
    ).columns


@scored("join: alias.* and other columns")
def alias_star(place: Place) -> Outcome:
    plays, songs = place.plays.select("ts", "song").alias("l"), _songs(place).alias("s")
    return plays.join(songs, F.expr("l.song = s.title")).select("l.*", "s.song_id")


@scored("join: a frame with itself, grouped")
def self_join(place: Place) -> Outcome:
    plays = place.plays
    last = plays.groupBy(col("userId").alias("user")).agg(F.max("ts").alias("last"))
    return plays.join(last, (plays.userId == last.user) & (plays.ts == last.last)).select("userId", "level")


@scored("join: a frame with its own groups, by columns of both")
def own_groups(place: Place) -> Outcome:
    plays = place.plays
    last = plays.groupBy("userId").agg(F.max("ts").alias("last"))
    joined = plays.join(last, (plays.userId == last.userId) & (plays.ts == last.last))
    return raised(lambda: joined.select(plays.userId, "level").count())


@scored("join: a frame with itself by aliases")
def self_join_aliases(place: Place) -> Outcome:
    plays = place.plays.select("userId", "ts")
    pairs = plays.alias("a").join(
        plays.alias("b"), (col("a.userId") == col("b.userId")) & (col("a.ts") < col("b.ts"))
    )
    return pairs.select("a.userId", "a.ts", col("b.ts").alias("later"))


@scored("join: names in another case")
def other_case(place: Place) -> Outcome:
    plays = place.plays
    last = plays.groupBy("userid").agg(F.max("ts").alias("ts"))
    return plays.join(last, ["userid", "ts"]).select("userId", "level", "ts")


@scored("join: using columns come first")
def using_columns(place: Place) -> Outcome:
    one = place.frame([(1, "a", 2)], "x int, k string, y int")
    return one.join(place.frame([("a", 2, 3)], "k string, y int, z int"), ["y", "k"])


@scored("join: using, full outer, merges the keys")
def using_outer(place: Place) -> Outcome:
    one, other = _two(place)
    return one.join(other, on="id", how="full_outer").where("id is not null")


@scored("join: broadcast")
def broadcast_join(place: Place) -> Outcome:
    return place.plays.join(broadcast(_songs(place)), F.expr("song = title")).select("ts", "song_id")


@scored("join: unequal types of keys")
def key_types(place: Place) -> Outcome:
    users = place.frame([(7, "x"), (8, "y")], "id int, mark string")
    plays = place.plays
    return plays.join(users, plays.userId == users.id).select("ts", "mark"), plays.join(
        users, F.expr("userId = id")
    ).count()


@scored("join: NULL keys and eqNullSafe")
def null_keys(place: Place) -> Outcome:
    one, other = _two(place)
    return one.join(other, one.id.eqNullSafe(other.id)), one.join(other, one.id == other.id, "left_anti")


@scored("join: on a range of values")
def range_join(place: Place) -> Outcome:
    plays, songs = place.plays, _songs(place)
    near = (plays.song == songs.title) & (F.abs(plays.length - songs.duration) < 2)
    return plays.join(songs, near, "left").select(plays.ts, songs.song_id, songs.duration)


@scored("join: a derived frame against its parent")
def derived(place: Place) -> Outcome:
    plays = place.plays.withColumn("at", F.timestamp_millis("ts"))
    time = plays.select("at").distinct().withColumn("year", F.year("at")).withColumn("month", F.month("at"))
    songs = _songs(place)
    joined = plays.join(songs, plays.song == songs.title, "left").drop("year").join(time, "at")
    return joined.select("ts", "year", "month", "song_id")


@scored("join: year of one side after a join")
def year_of_side(place: Place) -> Outcome:
    plays, songs = place.plays.withColumn("year", F.lit(2018)), _songs(place)
    joined = plays.join(songs, plays.song == songs.title, "left")
    return joined.select(plays.year, songs.year.alias("released"), songs["artist_id"]).distinct()


@scored("join: withColumn on a joined frame")
def add_after_join(place: Place) -> Outcome:
    one, other = _two(place)
    joined = one.join(other, one.id == other.id, "left").withColumn("both", F.concat_ws("-", one.a, other.b))
    return joined.select("both", one.id.alias("id")), joined.where(other.b.isNull()).count()


@scored("join: filter on one side after an outer join")
def filter_side(place: Place) -> Outcome:
    one, other = _two(place)
    return one.join(other, one.id == other.id, "left").filter(other.id.isNotNull()).select("a", "b")


@scored("join: groupBy a column of one side")
def group_side(place: Place) -> Outcome:
    plays, songs = place.plays, _songs(place)
    joined = plays.join(songs, plays.song == songs.title)
    return joined.groupBy(songs.title, plays.level).agg(F.count(plays.ts).alias("plays"))


@scored("join: three frames with chained conditions")
def chained(place: Place) -> Outcome:
    plays, songs = place.plays, _songs(place)
    artists = place.songs.select("artist_id", "artist_name").distinct()
    joined = plays.join(songs, plays.song == songs.title, "left").join(
        artists, songs.artist_id == artists.artist_id, "left"
    )
    return joined.select(plays.ts, songs.song_id, artists.artist_name)


@scored("join: sql on views of one name of column")
def sql_join(place: Place) -> Outcome:
    one, other = _two(place)
    return place.sql("SELECT * FROM one LEFT JOIN other ON one.id = other.id", one=one, other=other)


@scored("join: sql USING and NATURAL")
def sql_using(place: Place) -> Outcome:
    one, other = _two(place)
    using = place.sql("SELECT * FROM one FULL JOIN other USING (id)", one=one, other=other)
    return using, place.spark.sql("SELECT * FROM one NATURAL JOIN other")
