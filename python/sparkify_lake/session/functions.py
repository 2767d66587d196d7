"""`pyspark.sql.functions` for this session: SQLFrame's for DuckDB, and those that have to be ours.

A name that is missing raises an error that names it.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import sqlglot
from sqlframe.base.column import Column
from sqlframe.duckdb import functions as _theirs
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sparkify_lake.session import types as T
from sparkify_lake.session.kinds import duckdb_type, type_name, type_of
from sparkify_lake.session.refusal import QueryError, no_such_import
from sparkify_lake.session.show import java_double

_numbers = itertools.count(1)


def _function(name: str, *arguments: Column | str) -> Column:
    columns = [one if isinstance(one, Column) else _theirs.col(one) for one in arguments]
    return Column(exp.Anonymous(this=name, expressions=[one.column_expression for one in columns]))


def expr(str: str) -> Column:  # Spark's name
    """Parses a column that is written as SQL."""
    from sparkify_lake.session.semantics import SparkifySpark

    try:
        return Column(sqlglot.parse_one(str, dialect=SparkifySpark))
    except SqlglotError as error:
        reason = f"{error}".split("\n")[0]
    raise QueryError(f"this is no expression of SQL: {str}", cause=reason, hint="look at its grammar")


def date_format(date: Column | str, format: str) -> Column:  # Spark's names
    """Writes a time as text, by a pattern of Spark's."""
    return _function("DATE_FORMAT", date, _theirs.lit(format))


def from_unixtime(timestamp: Column | str, format: str = "yyyy-MM-dd HH:mm:ss") -> Column:
    """Writes seconds since 1970 as text."""
    return _function("FROM_UNIXTIME", timestamp, _theirs.lit(format))


def to_timestamp(col: Column | str, format: str | None = None) -> Column:
    """Reads a time from text, or from seconds since 1970."""
    return _function("TO_TIMESTAMP", col, *([] if format is None else [_theirs.lit(format)]))


def timestamp_millis(col: Column | str) -> Column:
    """Returns the time of milliseconds since 1970."""
    return _function("TIMESTAMP_MILLIS", col)


def timestamp_seconds(col: Column | str) -> Column:
    """Returns the time of seconds since 1970."""
    return _function("TIMESTAMP_SECONDS", col)


def unix_timestamp(timestamp: Column | str) -> Column:
    """Returns the seconds since 1970 of a time."""
    return _function("UNIX_TIMESTAMP", timestamp)


def dayofweek(col: Column | str) -> Column:
    """Returns the day of the week, from 1 for Sunday to 7 for Saturday."""
    return _function("DAYOFWEEK", col)


def weekday(col: Column | str) -> Column:
    """Returns the day of the week, from 0 for Monday to 6 for Sunday."""
    return _function("WEEKDAY", col)


def percentile_approx(col: Column | str, percentage: Any, accuracy: Any = None) -> Column:
    """Is refused: what DuckDB approximates is another number."""
    return _function("PERCENTILE_APPROX", col)


approx_percentile = percentile_approx


def monotonically_increasing_id() -> Column:
    """Numbers the rows from 0."""
    return _function("MONOTONICALLY_INCREASING_ID")


class UserFunction:
    """A Python function that columns can be passed to."""

    def __init__(self, function: Callable[..., Any], kind: T.DataType | str | None = None) -> None:
        self.function = function
        self.returnType = type_of(kind if kind is not None else "string")
        self.sql_name = f"sparkify_udf_{next(_numbers)}"
        self.__name__ = getattr(function, "__name__", "udf")
        self.__doc__ = function.__doc__
        self._convert = _conversion(self.returnType)

    @property
    def gives_time(self) -> bool:
        """Whether DuckDB is given microseconds that stand for a time."""
        return isinstance(self.returnType, T.TimestampType)

    @property
    def duckdb_type(self) -> str:
        """The type of what DuckDB is given."""
        return "BIGINT" if self.gives_time else duckdb_type(self.returnType)

    def called(self, *values: Any) -> Any:
        """Calls the function as Spark would: times are naive, in the host's zone."""
        result = self.function(*(_naive(value) if isinstance(value, datetime) else value for value in values))
        return None if result is None else self._convert(result)

    def __call__(self, *cols: Column | str) -> Column:
        """Returns the column that the function makes of others."""
        from sparkify_lake.session.engine import current

        current().define(self)
        column = _function(self.sql_name, *cols)
        column.expression.meta["spark_name"] = self.__name__
        return column

    def asNondeterministic(self) -> UserFunction:  # Spark's name
        """Returns the function."""
        return self


def udf(f: Any = None, returnType: Any = None, **options: Any) -> Any:  # Spark's names
    """Makes a Python function one for columns; also as a decorator, with or without a type."""
    if callable(f) and not isinstance(f, T.DataType):
        return UserFunction(f, returnType)
    return lambda function: UserFunction(function, f if f is not None else returnType)


def _naive(value: datetime) -> datetime:
    return value.astimezone().replace(tzinfo=None) if value.tzinfo is not None else value


def _conversion(kind: T.DataType) -> Callable[[Any], Any]:
    """Returns how a function's result becomes the type that it was declared with; NULL when it is another."""
    if isinstance(kind, T.TimestampType):
        return lambda value: _micros(value) if isinstance(value, datetime) else None
    if isinstance(kind, T.DateType):
        return lambda value: value if isinstance(value, date) and not isinstance(value, datetime) else None
    if isinstance(kind, T.StringType):
        return _as_text
    if isinstance(kind, T.BooleanType):
        return lambda value: value if isinstance(value, bool) else None
    if type_name(kind) in ("byte", "short", "integer", "long"):
        return lambda value: value if isinstance(value, int) and not isinstance(value, bool) else None
    if type_name(kind) in ("float", "double"):
        return lambda value: value if isinstance(value, float) else None
    return lambda value: value


def _micros(value: datetime) -> int:
    # A naive time is the host's: timestamp() reads it so. Whole microseconds, without a float between.
    return int(value.replace(microsecond=0).timestamp()) * 1_000_000 + value.microsecond


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return java_double(value) if isinstance(value, float) else str(value)


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        if hasattr(_theirs, name):
            return getattr(_theirs, name)
        if sys.modules.get("pyspark.sql.functions") is sys.modules[__name__]:
            # Of an AttributeError, `from pyspark.sql.functions import name` would keep no word.
            raise no_such_import("pyspark.sql.functions", name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
