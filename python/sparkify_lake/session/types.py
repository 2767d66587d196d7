"""`pyspark.sql.types` for this session: SQLFrame's, with structures that look and grow as Spark's do."""

from __future__ import annotations

from typing import Any

from sqlframe.base.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    CharType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    Row,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
    VarcharType,
)
from sqlframe.base.types import StructField as _StructField
from sqlframe.base.types import StructType as _StructType

__all__ = [
    "ArrayType",
    "BinaryType",
    "BooleanType",
    "ByteType",
    "CharType",
    "DataType",
    "DateType",
    "DecimalType",
    "DoubleType",
    "FloatType",
    "IntegerType",
    "LongType",
    "MapType",
    "Row",
    "ShortType",
    "StringType",
    "StructField",
    "StructType",
    "TimestampNTZType",
    "TimestampType",
    "VarcharType",
]


class StructField(_StructField):
    """A column of a structure."""

    def simpleString(self) -> str:  # Spark's name
        """Returns name and type."""
        return f"{self.name}:{self.dataType.simpleString()}"

    def __repr__(self) -> str:
        return f"StructField('{self.name}', {_written(self.dataType)}, {self.nullable})"


class StructType(_StructType):
    """Columns, by name and in order."""

    def add(self, field: Any, data_type: Any = None, nullable: bool = True) -> StructType:
        """Adds a column and returns the structure."""
        if not isinstance(field, _StructField):
            from sparkify_lake.session.kinds import type_of

            field = StructField(field, type_of(data_type), nullable)
        self.__init__([*self.fields, field])  # type: ignore[misc]
        return self

    def __getitem__(self, key: str | int) -> StructField:
        if isinstance(key, str):
            key = self.fieldNames().index(key)
        field: StructField = self.fields[key]
        return field

    def simpleString(self) -> str:  # Spark's name
        """Returns names and types."""
        return f"struct<{','.join(field.simpleString() for field in self.fields)}>"

    def __repr__(self) -> str:
        return f"StructType([{', '.join(map(repr, self.fields))}])"


def _written(kind: DataType) -> str:
    """Returns a type as one would write it; SQLFrame shows its name in SQL."""
    if isinstance(kind, ArrayType):
        return f"ArrayType({_written(kind.elementType)}, True)"
    if isinstance(kind, MapType):
        return f"MapType({_written(kind.keyType)}, {_written(kind.valueType)}, True)"
    if isinstance(kind, DecimalType):
        return f"DecimalType({kind.precision},{kind.scale})"
    return repr(kind) if isinstance(kind, StructType) else f"{type(kind).__name__}()"
