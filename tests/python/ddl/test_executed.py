"""DuckDB and ClickHouse run their statements over lakes with odd values, and have the tables of `open_lake`.

ClickHouse is skipped unless chdb is installed, which is ClickHouse as a library (`pip install chdb`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

import sparkify_lake
from ddl.conftest import assert_same_table, opened, statements
from support.generate_inputs import write_input
from support.generate_records import play, song
from support.lake_files import ALL_FOLDERS, Report

pytestmark = pytest.mark.usefixtures("isolated_module")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("SET TimeZone='UTC'")
        yield made


def test_duckdb_has_the_tables_of_the_lake(odd_lake: Path, connection: duckdb.DuckDBPyConnection) -> None:
    for statement in statements("duckdb", odd_lake):
        connection.execute(statement)
    for table, frame in opened(odd_lake):
        assert_same_table(connection.sql(f"SELECT * FROM sparkify.{table}").pl(), frame, table)


def test_clickhouse_has_the_tables_of_the_lake(odd_lake: Path, tmp_path: Path) -> None:
    session_module: Any = pytest.importorskip("chdb.session", reason="chdb is not installed")
    session = session_module.Session(str(tmp_path / "clickhouse"))
    for statement in statements("clickhouse", odd_lake):
        session.query(statement)
    for table, frame in opened(odd_lake):
        file = tmp_path / f"{table}.parquet"
        session.query(f"SELECT * FROM sparkify.{table} INTO OUTFILE '{file}' FORMAT Parquet")
        found = pl.read_parquet(file)
        assert found.columns == frame.columns
        assert_same_table(found.cast(dict(frame.schema)), frame, table)
    session.close()


def test_a_view_of_a_table_without_files_is_empty(
    tmp_path: Path, run: Callable[..., Report], connection: duckdb.DuckDBPyConnection
) -> None:
    run(write_input(tmp_path / "in", [song(1)], [play(1)], 1), tmp_path / "lake", unmatched="drop")
    for statement in statements("duckdb", tmp_path / "lake"):
        connection.execute(statement)
    lake = sparkify_lake.open_lake(tmp_path / "lake")
    for table in ("songplays", "users"):
        frame = lake[table].collect()
        assert frame.height == (table == "users")
        assert_same_table(connection.sql(f"SELECT * FROM sparkify.{table}").pl(), frame, table)


def test_the_version_hint_of_a_lake_is_read(odd_lake: Path) -> None:
    with pytest.raises(sparkify_lake.NoInputError, match="songs has no Iceberg metadata"):
        statements("duckdb", odd_lake, "iceberg")
    for table in ALL_FOLDERS:
        metadata = odd_lake / "_etl/iceberg" / table / "metadata"
        metadata.mkdir(parents=True)
        (metadata / "version-hint.text").write_text("12\n")
    try:
        assert (
            "/_etl/iceberg/songs/metadata/v12.metadata.json');"
            in statements("duckdb", odd_lake, "iceberg")[1]
        )
    finally:
        shutil.rmtree(odd_lake / "_etl/iceberg")


def test_metadata_of_delta_is_no_data(lake: Path, connection: duckdb.DuckDBPyConnection) -> None:
    expected = {table: frame for table, frame in opened(lake)}
    for folder in ("songs_table", "artists_table", "user_table", "time_table", "songplays_table"):
        log = lake / folder / "_delta_log"
        log.mkdir()
        pl.DataFrame({"add": ["a file"]}).write_parquet(log / "00000000000000000010.checkpoint.parquet")
    for statement in statements("duckdb", lake):
        connection.execute(statement)
    for table, frame in expected.items():
        assert_same_table(connection.sql(f"SELECT * FROM sparkify.{table}").pl(), frame, table)


def test_a_path_with_wildcards(
    tmp_path: Path, run: Callable[..., Report], connection: duckdb.DuckDBPyConnection
) -> None:
    for name in ("[a]*?", "a", "axy"):
        sparkify_lake.sample(tmp_path / "in" / name, songs=len(name), events=9, quiet=True)
        run(tmp_path / "in" / name, tmp_path / name)
    for statement in statements("duckdb", tmp_path / "[a]*?"):
        connection.execute(statement)
    assert connection.execute("SELECT count(*) FROM sparkify.songs").fetchall() == [(5,)]


def test_statements_change_nothing(odd_lake: Path) -> None:
    def seen() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in odd_lake.parent.rglob("*")}

    before = seen()
    for engine in ("duckdb", "clickhouse", "trino", "spark", "dbt"):
        assert statements(engine, odd_lake)
    assert seen() == before
