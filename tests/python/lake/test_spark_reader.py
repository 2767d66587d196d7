"""Spark reads the lake: all five tables, right types, right values, nasty partitions, files of one row.

Skipped where pyspark or a Java runtime is missing; it is the one reader that the other tests cannot stand
in for.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import oracle
from support.generate_inputs import write_input
from support.generate_records import play, song, song_of_each_artist
from support.generate_single_rows import lone_plays, lone_songs
from support.lake_files import FOLDERS, Report

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("alone")]
SEED = 4
TYPES = {
    "songs": ["string", "string", "string", "int", "double"],
    "artists": ["string"] * 3 + ["double"] * 2,
    "users": ["string"] * 5,
    "time": ["timestamp"] + ["int"] * 6,
    "songplays": ["bigint", "timestamp", *["string"] * 4, "bigint", "string", "string", "int", "int"],
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("no Java runtime for Spark")
    builder = sql.SparkSession.builder.master("local[1]").appName("sparkify-lake tests")
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="module", params=["nasty", "lone"])
def lake(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    alone: Path,
    run: Callable[..., Report],
) -> tuple[Path, oracle.Expected]:
    """A lake of nasty partitions, and one whose songs, plays and times lie one in a file."""
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("spark")
    if request.param == "nasty":
        songs = [*song_of_each_artist(), *(song(SEED + number) for number in range(40))]
        events = [play(SEED + number) for number in range(200)]
    else:
        songs, events = lone_songs(SEED, 250), lone_plays(SEED, 120)
    run(write_input(folder / "in", songs, events, SEED), folder / "lake")
    return folder / "lake", oracle.expect((one.raw for one in songs), (one.raw for one in events))


@pytest.mark.parametrize("table", list(FOLDERS))
def test_spark_reads(spark: Any, lake: tuple[Path, oracle.Expected], table: str) -> None:
    from pyspark.sql import functions

    place, expected = lake
    reader = spark.read
    if table == "songs":
        # Partition values have no type of their own: without a schema Spark guesses one from all of them.
        reader = reader.schema("song_id string, title string, duration double, year int, artist_id string")
    frame = reader.parquet(str(place / FOLDERS[table]))
    assert sorted(frame.columns) == sorted(oracle.COLUMNS[table])
    kinds = dict(frame.dtypes)
    assert [kinds[name] for name in oracle.COLUMNS[table]] == TYPES[table]
    if "start_time" in frame.columns:
        frame = frame.withColumn("start_time", functions.unix_micros("start_time"))
    rows = [tuple(row) for row in frame.select(*oracle.COLUMNS[table]).collect()]
    seen = [oracle.as_read_back(table, row) for row in expected.tables[table]]
    assert sorted(rows, key=lambda row: oracle.order(*row)) == sorted(
        seen, key=lambda row: oracle.order(*row)
    )
    assert len(rows) >= 5
