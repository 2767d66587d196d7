"""Calls on the scoreboard: times and dates."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.functions import col

from session.scoreboard import Outcome, Place, plain, raised, scored


def _at(place: Place) -> Any:
    """Times of the plays, and of every day of a week."""
    plays = place.plays.select(F.timestamp_millis("ts").alias("at"))
    days = place.spark.sql(
        "SELECT explode(sequence(timestamp'2018-12-29 23:59:59', timestamp'2019-01-06', interval 1 day)) at"
    )
    return plays.union(days)


@scored("time: to_timestamp of a number")
def to_timestamp_number(place: Place) -> Outcome:
    return place.plays.select(
        F.to_timestamp(col("ts") / 1000).alias("a"), F.to_timestamp(F.lit(1541106106)).alias("b")
    )


@scored("time: cast of numbers to timestamp")
def cast_numbers(place: Place) -> Outcome:
    return place.plays.select(
        (col("ts") / 1000).cast("timestamp").alias("a"),
        (col("ts") / 1000).cast(T.TimestampType()).alias("b"),
        F.expr("cast(ts div 1000 as timestamp)").alias("c"),
        F.timestamp_seconds(col("ts") / 1000).alias("d"),
        F.expr("timestamp_millis(ts)").alias("e"),
        F.expr("timestamp_micros(ts * 1000)").alias("f"),
    )


@scored("time: cast of a timestamp to numbers")
def cast_back(place: Place) -> Outcome:
    at = F.timestamp_millis("ts")
    return place.plays.select(
        at.cast("bigint").alias("a"),
        at.cast("double").alias("b"),
        F.unix_timestamp(at).alias("c"),
        F.unix_millis(at).alias("d"),
        at.cast("date").alias("e"),
        at.cast("string").alias("f"),
        (at.cast("long") * 1000).alias("g"),
    )


@scored("time: from_unixtime with and without a format")
def from_unixtime(place: Place) -> Outcome:
    seconds = col("ts") / 1000
    return place.plays.select(
        F.from_unixtime(seconds).alias("a"),
        F.from_unixtime(seconds, "yyyy-MM-dd HH:mm:ss").cast("timestamp").alias("b"),
        F.from_unixtime(seconds.cast("bigint"), "dd/MM/yyyy").alias("c"),
        F.from_unixtime(seconds, "E").alias("d"),
    )


@scored("time: to_timestamp and to_date with formats")
def parse(place: Place) -> Outcome:
    frame = place.frame(
        [("2018-11-01 10:30:00", "01/11/2018", "Nov 1, 2018 9:05 PM")], "a string, b string, c string"
    )
    return frame.select(
        F.to_timestamp("a").alias("a"),
        F.to_timestamp("a", "yyyy-MM-dd HH:mm:ss").alias("b"),
        F.to_date("b", "dd/MM/yyyy").alias("c"),
        F.to_timestamp("c", "MMM d, yyyy h:mm a").alias("d"),
        F.to_date("a").alias("e"),
        F.unix_timestamp("b", "dd/MM/yyyy").alias("f"),
        col("a").cast("timestamp").alias("g"),
        F.to_timestamp(F.lit("2018-11-01T10:30:00.123Z")).alias("h"),
        F.to_date(F.lit("2018-11-01")).alias("i"),
        F.to_timestamp(F.lit("2018-11-01T10:30:00+02:00")).alias("j"),
    )


@scored("time: a text that is not a time")
def bad_text(place: Place) -> Outcome:
    frame = place.frame([("x",)], "a string")
    casts = (col("a").cast("timestamp"), F.to_timestamp("a"), F.to_timestamp("a", "yyyy-MM-dd"), F.hour("a"))
    tried = frame.select(F.try_to_timestamp("a").alias("a"))
    return [raised(frame.select(one).collect) != "no exception" for one in casts], tried


@scored("time: parts")
def parts(place: Place) -> Outcome:
    at = col("at")
    return _at(place).select(
        "at",
        F.hour(at).alias("a"),
        F.dayofmonth(at).alias("b"),
        F.weekofyear(at).alias("c"),
        F.month(at).alias("d"),
        F.year(at).alias("e"),
        F.dayofweek(at).alias("f"),
        F.dayofyear(at).alias("g"),
        F.quarter(at).alias("h"),
        F.minute(at).alias("i"),
        F.second(at).alias("j"),
        F.weekday(at).alias("k"),
        F.day(at).alias("l"),
    )


@scored("time: weekday as an expression, every day")
def weekday(place: Place) -> Outcome:
    return _at(place).select("at", F.expr("weekday(at)").alias("a"), F.expr("dayofweek(at) - 1").alias("b"))


@scored("time: extract and date_part")
def extract(place: Place) -> Outcome:
    names = (
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "dayofweek",
        "dow",
        "dayofweek_iso",
        "doy",
        "hour",
        "minute",
        "second",
        "yearofweek",
    )
    return _at(place).select("at", *[F.expr(f"extract({name} from at)").alias(name) for name in names])


@scored("time: date_format, names of days and months")
def format_names(place: Place) -> Outcome:
    formats = ("E", "EEE", "EEEE", "MMM", "MMMM", "LLLL", "a", "G")
    return _at(place).select("at", *[F.date_format("at", one).alias(one) for one in formats])


@scored("time: date_format, numbers")
def format_numbers(place: Place) -> Outcome:
    formats = (
        "y",
        "yy",
        "yyyy",
        "M",
        "MM",
        "d",
        "dd",
        "H",
        "HH",
        "h",
        "hh",
        "k",
        "K",
        "m",
        "s",
        "S",
        "SSS",
        "SSSSSS",
        "D",
        "DDD",
        "Q",
        "q",
    )
    return _at(place).select("at", *[F.date_format("at", one).alias(f"f {one}") for one in formats])


@scored("time: date_format, whole patterns")
def format_patterns(place: Place) -> Outcome:
    formats = (
        "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "EEEE, d MMMM yyyy 'at' h a",
        "dd.MM.yy",
        "yyyyMMdd",
        "HH 'o''clock'",
        "z",
        "VV",
        "O",
        "xx",
        "QQQ",
    )
    return _at(place).select("at", *[F.date_format("at", one).alias(str(n)) for n, one in enumerate(formats)])


@scored("time: date_format with letters that Spark 3 refuses")
def refused_letters(place: Place) -> Outcome:
    frame = _at(place)
    return [
        raised(frame.select(F.date_format("at", one)).collect) != "no exception"
        for one in ("u", "W", "w", "YYYY", "e")
    ]


@scored("time: date_trunc and trunc")
def truncate(place: Place) -> Outcome:
    units = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
    return _at(place).select(
        "at",
        *[F.date_trunc(unit, "at").alias(unit) for unit in units],
        F.trunc("at", "MM").alias("t"),
        F.trunc("at", "week").alias("w"),
    )


@scored("time: date_add, datediff, months_between, next_day")
def arithmetic(place: Place) -> Outcome:
    at = col("at")
    return _at(place).select(
        "at",
        F.date_add(at, 1).alias("a"),
        F.date_sub(at, 1).alias("b"),
        F.datediff(at, F.lit("2018-11-01")).alias("c"),
        F.months_between(at, F.lit("2018-11-01")).alias("d"),
        F.add_months(at, 1).alias("e"),
        F.last_day(at).alias("f"),
        F.next_day(at, "Mon").alias("g"),
        (at + F.expr("INTERVAL 90 MINUTES")).alias("h"),
        (at - F.expr("INTERVAL 1 MONTH")).alias("i"),
    )


@scored("time: differences of times")
def differences(place: Place) -> Outcome:
    at = col("at")
    start = F.to_timestamp(F.lit("2018-11-01 00:00:00"))
    return _at(place).select(
        (at.cast("long") - start.cast("long")).alias("a"), (F.to_date(at) - F.to_date(start)).alias("b")
    )


@scored("time: time zones")
def zones(place: Place) -> Outcome:
    at = col("at")
    return _at(place).select(
        F.from_utc_timestamp(at, "America/New_York").alias("a"),
        F.to_utc_timestamp(at, "Asia/Tokyo").alias("b"),
        F.expr("convert_timezone('UTC', 'Europe/Berlin', cast(at as timestamp_ntz))").alias("c"),
    )


@scored("time: spark.sql.session.timeZone of New York")
def session_zone(place: Place) -> Outcome:
    name = "spark.sql.session.timeZone"
    place.spark.conf.set(name, "America/New_York")
    try:
        frame = _at(place).select(
            F.hour("at").alias("a"),
            F.date_format("at", "yyyy-MM-dd HH:mm").alias("b"),
            col("at").cast("string").alias("c"),
        )
        return plain(
            [frame.orderBy("b").toPandas(), place.spark.sql("SELECT timestamp'2018-11-01 10:00:00' AS t")]
        )
    finally:
        place.spark.conf.set(name, "UTC")


@scored("time: compared with texts, dates and datetimes")
def compare(place: Place) -> Outcome:
    frame = _at(place)
    return (
        frame.where(col("at") > "2018-11-02").count(),
        frame.where(col("at") >= F.lit(dt.datetime(2018, 12, 30))).count(),
        frame.where(F.to_date("at") == dt.date(2018, 11, 1)).count(),
        frame.where("at between '2018-11-01' and '2018-11-02'").count(),
        frame.where(F.to_date("at") > "2018-12-31").count(),
    )


@scored("time: current_timestamp, current_date, now")
def now(place: Place) -> Outcome:
    frame = place.spark.range(1).select(
        F.current_timestamp().alias("a"), F.current_date().alias("b"), F.expr("now()").alias("c")
    )
    row = frame.first()
    near = abs((row.a - dt.datetime.now()).total_seconds()) < 60
    return frame.dtypes, near, frame.where("a = c").count()


@scored("time: sequence of dates")
def sequence(place: Place) -> Outcome:
    return place.spark.sql(
        "SELECT sequence(date'2018-11-01', date'2018-11-03') a, make_timestamp(2018, 11, 1, 10, 0, 1.5) b"
    )


@scored("time: timestamp_ntz")
def ntz(place: Place) -> Outcome:
    frame = place.spark.sql(
        "SELECT timestamp_ntz'2018-11-01 10:00:00' a, cast(timestamp'2018-11-01 10:00:00' AS timestamp_ntz) b"
    )
    return frame, place.frame([(dt.datetime(2018, 11, 1, 10),)], "a timestamp_ntz")


@scored("time: before 1970 and after 2038")
def far(place: Place) -> Outcome:
    frame = place.frame([(-1500,), (4102444800000,), (-86400001,)], "ts bigint")
    return frame.select(
        F.timestamp_millis("ts").cast("string").alias("a"),
        F.from_unixtime(col("ts") / 1000).alias("b"),
        F.to_date(F.timestamp_millis("ts")).alias("c"),
    )


@scored("time: the time table of a notebook")
def time_table(place: Place) -> Outcome:
    return place.plays.selectExpr(
        "timestamp_millis(ts) as start_time",
        "hour(timestamp_millis(ts)) as hour",
        "day(timestamp_millis(ts)) as day",
        "weekofyear(timestamp_millis(ts)) as week",
        "month(timestamp_millis(ts)) as month",
        "year(timestamp_millis(ts)) as year",
        "date_format(timestamp_millis(ts), 'EEEE') as weekday",
    ).dropDuplicates(["start_time"])
