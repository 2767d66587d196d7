"""Variations of a script: each difference changes the result or is reported, and none is silent.

Every case replaces a part of one script. It names what the migration must find, with the line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from migrate.plain_script import SCRIPT, migrated, remarks

JOIN = '(logs.song == songs.title) & (logs.artist == songs.artist_name), "left")'
JOINED = f"plays = logs.join(songs, {JOIN}"
REGION = '    os.environ["AWS_DEFAULT_REGION"] = "{}"\n    return SparkSession'
SECONDS = 'udf(lambda ms: int(ms / 1000), IntegerType())(col("ts"))'
TIMES = 'F.to_timestamp(col("ts") / 1000)'
SELECT = 'df.select("song_id", "title", "artist_id", "year", "duration")'


@dataclass(frozen=True)
class Case:
    """A variation of the script, and what must be found.

    Attributes:
        name: What the script does.
        parts: The replaced parts of the script, with the new ones.
        found: The remarks of the report that must be there, each with the beginning of its line.
        absent: Texts that no remark contains.
        settings: Settings that must have these values; None if they must not be set.
    """

    name: str
    parts: dict[str, str]
    found: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()
    settings: dict[str, str | None] = field(default_factory=dict)


CASES = [
    Case(
        "songs on the left of a left join",
        {"logs.join(songs, " + JOIN: "songs.join(logs, " + JOIN},
        (("plays = ", "the join kept songs without a play"),),
        settings={"UNMATCHED": "drop"},
    ),
    Case(
        "songs on the left of a right join",
        {"logs.join(songs, " + JOIN: "songs.join(logs, " + JOIN.replace("left", "right_outer")},
        absent=("the join kept songs",),
        settings={"UNMATCHED": "keep"},
    ),
    Case(
        "a right join",
        {JOIN: JOIN.replace("left", "right")},
        (("plays = ", "the join kept songs without a play"),),
        settings={"UNMATCHED": "drop"},
    ),
    Case(
        "a right join in SQL",
        {"logs.join(songs, " + JOIN: 'spark.sql("select * from staging s right join logs l on s.title = '
         'l.song and s.artist_name = l.artist")'},
        absent=("the join kept songs",),
        settings={"UNMATCHED": "keep", "MATCH": "title_artist"},
    ),
    Case(
        "a join that ignores case",
        {"logs.artist == songs.artist_name": "F.lower(logs.artist) == F.lower(songs.artist_name)"},
        (("plays = ", "a condition of the join of plays and songs"),),
    ),
    Case(
        "a join in SQL that ignores case",
        {"logs.join(songs, " + JOIN: 'spark.sql("select * from logs l left join staging s on upper(s.title) '
         '= upper(l.song) and s.artist_name = l.artist")'},
        (("plays = ", "a condition of the join of plays and songs"),),
    ),
    Case(
        "a join with an alternative",
        {JOIN: JOIN + '.join(songs, (logs.artist == songs.artist_name) | (logs.length == 1), "left")'},
        (("plays = ", "a condition of the join of plays and songs"),),
    ),
    Case(
        "other song files for the plays",
        {'songs = spark.read.json(input_data + "/song_data/*/*/*/*.json")':
         'songs = spark.read.json(input_data + "/song_data/A/*/*/*.json")'},
        (("songs = spark", "songs are also read from s3a://raw/song_data/A/*/*/*.json"),),
    ),
    Case(
        "the same song files, named in another way",
        {'songs = spark.read.json(input_data + "/song_data/*/*/*/*.json")':
         'songs = spark.read.json(input_data + "/song-data")'},
        absent=("also read",),
    ),
    Case(
        "songs that are read as CSV",
        {"df = spark.read.json(": "df = spark.read.csv("},
        (("df = spark", "the csv files in s3a://raw/song_data/*/*/*/*.json"),),
    ),
    Case(
        "tables that are read from another place",
        {'songs = spark.read.json(input_data + "/song_data/*/*/*/*.json")':
         'songs = spark.read.parquet("other/staged")'},
        (("songs = spark", "the parquet files in other/staged"),),
    ),
    Case(
        "partition columns that are functions",
        {'plays.write.partitionBy("year", "month")': "plays.write.partitionBy(year, month)"},
        (("plays.write", "a partition column"),),
    ),
    Case(
        "partition columns that are an unknown argument",
        {'time.write.partitionBy("year", "month").parquet(output_data + "/time", "overwrite")':
         'time.write.parquet(output_data + "/time", "overwrite", partitionBy=["year", COLUMN])'},
        (("time.write", "a partition column"),),
    ),
    Case(
        "two regions",
        {"    return SparkSession": REGION.format("eu-central-1")},
        (('os.environ["AWS_DEFAULT_REGION"] = "eu-central',
          "the value of AWS_DEFAULT_REGION, which is {us-west-2 or eu-central-1}"),),
        settings={"REGION": None},
    ),
    Case(
        "the same region twice",
        {"    return SparkSession": REGION.format("us-west-2")},
        absent=("AWS_DEFAULT_REGION",),
        settings={"REGION": "us-west-2"},
    ),
    Case(
        "two endpoints of the session",
        {"SparkSession.builder.": 'SparkSession.builder.config("fs.s3a.endpoint", "http://a").config('
         '"spark.hadoop.fs.s3a.endpoint", "http://b").'},
        (("return SparkSession", "the value of fs.s3a.endpoint, which is {http://a or http://b}"),),
        settings={"ENDPOINT_URL": None},
    ),
    Case(
        "a filter by a subquery",
        {"level from logs": "level from logs where userId = (select userId from logs limit 1)"},
        (("users = ", "a filter of users"),),
    ),
    Case(
        "the latest row by a subquery",
        {"level from logs": "level from logs l where ts = "
                            "(select max(ts) from logs m where m.userId = l.userId)"},
        (("users.write", "users had one row per user, which a query chose"),),
        absent=("a filter of users",),
    ),
    Case(
        "a group by all columns",
        {"from staging group by artist_id": "from staging group by artist_id, artist_name"},
        (("artists.write", "artists could have several rows per artist_id"),),
    ),
    Case(
        "a group by the number of a column",
        {"from staging group by artist_id": "from staging group by 1"},
        absent=("artists could have several rows",),
    ),
    Case(
        "users without duplicates of name",
        {'dropDuplicates(["user_id"])': 'dropDuplicates(["user_id", "first_name"])'},
        (("users.write", "users had an arbitrary level of each user"),),
    ),
    *(
        Case(f"weekdays by {function}", {'F.dayofweek("start_time")': f'F.expr("{function}")'},
             (("time.write", "time.weekday was a text, or counted from another day"),))
        for function in ("weekday(start_time)", "extract(dow_iso from start_time)", "dayname(start_time)",
                         "date_format(start_time, 'u')")
    ),
    Case("weekdays by extract", {'F.dayofweek("start_time")': 'F.expr("extract(dayofweek from start_time)")'},
         absent=("time.weekday",)),
    Case("weeks by extract", {'F.weekofyear("start_time")': 'F.expr("extract(week from start_time)")'},
         absent=("time.week",)),
    *(
        Case(f"days by the format {letters}",
             {'F.dayofmonth("start_time")': f'F.date_format("start_time", "{letters}")'},
             (("time.write", "time.day was a text"),))
        for letters in ("d", "dd")
    ),
    Case("months of partitions by a format", {'month("start_time").alias("month"), year':
         'F.date_format("start_time", "M").alias("month"), year'}, absent=("time.month was",)),
    Case("hours of dates", {'F.hour("start_time")': 'F.hour(F.to_date("start_time"))'},
         (("time.write", "time.hour held a constant"),)),
    Case("dates as times", {TIMES: f"F.to_date({TIMES})"},
         (("time.write", "time.start_time held the date of a time"),
          ("time.write", "time.hour held a constant"))),
    Case("seconds as times", {TIMES: SECONDS},
         (("time.write", "time.start_time was a number"),
          ("plays.write", "songplays.start_time was a number"))),
    Case("seconds that become times",
         {TIMES: f'F.from_unixtime({SECONDS}).cast("timestamp")'},
         absent=("start_time was", "start_time held")),
    *(
        Case(f"titles by {expression}", {SELECT: SELECT.replace('"title"', f'{expression}.alias("title")')},
             (("songs.write", f"songs.title was computed with {how}"),))
        for expression, how in (
            ('F.upper("title")', "upper()"), ('F.trim(col("title"))', "trim()"),
            ('F.expr("nullif(title, \'\')")', "nullif()"),
            ('F.when(col("title") == "", None).otherwise(col("title"))', "when()"),
            ('udf(lambda text: text[:50])("title")', "a function of the script"),
        )
    ),
    Case("durations by an operator",
         {SELECT: SELECT.replace('"duration"', '(df.duration * 1000).alias("duration")')},
         (("songs.write", "songs.duration was computed with an expression"),)),
    Case("numbers of plays by a hash", {"F.monotonically_increasing_id()": 'F.md5(col("ts").cast("string"))'},
         (("plays.write", "songplays.songplay_id held a hash of other columns"),),
         absent=("songplay_id changed",)),
    Case(
        "the location of the artist, named after its table",
        {'"location",\n': 'col("a.location"),\n',
         JOINED: JOINED.replace("logs.join(songs,", 'logs.alias("l").join(songs.alias("s"),')
         + '.join(spark.read.parquet("artists").alias("a"), col("s.artist_id") == col("a.artist_id"))'},
        (("plays.write", "songplays.location held artist_location"),),
    ),
    Case(
        "the location of the play, named after its table",
        {'"location",\n': 'col("l.location"),\n',
         JOINED: JOINED.replace("logs.join(songs,", 'logs.alias("l").join(songs.alias("s"),')
         + '.join(spark.read.parquet("artists").alias("a"), col("s.artist_id") == col("a.artist_id"))'},
        absent=("songplays.location",),
    ),
    *(
        Case(f"one record per file, by {how}", {'spark.read.json(input_data + "/log_data/*/*/*.json")': how},
             (("logs = spark", "with multiLine, Spark reads one record of each log file"),))
        for how in (
            'spark.read.json(input_data + "/log_data/*/*/*.json", multiLine=True)',
            'spark.read.option("multiline", "true").json(input_data + "/log_data")',
            'spark.read.options(multiLine=True).format("json").load(input_data + "/log_data")',
        )
    ),
    Case("one record per file of songs",
         {"df = spark.read.json(": 'df = spark.read.option("multiLine", True).json('}, absent=("multiLine",)),
    Case(
        "a filter of NULL",
        {'dropDuplicates(["user_id"])': "na.drop()"},
        (('"level from', "a filter of users"),),
    ),
    Case(
        "plays of a function that is not known",
        {"plays.write": "repaired(plays).write"},
        (("repaired", "how plays are joined to songs"),),
        settings={"MATCH": None},
    ),
    Case(
        "the number of seconds in start_time, and a time in another column",
        {"logs.createOrReplaceTempView": f'logs = logs.withColumn("start_time", {SECONDS}).withColumn("at", '
         f'{TIMES})\n    logs.createOrReplaceTempView', 'time = logs.select("start_time"':
         'time = logs.select("start_time", "at"'},
        (("time.write", "time.start_time was a number"), ("time.write", "time had the column at")),
        settings={"COLUMN_NAMES": None},
    ),
    Case(
        "the year of the song, which is dropped by its frame",
        {JOINED: 'songs = songs.select("song_id", "artist_id", "title", "artist_name", "year")\n    '
         f'plays = songs.join(logs.withColumn("year", year("start_time")), {JOIN}.drop(songs.year)',
         '"user_agent"), year("start_time").alias("year")': '"user_agent"), "year"'},
        absent=("songplays.year",),
    ),
    Case(
        "rows that go through an RDD",
        {SELECT: f'spark.createDataFrame({SELECT}.rdd, '
                 '["song_id", "name", "artist_id", "year", "duration"])'},
        settings={"COLUMN_NAMES": "songs.title=name"},
    ),
    Case(
        "an output that is an empty text",
        {'process_song_data(spark, "s3a://raw", "s3a://lake")': 'process_song_data(spark, "s3a://raw", "")',
         'process_log_data(spark, "s3a://raw", "s3a://lake")': 'process_log_data(spark, "s3a://raw", "")',
         **{f'output_data + "/{name}"': f'os.path.join(output_data, "{name}")'
            for name in ("songs", "artists", "users", "time", "songplays")}},
        settings={"OUTPUT": "."},
    ),
]  # fmt: skip


def test_the_script_itself_is_understood(tmp_path: Path) -> None:
    result = migrated(SCRIPT, tmp_path)
    assert result.unclear == ()
    assert result.settings == {
        "INPUT": "s3a://raw",
        "OUTPUT": "s3a://lake",
        "TABLE_NAMES": "songs=songs,artists=artists,users=users,time=time,songplays=songplays",
        "MATCH": "title_artist",
        "UNMATCHED": "keep",
        "REGION": "us-west-2",
    }
    assert [text for _, text in remarks(result)] == [
        "users had an arbitrary level of each user",
        "times were in the time zone of the host or of the session",
        "songs with equal title and artist multiplied plays",
        "songplay_id changed with every run",
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_difference_is_reported(case: Case, tmp_path: Path) -> None:
    text = SCRIPT
    for old, new in case.parts.items():
        assert old in text
        text = text.replace(old, new)
    result = migrated(text, tmp_path)
    found = remarks(result)
    lines = text.splitlines()
    for beginning, remark in case.found:
        number = next(place for place, line in enumerate(lines, 1) if line.strip().startswith(beginning))
        assert (number, remark) in found
    assert not [text for _, text in found for absent in case.absent if absent in text]
    assert {key: result.settings.get(key) for key in case.settings} == case.settings
