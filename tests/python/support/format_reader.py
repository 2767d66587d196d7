"""Reads the Delta or Iceberg tables of a lake with another engine, and writes each as one Parquet file.

``python format_reader.py duckdb|spark delta|iceberg LAKE OUT`` runs in the environment of the engine. The
standard input has JSON: the statements of ``sparkify-lake ddl`` for the engine, and the folder of each Delta
table, or of the metadata of each Iceberg table, below the lake. ``OUT/files/TABLE.parquet`` is a table as the
engine finds it by this folder; ``OUT/statements/TABLE.parquet`` as the statements define it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def duckdb(kind: str, lake: Path, out: Path, statements: Sequence[str], folders: Mapping[str, str]) -> None:
    """Reads with DuckDB and its extensions from PyPI, which are loaded from the environment."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("avro", "iceberg") if kind == "iceberg" else ("delta",):
        package = importlib.import_module(f"duckdb_extension_{name}")
        extension = next(Path(str(package.__file__)).parent.rglob("*.duckdb_extension"))
        connection.execute(f"LOAD '{extension}'")
    for statement in statements:
        connection.execute(statement)
    for table, folder in folders.items():
        place = str(lake / folder)
        if kind == "iceberg":
            number = (lake / folder / "metadata" / "version-hint.text").read_text()
            place += f"/metadata/v{number}.metadata.json"
        place = place.replace("'", "''")
        for name, source in (("files", f"{kind}_scan('{place}')"), ("statements", f"sparkify.{table}")):
            file = out / name / f"{table}.parquet"
            connection.execute(f"COPY (SELECT * FROM {source}) TO '{file}' (FORMAT parquet)")


def spark(kind: str, lake: Path, out: Path, statements: Sequence[str], folders: Mapping[str, str]) -> None:
    """Reads with Spark and the JARs in the environment variable FORMATS_JARS."""
    from pyspark.sql import SparkSession

    settings = {
        "spark.jars": os.environ["FORMATS_JARS"],
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": str(out / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if kind == "delta":
        settings |= {
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        }
    else:
        # The metadata of a lake is laid out as the tables of a Hadoop catalog. Such a catalog cannot register
        # tables, so the catalog of the session is a database.
        name = "spark.sql.catalog.spark_catalog"
        settings |= {
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
            "spark.sql.catalog.lake.type": "hadoop",
            "spark.sql.catalog.lake.warehouse": f"file://{lake}/_etl/iceberg",
            name: "org.apache.iceberg.spark.SparkSessionCatalog",
            f"{name}.type": "jdbc",
            f"{name}.uri": f"jdbc:sqlite:{out}/catalog.db",
            f"{name}.warehouse": f"{out}/warehouse",
        }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for statement in statements:
        session.sql(statement.rstrip(";"))
    for table, folder in folders.items():
        place = f"delta.`{lake / folder}`" if kind == "delta" else f"lake.{table}"
        for name, source in (("files", place), ("statements", f"sparkify.{table}")):
            folder_of_file = out / "warehouse" / name / table
            session.table(source).coalesce(1).write.parquet(str(folder_of_file))
            next(folder_of_file.glob("*.parquet")).rename(out / name / f"{table}.parquet")
    session.stop()


if __name__ == "__main__":
    _, engine, kind, lake, out = sys.argv
    {"duckdb": duckdb, "spark": spark}[engine](kind, Path(lake), Path(out), **json.load(sys.stdin))
