"""The session that works: SQLFrame's on DuckDB, with Spark's meaning where the two differ.

Loaded by the first call that needs it. There is one at a time in a process, as in Spark.

Invariant: times are instants, shown in UTC. What Python sees of them is naive and in the host's zone, as in
Spark; a naive time that Python gives is taken the same way.
"""

from __future__ import annotations

import atexit
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from sqlframe.base.util import quote_preserving_alias_or_name
from sqlframe.duckdb import DuckDBSession
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sparkify_lake.session import MARK, semantics
from sparkify_lake.session import types as T
from sparkify_lake.session.frame import Frame
from sparkify_lake.session.functions import UserFunction
from sparkify_lake.session.kinds import cast_to, quoted
from sparkify_lake.session.naming import column_name
from sparkify_lake.session.reader import Reader
from sparkify_lake.session.refusal import QueryError, UnsupportedCallError, not_covered
from sparkify_lake.session.show import java_double

if TYPE_CHECKING:
    from collections.abc import Callable

_INSTANT = "TIMESTAMP WITH TIME ZONE"
_current: Engine | None = None


def current() -> Engine:
    """Returns the session of this process, made when there is none."""
    global _current
    if _current is None:
        _current = Engine()
        # A database that is open when Python ends complains on stderr about functions it still has.
        atexit.register(_current.stop)
    return _current


def close() -> None:
    """Ends the session, if there is one; its views and frames are gone."""
    global _current
    ended, _current = _current, None
    if ended is not None:
        atexit.unregister(ended.stop)
        ended.stop()
    if is_active():
        current()  # columns may be made without a session, and SQLFrame looks for one then


def is_active() -> bool:
    """Returns whether this session is in the place of pyspark."""
    return hasattr(sys.modules.get("pyspark"), MARK)


class Engine(DuckDBSession):
    """One database in memory, and what notebooks call on a session."""

    class Builder(DuckDBSession.Builder):
        """Says to SQLFrame which dialect the cells are written in."""

        DEFAULT_INPUT_DIALECT = "sparkifyspark"

    builder = Builder()
    _df = Frame

    def __init__(self) -> None:
        if hasattr(self, "_names"):
            return  # SQLFrame asks for the session by making it again
        connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        super().__init__(connection)
        self._names = itertools.count(1)
        self._views: dict[str, str] = {}
        self._user_functions: dict[str, UserFunction] = {}
        connection.execute("SET TimeZone = 'UTC'")
        connection.create_function("spark_double_text", java_double, ["DOUBLE"], "VARCHAR")
        for macro in semantics.MACROS:
            connection.execute(macro)

    # --- what notebooks call ------------------------------------------------------------------------------

    @property
    def read(self) -> Reader:
        """Reads JSON and Parquet."""
        return Reader(self)

    @property
    def udf(self) -> FunctionRegistry:
        """Registers functions for SQL."""
        return FunctionRegistry(self)

    def table(self, tableName: str) -> Frame:  # Spark's name
        """Returns a temporary view as a frame."""
        return self.sql(f"SELECT * FROM {tableName}")

    def sql(self, sqlQuery: str, **arguments: Any) -> Frame:  # Spark's name
        """Runs a query over the temporary views."""
        if arguments:
            raise not_covered("spark.sql with arguments", hint="write the values into the query")
        word = (re.findall(r"[A-Za-z]+", sqlQuery) or ["?"])[0].upper()
        if word not in ("SELECT", "WITH", "FROM", "VALUES", "CREATE", "TABLE"):
            raise self._no_query(word)
        try:
            trees = sqlglot.parse(sqlQuery, dialect=semantics.SparkifySpark)
        except SqlglotError as error:
            raise QueryError(
                "spark.sql cannot read this query",
                cause=str(error).split("\n")[0],
                hint="look at its grammar",
            ) from None
        tree = next(iter(trees), None)
        if len(trees) != 1 or tree is None:
            raise not_covered("spark.sql with several statements", hint="run one statement a call")
        if isinstance(tree, exp.Create) and tree.kind == "VIEW" and isinstance(tree.expression, exp.Query):
            self.set_view(tree.this.name, self._query(tree.expression))
            return self.createDataFrame([], "result string")
        if not isinstance(tree, exp.Query):
            raise self._no_query(word)
        return self._query(tree)

    @staticmethod
    def _no_query(word: str) -> UnsupportedCallError:
        return not_covered(
            f"spark.sql({word} …)",
            cause="the session answers queries, and makes temporary views of them",
            hint="begin with SELECT or WITH; write tables with df.write.parquet(path)",
        )

    def createDataFrame(self, data: Any, schema: Any = None, *more: Any, **options: Any) -> Frame:
        """Makes a frame of rows, dictionaries or a frame of pandas."""
        if more or options:
            raise not_covered(
                "spark.createDataFrame with samplingRatio or verifySchema", hint="leave them out"
            )
        if hasattr(data, "to_dict") and hasattr(data, "columns"):
            schema = schema if schema is not None else [str(name) for name in data.columns]
            data = [tuple(map(_plain, row)) for row in data.itertuples(index=False)]
        if isinstance(schema, T.DataType) and not isinstance(schema, T.StructType):
            schema = T.StructType([T.StructField("value", schema)])
        rows = [_in_utc(row) for row in data]
        if rows and not isinstance(schema, T.StructType | str):
            schema = _inferred(rows, schema)
        frame: Frame = super().createDataFrame(rows, schema)
        return frame

    # --- what the other modules call ----------------------------------------------------------------------

    def run(self, sql: str) -> None:
        """Runs a statement of DuckDB's."""
        self._told(lambda: self._conn.execute(sql))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query of DuckDB's."""
        found: list[tuple[Any, ...]] = self._told(lambda: self._conn.execute(sql).fetchall())
        return found

    def described(self, sql: str) -> list[tuple[str, str]]:
        """Returns names and types of a query's columns."""
        return [(row[0], row[1]) for row in self.rows(f"DESCRIBE {sql}")]

    def fetched(
        self, sql: str, *, in_utc: bool = False
    ) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        """Returns columns and rows of a query as Python sees them: times naive, in UTC or the host's zone."""
        columns = self.described(sql)
        rows = self.rows(self.plain(sql, columns))
        places = [at for at, (_, kind) in enumerate(columns) if kind == _INSTANT]
        if in_utc or not places:
            return columns, rows
        return columns, [
            tuple(_local(value) if at in places else value for at, value in enumerate(row)) for row in rows
        ]

    def plain(self, sql: str, columns: Sequence[tuple[str, str]], *, keep_instants: bool = False) -> str:
        """Wraps a query so that its columns have types of Spark's, and instants are naive times in UTC."""
        listed = []
        for at, (name, kind) in enumerate(columns):
            text = f"c{at}"
            if kind == _INSTANT and not keep_instants:
                text = f"timezone('UTC', c{at})"
            elif cast := cast_to(kind):
                text = f"CAST(c{at} AS {cast})"
            listed.append(f"{text} AS {quoted(name)}")
        places = ", ".join(f"c{at}" for at in range(len(columns)))
        return f"SELECT {', '.join(listed)} FROM ({sql}) AS q({places})"

    def new_name(self, kind: str) -> str:
        """Returns a name that no object has."""
        return f"sparkify_{kind}_{next(self._names)}"

    def frame_of(self, name: str) -> Frame:
        """Returns a table or view of DuckDB's as a frame."""
        names = [column for column, _ in self.described(f"SELECT * FROM {name}")]
        columns = [exp.column(exp.to_identifier(one.lower())) for one in names]
        frame: Frame = self._create_df(exp.select(*columns).from_(name))
        # SQLFrame folds names to lower case, as Spark's resolution does, and shows these.
        shown = map(quote_preserving_alias_or_name, columns)
        frame.display_name_mapping.update(zip(shown, names, strict=True))
        return frame

    def view_of(self, sql: str) -> Frame:
        """Returns a query of DuckDB's as a frame."""
        name = self.new_name("query")
        self.run(f"CREATE TEMP VIEW {name} AS {self.plain(sql, self.described(sql), keep_instants=True)}")
        return self.frame_of(name)

    def set_view(self, name: str, frame: Frame) -> None:
        """Gives a frame a name for SQL. A frame that reads what the name meant before still does."""
        self._views[name.lower()] = frame.as_view()

    def drop_view(self, name: str) -> bool:
        """Forgets a name; says whether there was one."""
        return self._views.pop(name.lower(), None) is not None

    def define(self, function: UserFunction, name: str | None = None) -> None:
        """Makes a function of the user known to DuckDB."""
        name = (name or function.sql_name).lower()
        if self._user_functions.get(name) is function:
            return
        with suppress(duckdb.Error):
            self._conn.remove_function(name)
        self._conn.create_function(
            name, function.called, None, function.duckdb_type, null_handling="special", side_effects=False
        )
        self._user_functions[name] = function

    def stop(self) -> None:
        """Closes the database."""
        with suppress(duckdb.Error):
            self._udf_conn.close()
        super().stop()

    # --- inside -------------------------------------------------------------------------------------------

    def _query(self, tree: exp.Query) -> Frame:
        local = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            name = table.name.lower()
            if name in local or table.args.get("db"):
                continue
            if name not in self._views:
                raise QueryError(
                    f"there is no view {table.name}",
                    cause=f"known are: {', '.join(sorted(self._views)) or 'none'}",
                    hint=f"make it first: df.createOrReplaceTempView({table.name!r})",
                )
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(self._views[name]))
        for select in [tree] if isinstance(tree, exp.Select) else []:
            select.set("expressions", [_aliased(one) for one in select.expressions])
        # Not by SQLFrame's way, which folds the names that a query gives.
        return self.view_of(self._meant(tree).sql(dialect="duckdb", identify=True))

    def _to_sql(self, sql: str | exp.Expr, **options: Any) -> str:
        if isinstance(sql, exp.Expr):
            sql = self._meant(sql)
        try:
            text: str = super()._to_sql(sql, **options)
        except SqlglotError as error:
            raise QueryError("this query has no counterpart in DuckDB", cause=str(error)) from None
        return text

    def _meant(self, tree: exp.Expr) -> exp.Expr:
        times = frozenset(name for name, one in self._user_functions.items() if one.gives_time)
        return semantics.adjusted(tree, times)

    @staticmethod
    def _told(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except duckdb.Error as error:
            reason = str(error).split("\n\n")[0].strip()
        raise QueryError(
            "DuckDB, which runs the queries of this session, refused one",
            cause=reason,
            hint="names and types are the usual reasons; what works on Spark alone runs there unchanged",
        )


class FunctionRegistry:
    """What `spark.udf` returns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, name: str, f: Any, returnType: Any = None) -> UserFunction:  # Spark's names
        """Makes a Python function callable in SQL."""
        function = f if isinstance(f, UserFunction) else UserFunction(f, returnType)
        self._engine.define(function, name)
        return function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"'UDFRegistration' object has no attribute {name!r}")
        raise not_covered(f"spark.udf.{name}", hint="register a Python function: spark.udf.register(name, f)")


def _aliased(node: exp.Expr) -> exp.Expr:
    """Names a column of a query as Spark would."""
    if isinstance(node, exp.Alias | exp.Star) or node.is_star:
        return node
    return exp.alias_(node, column_name(node), quoted=True)


def _local(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value.replace(tzinfo=timezone.utc).astimezone().replace(tzinfo=None)


def _plain(value: Any) -> Any:
    """Returns a value of pandas as Python's: no number is None, timestamps are times."""
    if value is None or value != value:
        return None
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


_KINDS: tuple[tuple[type, type[T.DataType]], ...] = (
    (bool, T.BooleanType), (int, T.LongType), (float, T.DoubleType), (str, T.StringType),
    (datetime, T.TimestampType), (date, T.DateType), (bytes, T.BinaryType),
)  # fmt: skip


def _inferred(rows: Sequence[Any], names: Any) -> Any:
    """Returns a schema by the first value of each column that is not NULL; the names where one is nested."""
    first = rows[0]
    if names is None and isinstance(first, T.Row):
        names = list(first.asDict())
    elif names is None:
        names = list(first) if isinstance(first, dict) else [f"_{at}" for at in range(1, len(first) + 1)]
    table = [list(row.values()) if isinstance(row, dict) else list(row) for row in rows]
    fields = []
    for at, name in enumerate(names):
        value = next((row[at] for row in table if row[at] is not None), "")
        kind = next((kind for python, kind in _KINDS if isinstance(value, python)), None)
        if kind is None:
            return names
        fields.append(T.StructField(name, kind()))
    return T.StructType(fields)


def _in_utc(row: Any) -> Any:
    """Returns a row with its naive times, which are the host's, as instants."""

    def instant(value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is None:
            return value.astimezone(timezone.utc)
        return value

    if isinstance(row, T.Row):
        return T.Row(**{name: instant(value) for name, value in row.asDict().items()})
    if isinstance(row, dict):
        return {name: instant(value) for name, value in row.items()}
    if isinstance(row, Iterable) and not isinstance(row, str | bytes):
        return tuple(map(instant, row))
    return (instant(row),)
