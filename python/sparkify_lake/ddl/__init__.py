"""Prints statements with which other engines read a lake. No engine is contacted, and nothing is written.

`tables` finds the names and types of a lake, `engines` describes the engines, `statements` fills in the
templates, and `dbt` writes a source of dbt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sparkify_lake.ddl import dbt
from sparkify_lake.ddl.engines import ENGINES, FORMATS, Engine
from sparkify_lake.ddl.statements import Target, statements
from sparkify_lake.ddl.tables import read_tables
from sparkify_lake.errors import UsageError
from sparkify_lake.results.result import JsonData
from sparkify_lake.settings.config import Config
from sparkify_lake.settings.options import suggestion

NAMES = (*ENGINES, "dbt")
DEFAULT_DATABASE = "sparkify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements(JsonData):
    """Statements for an engine.

    Attributes:
        engine: The name of the engine.
        format: The format of the tables.
        location: The root of the lake.
        statements: The comment at the beginning, and the statements in the order in which to run them; for
            dbt, the text of a `sources.yml`.
    """

    engine: str
    format: str
    location: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        return "\n\n".join(self.statements)


def ddl_with(engine: str | None, format: str | None, database: str | None, config: Config) -> Statements:
    """Returns the statements for an engine, with resolved settings.

    Args:
        engine: The name of the engine.
        format: The format of the tables; `parquet` by default.
        database: The database, schema or data set of the engine for the tables; `sparkify` by default.
        config: The settings.

    Raises:
        NoInputError: If the lake does not have a chosen table, or lacks the metadata of the format.
        UsageError: If the engine or the format is unknown, or the engine cannot read the lake in this way.
    """
    engine = _chosen("engine", engine, NAMES)
    format = _chosen("format", format or FORMATS[0], FORMATS)
    database = database or DEFAULT_DATABASE
    if not re.fullmatch(r"\w+", database, re.ASCII):
        raise UsageError(
            f"the name of the database is invalid: {database!r}",
            hint="use letters, digits and _",
            context={"option": "database"},
        )
    known = ENGINES.get(engine)
    if known is not None:
        _check_format(format, known)
    root, tables = read_tables(config)
    if known is None:
        texts = ["\n".join(dbt.source_lines(root, tables, database))]
    else:
        if engine == "bigquery" and "storage.googleapis.com" in str(config.value("endpoint_url")):
            # The lake is in Google Cloud Storage, which BigQuery reads by its own scheme.
            root, tables = root.replace("s3://", "gs://"), [table.moved("s3://", "gs://") for table in tables]
        _check_location(root, known, format)
        target = Target(name=engine, engine=known, format=format, database=database, root=root)
        texts = [*statements(target, tables)]
    return Statements(engine=engine, format=format, location=root, statements=tuple(texts))


def _chosen(kind: str, given: str | None, known: Sequence[str]) -> str:
    """Checks the name of an engine or of a format."""
    if given is None:
        raise UsageError(f"the command ddl needs an {kind}", hint=f"use one of {', '.join(known)}")
    if given not in known:
        similar = suggestion(given, known)
        raise UsageError(
            f"unknown {kind} {given!r}",
            hint=f"did you mean {similar}?" if similar else f"use one of {', '.join(known)}",
            context={"option": kind},
        )
    return given


def _check_format(format: str, known: Engine) -> None:
    if format in known.refusals:
        accepted = [f"--format {name}" for name in FORMATS if name not in known.refusals]
        raise UsageError(
            f"{known.title} has no statement for a table in the format {format}",
            cause=known.refusals[format],
            hint=f"use {' or '.join(accepted)}",
            context={"option": "format"},
        )


def _check_location(root: str, known: Engine, format: str) -> None:
    if "://" not in root and known.local is None:
        raise UsageError(
            f"{known.title} cannot read a lake on a local disk",
            cause=f"the lake is at {root}",
            hint="write the lake to a bucket; or use trino, spark, clickhouse or duckdb",
            context={"path": root},
        )
    found = sorted({character for character in root if character in known.wildcards})
    if found:
        raise UsageError(
            f"{known.title} cannot read this location: {root}",
            cause=f"it reads {' and '.join(found)} as a wildcard, and has no escape for it",
            hint="use another engine, or another location",
            context={"path": root},
        )
    if format in known.has_escapes and "%" in root:
        raise UsageError(
            f"{known.title} cannot read {format} tables at this location: {root}",
            cause="it reads % as the beginning of an escape, such as %20",
            hint="use another format, another engine or another location",
            context={"path": root},
        )
