"""Types of the columns of CSV files, inferred from all rows and converted as Spark does.

Sail infers no `int`, fails at a value that does not have the type of the schema, and ignores `nullValue`.
So all columns are read as text, and converted here.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from pyspark.sql import functions as F
from pyspark.sql.types import StructType

_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
# The types in the order in which Spark tries them, each with the condition for a value.
_TYPES = (
    ("int", "try_cast(VALUE AS INT) IS NOT NULL"),
    ("bigint", "try_cast(VALUE AS BIGINT) IS NOT NULL"),
    ("double", "try_cast(VALUE AS DOUBLE) IS NOT NULL"),
    ("date", f"VALUE RLIKE '{_DATE}$' AND try_cast(VALUE AS DATE) IS NOT NULL"),
    ("timestamp", f"VALUE RLIKE '{_DATE}[T ][0-9]' AND try_cast(VALUE AS TIMESTAMP) IS NOT NULL"),
    ("boolean", "lower(VALUE) IN ('true', 'false')"),
)


def is_for_sail(given: dict[str, str]) -> bool:
    """Whether Sail converts the values: in the other modes and with formats of times."""
    formats = {"dateformat", "timestampformat"} & given.keys()
    return bool(formats) or given.get("mode", "permissive").lower() != "permissive"


def typed(frame: Any, schema: StructType | None, given: dict[str, str], skip: Container[str]) -> Any:
    """Converts the texts of a frame to the types of the schema, or to those that all values have."""
    names = [name for name in frame.columns if name not in skip]
    if len({*frame.columns}) < len(frame.columns):
        return frame
    if null := given.get("nullvalue"):
        frame = frame.withColumns({name: F.nullif(_column(name), F.lit(null)) for name in names})
    if schema is not None:
        kinds = {one.name: one.dataType.simpleString() for one in schema}
    elif given.get("inferschema", "false").lower() == "true" and names:
        kinds = _inferred(frame, names)
    else:
        kinds = {}
    casts = {name: _column(name).try_cast(kind) for name, kind in kinds.items() if kind != "string"}
    return frame.withColumns(casts) if casts else frame


def _inferred(frame: Any, names: list[str]) -> dict[str, str]:
    fits = [
        F.expr(f"CASE WHEN {quoted(name)} IS NOT NULL THEN {condition.replace('VALUE', quoted(name))} END")
        for name in names
        for _, condition in _TYPES
    ]
    columns = [f"c{number}" for number in range(len(fits))]
    rows = frame.select(*[one.alias(column) for one, column in zip(fits, columns, strict=True)])
    all_fit = iter(rows.agg(*[F.bool_and(column) for column in columns]).first())
    found = {name: [kind for kind, _ in _TYPES if next(all_fit)] for name in names}
    return {name: kinds[0] if kinds else "string" for name, kinds in found.items()}


def quoted(name: str) -> str:
    """Returns the name of a column as SQL needs it."""
    return "`" + name.replace("`", "``") + "`"


def _column(name: str) -> Any:
    return F.col(quoted(name))
