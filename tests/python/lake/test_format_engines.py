"""DuckDB and Spark read the Delta and Iceberg tables of a lake as `open_lake` does.

The lake has odd partition values and NULL. ``make formats`` installs the engines and runs these tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import sparkify_lake
from support import format_reader
from support.growing_input import GrowingInput
from support.lake_files import FOLDERS

PYTHONS = {
    "duckdb": os.environ.get("DUCKDB_PYTHON"),
    "spark": os.environ.get("DELTA_JARS") and sys.executable,
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", PYTHONS)
@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_the_engine_reads_the_tables(engine: str, kind: str, tmp_path: Path) -> None:
    python = PYTHONS[engine]
    if python is None:
        pytest.skip("needs an engine with table formats: make formats")
    place = GrowingInput(tmp_path)
    place.keep(2)
    place.run(formats=kind, retain=1)
    for count in range(3, 15):
        place.keep(count)
        place.run()
    out = tmp_path / "out"
    out.mkdir()
    folders = {table: f"_etl/iceberg/{table}" for table in FOLDERS} if kind == "iceberg" else FOLDERS
    command = [python, format_reader.__file__, engine, kind, str(place.lake), str(out), *folders.values()]
    subprocess.run(command, check=True, timeout=500)
    lake = sparkify_lake.open_lake(place.lake)
    for table, folder in folders.items():
        wanted = lake[table].collect()
        found = pl.read_parquet(out / f"{Path(folder).name}.parquet", hive_partitioning=False)
        assert set(found.columns) == set(wanted.columns)
        times = [name for name, kind in wanted.schema.items() if isinstance(kind, pl.Datetime)]
        found = found.with_columns(
            pl.col(name).dt.cast_time_unit("us").dt.replace_time_zone("UTC") for name in times
        )
        found = found.select(wanted.columns).cast(dict(wanted.schema))
        assert found.sort(wanted.columns).equals(wanted.sort(wanted.columns)), table
