"""The tables of a lake as the statements need them: names, types, folders and partitions.

Invariant: an existing lake decides about the names of columns and folders. Settings decide only for a lake
that does not exist yet, and about the folder if a table is in several.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sparkify_lake import _engine
from sparkify_lake.errors import ConfigurationError, NoInputError, UsageError
from sparkify_lake.settings.config import Config
from sparkify_lake.settings.locations import is_remote

if TYPE_CHECKING:
    from sparkify_lake._native import LakeTable, LakeTables

# The folder of NULL, as in Hive and Spark.
NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a lake.

    Attributes:
        name: Its name in the schema.
        location: Its folder, an absolute path or a URL without a slash at the end.
        columns: The types of its columns by name, in the order of the schema.
        keys: The partition columns, which are not in the files.
        names: The names of its columns by their names in the schema.
        partitions: The folders below it that have files; None if the lake does not exist yet.
        years: The first and the last year that a time in the lake can have.
        iceberg: The folder of its Iceberg metadata.
        iceberg_hint: The version hint in that folder, if there is one.
    """

    name: str
    location: str
    columns: Mapping[str, str]
    keys: tuple[str, ...]
    names: Mapping[str, str]
    partitions: tuple[str, ...] | None
    years: tuple[int, int]
    iceberg: str
    iceberg_hint: str | None

    @property
    def file_columns(self) -> dict[str, str]:
        """The types of the columns in the files."""
        return {name: kind for name, kind in self.columns.items() if name not in self.keys}

    @property
    def key_columns(self) -> dict[str, str]:
        """The types of the partition columns, outermost folder first."""
        return {name: self.columns[name] for name in self.keys}

    def moved(self, old: str, new: str) -> Table:
        """Returns the table with another scheme in its URLs."""
        location, iceberg = (url.replace(old, new, 1) for url in (self.location, self.iceberg))
        return replace(self, location=location, iceberg=iceberg)

    def values(self, partition: str) -> list[str | None]:
        """Returns the values of the partition columns in the name of a folder; None for NULL.

        A `=` in a value is escaped, so the first one ends the name of the column.
        """
        texts = [part.partition("=")[2] for part in partition.split("/")]
        return [None if text == NULL_FOLDER else unquote(text) for text in texts]


def read_tables(config: Config) -> tuple[str, list[Table]]:
    """Returns the root of the configured lake, absolute, and its tables or those that the settings choose.

    Raises:
        ConfigurationError: If no lake is configured.
        NoInputError: If the lake does not have a chosen table.
        UsageError: If the lake has several tables of a name and the settings choose none of them.
    """
    if config.value("output") is None:
        raise ConfigurationError(
            "there is no lake to print statements for",
            hint="pass the root of the lake, or set OUTPUT in lake.cfg or SPARKIFY_OUTPUT",
            context={"option": "output"},
        )
    _engine.log_warnings(config)
    found: LakeTables | None = None
    try:
        found = _engine.lake_tables(config)
    except NoInputError as error:
        _engine.logger().warning("%s; the names are those of the settings", error.message)
    options = found["options"] if found else {}
    if found:
        config = config.without("column_names")
        if "column_names" in options:
            config = config.with_values("the lake", column_names=options["column_names"])
    window = options.get("ts_window") or str(config.value("ts_window") or "")
    years = re.findall(r"(\d{4})-\d", window) or re.findall(r"(\d{4})-\d", _engine.defaults()["ts_window"])
    schema = _engine.renamed_schema(config)
    root = _engine.lake_root(config)
    tables = []
    for name, described in schema.items():
        entry = _folder_of(name, root, config, found)
        if entry is None:
            continue
        tables.append(
            Table(
                name=name,
                location=f"{root}/{entry['folder']}",
                columns=described["columns"],
                keys=tuple(described["partition_columns"]),
                names=dict(zip(_engine.star_schema()[name]["columns"], described["columns"], strict=True)),
                partitions=tuple(entry["partitions"]) if found else None,
                years=(int(years[0]), int(years[-1])),
                iceberg=f"{root}/_etl/iceberg/{name}/metadata",
                iceberg_hint=entry["iceberg_hint"],
            )
        )
    return root, tables


def _folder_of(name: str, root: str, config: Config, found: LakeTables | None) -> LakeTable | None:
    """Finds the table of a name; returns None if it is not chosen, or not in the lake."""
    chosen = config.value("tables")
    if chosen is None and found is None and name not in _engine.default_tables():
        return None
    if chosen is not None and name not in str(chosen).replace(" ", "").split(","):
        return None
    layout = _engine.lake_layout(config, optional=True)[name]
    folder = (layout if is_remote(layout) else os.path.abspath(layout)).removeprefix(f"{root}/")
    if found is None:
        return {"table": name, "folder": folder, "partitions": [], "iceberg_hint": None}
    named = [table for table in found["tables"] if table["table"] == name]
    is_in_folder = config.value("table_names") is not None
    known = [table for table in named if table["folder"] == folder] if is_in_folder else named
    if len(known) > 1:
        raise UsageError(
            f"the lake has {len(known)} tables with {name}",
            cause=f"they are in {', '.join(table['folder'] for table in known)}",
            hint=f"choose one of them: --table-names {name}={known[0]['folder']}",
            context={"table": name},
        )
    if not known and (chosen is not None or named):
        raise NoInputError(
            f"the lake has no table {name}" + (f" in {folder}" if named else ""),
            hint="run with this table, or check --tables and --table-names",
            context={"table": name},
        )
    return known[0] if known else None


def iceberg_metadata(table: Table) -> str:
    """Returns the newest Iceberg metadata file of a table.

    Raises:
        NoInputError: If the lake has no Iceberg metadata.
    """
    hint = table.iceberg_hint
    if not hint:
        raise NoInputError(
            f"the table {table.name} has no Iceberg metadata",
            cause=f"{table.iceberg}/version-hint.text does not exist",
            hint="run with --formats iceberg first, or use --format parquet or --format delta",
            context={"table": table.name},
        )
    name = hint.removesuffix(".metadata.json")
    # The hint of a file system catalog is only the number of the version.
    return f"{table.iceberg}/{f'v{name}' if name.isdigit() else name}.metadata.json"
