"""The result of the functions of the Spark job: the tables of the lake as frames of the caller's session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkify_lake.settings.config import Config

# Names that old jobs have for their tables, in addition to `<table>` and `<table>_table`.
_OTHER_NAMES = {
    "user_table": "users",
    "user": "users",
    "user_history": "users_history",
    "artist": "artists",
    "song": "songs",
    "songplay": "songplays",
}


class LakeTables:
    """The tables of a lake. A table is read when it is asked for, and not before.

    `tables.songs`, `tables["songs"]` and `songs, artists = process_song_data(…)` give frames.
    """

    def __init__(self, spark: object, config: Config, written: tuple[str, ...]) -> None:
        """Takes the session of the caller, the settings of the run, and the tables that it wrote."""
        self._spark = spark
        self._config = config
        self._written = written

    def __getitem__(self, table: str | int) -> Any:
        if isinstance(table, int):
            return self[self._written[table]]
        from dataclasses import replace

        from sparkify_lake import _engine

        name = _OTHER_NAMES.get(table, table.removesuffix("_table"))
        folders = _engine.lake_layout(replace(self._config, call="open_lake"), optional=True)
        if name not in folders:
            raise KeyError(table)
        return self._session().read.parquet(self._as_given(folders[name]))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return self[name]
        except KeyError:
            first = self._written[0]
            raise AttributeError(
                f"these are the tables of a lake, not one frame, and have no {name!r}; "
                f"use a table, such as .{first}.{name}"
            ) from None

    def __iter__(self) -> Iterator[Any]:
        return (self[table] for table in self._written)

    def __len__(self) -> int:
        return len(self._written)

    def __repr__(self) -> str:
        return f"<tables of a lake: {', '.join(self._written)}>"

    def _as_given(self, folder: str) -> str:
        """Returns a folder with the scheme of the output: Spark accesses buckets only by its own."""
        scheme = str(self._config.value("output")).partition("://")[0]
        return f"{scheme}{folder.removeprefix('s3')}" if scheme in ("s3a", "s3n") else folder

    def _session(self) -> Any:
        if is_session(self._spark):
            return self._spark
        from sparkify_lake.session import SparklessSession

        return SparklessSession()


def is_session(value: object) -> bool:
    """Returns whether a value is a session of Spark or of this package, without starting it.

    Example:
        >>> from sparkify_lake.etl import create_spark_session
        >>> is_session(create_spark_session()), is_session("data")
        (True, False)
    """
    return any(hasattr(type(value), name) for name in ("sparkContext", "builder"))
