"""The five tables as Polars frames: `Star` in memory, `Lake` where a run wrote it.

Polars is imported inside the functions that need it. Nothing is written here, and nothing is joined.

Invariant: a table has the same columns, order and types here as in PRODUCT's star schema, whether it has
rows or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkify_lake.errors import ConfigurationError, NoInputError
from sparkify_lake.render.text_table import Grid, as_html, as_text, count
from sparkify_lake.settings.options import hide, is_remote, truth

if TYPE_CHECKING:
    from os import PathLike

    from polars import DataFrame, LazyFrame
    from polars._typing import PolarsDataType
    from typing_extensions import Unpack

    from sparkify_lake._native import Sight
    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.settings.options import LakeOptions
    from sparkify_lake.settings.resolve import Config, Credential

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

    def __init__(self, config: Config, layout: Mapping[str, str], sight: Sight) -> None:
        """Takes the folder of each table, and which are there; `open_lake` finds them."""
        self._config = config.detached()
        self._layout = dict(layout)
        self._there = sight["tables"]
        self._store = _store(config, sight["region"]) if self.is_remote else {}

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
        if not self._there[table]:
            self._look()
        if not self._there[table]:
            raise NoInputError(
                f"there is no table {table} in this lake",
                cause=f"{folder} does not exist",
                hint="run with this table, or name its folder: table_names='" + table + "=...'",
                context={"path": folder, "table": table},
            )
        return _scan(table, folder, self._store)

    @property
    def is_remote(self) -> bool:
        """Whether the lake lies in an object store."""
        return any(map(is_remote, self._layout.values()))

    def tables(self) -> tuple[LakeTable, ...]:
        """Looks for the five tables: where they lie and which of them exist."""
        self._look()
        return self._tables()

    def _look(self) -> None:
        from sparkify_lake._engine import look

        self._there = look(self._config)["tables"]

    def _tables(self) -> tuple[LakeTable, ...]:
        return tuple(
            LakeTable(name=name, location=self._layout[name], exists=self._there[name]) for name in TABLES
        )

    def __repr__(self) -> str:
        return as_text(self._title(), [self._grid()])

    def _repr_html_(self) -> str:
        return as_html(self._title(), [self._grid()])

    def _title(self) -> str:
        return f"lake at {self._config.value('output')}"

    def _grid(self) -> Grid:
        # What was seen last: a prompt that shows a lake sends no request.
        rows = [
            (t.name, t.location if t.exists else "(not there)", ", ".join(COLUMNS[t.name]))
            for t in self._tables()
        ]
        return Grid(head=("table", "folder", "columns"), rows=rows, texts=("table", "folder", "columns"))


def open_lake(output: str | PathLike[str] | None = None, **options: Unpack[LakeOptions]) -> Lake:
    """Opens what a run wrote.

    Args:
        output: The root of the lake, a local folder or an `s3://` URL; from the configuration, unless given.
        **options: `table_names`, `config` and what concerns the store, as for `run`. Without names,
            `songs_table` and `songs` are both found.

    Returns:
        The lake, with a LazyFrame for each table.

    Raises:
        NoInputError: If no table is there.
        ConfigurationError: If no output is configured.
    """
    hide(options)
    from sparkify_lake._engine import lake_layout, look
    from sparkify_lake.settings.resolve import resolve, trusts_more

    config = resolve("open_lake", {"output": output, **options})
    root = config.value("output")
    if root is None:
        raise ConfigurationError(
            "no lake to open", hint="pass its root, or set OUTPUT in lake.cfg or SPARKIFY_OUTPUT"
        )
    named = [config]
    if config.value("table_names") is None:
        named = [config.with_values("naming", table_names=naming) for naming in ("classic", "plain")]
    lakes = [Lake(one, lake_layout(one), look(one)) for one in named]
    lake = max(lakes, key=lambda lake: sum(lake._there.values()))
    if not any(lake._there.values()):
        looked_for = ", ".join(
            folder.rpartition("/")[2] for lake in lakes for folder in lake._layout.values()
        )
        raise NoInputError(
            f"there is no lake at {root}",
            cause=f"none of these is there: {looked_for}",
            hint="write it first with sparkify_lake.run(input, output), or name the folders with table_names",
            context={"path": str(root)},
        )
    if lake.is_remote and config.value("ca_file") is not None and not trusts_more():
        from logging import getLogger

        getLogger("sparkify_lake").warning(
            "Polars, which reads the tables, takes no ca_file; name it in the variable SSL_CERT_FILE, too"
        )
    return lake


def _scan(table: str, folder: str, store: Mapping[str, Any]) -> LazyFrame:
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
        f"{folder}/" if is_remote(folder) else folder,  # in a bucket, the slash alone tells a folder
        glob=False,  # a folder name may hold [ or *
        schema={column: kind for column, kind in schema.items() if column not in in_path},
        hive_partitioning=bool(in_path),
        hive_schema={column: schema[column] for column in in_path} or None,
        hidden_file_prefix=["_", "."],
        **store,
    )
    return frame.select(list(schema))


def _store(config: Config, region: str | None) -> dict[str, Any]:
    """Says to Polars how the store is reached; credentials that nobody gave it looks for by itself."""
    names = {"endpoint_url": "aws_endpoint_url", "profile": "aws_profile"}
    said = {"aws_region": region} | {key: config.value(name) for name, key in names.items()}
    options = {key: str(value).rstrip("/") for key, value in said.items() if value is not None}
    if truth(config.value("allow_http")):
        options["allow_http"] = "true"
    if truth(config.value("anonymous")):
        return {"storage_options": {**options, "aws_skip_signature": "true"}, "credential_provider": None}
    if config.credentials:
        return {"storage_options": options, "credential_provider": _Given(config.credentials)}
    return {"storage_options": options}


class _Given:
    """Hands credentials to Polars when it asks, so that no plan of a query holds them; is not pickled."""

    def __init__(self, credentials: Mapping[str, Credential]) -> None:
        self._credentials = credentials

    def __call__(self) -> tuple[dict[str, str], None]:
        return {f"aws_{name}": one.value.reveal() for name, one in self._credentials.items()}, None
