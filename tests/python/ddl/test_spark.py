"""Spark runs its statements over lakes with odd values, and then has the tables of `open_lake`.

Skipped without pyspark or a Java runtime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ddl.conftest import assert_same_table, opened, statements
from lake.test_spark_reader import spark as spark

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("isolated_module"),
]


def test_spark_has_the_tables_of_the_lake(spark: Any, odd_lake: Path) -> None:
    from pyspark.sql import functions

    spark.sql("DROP DATABASE IF EXISTS sparkify CASCADE")
    for statement in statements("spark", odd_lake):
        spark.sql(statement.rstrip(";"))
    for table, expected in opened(odd_lake):
        frame = spark.table(f"sparkify.{table}")
        times = [name for name, kind in expected.schema.items() if isinstance(kind, pl.Datetime)]
        for name in times:
            frame = frame.withColumn(name, functions.unix_micros(name))
        rows = [tuple(row) for row in frame.select(*expected.columns).collect()]
        schema = {name: pl.Int64() if name in times else kind for name, kind in expected.schema.items()}
        found = pl.DataFrame(rows, schema=schema, orient="row").cast(dict(expected.schema))
        assert sorted(frame.columns) == sorted(expected.columns)
        assert_same_table(found, expected, table)
