"""The five tables as Polars frames: `Star` in memory, `Lake` where a run wrote it.

Polars is imported inside the functions that need it. Nothing is written here, and nothing is joined.

Invariant: a table has the same columns, order and types here as in PRODUCT's star schema, whether it has
rows or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkify_lake.errors import ConfigurationError, NoInputError
from sparkify_lake.grid import Grid, as_html, as_text, count

if TYPE_CHECKING:
    from os import PathLike

    from polars import DataFrame, LazyFrame
    from polars._typing import PolarsDataType
    from typing_extensions import Unpack

    from sparkify_lake.options import LakeOptions
    from sparkify_lake.report import RunReport

# Columns in order, and those of them that stand in the path. Text, but for the types named.
_TIME = {"start_time": "time"}
_CALENDAR = dict.fromkeys(("hour", "day", "week", "month", "year", "weekday"), "int32")
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "songs": {"song_id": "text", "title": "text", "artist_id": "text", "year": "int32", "duration": "float"},
    "artists": {
        "artist_id": "text",
        "name": "text",
        "location": "text",
        "latitude": "float",
        "longitude": "float",
    },
    "users": dict.fromkeys(("user_id", "first_name", "last_name", "gender", "level"), "text"),
    "time": {**_TIME, **_CALENDAR},
    "songplays": {
        "songplay_id": "int64",
        **_TIME,
        **dict.fromkeys(("user_id", "level", "song_id", "artist_id"), "text"),
        "session_id": "int64",
        **dict.fromkeys(("location", "user_agent"), "text"),
        **dict.fromkeys(("year", "month"), "int32"),
    },
}
PARTITIONS: Mapping[str, tuple[str, ...]] = {
    "songs": ("year", "artist_id"),
    "artists": (),
    "users": (),
    "time": ("year", "month"),
    "songplays": ("year", "month"),
}
TABLES = tuple(COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Star(Mapping[str, "DataFrame"]):
    """The star schema in memory: five Polars DataFrames, by attribute or by name, and the report.

    Attributes:
        songs: One row a song.
        artists: One row an artist.
        users: One row a user.
        time: One row a start time.
        songplays: One row a play.
        report: What was read and left out.
    """

    songs: DataFrame
    artists: DataFrame
    users: DataFrame
    time: DataFrame
    songplays: DataFrame
    report: RunReport

    def __getitem__(self, table: str) -> DataFrame:
        if table not in COLUMNS:
            raise KeyError(table)
        frame: DataFrame = getattr(self, table)
        return frame

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)

    def __repr__(self) -> str:
        return as_text("star schema in memory", [self._grid()])

    def _repr_html_(self) -> str:
        return as_html("star schema in memory", [self._grid()])

    def _grid(self) -> Grid:
        rows = [(name, count(frame.height), ", ".join(frame.columns)) for name, frame in self.items()]
        return Grid(head=("table", "rows", "columns"), rows=rows, texts=("table", "columns"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeTable:
    """Where one table lies, and whether it is there."""

    name: str
    location: str
    exists: bool


class Lake:
    """The tables that a run wrote, each a Polars LazyFrame; nothing is read before it is collected.

    Example:
        lake = open_lake("lake")
        lake.songplays.filter(pl.col("level") == "paid").collect()
    """

    def __init__(self, output: str, layout: Mapping[str, str]) -> None:
        """Takes the folder of each table; `open_lake` finds them."""
        self._output = output
        self._layout = dict(layout)

    @property
    def songs(self) -> LazyFrame:
        """One row a song."""
        return self["songs"]

    @property
    def artists(self) -> LazyFrame:
        """One row an artist."""
        return self["artists"]

    @property
    def users(self) -> LazyFrame:
        """One row a user, with the latest level."""
        return self["users"]

    @property
    def time(self) -> LazyFrame:
        """One row a start time."""
        return self["time"]

    @property
    def songplays(self) -> LazyFrame:
        """One row a play."""
        return self["songplays"]

    def __getitem__(self, table: str) -> LazyFrame:
        if table not in COLUMNS:
            raise KeyError(table)
        folder = self._layout[table]
        if not Path(folder).is_dir():
            raise NoInputError(
                f"there is no table {table} in this lake",
                cause=f"{folder} does not exist",
                hint="run with this table, or name its folder: table_names='" + table + "=...'",
                context={"path": folder, "table": table},
            )
        return _scan(table, folder)

    def tables(self) -> tuple[LakeTable, ...]:
        """Lists the five tables: where they lie and which of them exist."""
        return tuple(
            LakeTable(name=name, location=folder, exists=Path(folder).is_dir())
            for name, folder in self._layout.items()
        )

    def __repr__(self) -> str:
        return as_text(f"lake at {self._output}", [self._grid()])

    def _repr_html_(self) -> str:
        return as_html(f"lake at {self._output}", [self._grid()])

    def _grid(self) -> Grid:
        rows = [
            (t.name, t.location if t.exists else "(not there)", ", ".join(COLUMNS[t.name]))
            for t in self.tables()
        ]
        return Grid(head=("table", "folder", "columns"), rows=rows, texts=("table", "folder", "columns"))


def open_lake(output: str | PathLike[str] | None = None, **options: Unpack[LakeOptions]) -> Lake:
    """Opens what a run wrote.

    Args:
        output: The root of the lake; from the configuration, unless given.
        **options: `table_names` and `config`, as for `run`. Without names, `songs_table` and `songs` are
        both found.

    Returns:
        The lake, with a LazyFrame for each table.

    Raises:
        NoInputError: If no table is there.
        ConfigurationError: If no output is configured.
    """
    from sparkify_lake.config import resolve
    from sparkify_lake.job import lake_layout

    config = resolve("open_lake", {"output": output, **options})
    root = config.value("output")
    if root is None:
        raise ConfigurationError(
            "no lake to open", hint="pass its root, or set OUTPUT in lake.cfg or SPARKIFY_OUTPUT"
        )
    if config.value("table_names") is not None:
        layouts = [lake_layout(config)]
    else:
        layouts = [
            lake_layout(config.with_values("naming", table_names=naming)) for naming in ("classic", "plain")
        ]
    layout = max(layouts, key=_tables_there)
    if not _tables_there(layout):
        looked_for = ", ".join(Path(folder).name for one in layouts for folder in one.values())
        raise NoInputError(
            f"there is no lake at {root}",
            cause=f"none of these is there: {looked_for}",
            hint="write it first with sparkify_lake.run(input, output), or name the folders with table_names",
            context={"path": str(root)},
        )
    return Lake(str(root), layout)


def _tables_there(layout: Mapping[str, str]) -> int:
    return sum(Path(folder).is_dir() for folder in layout.values())


def _scan(table: str, folder: str) -> LazyFrame:
    """Scans a table. With its schema given, a table without a file is an empty frame and not an error."""
    import polars as pl

    types: dict[str, PolarsDataType] = {
        "text": pl.String(),
        "int32": pl.Int32(),
        "int64": pl.Int64(),
        "float": pl.Float64(),
        "time": pl.Datetime("us", "UTC"),
    }
    schema = {column: types[kind] for column, kind in COLUMNS[table].items()}
    in_path = PARTITIONS[table]
    frame = pl.scan_parquet(
        folder,
        glob=False,  # a folder name may hold [ or *
        schema={column: kind for column, kind in schema.items() if column not in in_path},
        hive_partitioning=bool(in_path),
        hive_schema={column: schema[column] for column in in_path} or None,
        hidden_file_prefix=["_", "."],
    )
    return frame.select(list(schema))
