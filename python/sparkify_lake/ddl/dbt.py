"""The tables as a source of dbt, with tests for what a lake promises.

The form with `arguments` is described at https://docs.getdbt.com/reference/resource-properties/data-tests
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sparkify_lake.ddl.tables import Table
from sparkify_lake.render.text_table import printable

LINK = "https://docs.getdbt.com/reference/source-properties"
LEVELS = ("free", "paid")

# Columns that are never NULL, and those of them that are unique, by the names of the schema.
NOT_NULL: Mapping[str, Sequence[str]] = {
    "songs": ("song_id",),
    "artists": ("artist_id",),
    "users": ("user_id",),
    "users_history": ("user_id", "valid_from", "is_current"),
    "time": ("start_time", "hour", "day", "week", "month", "year", "weekday"),
    "songplays": ("songplay_id", "start_time", "user_id", "year", "month"),
}
UNIQUE = ("songs.song_id", "artists.artist_id", "users.user_id", "time.start_time", "songplays.songplay_id")
# Columns whose values, if they are not NULL, are in a column of another table.
RELATIONSHIPS: Mapping[str, str] = {
    "songs.artist_id": "artists.artist_id",
    "songplays.start_time": "time.start_time",
    "songplays.user_id": "users.user_id",
    "songplays.song_id": "songs.song_id",
    "songplays.artist_id": "artists.artist_id",
}


def source_lines(root: str, tables: Sequence[Table], database: str) -> Iterator[str]:
    """Returns the lines of a `sources.yml`. Quotes around names keep YAML from reading one as a number."""
    by_name = {table.name: table for table in tables}
    yield from (
        f"# The tables of the lake {printable(root)} as a source of dbt 1.10.5 or newer.",
        "# Printed by sparkify-lake ddl, which runs nothing.",
        f"# {LINK}",
        "version: 2",
        "sources:",
        f'  - name: "{database}"',
        "    tables:",
    )
    for table in tables:
        yield from (f'      - name: "{table.name}"', "        columns:")
        for original, name in table.names.items():
            yield f'          - name: "{name}"'
            tests = [*_tests(table.name, original, by_name, database)]
            if tests:
                yield "            data_tests:"
                yield from (f"              {line}" for line in tests)


def _tests(table: str, column: str, tables: Mapping[str, Table], database: str) -> Iterator[str]:
    if column in NOT_NULL[table]:
        yield "- not_null"
    if f"{table}.{column}" in UNIQUE:
        yield "- unique"
    if column == "level":
        yield from ("- accepted_values:", "    arguments:", f"      values: [{', '.join(LEVELS)}]")
    other, _, field = RELATIONSHIPS.get(f"{table}.{column}", "").partition(".")
    if other in tables:
        yield from (
            "- relationships:",
            "    arguments:",
            f"      to: source('{database}', '{other}')",
            f'      field: "{tables[other].names[field]}"',
        )
