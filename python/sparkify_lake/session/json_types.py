"""A schema that the user gives for JSON: what is read as text, and how it becomes a time or a decimal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import types as T

from sparkify_lake.session.csv_types import quoted
from sparkify_lake.session.refusal import not_covered

_ARROW = {
    T.StringType: pa.string(), T.LongType: pa.int64(), T.IntegerType: pa.int32(), T.ShortType: pa.int16(),
    T.ByteType: pa.int8(), T.DoubleType: pa.float64(), T.FloatType: pa.float32(), T.BooleanType: pa.bool_(),
    T.VarcharType: pa.string(), T.CharType: pa.string(), T.NullType: pa.string(),
}  # fmt: skip
_FROM_TEXT = (T.DateType, T.TimestampType, T.TimestampNTZType, T.DecimalType)


class SchemaTypes:
    """The types of a given schema."""

    def __init__(self, schema: T.StructType, given: Mapping[str, str]) -> None:
        self._schema, self._given = schema, given

    def arrow_schema(self) -> pa.Schema:
        """Returns the types in which the values are read."""
        return pa.schema(
            [
                pa.field(
                    one.name, pa.string() if isinstance(one.dataType, _FROM_TEXT) else _arrow(one.dataType)
                )
                for one in self._schema
            ]
        )

    def typed(self, frame: Any) -> Any:
        """Converts what was read as text; a value that does not match is NULL."""
        texts = {
            one.name: self._from_text(one) for one in self._schema if isinstance(one.dataType, _FROM_TEXT)
        }
        return frame.withColumns(texts) if texts else frame

    def _from_text(self, field: T.StructField) -> Any:
        from pyspark.sql.connect.functions import builtin as F

        name = quoted(field.name)
        kind = field.dataType.simpleString()
        pattern = self._given.get(
            "dateformat" if isinstance(field.dataType, T.DateType) else "timestampformat"
        )
        if isinstance(field.dataType, T.DecimalType):
            return F.expr(f"TRY_CAST({name} AS {kind})")
        if pattern is not None:
            return F.try_to_timestamp(F.col(name), F.lit(pattern)).cast(kind)
        if isinstance(field.dataType, T.DateType):
            return F.expr(f"TRY_CAST({name} AS {kind})")
        number = f"CAST(TRY_CAST({name} AS DOUBLE) AS TIMESTAMP)"
        return F.expr(f"CAST(COALESCE({number}, TRY_CAST({name} AS TIMESTAMP)) AS {kind})")


def _arrow(kind: T.DataType) -> Any:
    if isinstance(kind, T.ArrayType):
        return pa.list_(_arrow(kind.elementType))
    if isinstance(kind, T.StructType):
        return pa.struct([pa.field(one.name, _arrow(one.dataType)) for one in kind])
    if isinstance(kind, T.MapType) and isinstance(kind.keyType, T.StringType):
        return pa.map_(pa.string(), _arrow(kind.valueType))
    if type(kind) not in _ARROW:
        raise not_covered(
            f"spark.read.json with the type {kind.simpleString()} in this place",
            hint="read the column as string, and convert it with withColumn",
        )
    return _ARROW[type(kind)]
