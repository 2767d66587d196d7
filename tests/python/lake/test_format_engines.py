"""DuckDB and Spark read the Delta and Iceberg tables of a lake as `open_lake` does.

They read the tables by their folders, and after the statements of `sparkify-lake ddl`. The lake has odd
partition values and NULL. ``make formats`` installs the engines and runs these tests.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

import sparkify_lake
from ddl.conftest import statements
from support import format_reader
from support.growing_input import GrowingInput
from support.lake_files import ALL_FOLDERS

PYTHON = os.environ.get("FORMATS_PYTHON")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_200),
    pytest.mark.skipif(PYTHON is None, reason="needs engines with table formats: make formats"),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = GrowingInput(tmp_path_factory.mktemp("formats"), "it's a lake")
    place.keep(2)
    place.run(formats="delta,iceberg", retain=1, tables=list(ALL_FOLDERS))
    for count in range(3, 15):
        place.keep(count)
        place.run(tables=list(ALL_FOLDERS))
    return place.lake


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_the_engine_has_the_tables_of_the_lake(engine: str, kind: str, lake: Path, tmp_path: Path) -> None:
    metadata = {table: f"_etl/iceberg/{table}" for table in ALL_FOLDERS}
    printed = statements(engine, lake, kind)
    assert len(printed) == 1 + len(ALL_FOLDERS)
    task = {"statements": printed, "folders": metadata if kind == "iceberg" else ALL_FOLDERS}
    for name in ("files", "statements"):
        (tmp_path / name).mkdir()
    command = [str(PYTHON), format_reader.__file__, engine, kind, str(lake), str(tmp_path)]
    subprocess.run(command, input=json.dumps(task), text=True, check=True, cwd=tmp_path)
    opened = sparkify_lake.open_lake(lake)
    for table in ALL_FOLDERS:
        wanted = opened[table].collect()
        assert wanted.height > 5
        times = [name for name, kind in wanted.schema.items() if isinstance(kind, pl.Datetime)]
        for name in ("files", "statements"):
            found = pl.read_parquet(tmp_path / name / f"{table}.parquet", hive_partitioning=False)
            assert sorted(found.columns) == sorted(wanted.columns)
            found = found.with_columns(
                pl.col(name).dt.cast_time_unit("us").dt.replace_time_zone("UTC") for name in times
            )
            found = found.select(wanted.columns).cast(dict(wanted.schema))
            assert found.sort(wanted.columns).equals(wanted.sort(wanted.columns)), (table, name)
