"""Methods of sessions, readers, frames and writers of Spark, on values of the script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sparkify_lake.migrate import sql
from sparkify_lake.migrate.columns import columns_in
from sparkify_lake.migrate.frames import Frame, Grouped, Writer
from sparkify_lake.migrate.recording import is_secret
from sparkify_lake.migrate.storage import Arguments, Context, Keywords
from sparkify_lake.migrate.values import (
    FIELDS,
    Bound,
    Column,
    Condition,
    Session,
    Unknown,
    as_text,
    constant_of,
    names_in,
)

# The methods of a frame that change neither its columns nor its rows.
_NEUTRAL = (
    "cache", "checkpoint", "coalesce", "hint", "localCheckpoint", "orderBy", "persist",
    "repartition", "repartitionByRange", "sort", "sortWithinPartitions", "unpersist", "fillna",
)  # fmt: skip
_SHOWING = (
    "show", "printSchema", "count", "explain", "head", "first", "take", "collect", "describe", "summary",
    "toPandas", "foreach", "isEmpty", "tail", "getNumPartitions",
)  # fmt: skip
FRAME_METHODS = frozenset({
    *_NEUTRAL, *_SHOWING, "alias", "select", "selectExpr", "withColumn", "withColumns", "withColumnRenamed",
    "withColumnsRenamed", "drop", "toDF", "filter", "where", "distinct", "dropDuplicates", "drop_duplicates",
    "join", "crossJoin", "groupBy", "groupby", "limit", "union", "unionAll", "unionByName",
    "createOrReplaceTempView", "createTempView", "createGlobalTempView", "createOrReplaceGlobalTempView",
    "registerTempTable", "dropna", "sample", "intersect", "subtract", "exceptAll", "agg", "transform",
    "colRegex", "replace",
})  # fmt: skip
_SETTINGS = {"spark.sql.session.timeZone", "spark.sql.parquet.compression.codec"}


def session_method(context: Context, name: str, arguments: Arguments, keywords: Keywords, line: int) -> Any:
    """Returns the result of a method of the session, of its builder or of its context."""
    if name == "sql":
        return _query(context, arguments[0] if arguments else keywords.get("sqlQuery"), line)
    if name == "table":
        return context.views.get((constant_of(arguments[0]) or "").lower(), Frame()) if arguments else Frame()
    if name in ("config", "set", "setIfMissing") and len(arguments) == 2:
        _set(context, arguments[0], arguments[1], line)
    if name == "config" and "key" in keywords:
        _set(context, keywords["key"], keywords.get("value"), line)
    if name == "createDataFrame":
        given = {**dict(zip(("data", "schema"), arguments, strict=False)), **keywords}
        data, schema = given.get("data"), given.get("schema")
        return _to_df(data, [schema], {}, line) if isinstance(data, Frame) else Frame(is_open=False)
    if name in ("range", "emptyDataFrame"):
        return Frame(is_open=False)
    if name in ("textFile", "parallelize", "broadcast"):
        context.recording.not_understood(line, f"the call {name}() of the Spark context")
        return Unknown()
    return Session()


def _set(context: Context, key: Any, value: Any, line: int) -> None:
    """Records a setting of the session."""
    name, given = constant_of(key), as_text(value)
    if name is None or given is None:
        return
    constant = given.constant
    if constant and is_secret(name, constant):
        if "provider" not in name:
            context.recording.secret(line, f"the setting {name}", constant)
    elif name in _SETTINGS or "fs.s3" in name:
        plain = name.removeprefix("spark.hadoop.").replace("fs.s3n.", "fs.s3a.").replace("fs.s3.", "fs.s3a.")
        context.recording.set(plain, given, line)


def _query(context: Context, query: Any, line: int) -> Frame:
    constant = constant_of(query)
    if constant is None:
        context.recording.not_understood(
            line, "the text of a SQL query", "it is put together when the script runs"
        )
        return Frame()
    try:
        return sql.frame_of_query(constant, context.views, line)
    except sql.NotUnderstood:
        context.recording.not_understood(line, "a SQL query", "it is not a SELECT that can be parsed")
        return Frame()


def frame_method(
    context: Context, frame: Frame, name: str, arguments: Arguments, keywords: Keywords, line: int
) -> Any:
    """Returns the result of a method of a frame."""
    if name in ("collect", "toPandas"):
        return frame  # some scripts create a frame of the rows again
    if name in _SHOWING:
        return Unknown("the data")
    if name in _CHANGES:
        return _CHANGES[name](frame, arguments, keywords, line)
    if name in ("selectExpr", "filter", "where"):
        return _with_sql(context, frame, name, arguments or list(keywords.values()), line)
    if name == "alias":
        alias = constant_of(arguments[0]) if arguments else None
        return frame.named(alias) if alias else frame
    if "TempView" in name or name == "registerTempTable":
        view = constant_of(arguments[0] if arguments else keywords.get("name"))
        if view is None:
            context.recording.not_understood(line, "the name of a temporary view")
        else:
            context.views[view.lower()] = frame
        return None
    if name == "transform" or name not in FRAME_METHODS:
        context.recording.not_understood(line, f"the method {name}() of a frame")
    return frame


def _with_sql(context: Context, frame: Frame, name: str, arguments: Arguments, line: int) -> Any:
    """Returns the result of a method that takes SQL texts."""
    try:
        if name == "selectExpr":
            texts = [
                constant_of(one)
                for one in (arguments[0] if arguments and isinstance(arguments[0], list) else arguments)
            ]
            return frame.selected([column for one in texts if one for column in sql.column_of_text(one)])
        condition = arguments[0] if arguments else None
        if (constant := constant_of(condition)) is not None:
            condition = sql.condition_of_text(constant)
    except sql.NotUnderstood:
        context.recording.not_understood(line, f"the SQL text of {name}()")
        return frame
    return frame.filtered(condition if isinstance(condition, Condition) else Condition(has_more=True), line)


def select(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Frame:
    """Returns `frame.select(...)`."""
    return frame.selected(columns_in(arguments))


def _with_column(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Frame:
    given = list(arguments) + [keywords[name] for name in ("colName", "col") if name in keywords]
    name = constant_of(given[0]) if given else None
    value = given[1] if len(given) > 1 else None
    if name is None:
        return frame
    column = frame.resolved(value) if isinstance(value, Column) else Column(name, "?")
    return replace(frame, columns={**frame.columns, name: replace(column, name=name)})


def _renamed(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Frame:
    names = names_in(*arguments, *keywords.values())
    if len(names) != 2:
        return frame
    old, new = names
    column = replace(frame.column(old), name=new)
    if frame.is_open or any(known.lower() == old.lower() for known in frame.columns):
        columns = {
            (new if known.lower() == old.lower() else known): (
                column if known.lower() == old.lower() else value
            )
            for known, value in frame.columns.items()
        }
        return replace(frame, columns={**columns, new: column})
    return frame


def _dropped(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Frame:
    names = {name.lower() for name in names_in(*arguments)}
    columns = {key: value for key, value in frame.columns.items() if key.lower() not in names}
    # Of two columns with the same name after a join, a column of one frame drops one.
    kept = {
        one.name: other
        for one in arguments
        if isinstance(one, Column) and (other := frame.hidden.get(one.name)) and one.origin != other.origin
    }
    return replace(frame, columns={**columns, **kept})


def _to_df(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Frame:
    names = names_in(*arguments)
    if not names or frame.is_open or len(names) != len(frame.columns):
        return frame
    pairs = zip(names, frame.columns.values(), strict=True)
    return replace(frame, columns={name: replace(column, name=name) for name, column in pairs})


def _distinct(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Frame:
    keys = names_in(*arguments, *keywords.values())
    return replace(frame, distinct=tuple(frame.column(key).origin for key in keys))


def _joined(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Frame:
    given = {**dict(zip(("other", "on", "how"), arguments, strict=False)), **keywords}
    other = given.get("other")
    parts = given.get("on")
    condition = Condition()
    for part in parts if isinstance(parts, list | tuple) else [parts]:
        if isinstance(part, Condition):
            condition &= part
        elif (name := constant_of(part)) is not None:
            condition &= Condition(pairs=((Column(name), Column(name)),))
        elif part is not None:
            condition &= Condition(has_more=True)
    how = constant_of(given.get("how")) or ("inner" if given.get("how") is None else "?")
    return frame.joined(other if isinstance(other, Frame) else Frame(), condition, how.lower(), line)


def _grouped(frame: Frame, arguments: Arguments, keywords: Keywords, line: int) -> Grouped:
    return Grouped(frame, tuple(names_in(*arguments)))


def _step(name: str) -> Callable[[Frame, Arguments, Keywords, int], Frame]:
    return lambda frame, arguments, keywords, line: frame.with_step(name, line)


_CHANGES: Mapping[str, Callable[[Frame, Arguments, Keywords, int], Any]] = {
    "select": select, "withColumn": _with_column, "withColumnRenamed": _renamed, "drop": _dropped,
    "toDF": _to_df, "distinct": _distinct, "dropDuplicates": _distinct, "drop_duplicates": _distinct,
    "join": _joined, "crossJoin": _joined, "groupBy": _grouped, "groupby": _grouped,
    "limit": _step("limit"), "sample": _step("sample"), "union": _step("union"), "unionAll": _step("union"),
    "unionByName": _step("union"), "dropna": _step("filter"), "intersect": _step("intersect"),
    "subtract": _step("subtract"), "exceptAll": _step("subtract"), "agg": _step("agg"),
}  # fmt: skip


def grouped_method(grouped: Grouped, name: str, arguments: Arguments, line: int) -> Frame:
    """Returns the frame of an aggregation: the keys and the aggregates."""
    frame = grouped.frame
    columns = {key: frame.resolved(Column(key)) for key in grouped.keys}
    columns |= {one.name: frame.resolved(one) for one in columns_in(arguments)}
    distinct = tuple(frame.column(key).origin for key in grouped.keys)
    return replace(frame, columns=columns, is_open=False, distinct=distinct)


def frame_attribute(frame: Frame, name: str) -> Any:
    """Returns an attribute of a frame: a method, `write`, or a column."""
    if name in ("write", "writeStream"):
        return Writer(frame)
    if name == "na":
        return Bound(frame, "na")
    if name == "rdd":
        return frame
    if name in ("schema", "dtypes", "columns", "sparkSession"):
        return Unknown(name)
    is_column = name.lower() in FIELDS or any(known.lower() == name.lower() for known in frame.columns)
    if name in FRAME_METHODS and not (is_column and name not in FRAME_METHODS):
        return Bound(frame, name)
    return replace(frame.column(name), name=name)


def frame_item(frame: Frame, key: Any, line: int) -> Any:
    """Returns `frame[key]`: a column, a selection or a filter."""
    if isinstance(key, list | tuple):
        return select(frame, key, {}, line)
    if isinstance(key, Condition):
        return frame.filtered(key, line)
    name = constant_of(key)
    return replace(frame.column(name), name=name) if name is not None else Unknown()
