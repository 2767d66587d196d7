"""A frame as notebooks know it: SQLFrame's, with Spark's names of columns, output and ways out.

Transformations are SQLFrame's and lazy. What looks at rows runs here, on DuckDB.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlframe.base.column import Column
from sqlframe.base.types import _create_row as create_row
from sqlframe.base.util import quote_preserving_alias_or_name
from sqlframe.duckdb import DuckDBDataFrame
from sqlframe.duckdb.group import DuckDBGroupedData
from sqlglot import exp

from sparkify_lake.session import types as T
from sparkify_lake.session.kinds import literal, quoted, spark_type, tree
from sparkify_lake.session.naming import column_name
from sparkify_lake.session.refusal import not_covered
from sparkify_lake.session.show import java_double, shown, text
from sparkify_lake.session.writer import Writer

if TYPE_CHECKING:
    from pandas import DataFrame as PandasFrame

    from sparkify_lake.session.engine import Engine

# The name that SQLFrame gives to what a function returns.
_AUTOMATIC = re.compile(r"[a-z0-9_]+__\w*__")


def _named(cols: tuple[Any, ...]) -> tuple[Any, ...]:
    """Gives columns that nobody has named the name that Spark gives them."""

    def one(col: Any) -> Any:
        if not isinstance(col, Column) or isinstance(col.expression, exp.Column | exp.Star):
            return col
        expression = col.expression
        if isinstance(expression, exp.Alias):
            if not _AUTOMATIC.fullmatch(expression.alias) or not isinstance(expression.this, exp.Func):
                return col
            expression = expression.this
        if expression.is_star or isinstance(expression, exp.Explode | exp.Posexplode):
            return col
        name = column_name(expression)
        column = Column(exp.Alias(this=expression, alias=exp.to_identifier(name, quoted=True)))
        column.expression.meta["display_name"] = name
        return column

    if len(cols) == 1 and isinstance(cols[0], list | tuple):
        cols = tuple(cols[0])
    return tuple(map(one, cols))


def _naming(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a method of SQLFrame so that its columns are named."""

    @functools.wraps(method)
    def wrapper(self: Any, *cols: Any, **options: Any) -> Any:
        named = _named(cols)
        frame = method(self, *named, **options)
        for col in named:
            if isinstance(col, Column) and (name := col.expression.meta.get("display_name")):
                frame.display_name_mapping[quote_preserving_alias_or_name(col.expression)] = name
        return frame

    # SQLFrame's methods call each other past their wrappers.
    wrapper.__wrapped__ = method.__wrapped__  # type: ignore[attr-defined]
    return wrapper


class Grouped(DuckDBGroupedData):
    """What `groupBy` returns."""

    agg = _naming(DuckDBGroupedData.agg)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"'GroupedData' object has no attribute {name!r}")
        raise not_covered(f"groupBy(…).{name}", hint="aggregate with agg(F.count('*'), F.sum('x'), …)")


class Frame(DuckDBDataFrame):
    """What reading and `spark.sql` return."""

    session: Engine
    _group_data = Grouped

    select = _naming(DuckDBDataFrame.select)
    agg = _naming(DuckDBDataFrame.agg)

    def withColumnRenamed(self, existing: str, new: str) -> Frame:  # Spark's name
        """Renames a column; does nothing when there is none of that name."""
        frame: Frame = self.withColumnsRenamed({existing: new})
        return frame

    def where(self, condition: Any) -> Frame:
        """Keeps the rows for which a condition holds, a column or SQL."""
        from sparkify_lake.session.functions import expr as parsed

        frame: Frame = super().where(parsed(condition) if isinstance(condition, str) else condition)
        return frame

    filter = where

    def join(self, other: Any, on: Any = None, how: str = "inner") -> Frame:
        """Joins another frame, by names or by a condition."""
        frame: Frame
        try:
            frame = super().join(other, on, how)
        except AssertionError:
            # SQLFrame cannot tell more than two tables apart that began as one frame; a step of its own can.
            frame = super(Frame, self._convert_leaf_to_cte()).join(other, on, how)
        return frame

    def selectExpr(self, *expr: Any) -> Frame:  # Spark's name
        """Selects columns that are written as SQL."""
        from sparkify_lake.session.functions import expr as parsed

        texts = expr[0] if len(expr) == 1 and isinstance(expr[0], list | tuple) else expr
        frame: Frame = self.select(*("*" if one.strip() == "*" else parsed(one) for one in texts))
        return frame

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"'DataFrame' object has no attribute {name!r}")
        if isinstance(own := getattr(type(self), name, None), property) and own.fget is not None:
            return own.fget(self)  # it has refused something, which Python took for a missing attribute
        if name.lower() in map(str.lower, self.columns):
            return self[name]
        raise not_covered(f"df.{name}", cause=f"the columns are {', '.join(self.columns)}")

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, Column):
            return self.filter(item)
        if isinstance(item, list | tuple):
            return self.select(*item)
        name = self.columns[item] if isinstance(item, int) else item
        return super().__getitem__(f"`{name}`" if not name.isidentifier() else name)

    # --- what it is ---------------------------------------------------------------------------------------

    @property
    def schema(self) -> T.StructType:
        """Names and types."""
        return T.StructType([T.StructField(name, spark_type(kind)) for name, kind in self._kinds()])

    @property
    def dtypes(self) -> list[tuple[str, str]]:
        """Names and types as text."""
        return [(field.name, field.dataType.simpleString()) for field in self.schema]

    def printSchema(self, level: int | None = None) -> None:  # Spark's name
        """Prints names and types as a tree."""
        print(tree(self.schema, level))

    def __repr__(self) -> str:
        return f"DataFrame[{', '.join(f'{name}: {kind}' for name, kind in self.dtypes)}]"

    def _display_(self) -> str:
        return repr(self)

    # --- what is in it ------------------------------------------------------------------------------------

    def collect(self) -> list[T.Row]:
        """Returns all rows."""
        columns, rows = self.session.fetched(self.as_sql())
        names = [name for name, _ in columns]
        return [create_row(names, [_value(value) for value in row]) for row in rows]

    def take(self, num: int) -> list[T.Row]:
        """Returns the first rows."""
        rows: list[T.Row] = self.limit(num).collect()
        return rows

    def head(self, n: int | None = None) -> Any:
        """Returns the first row, or with a number the first rows."""
        return self.take(n) if n is not None else next(iter(self.take(1)), None)

    def first(self) -> T.Row | None:
        """Returns the first row, or None."""
        return next(iter(self.take(1)), None)

    def count(self) -> int:
        """Returns how many rows there are."""
        return int(self.session.rows(f"SELECT count(*) FROM ({self.as_sql()})")[0][0])

    def isEmpty(self) -> bool:  # Spark's name
        """Returns whether there is no row."""
        return not self.take(1)

    def show(self, n: int = 20, truncate: bool | int = True, vertical: bool = False) -> None:
        """Prints the first rows as Spark does."""
        columns, rows = self.session.fetched(f"SELECT * FROM ({self.as_sql()}) LIMIT {n + 1}", in_utc=True)
        rows = [tuple(map(_value, row)) for row in rows]
        names = [name for name, _ in columns]
        print(shown(names, rows, limit=n, truncate=truncate, vertical=vertical))

    def toPandas(self) -> PandasFrame:  # Spark's name
        """Returns a frame of pandas; times are naive, in UTC."""
        sql = self.as_sql()
        plain = self.session.plain(sql, self.session.described(sql))
        frame: PandasFrame = self.session._told(
            lambda: self.session._conn.execute(plain).df(date_as_object=True)
        )
        return frame

    def describe(self, *cols: str | list[str]) -> Frame:
        """Returns count, mean, standard deviation, least and greatest value of columns, as text."""
        asked = [name for one in cols for name in ([one] if isinstance(one, str) else one)]
        usual = ("string", "tinyint", "smallint", "int", "bigint", "float", "double")
        kinds = {name: kind for name, kind in self.dtypes if kind in usual or kind.startswith("decimal")}
        names = asked or list(kinds)
        parts = []
        for name in names:
            column, number = quoted(name), f"TRY_CAST({quoted(name)} AS DOUBLE)"
            parts += [
                f"count({column})",
                f"avg({number})",
                f"stddev_samp({number})",
                f"min({column})",
                f"max({column})",
            ]
        found = self.session.rows(f"SELECT {', '.join(parts) or '1'} FROM ({self.as_sql()})")[0]
        rows = []
        for at, label in enumerate(("count", "mean", "stddev", "min", "max")):
            cells = [found[5 * place + at] for place in range(len(names))]
            texts = [
                None if cell is None else java_double(cell) if isinstance(cell, float) else text(cell)
                for cell in cells
            ]
            rows.append(["NULL" if one is None else literal(one) for one in (label, *texts)])
        listed = ", ".join(f"({', '.join(row)})" for row in rows)
        heads = ", ".join(quoted(name) for name in ("summary", *names))
        casts = ", ".join(
            f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in ("summary", *names)
        )
        return self.session.view_of(f"SELECT {casts} FROM (VALUES {listed}) AS v({heads})")

    # --- where it goes ------------------------------------------------------------------------------------

    @property
    def write(self) -> Writer:
        """Writes Parquet."""
        return Writer(self)

    def createOrReplaceTempView(self, name: str) -> None:  # Spark's name
        """Gives the frame a name for SQL."""
        self.session.set_view(name, self)

    def createTempView(self, name: str) -> None:  # Spark's name
        """Gives the frame a name for SQL."""
        self.session.set_view(name, self)

    registerTempTable = createOrReplaceTempView

    def cache(self) -> Frame:
        """Returns the frame; DuckDB reads again what is asked again."""
        return self

    def persist(self, storageLevel: Any = None) -> Frame:  # Spark's name
        """Returns the frame, as `cache`."""
        return self

    def unpersist(self, blocking: bool = False) -> Frame:
        """Returns the frame, as `cache`."""
        return self

    def repartition(self, *numbers_or_columns: Any) -> Frame:
        """Returns the frame; there are no partitions in memory."""
        return self

    def coalesce(self, numPartitions: int) -> Frame:  # Spark's name
        """Returns the frame; there are no partitions in memory."""
        return self

    # --- for the other modules ----------------------------------------------------------------------------

    def as_sql(self) -> str:
        """Returns the frame as a query of DuckDB's."""
        *before, last = self._get_expressions(optimize=False)
        if before:
            raise not_covered("a frame of several statements", hint="leave out caching and hints")
        return self.session._to_sql(last)

    def as_view(self) -> str:
        """Returns the name of a view that holds the frame."""
        sql = self.as_sql()
        name = self.session.new_name("view")
        plain = self.session.plain(sql, self.session.described(sql), keep_instants=True)
        self.session.run(f"CREATE TEMP VIEW {name} AS {plain}")
        return name

    def _kinds(self) -> list[tuple[str, str]]:
        sql = self.as_sql()
        return self.session.described(
            self.session.plain(sql, self.session.described(sql), keep_instants=True)
        )


def _value(value: Any) -> Any:
    """Returns a nested value as Spark's Python does: structures are rows."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return create_row(list(value), [_value(item) for item in value.values()])
    return [_value(item) for item in value] if isinstance(value, list) else value
