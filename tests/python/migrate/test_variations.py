"""Scripts that are put together from parts: each way to build a path with each way to name columns."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from sparkify_lake.migrate.conclusions import migrate

ROOT = "s3a://lake/tables"
# How a path is built from the variable `output_data` and a folder. `{folder}` is replaced.
PATHS = {
    "plus": 'output_data + "/{folder}"',
    "f-string": 'f"{output_data}/{folder}"',
    "join": 'os.path.join(output_data, "{folder}")',
    "format": '"{{}}/{folder}".format(output_data)',
    "keyword format": '"{{out}}/{folder}".format(out=output_data)',
    "percent": '"%s/{folder}" % output_data',
    "pathlib": 'str(Path(output_data) / "{folder}")',
    "join of a list": '"/".join([output_data, "{folder}"])',
    "method": 'path_of(output_data, "{folder}")',
    "literal": f'"{ROOT}/{{folder}}"',
}
FOLDERS = [
    {"songs": "songs", "artists": "artists", "users": "users", "time": "time", "songplays": "songplays"},
    {name: f"{name}/{name}.parquet" for name in ("songs", "artists", "users", "time", "songplays")},
    {"songs": "song_table", "artists": "artist_table", "users": "user_table", "time": "time_table",
     "songplays": "songplay_table"},
    {"songs": "dim_songs.parquet", "artists": "dim_artists.parquet", "users": "dim_users.parquet",
     "time": "dim_time.parquet", "songplays": "fact_songplays.parquet"},
]  # fmt: skip
ARTISTS = {"name": "artist_name", "location": "artist_location"}
# How the artists are selected, with the names `name` and `location` replaced by those of the case.
ARTIST_FRAMES = {
    "alias": 'df.select("artist_id", col("artist_name").alias("{name}"), '
    'df.artist_location.alias("{location}"), df["artist_latitude"].alias("latitude"), '
    'F.col("artist_longitude").alias("longitude"))',
    "withColumnRenamed": 'df.select("artist_id", "artist_name", "artist_location", "artist_latitude", '
    '"artist_longitude").withColumnRenamed("artist_name", "{name}").withColumnRenamed("artist_location", '
    '"{location}").withColumnRenamed("artist_latitude", "latitude")'
    '.withColumnRenamed("artist_longitude", "longitude")',
    "selectExpr": 'df.selectExpr("artist_id", "artist_name as {name}", "artist_location {location}", '
    '"cast(artist_latitude as double) as latitude", "artist_longitude as longitude")',
    "sql": 'spark.sql("select artist_id, artist_name as {name}, s.artist_location {location}, '
    'artist_latitude latitude, artist_longitude as longitude from staging s")',
    "toDF": 'df.select("artist_id", "artist_name", "artist_location", "artist_latitude", "artist_longitude")'
    '.toDF("artist_id", "{name}", "{location}", "latitude", "longitude")',
    "withColumn": 'df.withColumn("{name}", df.artist_name).withColumn("{location}", col("artist_location"))'
    '.withColumn("latitude", col("artist_latitude")).withColumn("longitude", F.col("artist_longitude"))'
    '.select("artist_id", "{name}", "{location}", "latitude", "longitude")',
}
NAMES = [
    {"name": "name", "location": "location"},
    {"name": "artist_name", "location": "artist_location"},
    {"name": "artistName", "location": "location"},
]
JOINS = [
    ("logs.join(df, (logs.song == df.title) & (logs.artist == df.artist_name) "
     "& (logs.length == df.duration))",
     "title_artist_duration", "drop"),
    ('logs.join(df, [logs.song == df.title, logs.artist == df.artist_name], "left")', "title_artist", "keep"),
    ('logs.join(df, (df.title == logs.song) & (df.artist_name == logs.artist), how="left_outer")',
     "title_artist", "keep"),
    ('logs.join(df, on=[col("song") == col("title"), col("artist") == col("artist_name"), '
     'col("length") == col("duration")], how="leftouter").filter(col("song_id").isNotNull())',
     "title_artist_duration", "drop"),
    ('spark.sql("select * from log_view l left join staging s on l.song = s.title '
     'and l.artist = s.artist_name and l.length = s.duration")', "title_artist_duration", "keep"),
    ('spark.sql("select * from log_view l, staging s where l.song = s.title and s.artist_name = l.artist")',
     "title_artist", "drop"),
]  # fmt: skip
TIMES = [
    'F.to_timestamp(col("ts") / 1000)',
    '(F.col("ts") / 1000).cast("timestamp")',
    'F.expr("timestamp_millis(ts)")',
    'udf(lambda ms: datetime.fromtimestamp(ms / 1000.0), TimestampType())(col("ts"))',
    'F.from_unixtime(F.col("ts") / 1000).cast(TimestampType())',
]

SCRIPT = """
import os
from datetime import datetime
from pathlib import Path
from pyspark.sql import SparkSession, functions as F
from pyspark.sql.functions import col, udf
from pyspark.sql.types import TimestampType


def path_of(root, name):
    return root + "/" + name


def create_spark_session():
    return SparkSession.builder.getOrCreate()


def process_song_data(spark, input_data, output_data):
    df = spark.read.json(input_data + "/song_data/*/*/*/*.json")
    df.createOrReplaceTempView("staging")
    df.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates(["song_id"]).write.mode(
        "overwrite").partitionBy("year", "artist_id").parquet({songs})
    {artist_frame}.dropDuplicates(["artist_id"]).write.parquet({artists}, mode="overwrite")


def process_log_data(spark, input_data, output_data):
    logs = spark.read.json(input_data + "/log_data/*/*/*.json")
    logs = logs.filter({next_song}).withColumn("start_time", {time_of})
    logs.createOrReplaceTempView("log_view")
    logs.selectExpr("userId as user_id", "firstName as first_name", "lastName as last_name", "gender",
                    "level").distinct().write.save({users}, format="parquet", mode="overwrite")
    logs.select("start_time", F.hour("start_time").alias("hour"), F.dayofmonth("start_time").alias("day"),
                F.weekofyear("start_time").alias("week"), F.month("start_time").alias("month"),
                F.year("start_time").alias("year"), F.dayofweek("start_time").alias("weekday")
                ).distinct().write.format("parquet").mode("overwrite").partitionBy(
        ["year", "month"]).save({time})
    df = spark.read.json(input_data + "/song_data/*/*/*/*.json")
    plays = {join}
    plays.select(F.monotonically_increasing_id().alias("songplay_id"), "start_time",
                 col("userId").alias("user_id"), "level", "song_id", "artist_id",
                 col("sessionId").alias("session_id"), "location", col("userAgent").alias("user_agent"),
                 F.year("start_time").alias("year"), F.month("start_time").alias("month")
                 ).write.mode("overwrite").partitionBy("year", "month").parquet({songplays})


def main():
    spark = create_spark_session()
    process_song_data(spark, "s3a://raw", "{root}")
    process_log_data(spark, "s3a://raw", "{root}")


if __name__ == "__main__":
    main()
"""
FILTERS = [
    'logs.page == "NextSong"',
    "\"page = 'NextSong'\"",
    'col("page") == "NextSong"',
    '(F.col("page") == F.lit("NextSong")) & (logs.userId != "")',
    "\"page == 'NextSong' and userId is not null\"",
]


@dataclass(frozen=True)
class Case:
    """A script, and what the migration must find in it."""

    name: str
    text: str
    settings: dict[str, str]


def cases() -> list[Case]:
    """Combines each way to build a path with each way to name columns; the other parts take turns."""
    found = []
    for number, (path, frame) in enumerate(itertools.product(PATHS, ARTIST_FRAMES)):
        folders = FOLDERS[number % len(FOLDERS)]
        names = NAMES[number % len(NAMES)]
        join, match, unmatched = JOINS[number % len(JOINS)]
        text = SCRIPT.format(
            root=ROOT,
            artist_frame=ARTIST_FRAMES[frame].format(**names),
            join=join,
            time_of=TIMES[number % len(TIMES)],
            next_song=FILTERS[number % len(FILTERS)],
            **{table: PATHS[path].replace("{folder}", folder).replace("{{", "{").replace("}}", "}")
               for table, folder in folders.items()},
        )  # fmt: skip
        settings = {
            "INPUT": "s3a://raw",
            "OUTPUT": ROOT,
            "TABLE_NAMES": ",".join(f"{table}={folder}" for table, folder in folders.items()),
            "MATCH": match,
            "UNMATCHED": unmatched,
        }
        renamed = [f"artists.{ours}={old}" for ours, old in names.items() if ours != old]
        if renamed:
            settings["COLUMN_NAMES"] = ",".join(renamed)
        found.append(Case(f"{path}, {frame}", text, settings))
    return found


CASES = cases()


def test_there_are_enough_variations() -> None:
    assert len(CASES) == 60 and len({case.text for case in CASES}) == 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_variation_is_understood(case: Case, tmp_path: Path) -> None:
    script = tmp_path / "old_etl.py"
    script.write_text(case.text)
    result = migrate(script, dry_run=True)
    assert result.settings == case.settings
    assert result.unclear == () and result.secrets == ()
    assert [table.name for table in result.tables] == ["songs", "artists", "users", "time", "songplays"]
    imported = "import create_spark_session, main, process_log_data, process_song_data\n"
    wrapper = "return etl.process_song_data(spark, input_data, None)"  # the script does not use output_data
    assert (wrapper if case.name.startswith("literal") else imported) in result.files["etl.py"]


def test_two_columns_never_get_the_same_name(tmp_path: Path) -> None:
    """The old table has no level, and another column with this name."""
    (tmp_path / "old_etl.py").write_text(
        "from pyspark.sql import SparkSession, functions as F\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "logs = spark.read.json('raw/log_data').where(\"page = 'NextSong'\")\n"
        "users = logs.selectExpr('userId as user_id', 'gender as level', 'firstName', 'lastName')\n"
        "users.write.parquet('lake/users')\n"
    )
    result = migrate(tmp_path / "old_etl.py", dry_run=True)
    names = result.settings["COLUMN_NAMES"].split(",")
    assert names == ["users.first_name=firstName", "users.last_name=lastName"]
    assert any("users.gender was named level" in note.text for note in result.differs)
