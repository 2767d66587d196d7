"""Fills in the templates of an engine for the tables of a lake.

A template has the statement for the database, the line `-- for each table`, and the statements for a table.
Fields are written as `<<name>>`. A line with an empty field is left out, such as PARTITIONED BY of a table
without partitions.

Invariant: every name is quoted and every text literal is escaped in the form of the engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from sparkify_lake.ddl.engines import Engine
from sparkify_lake.ddl.tables import NULL_FOLDER, Table, iceberg_metadata
from sparkify_lake.render.text_table import printable
from sparkify_lake.settings.locations import is_remote

# The limit of AWS for one statement, and how many partitions are printed at most.
PARTITIONS_PER_STATEMENT = 100
MAX_PRINTED_PARTITIONS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An engine, and the database there that gets the tables of a lake."""

    name: str
    engine: Engine
    format: str
    database: str
    root: str

    def quoted(self, name: str) -> str:
        """Returns a name in quotes. No name contains a quote: all have only letters, digits and `_`."""
        mark = self.engine.quote
        return f"{mark}{name.upper() if self.engine.is_upper else name}{mark}"

    def text(self, text: str) -> str:
        """Escapes the contents of a text literal."""
        if self.engine.has_backslash:
            return text.replace("\\", "\\\\").replace("'", "\\'")
        return text.replace("'", "''")

    def url(self, location: str) -> str:
        """Returns a location as the engine names it, for a text literal."""
        return self.text(location if "://" in location else f"{self.engine.local}{location}")

    def defined(self, columns: Mapping[str, str], separator: str, form: str = "{} {}") -> str:
        """Returns columns with their types."""
        kinds = columns.items()
        return separator.join(
            form.format(self.quoted(name), self.engine.type_of(kind)) for name, kind in kinds
        )


def statements(target: Target, tables: list[Table]) -> Iterator[str]:
    """Returns the comment at the beginning and the statements, in the order in which to run them."""
    head, body = _template(f"{target.name}_{target.format}")
    fields = {
        "root": printable(target.root),
        "database": target.quoted(target.database),
        "database_text": target.database,
    }
    yield from _filled(head, fields)
    for table in tables:
        is_empty = target.name == "duckdb" and target.format == "parquet" and table.partitions == ()
        template = _template("duckdb_empty")[1] if is_empty else body
        yield from _filled(template, fields | _fields(target, table))


def _template(name: str) -> tuple[str, str]:
    text = (files("sparkify_lake.ddl") / "templates" / f"{name}.sql").read_text(encoding="utf-8")
    head, _, body = text.partition("-- for each table\n")
    return head, body


def _filled(template: str, fields: Mapping[str, str]) -> Iterator[str]:
    """Fills in a template; returns its blocks, which empty lines separate."""
    for block in template.strip().split("\n\n"):
        lines = [
            re.sub("<<(.*?)>>", lambda field: fields[field[1]], line)
            for line in block.splitlines()
            if all(fields[name] for name in re.findall("<<(.*?)>>", line))
        ]
        if lines:
            yield "\n".join(lines).replace("\n;", ";").replace(",\n)", "\n)")


def _fields(target: Target, table: Table) -> dict[str, str]:
    """Returns the fields of the templates for a table."""
    quoted, text, types = target.quoted, target.text, target.defined
    is_store, key_columns, keys = is_remote(table.location), table.key_columns, table.keys
    location = target.url(table.location)
    database = quoted(target.database)
    # Each level of partitions has its star: `**` could find files of other tables.
    pattern = "/*" * len(keys) + "/*.parquet"
    connection = "REGION.CONNECTION" if location.startswith("gs://") else "aws-REGION.CONNECTION"
    metadata = iceberg_metadata(table) if target.format == "iceberg" else ""
    nullable = partial(types, separator=", ", form="{} Nullable({})")
    structure = ", ".join(
        filter(None, (nullable(table.file_columns), *(f"{quoted(key)} String" for key in keys)))
    )
    return {
        "table": f"{database}.{quoted(table.name)}",
        "name": table.name,
        "location": location,
        "folder": text(table.location.removeprefix(f"{target.root}/")),
        "files": location + pattern,
        # How the names of data files begin, so that metadata of Delta is no data.
        "first_part": f"{keys[0]}=" if keys else "part-",
        "escaped_files": re.sub(r"([*?\[])", r"[\1]", location) + pattern,
        "table_files": f"{database}.{quoted(table.name + '_files')}",
        "columns": types(table.file_columns | key_columns, ",\n  "),
        "file_columns": types(table.file_columns, ",\n  "),
        "keys": types(key_columns, ", "),
        "key_names": ", ".join(map(quoted, keys)),
        "key_texts": ", ".join(f"'{key.lower()}'" for key in keys),
        "hive_types": types(key_columns, ", ", "{}: {}"),
        "hive_prefix": location if keys else "",
        "is_partitioned": "true" if keys else "",
        "select": ", ".join(map(quoted, table.columns)),
        "nulls": types(table.columns, ", ", "CAST(NULL AS {1}) AS {0}"),
        "structure": text(structure),
        "decoded_columns": ",\n  ".join(_decoded(target, table)),
        "computed_columns": ",\n  ".join(_computed(target, table)),
        "projection": _projection(location, table),
        "repair": "\n\n".join(_repair(target, table)),
        "file_function": "s3" if is_store else "file",
        "delta_function": "deltaLake" if is_store else "deltaLakeLocal",
        "iceberg_function": "iceberg" if is_store else "icebergLocal",
        "connection": connection,
        "s3_connection": connection if is_store else "",
        "iceberg": target.url(table.iceberg.removesuffix("/metadata")),
        "metadata": target.url(metadata),
        "metadata_file": text(metadata.rpartition("/")[2]),
        "metadata_below_root": text(metadata.removeprefix(f"{target.root}/")),
    }


def _decoded(target: Target, table: Table) -> Iterator[str]:
    """Returns the columns for ClickHouse, which leaves the values of partitions as they are in the path."""
    for column, kind in table.columns.items():
        name = target.quoted(column)
        if column not in table.keys:
            yield f"files.{name}"
        elif kind == "text":
            yield f"decodeURLComponent(nullIf(files.{name}, '{NULL_FOLDER}')) AS {name}"
        else:
            yield f"toInt32OrNull(files.{name}) AS {name}"


def _computed(target: Target, table: Table) -> Iterator[str]:
    """Returns the columns for Snowflake, with only those functions that it allows for partitions."""
    for column, kind in (table.file_columns | table.key_columns).items():
        value = f'VALUE:"{column}"'
        if column in table.keys:
            # Counted from the end of the path, where the last part is the name of the file.
            folder = f"SPLIT_PART(METADATA$FILENAME, '/', {table.keys.index(column) - len(table.keys) - 1})"
            value = f"NULLIF(SPLIT_PART({folder}, '=', 2), '{NULL_FOLDER}')"
        type_name = target.engine.type_of(kind)
        yield f"{target.quoted(column)} {type_name} AS ({value}::{type_name})"


def _projection(location: str, table: Table) -> str:
    """Returns the partition projection of Athena for a table with months; nothing for other tables.

    A projection of artist_id would have to be `enum`, which lists all artists in the table, or `injected`,
    which refuses a query whose WHERE clause does not name the artists. So the catalog has the partitions of
    songs.
    """
    if not _has_months(table):
        return ""
    properties = {"projection.enabled": "true"}
    for key, (first, last) in zip(table.keys, (table.years, (1, 12)), strict=True):
        properties[f"projection.{key.lower()}.type"] = "integer"
        properties[f"projection.{key.lower()}.range"] = f"{first},{last}"
    # Folders have the case of the lake; the catalog knows only lower case.
    folders = "/".join(f"{key}=${{{key.lower()}}}" for key in table.keys)
    properties["storage.location.template"] = f"{location}/{folders}/"
    return "\n  " + ",\n  ".join(f"'{name}' = '{value}'" for name, value in properties.items()) + "\n"


def _has_months(table: Table) -> bool:
    return bool(table.keys) and "text" not in table.key_columns.values()


def _repair(target: Target, table: Table) -> Iterator[str]:
    """Returns the statements that register the partitions of a table."""
    name = f"{target.quoted(target.database)}.{target.quoted(table.name)}"
    has_upper_case = any(key != key.lower() for key in table.keys)
    if not table.keys or (target.name == "athena" and _has_months(table)):
        return
    if target.name == "redshift" or (target.name == "athena" and has_upper_case):
        yield from _added_partitions(target, table, name)
    elif target.name == "trino":
        case = ", case_sensitive => false" if has_upper_case else ""
        arguments = f"schema_name => '{target.database}', table_name => '{table.name}', mode => 'FULL'{case}"
        yield f"CALL hive.system.sync_partition_metadata({arguments});"
    else:
        yield f"MSCK REPAIR TABLE {name};"


def _added_partitions(target: Target, table: Table, name: str) -> Iterator[str]:
    """Adds each partition: Redshift has no MSCK REPAIR TABLE, and Athena's finds only lower-case names."""
    known = table.partitions or ()
    if not known or len(known) > MAX_PRINTED_PARTITIONS:
        yield (
            f"-- {table.name} has {len(known):,} partitions, and up to {MAX_PRINTED_PARTITIONS:,} are "
            "printed.\n"
            "-- A crawler of AWS Glue registers them in the same database, and so does MSCK REPAIR TABLE in\n"
            "-- Athena, if the names of partition columns are in lower case."
        )
        return
    named = [partition for partition in known if None not in table.values(partition)]
    if len(named) < len(known):
        count = len(known) - len(named)
        yield f"-- Without {count} partitions of {table.name}: ALTER TABLE has no value for NULL."
    for start in range(0, len(named), PARTITIONS_PER_STATEMENT):
        lines = []
        for partition in named[start : start + PARTITIONS_PER_STATEMENT]:
            pairs = zip(table.key_columns.items(), table.values(partition), strict=True)
            values = ", ".join(
                f"{target.quoted(key)} = "
                + (f"'{target.text(value or '')}'" if kind == "text" else f"{value}")
                for (key, kind), value in pairs
            )
            location = target.url(f"{table.location}/{partition}/")
            lines.append(f"  PARTITION ({values}) LOCATION '{location}'")
        yield f"ALTER TABLE {name} ADD IF NOT EXISTS\n" + "\n".join(lines) + ";"
