"""Calls on the scoreboard: times, SQL and joins."""

from __future__ import annotations

from datetime import datetime

from session.scoreboard import Outcome, Place, rows, scored

# --- times -----------------------------------------------------------------------------------------------


@scored("udf(lambda, TimestampType()) with withColumn")
def udf_time(place: Place) -> Outcome:
    from pyspark.sql.functions import hour, udf
    from pyspark.sql.types import TimestampType

    get_timestamp = udf(lambda ts: datetime.fromtimestamp(ts / 1000.0), TimestampType())
    plays = place.plays
    frame = plays.withColumn("start_time", get_timestamp(plays.ts)).orderBy("ts")
    first = frame.first()
    assert first.start_time == datetime.fromtimestamp(1541106106.796)
    assert dict(frame.dtypes)["start_time"] == "timestamp"
    assert [row[0] for row in frame.select(hour("start_time")).take(2)] == [21, 22]
    return rows(frame.select("start_time"))


@scored("udf with the types string, integer, double, date")
def udf_types(place: Place) -> Outcome:
    from pyspark.sql.functions import udf
    from pyspark.sql.types import DoubleType, IntegerType

    @udf(returnType=IntegerType())
    def letters(text: str) -> int:
        return len(text) if text else -1

    seconds = udf(lambda ts: ts / 1000.0, DoubleType())
    lower = udf(lambda text: None if text is None else text.lower())
    frame = place.logs.select(
        "ts", letters("song").alias("n"), seconds("ts").alias("s"), lower("song").alias("l")
    )
    assert frame.dtypes == [("ts", "bigint"), ("n", "int"), ("s", "double"), ("l", "string")]
    found = rows(frame)
    assert found[0] == (1541106106796, 11, 1541106106.796, "night train")
    assert (1541113306000, -1, 1541113306.0, None) in found
    return found


@scored("udf of a time")
def udf_of_time(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    day = F.udf(lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S.%f"))
    frame = place.plays.select(day((F.col("ts") / 1000).cast("timestamp")).alias("day"))
    local = datetime.fromtimestamp(1541106106.796).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert (local,) in rows(frame)
    return rows(frame)


@scored("spark.udf.register")
def udf_register(place: Place) -> Outcome:
    from pyspark.sql.types import IntegerType, TimestampType

    place.spark.udf.register("letters", lambda text: len(text), IntegerType())
    place.spark.udf.register("moment", lambda ts: datetime.fromtimestamp(ts / 1000.0), TimestampType())
    place.plays.createOrReplaceTempView("udf_plays")
    frame = place.spark.sql("SELECT letters(song) AS n, hour(moment(ts)) AS h FROM udf_plays")
    assert (11, 21) in rows(frame)
    return rows(frame)


@scored('(ts / 1000).cast("timestamp")')
def cast_time(place: Place) -> Outcome:
    from pyspark.sql import functions as F
    from pyspark.sql.types import TimestampType

    frame = place.plays.select(
        "ts",
        (F.col("ts") / 1000).cast("timestamp").alias("a"),
        (F.col("ts") / 1000.0).cast(TimestampType()).alias("b"),
        F.from_unixtime(F.col("ts") / 1000, "yyyy-MM-dd HH").alias("c"),
        F.to_timestamp(F.col("ts") / 1000).alias("d"),
        F.timestamp_millis("ts").alias("e"),
        (F.col("ts") / 1000).cast("int").alias("f"),
        (F.col("ts") / 1000).cast("timestamp").cast("string").alias("g"),
        F.to_date((F.col("ts") / 1000).cast("timestamp")).alias("h"),
    ).orderBy("ts")
    first = frame.first()
    assert first.a == first.b == first.d == first.e == datetime.fromtimestamp(1541106106.796)
    assert (first.c, first.f, first.g) == ("2018-11-01 21", 1541106106, "2018-11-01 21:01:46.796")
    return [tuple(row) for row in frame.collect()], frame.dtypes


@scored("hour of a text, in Python and SQL")
def calendar_of_text(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    get_datetime = F.udf(lambda ts: str(datetime.utcfromtimestamp(int(ts) / 1000)))
    plays = place.plays
    frame = plays.withColumn("datetime", get_datetime(plays.ts)).select("datetime")
    frame = frame.withColumn("start_time", frame.datetime).withColumn("hour", F.hour("datetime"))
    frame = frame.withColumn("week", F.weekofyear("datetime")).withColumn("weekday", F.dayofweek("datetime"))
    assert ("2018-11-01 21:01:46.796000", "2018-11-01 21:01:46.796000", 21, 44, 5) in rows(frame)
    plays.createOrReplaceTempView("texts")
    again = place.spark.sql("""
        SELECT hour(from_unixtime(ts / 1000)) AS hour, dayofweek(from_unixtime(ts / 1000)) AS weekday,
               weekday(from_unixtime(ts / 1000)), extract(month FROM timestamp_millis(ts)) AS firstMonth,
               userId IS NULL AS noUsers, isnull(song)
        FROM texts
    """)
    assert again.columns[3:5] == ["firstMonth", "noUsers"], "as they are written"
    assert {kind for _, kind in again.dtypes} == {"int", "boolean"}
    assert (21, 5, 3, 11, False, False) in rows(again)
    return rows(frame), rows(again)


@scored("hour, dayofmonth, weekofyear, month, year, dayofweek, date_format")
def calendar(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    frame = place.plays.withColumn("at", (F.col("ts") / 1000).cast("timestamp")).select(
        F.hour("at").alias("hour"),
        F.dayofmonth("at").alias("day"),
        F.weekofyear("at").alias("week"),
        F.month("at").alias("month"),
        F.year("at").alias("year"),
        F.dayofweek("at").alias("weekday"),
        F.date_format("at", "E").alias("short"),
        F.date_format("at", "EEEE").alias("long"),
        F.date_format("at", "yyyy-MM-dd HH:mm:ss.SSS").alias("text"),
        F.date_format("at", "d MMM yy, h a").alias("other"),
        F.minute("at").alias("minute"),
        F.second("at").alias("second"),
    )
    assert {kind for _, kind in frame.dtypes} == {"int", "string"}
    first = min(frame.collect(), key=lambda row: row.text)
    assert tuple(first) == (
        21, 1, 44, 11, 2018, 5, "Thu", "Thursday", "2018-11-01 21:01:46.796", "1 Nov 18, 9 PM", 1, 46,
    )  # fmt: skip
    return rows(frame)


# --- SQL and joins ---------------------------------------------------------------------------------------


@scored("createOrReplaceTempView, sql with joins")
def sql_join(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("log")
    place.songs.dropDuplicates(["song_id"]).createOrReplaceTempView("songs")
    frame = place.spark.sql("""
        SELECT s.title, l.userId AS user_id, count(*) AS plays, round(sum(l.length), 1) AS heard
        FROM log l
        LEFT JOIN songs s ON l.song = s.title AND l.artist = s.artist_name
        WHERE l.page = 'NextSong'
        GROUP BY s.title, l.userId
        ORDER BY plays DESC, title, user_id
    """)
    found = [tuple(row) for row in frame.collect()]
    assert found[0] == ("Night Train", "7", 2, 400.5)
    assert (None, "9", 1, 1.0) in found
    return found, frame.columns


@scored("sql with WITH, CASE, windows and times")
def sql_more(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("log")
    frame = place.spark.sql("""
        WITH timed AS (SELECT userId, level, to_timestamp(ts / 1000) AS at FROM log),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY userId ORDER BY at DESC) AS rank FROM timed
        )
        SELECT userId, CASE WHEN level = 'paid' THEN 'pays' ELSE 'does not' END AS pays,
               date_format(at, 'EEEE') AS weekday, year(at) AS year, hour(at),
               from_unixtime(1541106106, 'yyyy') AS y
        FROM ranked WHERE rank = 1
    """)
    assert frame.columns == ["userId", "pays", "weekday", "year", "hour(at)", "y"]
    found = rows(frame)
    assert found[0] == ("7", "pays", "Sunday", 2018, 21, "2018")
    return found


@scored("a view replaced by a query on itself")
def view_again(place: Place) -> Outcome:
    place.plays.createOrReplaceTempView("again")
    place.spark.sql("SELECT userId, level FROM again").createOrReplaceTempView("again")
    frame = place.spark.table("again").distinct()
    assert frame.columns == ["userId", "level"]
    return rows(frame)


@scored('join(condition & condition, "left")')
def join_left(place: Place) -> Outcome:
    logs, songs = place.plays, place.songs.dropDuplicates(["song_id"])
    matches = (
        (logs.song == songs.title) & (logs.artist == songs.artist_name) & (logs.length == songs.duration)
    )
    frame = logs.join(songs, matches, "left").select("ts", songs.song_id, "artist_id", logs.location)
    assert frame.count() == 6
    found = rows(frame)
    assert found[0] == (1541106106796, "SO1", "AR1", "San Jose-Sunnyvale-Santa Clara, CA")
    assert sum(row[1] is None for row in found) == 2
    return found


@scored("join(on=name), join(on=[names])")
def join_name(place: Place) -> Outcome:
    users = place.plays.select("userId", "firstName").distinct()
    frame = place.plays.select("userId", "level", "ts").join(users, "userId")
    assert frame.columns == ["userId", "level", "ts", "firstName"]
    both = place.plays.select("userId", "level", "ts").join(
        frame.drop("firstName"), ["userId", "level", "ts"], "left_anti"
    )
    assert both.count() == 0
    return rows(frame)


@scored("five-way join")
def join_five(place: Place) -> Outcome:
    from pyspark.sql import functions as F

    songs = place.songs.dropDuplicates(["song_id"])
    plays = place.plays.withColumn("start_time", (F.col("ts") / 1000).cast("timestamp"))
    time = plays.select("start_time", F.hour("start_time").alias("hour")).distinct()
    users = plays.select(F.col("userId").alias("user_id"), "gender").distinct()
    artists = place.songs.select("artist_id", F.col("artist_name").alias("name")).distinct()
    titles = place.songs.select("song_id", "title").distinct()
    songplays = plays.join(songs, (plays.song == songs.title) & (plays.length == songs.duration)).select(
        "start_time", F.col("userId").alias("user_id"), "song_id", "artist_id", plays.level
    )
    frame = (
        songplays.join(time, "start_time")
        .join(users, "user_id")
        .join(titles, songplays.song_id == titles.song_id)
        .join(artists, on="artist_id", how="left")
        .select("title", "name", "gender", "hour", "level")
    )
    assert frame.count() == 4
    return rows(frame)
