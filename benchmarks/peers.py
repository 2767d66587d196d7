"""The engines that the benchmarks compare: this job, and fair versions of it on other libraries."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from measurement import HERE, ROOT, Engine


def engines(with_spark: bool) -> list[Engine]:
    def python(*words: str) -> tuple[str, ...]:
        return (sys.executable, *words)

    found = [
        Engine(
            name="sparkify-lake",
            package="sparkify-lake",
            command=python(str(ROOT / "etl.py"), "{input}", "{output}", "--quiet", "--table-names", "plain"),
        ),
        Engine(
            name="Polars, tuned",
            package="polars",
            command=python(str(HERE / "peer_polars.py"), "{input}", "{output}", "--tuned"),
        ),
        Engine(
            name="Polars, idiomatic",
            package="polars",
            command=python(str(HERE / "peer_polars.py"), "{input}", "{output}"),
        ),
        Engine(
            name="DuckDB",
            package="duckdb",
            command=python(str(HERE / "peer_duckdb.py"), "{input}", "{output}"),
        ),
    ]
    if with_spark:
        command = python(str(HERE / "peer_spark.py"), "{input}", "{output}")
        found.append(Engine(name="Spark", package="pyspark", command=command))
    return found


def package_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
