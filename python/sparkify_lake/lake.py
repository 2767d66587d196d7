"""The tables as Polars frames: in memory (`Star`), or where a run wrote them (`Lake`).

Polars is imported inside the functions that need it. Nothing is written or joined here.

Invariant: a table has the columns, column order and types of the star schema, whether it has rows or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkify_lake import _engine
from sparkify_lake.errors import ConfigurationError, NoInputError
from sparkify_lake.render.text_table import Displayed, TextTable, format_count
from sparkify_lake.settings.environment import has_certificate_file
from sparkify_lake.settings.locations import is_remote
from sparkify_lake.settings.options import as_bool, mask_secrets

if TYPE_CHECKING:
    from os import PathLike

    from polars import DataFrame, LazyFrame
    from polars._typing import PolarsDataType
    from typing_extensions import Unpack

    from sparkify_lake._native import TablePresence, TableSchema
    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.settings.config import Config, Credential
    from sparkify_lake.settings.keywords import LakeOptions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Star(Displayed, Mapping[str, "DataFrame"]):
    """The star schema in memory: Polars DataFrames, by attribute or by name, and the run report.

    Attributes:
        songs: One row per song.
        artists: One row per artist.
        users: One row per user.
        time: One row per start time.
        songplays: One row per play.
        report: What was read and left out.
        users_history: One row per user and period with the same level; None unless `tables` selects it.
    """

    songs: DataFrame
    artists: DataFrame
    users: DataFrame
    time: DataFrame
    songplays: DataFrame
    report: RunReport
    users_history: DataFrame | None = None

    def __getitem__(self, table: str) -> DataFrame:
        frame: DataFrame | None = getattr(self, table) if table in _engine.star_schema() else None
        if frame is None:
            raise KeyError(table)
        return frame

    def __iter__(self) -> Iterator[str]:
        return (table for table in _engine.star_schema() if getattr(self, table) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _title(self) -> str:
        return "star schema in memory"

    def _tables(self) -> list[TextTable]:
        rows = [(name, format_count(frame.height), ", ".join(frame.columns)) for name, frame in self.items()]
        head = ("table", "rows", "columns")
        return [TextTable(head=head, rows=rows, text_columns=("table", "columns"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeTable:
    """The folder of one table, and whether it exists."""

    name: str
    location: str
    exists: bool


class Lake(Displayed):
    """The tables that a run wrote, as Polars LazyFrames. Nothing is read before a frame is collected.

    Example:
        lake = open_lake("lake")
        lake.songplays.filter(pl.col("level") == "paid").collect()
    """

    def __init__(self, config: Config, layout: Mapping[str, str], presence: TablePresence) -> None:
        """Takes the folder of each table, and which of them exist. Use `open_lake` to make a lake."""
        self._config = config.without_entries()
        self._layout = dict(layout)
        self._schema = _engine.renamed_schema(config)
        self._presence = presence
        # A lake has the optional tables only if a run selected them, so they are searched on demand.
        self._has_optional = False
        self._scan_options = _scan_options(config, presence) if self.is_remote else {}

    @property
    def songs(self) -> LazyFrame:
        """One row per song."""
        return self["songs"]

    @property
    def artists(self) -> LazyFrame:
        """One row per artist."""
        return self["artists"]

    @property
    def users(self) -> LazyFrame:
        """One row per user, with the latest level."""
        return self["users"]

    @property
    def users_history(self) -> LazyFrame:
        """One row per user and period with the same level, if a run selected this table."""
        return self["users_history"]

    @property
    def time(self) -> LazyFrame:
        """One row per start time."""
        return self["time"]

    @property
    def songplays(self) -> LazyFrame:
        """One row per play."""
        return self["songplays"]

    def __getitem__(self, table: str) -> LazyFrame:
        if table not in self._schema:
            raise KeyError(table)
        # A run may have created the table since the last look, or changed its files or its formats.
        if table in self._layout:
            self._refresh()
        else:
            self._find_optional_tables()
        folder = self._layout[table]
        if not self._exists(table):
            raise NoInputError(
                f"this lake has no table {table}",
                cause=f"{folder} does not exist",
                hint=f"run with this table, or set its folder: table_names='{table}=...'",
                context={"path": folder, "table": table},
            )
        return _scan(self._schema[table], folder, self._presence["files"].get(table), self._scan_options)

    @property
    def is_remote(self) -> bool:
        """Whether the lake is in an object store."""
        return any(map(is_remote, self._layout.values()))

    def tables(self) -> tuple[LakeTable, ...]:
        """Returns the folder of each table, after looking which of them exist."""
        self._find_optional_tables()
        return self._known_tables()

    def _find_optional_tables(self) -> None:
        self._has_optional = True
        self._layout = _engine.lake_layout(self._config, optional=True)
        self._refresh()

    def _refresh(self) -> None:
        self._presence = _engine.find_tables(self._config, optional=self._has_optional)

    def _exists(self, table: str) -> bool:
        return self._presence["tables"][table]

    def _known_tables(self) -> tuple[LakeTable, ...]:
        return tuple(
            LakeTable(name=name, location=self._layout[name], exists=self._exists(name))
            for name in self._schema
            if name in _engine.default_tables() or self._presence["tables"].get(name)
        )

    def _title(self) -> str:
        return f"lake at {self._config.value('output')}"

    def _tables(self) -> list[TextTable]:
        # From the last look at the lake: displaying a lake sends no request.
        rows = [
            (
                table.name,
                table.location if table.exists else "(does not exist)",
                ", ".join(self._schema[table.name]["columns"]),
            )
            for table in self._known_tables()
        ]
        head = ("table", "folder", "columns")
        return [TextTable(head=head, rows=rows, text_columns=head)]


def open_lake(output: str | PathLike[str] | None = None, **options: Unpack[LakeOptions]) -> Lake:
    """Opens the lake that a run wrote.

    Args:
        output: Root of the lake, a local folder or an `s3://` URL; from the configuration by default.
        **options: `table_names`, `column_names`, `config` and the options of the object store, as for
            `run`. Without `table_names`, both `songs_table` and `songs` are found.

    Returns:
        The lake, with a LazyFrame for each table.

    Raises:
        NoInputError: If none of the tables exists.
        ConfigurationError: If no output is configured.
    """
    mask_secrets(options)
    from sparkify_lake.settings.resolve import resolve

    config = resolve("open_lake", {"output": output, **options})
    root = config.value("output")
    if root is None:
        raise ConfigurationError(
            "there is no lake to open",
            hint="pass the root of the lake, or set OUTPUT in lake.cfg or SPARKIFY_OUTPUT",
        )
    candidates = [config]
    if config.value("table_names") is None:
        candidates = [config.with_values("naming", table_names=names) for names in ("classic", "plain")]
    lakes = [Lake(one, _engine.lake_layout(one), _engine.find_tables(one)) for one in candidates]
    lake = max(lakes, key=_table_count)
    if not _table_count(lake):
        for one in lakes:
            one._find_optional_tables()
        lake = max(lakes, key=_table_count)
    if not _table_count(lake):
        folders = ", ".join(folder.rpartition("/")[2] for lake in lakes for folder in lake._layout.values())
        raise NoInputError(
            f"there is no lake at {root}",
            cause=f"none of these folders exists: {folders}",
            hint="create it with sparkify_lake.run(input, output), or set its folders with table_names",
            context={"path": str(root)},
        )
    if lake.is_remote and config.value("ca_file") is not None and not has_certificate_file():
        _engine.logger().warning(
            "Polars reads the tables and has no option ca_file; "
            "also set the environment variable SSL_CERT_FILE to the file"
        )
    return lake


def _table_count(lake: Lake) -> int:
    return sum(lake._presence["tables"].values())


def _scan(
    described: TableSchema, folder: str, files: list[str] | None, options: Mapping[str, Any]
) -> LazyFrame:
    """Scans a table, or those files of it. A table without files is an empty frame, not an error."""
    import polars as pl

    types: dict[str, PolarsDataType] = {
        "text": pl.String(),
        "int32": pl.Int32(),
        "int64": pl.Int64(),
        "float64": pl.Float64(),
        "boolean": pl.Boolean(),
        "timestamp": pl.Datetime("us", "UTC"),
    }
    schema = {column: types[kind] for column, kind in described["columns"].items()}
    in_path = described["partition_columns"]
    if files == []:
        return pl.LazyFrame(schema=schema)
    frame = pl.scan_parquet(
        # In a bucket, only the slash marks a folder.
        [f"{folder}/{file}" for file in files] if files else f"{folder}/" if is_remote(folder) else folder,
        glob=False,  # the name of a folder may contain [ or *
        schema={column: kind for column, kind in schema.items() if column not in in_path},
        hive_partitioning=bool(in_path),
        hive_schema={column: schema[column] for column in in_path} or None,
        hidden_file_prefix=["_", "."],
        **options,
    )
    return frame.select(list(schema))


# The options that change the URL of a bucket, in addition to the endpoint.
_ADDRESSING = ("addressing_style", "use_fips_endpoint", "use_dualstack_endpoint")


def _scan_options(config: Config, presence: TablePresence) -> dict[str, Any]:
    """Returns how Polars accesses the store. Without given credentials, Polars finds its own."""
    names = {"endpoint_url": "aws_endpoint_url", "profile": "aws_profile"}
    values = {"aws_region": presence["region"]} | {key: config.value(name) for name, key in names.items()}
    options = {key: str(value).rstrip("/") for key, value in values.items() if value is not None}
    if any(config.value(name) is not None for name in _ADDRESSING):
        # For Polars, an endpoint in this style contains the bucket.
        options |= {"aws_endpoint_url": str(presence["url"]), "aws_virtual_hosted_style_request": "true"}
    if as_bool(config.value("requester_pays")):
        options["aws_request_payer"] = "true"
    if as_bool(config.value("allow_http")):
        options["allow_http"] = "true"
    if as_bool(config.value("anonymous")):
        return {"storage_options": {**options, "aws_skip_signature": "true"}, "credential_provider": None}
    if config.credentials:
        return {"storage_options": options, "credential_provider": _CredentialProvider(config.credentials)}
    return {"storage_options": options}


class _CredentialProvider:
    """Gives credentials to Polars on request, so that no query plan contains them. It cannot be pickled."""

    def __init__(self, credentials: Mapping[str, Credential]) -> None:
        self._credentials = credentials

    def __call__(self) -> tuple[dict[str, str], None]:
        revealed = {f"aws_{name}": one.value.reveal() for name, one in self._credentials.items()}
        return revealed, None
