"""Reads the Delta tables of a lake with another engine, and writes each as one Parquet file.

``python delta_reader.py duckdb|spark LAKE OUT FOLDER…`` runs in the environment of the engine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def duckdb(lake: Path, out: Path, folders: list[str]) -> None:
    """Reads with DuckDB and its extension from PyPI, which is loaded from the environment."""
    import duckdb
    import duckdb_extension_delta

    extension = next(Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"LOAD '{extension}'")
    for folder in folders:
        connection.execute(
            f"COPY (SELECT * FROM delta_scan('{lake / folder}')) TO '{out / folder}.parquet' (FORMAT parquet)"
        )


def spark(lake: Path, out: Path, folders: list[str]) -> None:
    """Reads with Spark and the JARs in the environment variable DELTA_JARS."""
    from pyspark.sql import SparkSession

    settings = {
        "spark.jars": os.environ["DELTA_JARS"],
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    for folder in folders:
        frame = session.read.format("delta").load(str(lake / folder)).coalesce(1)
        frame.write.parquet(str(out / folder))
        next((out / folder).glob("*.parquet")).rename(out / f"{folder}.parquet")
    session.stop()


if __name__ == "__main__":
    {"duckdb": duckdb, "spark": spark}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
