"""Publishes the tables of a lake as Iceberg tables too: metadata of the same files, below `_etl/iceberg`.

The engine decides about commits, and reads and writes all files; `commits` makes their content with
PyIceberg, which is imported only for that.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkify_lake.iceberg.commits import Request

# An operation yields paths of files below the root of the lake, gets their contents, and returns its result.
Operation = Generator[list[str], list["bytes | None"], Any]

# Begins an operation, by its name and its request.
IcebergWriter = Callable[[str, "Request"], Operation]


def writer() -> IcebergWriter | None:
    """Returns the function that makes metadata for the engine; None if PyIceberg is not installed."""
    return _begin if find_spec("pyiceberg") is not None else None


def _begin(operation: str, request: Request) -> Operation:
    from sparkify_lake.iceberg import commits

    return commits.commit(request) if operation == "commit" else commits.matches(request)
