"""The frame of the scoreboard: where a call runs, the list of calls, and results as plain JSON values.

A call is a function that takes a `Place` and returns what a notebook would see: a data frame, a value, or
printed text. `results.py` runs all calls in one process, on this session or on PySpark. PySpark's results are
stored in `pyspark_results.json`.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Outcome = Any
Call = Callable[["Place"], Outcome]


@dataclass(frozen=True)
class Place:
    """Where a call reads and writes, and the session it runs on."""

    spark: Any
    data: Path
    scratch: Path

    @property
    def songs(self) -> Any:
        """The songs as a frame."""
        return self.spark.read.json(str(self.data / "song_data/*/*/*/*.json"))

    @property
    def logs(self) -> Any:
        """The events as a frame."""
        return self.spark.read.json(str(self.data / "log_data/*/*/*.json"))

    @property
    def plays(self) -> Any:
        """The plays as a frame."""
        return self.logs.where("page = 'NextSong'")

    def file(self, name: str, text: str) -> str:
        """Writes a file to read; returns its path."""
        path = self.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def frame(self, rows: list[tuple[Any, ...]], schema: str) -> Any:
        """Creates a frame of a few rows."""
        return self.spark.createDataFrame(rows, schema)

    def sql(self, query: str, **views: Any) -> Any:
        """Runs a query on frames, which it finds under their names."""
        for name, frame in views.items():
            frame.createOrReplaceTempView(name)
        return self.spark.sql(query)


@dataclass(frozen=True)
class Ordered:
    """A frame whose rows are compared in their order."""

    frame: Any


CALLS: dict[str, Call] = {}

BEFORE: dict[str, Any] = {}
"""The names of a cell that runs before there is a session."""
FIRST_CELL = """
from pyspark.sql import *
from pyspark.sql.functions import *
from pyspark.sql.types import *

shout = udf(lambda text: text.upper(), StringType())

@udf(returnType=IntegerType())
def letters(text):
    return len(text)

schema = StructType([StructField("song_id", StringType()), StructField("year", IntegerType())])
"""


def scored(name: str) -> Callable[[Call], Call]:
    """Puts a call on the scoreboard."""

    def add(function: Call) -> Call:
        assert name not in CALLS, name
        CALLS[name] = function
        return function

    return add


def printed(show: Callable[[], object]) -> str:
    """Returns what a call prints."""
    caught = io.StringIO()
    with contextlib.redirect_stdout(caught):
        assert show() is None
    return caught.getvalue()


def rows(frame: Any) -> list[tuple[Any, ...]]:
    """Returns the rows of a frame as tuples, sorted."""
    return sorted((tuple(row) for row in frame.collect()), key=repr)


def raised(action: Callable[[], object]) -> str:
    """Returns the name of the exception that an action raises."""
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "no exception"


def written(place: Place, folder: str) -> Outcome:
    """The result of a write on disk: the folders, the kind of files, their rows read by another reader."""
    import pyarrow.parquet as pq

    root = place.scratch / folder
    files = [file for file in root.rglob("*") if file.is_file() and not file.name.startswith((".", "_"))]
    found: dict[str, Any] = {
        "folders": sorted({str(file.parent.relative_to(root)) for file in files}),
        "suffixes": sorted({"".join(one for one in file.suffixes[-2:] if one != ".c000") for file in files}),
        "_SUCCESS": (root / "_SUCCESS").is_file(),
    }
    if all(file.suffix == ".parquet" for file in files):
        tables = [pq.ParquetFile(file).read() for file in files]
        fields = [(field.name, _physical(str(field.type))) for field in tables[0].schema]
        found["columns"] = [list(field) for field in fields]
        rows_of = [
            {key: _naive(value) for key, value in row.items()}
            for table in tables
            for row in table.to_pylist()
        ]
        found["rows"] = sorted(rows_of, key=repr)
    else:
        # Each file has a header, and engines write different numbers of files.
        found["lines"] = sorted({line for file in files for line in file.read_text().splitlines()})
    return found


def _physical(kind: str) -> str:
    # Spark writes INT96, which has no unit and no zone; arrow has more than one text type.
    if kind.startswith("timestamp["):
        return "timestamp"
    return {"large_string": "string", "string_view": "string"}.get(kind, kind)


def kinds(frame: Any) -> dict[str, str]:
    """The types of the columns of a pandas frame; pandas 2 and 3 have different names for texts and times."""
    found = {str(name): str(kind).partition("[")[0] for name, kind in frame.dtypes.items()}
    return {name: "object" if kind == "str" else kind for name, kind in found.items()}


def _naive(value: Any) -> Any:
    # INT96 has no zone, other files name UTC; both mean the same instant.
    return value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value


def plain(value: Any) -> Any:
    """Converts a result to JSON values that differ if a value, a name or a type differs."""
    if isinstance(value, Ordered):
        return _frame(value.frame, sort=False)
    if type(value).__name__ == "DataFrame" and type(value).__module__.startswith("pyspark."):
        return _frame(value, sort=True)
    if type(value).__name__ == "DataFrame":
        return {"pandas": {name: [kind, plain(value[name].tolist())] for name, kind in kinds(value).items()}}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):  # engines add in different orders
        return float(f"{value:.12g}") if value == value and abs(value) != float("inf") else repr(value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        # INT96 and pandas have nanoseconds.
        moment = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
        return f"{'datetime' if isinstance(moment, datetime.datetime) else 'date'} {moment.isoformat()}"
    if isinstance(value, datetime.timedelta):
        return f"timedelta {value}"
    if isinstance(value, decimal.Decimal):
        return f"Decimal {value}"
    if isinstance(value, (bytes, bytearray)):
        return f"bytes {bytes(value).hex()}"
    if hasattr(value, "asDict"):
        return {"Row": [[name, plain(value[name])] for name in value.__fields__]}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in sorted(value.items(), key=lambda item: str(item[0]))}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(one) for one in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    raise TypeError(f"a call of the scoreboard returned a {type(value).__name__}")


def _frame(frame: Any, *, sort: bool) -> Any:
    found = [[plain(value) for value in row] for row in frame.collect()]
    return {
        "columns": [list(column) for column in frame.dtypes],
        "rows": sorted(found, key=repr) if sort else found,
    }
