"""In the place of pyspark: modules of its names, made of this session and of SQLFrame.

Nothing on disk is changed and nothing of SQLFrame's is patched: the modules are put into `sys.modules`, and
taken out again.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import sqlframe.duckdb
from sqlframe.base.column import Column

from sparkify_lake.errors import UsageError
from sparkify_lake.session import MARK, RuntimeConfig, SparklessContext, SparklessSession, functions
from sparkify_lake.session import types as T
from sparkify_lake.session.engine import current
from sparkify_lake.session.frame import Frame, Grouped
from sparkify_lake.session.reader import Reader
from sparkify_lake.session.refusal import no_such_import
from sparkify_lake.session.writer import Writer


def activate() -> None:
    """Puts the modules in place; does nothing when they are there."""
    there = sys.modules.get("pyspark")
    if there is not None:
        if hasattr(there, MARK):
            return
        raise UsageError(
            "pyspark is imported already, and its objects do not mix with this session's",
            hint="restart the kernel, and call activate() before the first import of pyspark",
        )
    for name, module in _modules().items():
        sys.modules[name] = module
    current()
    print(
        "pyspark.sql is now the session of sparkify-lake, without Spark; "
        "sparkify_lake.session.deactivate() undoes it",
        file=sys.stderr,
    )


def _modules() -> dict[str, ModuleType]:
    window = {"Window": sqlframe.duckdb.Window, "WindowSpec": sqlframe.duckdb.WindowSpec}
    frames = {"DataFrame": Frame, "GroupedData": Grouped}
    sessions = {"SparkSession": SparklessSession, "RuntimeConfig": RuntimeConfig}
    streams = {"DataFrameReader": Reader, "DataFrameWriter": Writer}
    types = {name: getattr(T, name) for name in T.__all__}
    made = {
        "pyspark": _module("pyspark", {"SparkContext": SparklessContext}),
        "pyspark.sql": _module(
            "pyspark.sql", {**sessions, **frames, **streams, **window, "Column": Column, "Row": T.Row}
        ),
        "pyspark.sql.types": _module("pyspark.sql.types", types),
        "pyspark.sql.window": _module("pyspark.sql.window", window),
        "pyspark.sql.session": _module("pyspark.sql.session", sessions),
        "pyspark.sql.dataframe": _module("pyspark.sql.dataframe", {"DataFrame": Frame}),
        "pyspark.sql.column": _module("pyspark.sql.column", {"Column": Column}),
        "pyspark.sql.functions": functions,
    }
    for name, module in made.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(made[parent], child, module)
    return made


def _module(name: str, contents: dict[str, Any]) -> ModuleType:
    module = ModuleType(name, "The session of sparkify-lake in the place of pyspark.")
    vars(module).update(contents)
    vars(module)[MARK] = True
    vars(module)["__path__"] = []  # a package, so that its parts are looked for in sys.modules
    vars(module)["__all__"] = sorted(contents)

    def missing(attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        raise no_such_import(name, attribute)

    vars(module)["__getattr__"] = missing
    return module
