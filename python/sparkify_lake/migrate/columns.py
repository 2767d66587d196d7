"""Functions and methods of columns: what a column of the script holds, in terms of the input's fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sparkify_lake.migrate.values import Column, Condition, Function, Udf, as_text, constant_of, text

# The functions that return a part of a time, and the part.
PARTS = {
    "hour": "hour", "dayofmonth": "day", "day": "day", "weekofyear": "week", "month": "month",
    "year": "year", "dayofweek": "weekday", "weekday": "weekday", "dow": "weekday", "dayname": "weekday",
    "minute": "minute", "second": "second", "quarter": "quarter", "dayofyear": "dayofyear", "week": "week",
}  # fmt: skip
# The letters of a date format, and the part that a format of only this letter gives.
_LETTERS = {
    "E": "weekday", "u": "weekday", "e": "weekday", "F": "weekday", "H": "hour", "k": "hour", "d": "day",
    "w": "week", "M": "month", "L": "month", "y": "year", "Y": "year",
}  # fmt: skip
_IDS = ("monotonicallyincreasingid", "rownumber", "uuid", "rank", "denserank")
_HASHES = ("md5", "sha", "sha1", "sha2", "xxhash64", "hash", "crc32")
_KNOWN = ("anyvalue", "cast", "first", "last", "max", "min")
_CHANGING = (
    "abs", "ceil", "count", "floor", "initcap", "lag", "lcase", "lead",
    "left", "lower", "lpad", "ltrim", "mean", "nullif", "regexpreplace", "replace", "right", "round",
    "rtrim", "split", "substr", "substring", "sum", "translate", "trim", "ucase", "upper",
)  # fmt: skip
_ATTRIBUTES = {
    "hour": "hour", "day": "day", "month": "month", "year": "year", "isocalendar": "week",
    "weekday": "weekday", "isoweekday": "weekday", "strftime": "?",
}  # fmt: skip


def combined(columns: Iterable[Column], name: str = "") -> Column:
    """Returns an expression of several columns: it holds a field if it refers to only one."""
    known = [column for column in columns if column.origin != "literal"]
    distinct = {(column.origin, "" if column.origin else column.looked_up) for column in known}
    if len(distinct) != 1:
        return Column(name, "literal" if not known else "?")
    return replace(known[0], name=name or known[0].name)


def columns_in(values: Iterable[Any]) -> list[Column]:
    """Returns the columns in values; a text is the name of a column."""
    found: list[Column] = []
    for value in values:
        if isinstance(value, Column):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += columns_in(value)
        elif isinstance(value, Condition):
            found.append(Column("", "?"))
        elif (name := constant_of(value)) is not None:
            found.append(Column(name))
    return found


def part_of_time(base: Column, part: str, *, is_text: bool = False) -> Column:
    """Returns a part of a time. Whether its base is a time is not known before the frame is."""
    if base.looked_up.rpartition(".")[2].lower() == part == "year" and base.origin in ("", "year"):
        return base  # the year of a song, converted
    if part == "hour" and base.origin == "fn:date":
        return Column(part, "literal")  # a date begins at midnight
    return Column(part, f"fn:{part}", is_text, ref="" if base.origin else base.looked_up)


def of_format(base: Column, pattern: str | None) -> Column:
    """Returns what `date_format` returns."""
    letters = set(pattern or "")
    part = _LETTERS.get(next(iter(letters))) if len(letters) == 1 else None
    if part:
        return part_of_time(base, part, is_text=True)
    return replace(as_time(base), is_text=True)


def as_time(base: Column) -> Column:
    """Returns a conversion to a time: of ts it is the start time."""
    return replace(base, is_text=False, is_time=True)


def changed_by(column: Column, function: str) -> Column:
    """Returns a column whose values a function changes."""
    return replace(column, changed=column.changed or function)


def function_of(name: str, arguments: Sequence[Any]) -> Any:
    """Returns the result of a function of `pyspark.sql.functions`, or of SQL."""
    plain = name.lower().replace("_", "")
    if plain in ("col", "column"):
        wanted = constant_of(arguments[0]) if arguments else None
        return Column(wanted or "?", "" if wanted else "?")
    if plain in ("lit", "currenttimestamp", "currentdate", "now"):
        return Column(constant_of(arguments[0]) or "" if arguments else "", "literal")
    if plain in _IDS:
        return Column(name, "id")
    if plain in _HASHES:
        return Column(name, "hash")
    if not arguments:
        return Column("", "?")
    base = combined(columns_in(arguments[:1]))
    if plain == "extract" and len(arguments) == 2:  # from SQL: the part and the column
        wanted = (constant_of(arguments[0]) or "").lower().replace("_", "")
        wanted = {"doy": "dayofyear", "dowiso": "weekday", "dayofweekiso": "weekday"}.get(wanted, wanted)
        return function_of(wanted, arguments[1:]) if wanted in PARTS else Column("", "?")
    if plain in PARTS:
        return part_of_time(base, PARTS[plain], is_text=plain in ("dayname", "weekday"))
    if plain == "dateformat":
        return of_format(base, constant_of(arguments[1]) if len(arguments) > 1 else None)
    if plain == "fromunixtime":
        return replace(as_time(base), is_text=True)
    if plain in (
        "totimestamp",
        "timestampmillis",
        "timestampseconds",
        "datetrunc",
        "trunc",
        "timestamp",
    ):
        last = arguments[1] if plain == "datetrunc" and len(arguments) > 1 else arguments[0]
        return as_time(combined(columns_in([last])))
    if plain in ("desc", "asc", "broadcast") and arguments:
        return arguments[0] if plain == "broadcast" else base
    if plain in ("concat", "concatws", "struct", "array"):
        return Column("", "?")
    if plain in ("coalesce", "ifnull", "nvl"):
        return changed_by(combined(columns_in(arguments)), f"{plain}()")
    if plain in ("when", "if", "case"):
        return changed_by(combined(one for one in arguments if isinstance(one, Column)), "when()")
    if plain == "todate":
        return part_of_time(base, "date")
    columns = [one for one in arguments if isinstance(one, Column)]
    result = combined(columns or columns_in(arguments[:1]))
    if plain in _KNOWN:
        return result
    if plain in _CHANGING:
        return changed_by(result, f"{plain}()")
    # A function that the script registered: its name says which part of a time it returns, if any.
    part = next((part for word, part in PARTS.items() if word in plain), None)
    return part_of_time(result, part) if part else replace(result, is_time=True)


def apply_udf(udf: Udf, arguments: Sequence[Any]) -> Column:
    """Returns the result of a function of the script on columns."""
    base = combined(columns_in(arguments))
    if udf.part:
        return part_of_time(base, udf.part, is_text=udf.is_text)
    made = base if udf.is_number else replace(as_time(base), is_text=udf.is_text)
    return changed_by(made, "a function of the script")


def udf_of(function: Any, types: Sequence[Any]) -> Udf:
    """Returns a user-defined function: the part of a time that its body asks for, and its type."""
    node = function.node if isinstance(function, Function) else None
    inner = ast.walk(node) if node is not None else ()
    attributes = [one.attr for one in inner if isinstance(one, ast.Attribute)]
    parts = {_ATTRIBUTES[name] for name in attributes if name in _ATTRIBUTES} - {"?"}
    part = next(iter(parts)) if len(parts) == 1 else ""
    kind = str(types[0]) if types else "StringType"
    is_text = "string" in kind.lower() or part == "weekday"  # Python counts from Monday
    if "date" in kind.lower():
        part = "date"
    is_number = not part and bool(re.search("int|long|short|double|float|decimal", kind, re.I))
    return Udf(part, is_text=is_text, is_number=is_number)


def method_of(column: Column, name: str, arguments: Sequence[Any]) -> Any:
    """Returns the result of a method of a column."""
    if name in ("alias", "name"):
        new = constant_of(arguments[0]) if arguments else None
        return (
            replace(column, name=new, ref=column.ref if column.origin else column.looked_up)
            if new
            else column
        )
    if name in ("cast", "astype"):
        kind = (constant_of(arguments[0]) or str(arguments[0])).lower() if arguments else ""
        if "timestamp" in kind:
            return as_time(column)
        if "date" in kind:
            return part_of_time(column, "date")
        is_time = column.is_time or column.origin.startswith(("start_time", "fn:"))
        return replace(column, is_text="string" in kind and is_time)
    if name in ("when", "otherwise"):
        given = [one for one in arguments if isinstance(one, Column)]
        return changed_by(combined([column, *given], column.name), "when()")
    if name == "isNotNull":
        return Condition(not_null=(column,))
    if name in (
        "isNull",
        "isin",
        "like",
        "rlike",
        "startswith",
        "endswith",
        "contains",
        "between",
        "eqNullSafe",
    ):
        return Condition(has_more=True)
    return column


def equal(left: Column, right: Column) -> Condition:
    """Returns the condition that two columns are equal; a function of a column is a further condition."""
    return Condition(pairs=((left, right),), has_more=bool(left.changed or right.changed))


def compared(left: Any, operator: str, right: Any) -> Any:
    """Returns the condition that two values are compared."""
    left, right = (
        text(side.name) if isinstance(side, Column) and side.origin == "literal" and side.name else side
        for side in (left, right)
    )
    sides = [side for side in (left, right) if isinstance(side, Column)]
    if not sides:
        return Condition(has_more=True)
    if len(sides) == 2 and operator == "==":
        return equal(sides[0], sides[1])
    other = as_text(right if isinstance(left, Column) else left)
    if operator == "==" and other is not None and other.constant is not None:
        return Condition(constants=((sides[0], other.constant),))
    if operator == "!=" and (right is None or (other is not None and other.constant == "")):
        return Condition(not_null=(sides[0],))  # an empty userId is left out, as NULL is
    return Condition(has_more=True)
