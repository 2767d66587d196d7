"""Other libraries as readers of a table: from a folder and its partition keys to an Arrow table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

ARROW = {"year": pa.int32(), "month": pa.int32(), "artist_id": pa.string()}
POLARS = {"year": pl.Int32, "month": pl.Int32, "artist_id": pl.String}
DUCKDB = {"year": "INTEGER", "month": "INTEGER", "artist_id": "VARCHAR"}


def by_pyarrow(folder: Path, keys: tuple[str, ...]) -> pa.Table:
    hive = ds.partitioning(pa.schema([(key, ARROW[key]) for key in keys]), flavor="hive") if keys else None
    return ds.dataset(folder, format="parquet", partitioning=hive).to_table()


def by_polars(folder: Path, keys: tuple[str, ...]) -> pa.Table:
    schema: Any = {key: POLARS[key] for key in keys} or None
    return pl.scan_parquet(folder, hive_partitioning=bool(keys), hive_schema=schema).collect().to_arrow()


def by_duckdb(folder: Path, keys: tuple[str, ...]) -> pa.Table:
    types = ", ".join(f"'{key}': {DUCKDB[key]}" for key in keys)
    hive = f", hive_partitioning=true, hive_types={{{types}}}" if keys else ""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        query = f"SELECT * FROM read_parquet('{folder}/**/*.parquet'{hive})"
        return connection.sql(query).to_arrow_table()
