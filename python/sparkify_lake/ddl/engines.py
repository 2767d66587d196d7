"""The differences between engines, as data. The statements are in `templates/`, by engine and format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FORMATS = ("parquet", "delta", "iceberg")
_KINDS = ("int32", "int64", "float64", "text", "timestamp", "boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that reads tables.

    Attributes:
        title: Its name in messages.
        types: Its types, in the order of `_KINDS`.
        quote: The character around names.
        is_upper: Whether only a name in upper case is found without quotes.
        has_backslash: Whether a backslash escapes the next character of a text literal.
        local: What comes before a local path; None if it reads only from object stores.
        wildcards: The characters of a location that it cannot escape.
        has_escapes: The formats in whose locations it resolves escapes such as %20, so it cannot read a `%`.
        refusals: Why it has no statement for a format.
    """

    title: str
    types: tuple[str, str, str, str, str, str]
    quote: str = '"'
    is_upper: bool = False
    has_backslash: bool = False
    local: str | None = None
    wildcards: str = ""
    has_escapes: frozenset[str] = frozenset()
    refusals: Mapping[str, str]

    def type_of(self, kind: str) -> str:
        """Returns its type for a type of the schema."""
        return self.types[_KINDS.index(kind)]


_GLUE = (
    "it reads the Iceberg tables of the AWS Glue Data Catalog, and has no statement that registers one there"
)

ENGINES: Mapping[str, Engine] = {
    "athena": Engine(
        title="Amazon Athena",
        types=("int", "bigint", "double", "string", "timestamp", "boolean"),
        quote="`",
        has_backslash=True,
        refusals={"iceberg": _GLUE},
    ),
    "redshift": Engine(
        title="Amazon Redshift Spectrum",
        types=("INTEGER", "BIGINT", "DOUBLE PRECISION", "VARCHAR(65535)", "TIMESTAMP", "BOOLEAN"),
        refusals={"delta": "it needs manifest files for that, which a lake does not have", "iceberg": _GLUE},
    ),
    "trino": Engine(
        title="Trino",
        types=("INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "TIMESTAMP(3)", "BOOLEAN"),
        local="local://",
        refusals={},
    ),
    "spark": Engine(
        title="Spark",
        types=("INT", "BIGINT", "DOUBLE", "STRING", "TIMESTAMP", "BOOLEAN"),
        quote="`",
        has_backslash=True,
        local="file://",
        wildcards="*?{}[]",
        refusals={},
    ),
    "snowflake": Engine(
        title="Snowflake",
        types=("NUMBER(10, 0)", "NUMBER(19, 0)", "FLOAT", "VARCHAR", "TIMESTAMP_NTZ", "BOOLEAN"),
        is_upper=True,
        has_backslash=True,
        refusals={},
    ),
    "bigquery": Engine(
        title="BigQuery",
        types=("INT64", "INT64", "FLOAT64", "STRING", "TIMESTAMP", "BOOL"),
        quote="`",
        has_backslash=True,
        wildcards="*",
        refusals={},
    ),
    "clickhouse": Engine(
        title="ClickHouse",
        types=("Int32", "Int64", "Float64", "String", "DateTime64(6, 'UTC')", "Bool"),
        quote="`",
        has_backslash=True,
        local="",
        wildcards="*?{}",
        refusals={},
    ),
    "duckdb": Engine(
        title="DuckDB",
        types=("INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "TIMESTAMP WITH TIME ZONE", "BOOLEAN"),
        local="",
        has_escapes=frozenset({"delta"}),
        refusals={},
    ),
}
