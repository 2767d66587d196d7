"""Types: DuckDB's as Spark's and back, and a schema as Spark prints it.

Knows types only. What Spark has no type for (128-bit and unsigned integers) is cast on the way in, see
`cast_to`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from sparkify_lake.session import types as T
from sparkify_lake.session.refusal import not_covered

_Type = exp.DataType.Type
_TO_SPARK: dict[Any, type[T.DataType]] = {
    _Type.TEXT: T.StringType, _Type.VARCHAR: T.StringType, _Type.BOOLEAN: T.BooleanType,
    _Type.TINYINT: T.ByteType, _Type.SMALLINT: T.ShortType, _Type.INT: T.IntegerType,
    _Type.BIGINT: T.LongType, _Type.FLOAT: T.FloatType, _Type.DOUBLE: T.DoubleType, _Type.DATE: T.DateType,
    _Type.TIMESTAMPTZ: T.TimestampType, _Type.TIMESTAMP: T.TimestampNTZType, _Type.BLOB: T.BinaryType,
    _Type.TIMESTAMPNTZ: T.TimestampNTZType, _Type.VARBINARY: T.BinaryType, _Type.NULL: T.StringType,
}  # fmt: skip
_TO_DUCKDB: dict[str, str] = {
    "string": "VARCHAR", "boolean": "BOOLEAN", "byte": "TINYINT", "short": "SMALLINT", "integer": "INTEGER",
    "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "date": "DATE", "binary": "BLOB",
    "timestamp": "TIMESTAMP WITH TIME ZONE", "timestamp_ntz": "TIMESTAMP",
}  # fmt: skip
# What Spark does not have, and what takes its place.
_CASTS = {
    "HUGEINT": "BIGINT", "UHUGEINT": "BIGINT", "UBIGINT": "BIGINT", "UINTEGER": "BIGINT",
    "USMALLINT": "INTEGER", "UTINYINT": "SMALLINT", "TIMESTAMP_NS": "TIMESTAMP", "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_S": "TIMESTAMP", "JSON": "VARCHAR", "UUID": "VARCHAR", "TIME": "VARCHAR", '"NULL"': "VARCHAR",
}  # fmt: skip


def cast_to(kind: str) -> str | None:
    """Returns the type that a column of a DuckDB type is cast to; None when Spark has the type."""
    return "VARCHAR" if kind.startswith("ENUM") else _CASTS.get(kind)


def spark_type(kind: str | exp.DataType) -> T.DataType:
    """Returns Spark's type for one of DuckDB's.

    Example:
        >>> spark_type("BIGINT").simpleString(), spark_type("VARCHAR[]").simpleString()
        ('bigint', 'array<string>')
    """
    built = exp.DataType.build(kind, dialect="duckdb") if isinstance(kind, str) else kind
    if built.this in (_Type.ARRAY, _Type.LIST):
        return T.ArrayType(spark_type(built.expressions[0]))
    if built.this == _Type.MAP:
        return T.MapType(*map(spark_type, built.expressions))
    if built.this == _Type.STRUCT:
        fields = [T.StructField(field.name, spark_type(field.args["kind"])) for field in built.expressions]
        return T.StructType(fields)
    if built.this == _Type.DECIMAL:
        precision, scale = (int(parameter.name) for parameter in built.expressions)
        return T.DecimalType(precision, scale)
    if built.this not in _TO_SPARK:
        raise not_covered(f"a column of type {built.sql('duckdb')}", hint="cast it to a type that Spark has")
    return _TO_SPARK[built.this]()


def duckdb_type(kind: T.DataType) -> str:
    """Returns DuckDB's type for one of Spark's."""
    if isinstance(kind, T.ArrayType):
        return f"{duckdb_type(kind.elementType)}[]"
    if isinstance(kind, T.MapType):
        return f"MAP({duckdb_type(kind.keyType)}, {duckdb_type(kind.valueType)})"
    if isinstance(kind, T.StructType):
        return f"STRUCT({', '.join(f'{quoted(one.name)} {duckdb_type(one.dataType)}' for one in kind)})"
    if isinstance(kind, T.DecimalType):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    name = type_name(kind)
    if name not in _TO_DUCKDB:
        raise not_covered(f"the type {name}", hint="choose another type")
    return _TO_DUCKDB[name]


def schema_of(given: T.StructType | str) -> T.StructType:
    """Returns a schema, given as one or as Spark's text: `"song_id STRING, year INT"`."""
    if isinstance(given, T.StructType):
        return given
    if not isinstance(given, str):
        raise not_covered(
            f"a schema of type {type(given).__name__}", hint="give a StructType, or a text such as 'year INT'"
        )
    kind = exp.DataType.build(f"struct<{given}>", dialect="spark")
    fields = []
    for field in kind.expressions:
        fields.append(
            T.StructField(
                field.name, spark_type(exp.DataType.build(field.args["kind"].sql("duckdb"), dialect="duckdb"))
            )
        )
    return T.StructType(fields)


def type_of(given: T.DataType | str) -> T.DataType:
    """Returns a type, given as one or by its name: `"int"`."""
    if isinstance(given, T.DataType):
        return given
    return spark_type(exp.DataType.build(given, dialect="spark").sql("duckdb"))


def type_name(kind: T.DataType) -> str:
    """Returns the name that Spark prints: `long` for LongType."""
    if isinstance(kind, T.TimestampNTZType):
        return "timestamp_ntz"
    if isinstance(kind, T.DecimalType):
        return f"decimal({kind.precision},{kind.scale})"
    return type(kind).__name__.removesuffix("Type").lower()


def quoted(name: str) -> str:
    """Returns a name as an identifier of DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Returns a text as a literal of DuckDB."""
    return "'" + text.replace("'", "''") + "'"


def tree(schema: T.StructType, level: int | None = None) -> str:
    """Returns a schema as `printSchema` prints it."""
    lines = ["root"]
    _branch(schema, " |", lines, 1, level or 99)
    return "\n".join(lines) + "\n"


def _branch(kind: T.DataType, prefix: str, lines: list[str], depth: int, most: int) -> None:
    if depth > most:
        return
    parts: Sequence[tuple[str, T.DataType, str, bool]] = ()
    if isinstance(kind, T.StructType):
        parts = [(one.name, one.dataType, "nullable", one.nullable) for one in kind]
    elif isinstance(kind, T.ArrayType):
        parts = [("element", kind.elementType, "containsNull", True)]
    elif isinstance(kind, T.MapType):
        parts = [("key", kind.keyType, "", True), ("value", kind.valueType, "valueContainsNull", True)]
    for name, inner, word, can_be_null in parts:
        remark = f" ({word} = {str(can_be_null).lower()})" if word else ""
        lines.append(f"{prefix}-- {name}: {type_name(inner)}{remark}")
        _branch(inner, f"{prefix}    |", lines, depth + 1, most)
