"""The native module, written in Rust. Only `_engine`, `settings.aws` and the kernel on a worker import it.

Plain mappings go in and out; tables are returned as Polars DataFrames. Credentials go in as `Secret`. Errors
are the classes of `sparkify_lake.errors`. An exception that a Python signal handler raises interrupts a call.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from polars import DataFrame

from sparkify_lake.executors import ExecutorBinding
from sparkify_lake.iceberg import IcebergWriter
from sparkify_lake.render.progress import OnTick

class TablePresence(TypedDict):
    """Which tables of a lake exist."""

    tables: dict[str, bool]
    files: dict[str, list[str]]  # of the tables with a Delta log, below their folders
    region: str | None  # of the bucket; None for a local lake
    url: str | None  # of the bucket; None for a local lake

class LakeTable(TypedDict):
    """A table of a lake, from its commit log."""

    table: str  # its name in the schema
    folder: str  # below the root of the lake
    partitions: list[str]  # the folders below it that have files
    iceberg_hint: str | None  # the version hint of its Iceberg metadata

class LakeTables(TypedDict):
    """The tables of a lake at its newest version."""

    options: dict[str, str]  # the options that decide rows and bytes
    tables: list[LakeTable]

class TableSchema(TypedDict):
    """The schema of one table."""

    columns: dict[str, str]  # column name -> "int32", "int64", "float64", "boolean", "text" or "timestamp"
    partition_columns: list[str]  # the columns that are in the path, in order

def run(
    options: Mapping[str, object],
    on_tick: OnTick | None,
    executor: ExecutorBinding | None = None,
    iceberg: IcebergWriter | None = None,
) -> dict[str, Any]:
    """Reads, builds and writes, on the executor if one is given; returns the report.

    Without a writer, no Iceberg table can be published.
    """

def kernel(shard: bytes, secrets: Mapping[str, object]) -> bytes:
    """Processes one shard of a run that another process leads; returns the result."""

def plan(options: Mapping[str, object], on_tick: OnTick | None) -> dict[str, Any]:
    """Looks at input and output; returns what `run` would read and write."""

def build(
    options: Mapping[str, object], on_tick: OnTick | None
) -> tuple[dict[str, DataFrame], dict[str, Any]]:
    """Reads and builds, writes nothing; returns the tables by name, and the report."""

def doctor(
    location: str,
    options: Mapping[str, object],
    on_tick: OnTick | None,
    executor: ExecutorBinding | None = None,
) -> dict[str, Any]:
    """Examines a location that a run would read or write, also from workers; returns the checks."""

def check(
    options: Mapping[str, object], on_tick: OnTick | None, iceberg: IcebergWriter | None = None
) -> dict[str, Any]:
    """Compares the files of the lake at `output` with its commit log; changes nothing."""

def status(options: Mapping[str, object]) -> dict[str, Any]:
    """Returns the newest version of the lake at `output`, and what has changed at a given input."""

def history(options: Mapping[str, object], on_tick: OnTick | None) -> dict[str, Any]:
    """Returns the versions of the lake at `output` that its commit log has."""

def recover(
    options: Mapping[str, object], on_tick: OnTick | None, iceberg: IcebergWriter | None = None
) -> dict[str, Any]:
    """Publishes the version that a stopped run committed; returns the state of the lake after that."""

def sample(directory: str, options: Mapping[str, int], on_tick: OnTick | None) -> dict[str, Any]:
    """Creates the sample data set; its options are songs, events, days, users and seed."""

def defaults() -> dict[str, str]:
    """Returns the default of each option and of each size of the sample, as text."""

def star_schema(options: Mapping[str, object] | None = None) -> dict[str, TableSchema]:
    """Returns the star schema by table name, in the order in which tables are published."""

def build_info() -> dict[str, str]:
    """Returns the version and how the module was compiled."""

def lake_layout(options: Mapping[str, object]) -> dict[str, str]:
    """Returns the folder of each table by table name: a path, or an s3:// URL."""

def look(options: Mapping[str, object]) -> TablePresence:
    """Finds out which tables exist at `output`."""

def lake_tables(options: Mapping[str, object]) -> LakeTables:
    """Returns the tables of the lake at `output`, from its commit log."""

def aws_settings(profile: str | None = None) -> tuple[list[tuple[str, str, str]], str | None]:
    """Returns the options that AWS's tools set, as (name, value, origin), and why profiles cannot be read."""
