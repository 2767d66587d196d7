"""The files of a lake, read without the package's own reader.

Files are opened one by one, and partition folders are decoded here. Other readers have their own tests
(`lake/test_readers.py`, `lake/test_spark_reader.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

import pyarrow as pa

from support.oracle import COLUMNS, PARTITIONED_BY, Row, order
from support.oracle_records import NULL_PARTITION

FOLDERS = {
    "songs": "songs_table",
    "artists": "artists_table",
    "users": "user_table",
    "time": "time_table",
    "songplays": "songplays_table",
}
ALL_FOLDERS = {**FOLDERS, "users_history": "users_history_table"}
"""Also of the tables that a run writes only if they are selected."""
WITH_HISTORY = "songs,artists,users,users_history,time,songplays"
Tables: TypeAlias = dict[str, list[Row]]
Report: TypeAlias = dict[str, Any]
Snapshot: TypeAlias = dict[str, tuple[int, int, str]]


def plain_type(kind: pa.DataType) -> str:
    """The name of an Arrow type; all kinds of strings are ``string``."""
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    return str(kind)


def column_values(column: pa.ChunkedArray) -> list[Any]:
    """Python values; timestamps as microseconds since 1970, after a check of their unit and time zone."""
    if pa.types.is_timestamp(column.type):
        assert (column.type.unit, column.type.tz) == ("us", "UTC"), column.type
        column = column.cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def sorted_rows(table: str, frame: pa.Table) -> list[Row]:
    """The rows of an Arrow table, with columns and rows in the order of the oracle."""
    columns = [column_values(frame.column(name)) for name in COLUMNS[table]]
    return sorted(zip(*columns, strict=True), key=lambda row: order(*row))


def partition_value(table: str, component: str) -> tuple[str, Any]:
    name, _, value = component.partition("=")
    assert name in PARTITIONED_BY[table], f"{component!r} is not a partition of {table}"
    if value == NULL_PARTITION:
        return name, None
    decoded = unquote(value, errors="strict")
    return name, decoded if name == "artist_id" else int(decoded)


def data_files(folder: Path) -> list[Path]:
    """The data files below a folder (or below every table's folder of a lake), sorted."""
    return sorted(path for path in folder.rglob("*.parquet") if path.is_file() and "_etl" not in path.parts)


def table_files(lake: Path) -> dict[str, bytes]:
    """The bytes of every file of the tables, by path below the lake."""
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for path in lake.rglob("*")
        if path.is_file() and "_etl" not in path.parts
    }


def contents(snapshot: Snapshot) -> dict[str, str]:
    """The digests of a snapshot, without inodes and times."""
    return {path: digest for path, (_, _, digest) in snapshot.items()}
