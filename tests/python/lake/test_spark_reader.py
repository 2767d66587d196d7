"""Spark reads the lake: types and values of all five tables, escaped partitions, files of one row.

Skipped without pyspark or a Java runtime.
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
from support.generate_single_rows import single_row_plays, single_row_songs
from support.lake_files import FOLDERS, Report

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("isolated_module"),
]
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


@pytest.fixture(scope="module", params=["escaped partitions", "single rows"])
def lake(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    isolated_module: Path,
    run: Callable[..., Report],
) -> tuple[Path, oracle.Expected]:
    """A lake with escaped partitions, and one whose songs, plays and times are each alone in a file."""
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("spark")
    if request.param == "escaped partitions":
        songs = [*song_of_each_artist(), *(song(SEED + number) for number in range(40))]
        events = [play(SEED + number) for number in range(200)]
    else:
        songs, events = single_row_songs(SEED, 250), single_row_plays(SEED, 120)
    run(write_input(folder / "in", songs, events, SEED), folder / "lake")
    return folder / "lake", oracle.expect((one.raw for one in songs), (one.raw for one in events))


@pytest.mark.parametrize("table", list(FOLDERS))
def test_spark_reads_the_table(spark: Any, lake: tuple[Path, oracle.Expected], table: str) -> None:
    from pyspark.sql import functions

    place, expected = lake
    reader = spark.read
    if table == "songs":
        # Partition values have no stored type: without a schema, Spark infers one from all of them.
        reader = reader.schema("song_id string, title string, duration double, year int, artist_id string")
    frame = reader.parquet(str(place / FOLDERS[table]))
    assert sorted(frame.columns) == sorted(oracle.COLUMNS[table])
    kinds = dict(frame.dtypes)
    assert [kinds[name] for name in oracle.COLUMNS[table]] == TYPES[table]
    if "start_time" in frame.columns:
        frame = frame.withColumn("start_time", functions.unix_micros("start_time"))
    rows = [tuple(row) for row in frame.select(*oracle.COLUMNS[table]).collect()]
    assert sorted(rows, key=lambda row: oracle.order(*row)) == expected.tables[table]
    assert len(rows) >= 5
