"""Where DuckDB and Spark mean different things by the same SQL: each difference, once.

Works on sqlglot's trees, just before they become DuckDB's SQL, so that cells in Python and in SQL are treated
alike. `MACROS` are DuckDB functions that the trees then call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.spark import Spark

from sparkify_lake.session.refusal import UnsupportedCallError, not_covered

# typeof() is known when a query is bound, so only the branch of the argument's type is ever run.
MACROS = (
    # A number is seconds since 1970. A text that is no time is NULL.
    """CREATE OR REPLACE MACRO spark_timestamp(x) AS CASE
        WHEN typeof(x) IN ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT')
            THEN make_timestamptz(TRY_CAST(x AS BIGINT) * 1000000)
        WHEN typeof(x) IN ('FLOAT', 'DOUBLE') OR typeof(x) LIKE 'DECIMAL%'
            THEN make_timestamptz(CAST(trunc(TRY_CAST(x AS DOUBLE) * 1000000) AS BIGINT))
        ELSE TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ) END""",
    # Spark cuts towards zero, DuckDB rounds. A time is its seconds since 1970.
    """CREATE OR REPLACE MACRO spark_whole(x) AS CASE
        WHEN typeof(x) IN ('FLOAT', 'DOUBLE') THEN CAST(trunc(TRY_CAST(x AS DOUBLE)) AS BIGINT)
        WHEN typeof(x) LIKE 'DECIMAL%' THEN CAST(trunc(TRY_CAST(x AS DOUBLE)) AS BIGINT)
        WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE'
            THEN CAST(floor(epoch_us(TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ)) / 1000000) AS BIGINT)
        ELSE TRY_CAST(x AS BIGINT) END""",
    """CREATE OR REPLACE MACRO spark_real(x) AS CASE
        WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE'
            THEN epoch_us(TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ)) / 1000000
        ELSE TRY_CAST(x AS DOUBLE) END""",
    # Times have no zone in text, and doubles look like Java's.
    """CREATE OR REPLACE MACRO spark_text(x) AS CASE
        WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN regexp_replace(CAST(x AS VARCHAR), '[+]00$', '')
        WHEN typeof(x) IN ('FLOAT', 'DOUBLE') THEN spark_double_text(TRY_CAST(x AS DOUBLE))
        ELSE CAST(x AS VARCHAR) END""",
)


# Functions that `_anonymous` translates, because sqlglot does so in part or otherwise.
_OURS = (
    "DATE_FORMAT", "FROM_UNIXTIME", "TO_TIMESTAMP", "TIMESTAMP_MILLIS", "TIMESTAMP_SECONDS", "UNIX_TIMESTAMP",
    "DAYOFWEEK", "WEEKDAY", "ISNULL", "ISNOTNULL", "PERCENTILE_APPROX", "APPROX_PERCENTILE",
)  # fmt: skip


class SparkifySpark(Spark):
    """Spark's dialect, but for functions whose patterns sqlglot would translate only in part."""

    class Parser(Spark.Parser):  # type: ignore[misc,valid-type]
        """Leaves those functions as they are written; `adjusted` translates them."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {
            name: build for name, build in Spark.Parser.FUNCTIONS.items() if name not in _OURS
        }


_INT = exp.DataType.build("int")
_BIGINT = exp.DataType.build("bigint")
_DOUBLE = exp.DataType.build("double")
_TEXT = exp.DataType.build("text")

# DuckDB counts in 64 bits where Spark has an int.
_PARTS_OF_TIME: tuple[type[exp.Expr], ...] = (
    exp.Year, exp.Month, exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.WeekOfYear, exp.Week, exp.Quarter,
    exp.Hour, exp.Minute, exp.Second,
)  # fmt: skip
_INTEGERS: tuple[type[exp.Expr], ...] = (
    *_PARTS_OF_TIME, exp.Length, exp.DateDiff, exp.StrPosition, exp.ArraySize
)  # fmt: skip
_RANKS = ("ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE")
_WHOLE_TYPES = {
    exp.DataType.Type.TINYINT,
    exp.DataType.Type.SMALLINT,
    exp.DataType.Type.INT,
    exp.DataType.Type.BIGINT,
}
_TIMES = {exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPLTZ}
_TEXTS = {exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR, exp.DataType.Type.CHAR}


def adjusted(tree: exp.Expr, timestamp_functions: frozenset[str]) -> exp.Expr:
    """Returns a copy of a tree that means in DuckDB what it means in Spark.

    Args:
        tree: A query in Spark's meaning.
        timestamp_functions: Functions of the user that give microseconds where a time is meant.

    Returns:
        The same query for DuckDB.
    """
    tree = tree.copy()
    # Children first: what replaces a node takes them along as they are by then.
    for node in reversed(list(tree.walk())):
        if isinstance(node, exp.Anonymous) and node.name.lower() in timestamp_functions:
            changed = _call("make_timestamptz", node)
        else:
            changed = _adjusted(node)
        if changed is node:
            continue
        if node is tree:
            tree = changed
        else:
            node.replace(changed)
    return tree


def _adjusted(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Cast):  # TryCast is one, too
        return _cast(node)
    if isinstance(node, exp.Anonymous):
        return _anonymous(node)
    if isinstance(node, exp.Window) and _function_name(node.this) in _RANKS:
        return _as(_INT, node)
    if isinstance(node, exp.ApproxQuantile):
        raise _approximate("percentile_approx")
    if isinstance(node, exp.TsOrDsAdd | exp.DateAdd | exp.DateSub | exp.DateTrunc):
        return _as(exp.DataType.build("date"), node)
    if isinstance(node, exp.Extract):
        return _as(_INT, node)
    if isinstance(node, _PARTS_OF_TIME) and not isinstance(node.this, exp.TsOrDsToDate | exp.Cast):
        # Spark reads a text as a time here.
        node = node.copy()
        node.set("this", _call("spark_timestamp", node.this))
        return _as(_INT, node)
    if isinstance(node, _INTEGERS):
        return _as(_INT, node)
    if isinstance(node, exp.Floor | exp.Ceil) and not node.args.get("decimals"):
        return _as(_BIGINT, node)
    return node


def _cast(node: exp.Cast) -> exp.Expr:
    kind = node.to.this
    if kind in _TIMES:
        return _call("spark_timestamp", node.this)
    if kind in _WHOLE_TYPES:
        return _as(node.to, _call("spark_whole", node.this))
    if kind == exp.DataType.Type.DOUBLE:
        return _call("spark_real", node.this)
    if kind in _TEXTS and not isinstance(node.this, exp.Literal):
        return _call("spark_text", node.this)
    return node


def _anonymous(node: exp.Anonymous) -> exp.Expr:
    name, arguments = node.name.upper(), node.expressions
    if name == "DATE_FORMAT" and len(arguments) == 2:
        return _text_of_time(_call("spark_timestamp", arguments[0]), arguments[1])
    if name == "FROM_UNIXTIME":
        time = _call("spark_timestamp", _call("spark_whole", arguments[0]))
        pattern = arguments[1] if len(arguments) > 1 else exp.Literal.string("yyyy-MM-dd HH:mm:ss")
        return _text_of_time(time, pattern)
    if name == "TO_TIMESTAMP" and len(arguments) == 1:
        return _call("spark_timestamp", arguments[0])
    if name == "TO_TIMESTAMP":
        # Without a zone in the pattern the text is UTC, as the session is.
        return _call(
            "timezone", exp.Literal.string("UTC"), _call("try_strptime", arguments[0], _pattern(arguments[1]))
        )
    if name == "TIMESTAMP_MILLIS":
        return _call("make_timestamptz", _times(_call("spark_whole", arguments[0]), 1000))
    if name == "TIMESTAMP_SECONDS":
        return _call("spark_timestamp", arguments[0])
    if name == "UNIX_TIMESTAMP" and len(arguments) == 1:
        return _call("spark_whole", _call("spark_timestamp", arguments[0]))
    if name in ("DAYOFWEEK", "WEEKDAY"):
        # Spark counts from Sunday, 1, and from Monday, 0; DuckDB from Sunday, 0.
        first, shift = ("1", "0") if name == "DAYOFWEEK" else ("0", "6")
        day = exp.Paren(this=_plus(_call("dayofweek", _call("spark_timestamp", arguments[0])), shift))
        return _as(_INT, _plus(exp.Mod(this=day, expression=exp.Literal.number(7)), first))
    if name in ("ISNULL", "ISNOTNULL"):
        is_null = exp.Is(this=arguments[0].copy(), expression=exp.Null())
        return exp.Paren(this=is_null if name == "ISNULL" else exp.Not(this=is_null))
    if name in ("PERCENTILE_APPROX", "APPROX_PERCENTILE"):
        raise _approximate(name.lower())
    if name in _OURS:
        raise not_covered(
            f"{name.lower()} with {len(arguments)} arguments", hint="use to_timestamp and a cast"
        )
    if name == "MONOTONICALLY_INCREASING_ID":
        number = exp.Window(this=exp.Anonymous(this="row_number"))
        return exp.Paren(this=exp.Sub(this=number, expression=exp.Literal.number(1)))
    return node


def _approximate(call: str) -> UnsupportedCallError:
    return not_covered(
        call, cause="DuckDB's gives values between the data's", hint="use percentile, which is exact"
    )


def _plus(node: exp.Expr, number: str) -> exp.Expr:
    return exp.Add(this=node, expression=exp.Literal.number(number))


def _function_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return node.name.upper()
    return node.sql_name().upper() if isinstance(node, exp.Func) else ""


def _times(node: exp.Expr, factor: int) -> exp.Expr:
    return exp.Mul(this=node.copy(), expression=exp.Literal.number(factor))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[one.copy() for one in arguments])


def _as(kind: exp.DataType, node: exp.Expr) -> exp.Expr:
    return exp.Cast(this=node.copy(), to=kind.copy())


# --- times as text ----------------------------------------------------------------------------------------

# Spark's letters, by how often they are repeated, as DuckDB's strftime has them.
_PATTERN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_LETTERS: dict[str, Callable[[int], str | None]] = {
    "y": lambda n: {1: "%Y", 2: "%y", 4: "%Y"}.get(n),
    "M": lambda n: {1: "%-m", 2: "%m", 3: "%b", 4: "%B"}.get(n),
    "L": lambda n: {1: "%-m", 2: "%m", 3: "%b", 4: "%B"}.get(n),
    "d": lambda n: {1: "%-d", 2: "%d"}.get(n),
    "D": lambda n: {1: "%-j", 3: "%j"}.get(n),
    "E": lambda n: {1: "%a", 2: "%a", 3: "%a", 4: "%A"}.get(n),
    "H": lambda n: {1: "%-H", 2: "%H"}.get(n),
    "h": lambda n: {1: "%-I", 2: "%I"}.get(n),
    "m": lambda n: {1: "%-M", 2: "%M"}.get(n),
    "s": lambda n: {1: "%-S", 2: "%S"}.get(n),
    "S": lambda n: {3: "%g", 6: "%f"}.get(n),
    "a": lambda n: "%p" if n == 1 else None,
}


def strftime(pattern: str) -> str:
    """Translates a pattern of Spark's `date_format` to DuckDB's `strftime`.

    Example:
        >>> strftime("EEEE, d MMM yyyy 'at' HH:mm")
        '%A, %-d %b %Y at %H:%M'
    """
    parts = []
    end = 0
    for found in _PATTERN.finditer(pattern):
        end = found.end()
        text, letter = found[0], found[2]
        if letter:
            code = _LETTERS[letter](len(text)) if letter in _LETTERS else None
            if code is None:
                raise not_covered(
                    f"date_format(…, {pattern!r})",
                    cause=f"the pattern {text!r} has no counterpart",
                    hint="use y, M, d, E, H, h, m, s, SSS or a",
                )
            parts.append(code)
        else:
            literal = (found[1] or "'").replace("''", "'") if text.startswith("'") else text
            parts.append(literal.replace("%", "%%"))
    if end != len(pattern):
        raise not_covered(f"date_format(…, {pattern!r})", cause="a quote is not closed", hint="close it")
    return "".join(parts)


def _text_of_time(time: exp.Expr, pattern: exp.Expr) -> exp.Expr:
    return _call("strftime", time, _pattern(pattern))


def _pattern(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Literal):
        raise not_covered("a pattern of times that is no literal", hint="write it as a text: 'yyyy-MM-dd'")
    return exp.Literal.string(strftime(node.this))
