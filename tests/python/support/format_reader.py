"""Reads the Delta or Iceberg tables of a lake with another engine, and writes each as one Parquet file.

``python format_reader.py duckdb|spark delta|iceberg LAKE OUT FOLDER…`` runs in the environment of the engine.
FOLDER is the folder of a Delta table, or of the metadata of an Iceberg table, below the lake.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path


def duckdb(kind: str, lake: Path, out: Path, folders: list[str]) -> None:
    """Reads with DuckDB and its extensions from PyPI, which are loaded from the environment."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("avro", "iceberg") if kind == "iceberg" else ("delta",):
        package = importlib.import_module(f"duckdb_extension_{name}")
        extension = next(Path(str(package.__file__)).parent.rglob("*.duckdb_extension"))
        connection.execute(f"LOAD '{extension}'")
    for folder in folders:
        place = str(lake / folder)
        if kind == "iceberg":
            number = (lake / folder / "metadata" / "version-hint.text").read_text()
            place += f"/metadata/v{number}.metadata.json"
        target = out / f"{Path(folder).name}.parquet"
        connection.execute(f"COPY (SELECT * FROM {kind}_scan('{place}')) TO '{target}' (FORMAT parquet)")


def spark(kind: str, lake: Path, out: Path, folders: list[str]) -> None:
    """Reads with Spark and the JARs in the environment variable DELTA_JARS or ICEBERG_JARS."""
    from pyspark.sql import SparkSession

    settings = {
        "spark.jars": os.environ[f"{kind.upper()}_JARS"],
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if kind == "delta":
        settings["spark.sql.extensions"] = "io.delta.sql.DeltaSparkSessionExtension"
        settings["spark.sql.catalog.spark_catalog"] = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    for folder in folders:
        name = Path(folder).name
        frame = session.read.format(kind).load(str(lake / folder)).coalesce(1)
        frame.write.parquet(str(out / name))
        next((out / name).glob("*.parquet")).rename(out / f"{name}.parquet")
    session.stop()


if __name__ == "__main__":
    _, engine, kind, lake, out, *folders = sys.argv
    {"duckdb": duckdb, "spark": spark}[engine](kind, Path(lake), Path(out), folders)
