"""Publishes the tables of a lake as Iceberg tables too: metadata of the same files, below `_etl/iceberg`.

The engine decides about commits, and reads and writes all files; `commits` makes their content with
PyIceberg, which is imported only for that. `catalog` follows with the tables of a catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from importlib.util import find_spec
from typing import Any

# An operation yields paths of files below the root of the lake, gets their contents, and returns its result.
Operation = Generator[list[str], list["bytes | None"], Any]
# Begins an operation, by its name and its request. Some have no result, and end at once.
IcebergWriter = Callable[[str, Any], "Operation | None"]


def writer(catalog: object) -> IcebergWriter | None:
    """Returns the function that makes metadata for the engine; None if PyIceberg is not installed.

    Args:
        catalog: The name of the catalog to commit to, if there is one.
    """
    if find_spec("pyiceberg") is None:
        return None
    return partial(_begin, str(catalog or ""))


def _begin(catalog_name: str, operation: str, request: Any) -> Operation | None:
    if operation == "published":
        if catalog_name:
            from sparkify_lake.iceberg import catalog

            catalog.publish(catalog_name, request)
        return None
    from sparkify_lake.iceberg import commits

    if operation == "prepare":  # only the import is wanted
        return None
    return commits.commit(request) if operation == "commit" else commits.matches(request)
