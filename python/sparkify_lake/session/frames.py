"""Methods of data frames, statements of SQL and errors that Sail answers differently from Spark.

The replaced methods change only frames of a session on Sail (`connection.py` checks that).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pyspark.errors import PySparkAttributeError
from pyspark.errors.exceptions import connect as errors
from pyspark.sql import functions as F
from pyspark.sql.connect.catalog import Catalog
from pyspark.sql.connect.dataframe import DataFrame

from sparkify_lake.session.context import Rows
from sparkify_lake.session.refusal import not_covered

_WIDTHS = ("byte", "short", "integer", "long", "float", "double")
STATISTICS = ("count", "mean", "stddev", "min", "25%", "50%", "75%", "max")


def attribute(frame: DataFrame, name: str) -> Any:
    """`df.name`: Spark Connect returns a column for any name, so `hasattr` is always true."""
    own = getattr(type(frame), name, None)
    if isinstance(own, property) and own.fget:
        return own.fget(frame)  # its refusal is an AttributeError, which would be hidden here
    if not name.startswith("_") and name not in frame.columns:
        raise PySparkAttributeError(
            errorClass="ATTRIBUTE_NOT_SUPPORTED", messageParameters={"attr_name": name}
        )
    return _original("__getattr__")(frame, name)


def replace(frame: DataFrame, *args: Any, **kwargs: Any) -> Any:
    """`na.replace` gives all columns names in lower case."""
    return _original("replace")(frame, *args, **kwargs).toDF(*frame.columns)


def renamed(frame: DataFrame, colsMap: Any) -> Any:
    """`withColumnRenamed` finds a name in another case."""
    if isinstance(colsMap, dict):
        exact = {name.lower(): name for name in frame.columns}
        colsMap = {exact.get(name.lower(), name): new for name, new in colsMap.items()}
    return _original("withColumnsRenamed")(frame, colsMap)


def shown(frame: DataFrame, *args: Any, **kwargs: Any) -> Any:
    """`show` prints an empty line after "only showing top 5 rows"."""
    text = _original("_show_string")(frame, *args, **kwargs)
    return text.removesuffix("\n") if text.rstrip("\n").endswith(("row", "rows")) else text


def summary(frame: DataFrame, *statistics: str) -> Any:
    """`summary` has its rows in any order."""
    return _in_order(_original("summary")(frame, *statistics), statistics or STATISTICS)


def describe(frame: DataFrame, *cols: Any) -> Any:
    """`describe` has its rows in any order."""
    return _in_order(_original("describe")(frame, *cols), STATISTICS)


def union_by_name(frame: DataFrame, other: DataFrame, allowMissingColumns: bool = False) -> Any:
    """A column that is missing in one frame has no type."""
    if allowMissingColumns:
        frame, other = _with_columns_of(frame, other), _with_columns_of(other, frame)
    return _original("unionByName")(frame, other)


def union(frame: DataFrame, other: DataFrame) -> Any:
    """The numbers of a union have the type of the first frame; Spark takes the wider one."""
    ours, theirs = ([one.dataType.typeName() for one in side.schema] for side in (frame, other))
    wide = [
        max(pair, key=_WIDTHS.index) if {*pair} <= {*_WIDTHS} else ""
        for pair in zip(ours, theirs, strict=False)
    ]
    return _original("union")(_widened(frame, ours, wide), _widened(other, theirs, wide))


def _widened(frame: DataFrame, kinds: list[str], wide: list[str]) -> Any:
    names = frame.columns
    changed = {name: to for name, kind, to in zip(names, kinds, wide, strict=False) if to not in ("", kind)}
    if len({*names}) < len(names):  # no column can be named
        return frame
    return (
        frame.withColumns({name: F.col(f"`{name}`").cast(to) for name, to in changed.items()})
        if changed
        else frame
    )


def approx_quantile(frame: DataFrame, col: Any, probabilities: Any, relativeError: float) -> Any:
    """`approxQuantile` is missing; this is exact."""
    names = [col] if isinstance(col, str) else list(col)
    found = frame.select(*[F.percentile_approx(name, list(probabilities)) for name in names]).first()
    quantiles = [[float(one) for one in values if one is not None] for values in found or ()]
    return quantiles[0] if isinstance(col, str) else quantiles


def to_json(frame: DataFrame, use_unicode: bool = True) -> Rows:
    """`toJSON` returns a frame with one column; Spark returns an RDD of texts."""
    texts = _original("toJSON")(frame)
    return Rows(frame._session, lambda: (row[0] for row in texts.toLocalIterator()))


METHODS: dict[str, Callable[..., Any]] = {
    "__getattr__": attribute,
    "replace": replace,
    "withColumnsRenamed": renamed,
    "_show_string": shown,
    "summary": summary,
    "describe": describe,
    "approxQuantile": approx_quantile,
    "toJSON": to_json,
    "union": union,
    "unionByName": union_by_name,
}
_ORIGINALS: dict[str, Callable[..., Any]] = {name: getattr(DataFrame, name) for name in METHODS}


def methods(is_ours: Callable[[DataFrame], bool]) -> dict[str, Any]:
    """Returns the methods of a data frame that replace those of Spark's client."""

    def only_ours(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(frame: DataFrame, *args: Any, **kwargs: Any) -> Any:
            return (method if is_ours(frame) else _original(name))(frame, *args, **kwargs)

        return call

    return {name: only_ours(name, method) for name, method in METHODS.items()}


def _original(name: str) -> Callable[..., Any]:
    return _ORIGINALS[name]


def _in_order(frame: DataFrame, statistics: tuple[str, ...]) -> Any:
    place = F.array_position(F.array(*[F.lit(one) for one in statistics]), F.col("summary"))
    return frame.orderBy(place)


def _with_columns_of(frame: DataFrame, other: DataFrame) -> Any:
    names = {name.lower() for name in frame.columns}
    missing = {
        one.name: F.lit(None).cast(one.dataType) for one in other.schema if one.name.lower() not in names
    }
    return frame.withColumns(missing) if missing else frame


# --- statements ---------------------------------------------------------------------------------------------

_SET = re.compile(r"\s*SET\s+([\w.]+)\s*=\s*(.*?)\s*;?\s*", re.I | re.S)
_USE = re.compile(r"\s*USE\s+(?:DATABASE\s+|SCHEMA\s+)?`?(\w+)`?\s*;?\s*", re.I)
_CACHE = re.compile(r"\s*(?:UN)?CACHE\s+(?:LAZY\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?[\w.`]+\s*;?\s*", re.I)
_SHOW_TABLES = re.compile(r"\s*SHOW\s+TABLES\b.*", re.I | re.S)


def statement(session: Any, query: str, run: Callable[[str], Any]) -> Any:
    """Runs a statement that Sail's SQL does not have, or any other query with `run`."""
    if found := _SET.fullmatch(query):
        session.conf.set(found[1], found[2])
        return session.createDataFrame([found.groups()], "key string, value string")
    if found := _USE.fullmatch(query):
        session.catalog.setCurrentDatabase(found[1])
    elif _SHOW_TABLES.fullmatch(query):
        return run(query).withColumnRenamed("database", "namespace")
    elif not _CACHE.fullmatch(query):
        return run(query)
    return session.range(0).select()


class CatalogWithoutCache(Catalog):
    """The catalog; Sail keeps no table in memory."""

    def cacheTable(self, tableName: str, storageLevel: Any = None) -> None:
        """Does nothing."""

    def uncacheTable(self, tableName: str) -> None:
        """Does nothing."""

    def clearCache(self) -> None:
        """Does nothing."""


# --- errors -------------------------------------------------------------------------------------------------

_ERRORS: tuple[tuple[str, type[Exception]], ...] = (
    (r"invalid argument: found .* expected ", errors.ParseException),
    (r"unknown function: ", errors.AnalysisException),
    (r".*(Divide|Division) by zero", errors.ArithmeticException),
    (r"Can't cast value -?[0-9]+ to type U?Int", errors.ArithmeticException),
    (r".*Cannot cast string '", errors.NumberFormatException),
)


def named_as_in_spark(error: Exception) -> Exception:
    """Gives an error the class that notebooks catch; Sail has other classes for some."""
    if found := re.match(r"No data source found for: (orc|avro|xml|jdbc|delta|iceberg)$", str(error)):
        return not_covered(f"the format {found[1]}", hint="use parquet, json, csv or text")
    for pattern, kind in _ERRORS:
        if re.match(pattern, str(error), re.S):
            return kind(str(error))
    return error
