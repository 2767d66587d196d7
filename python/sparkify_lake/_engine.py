"""Calls into the native module: settings go in; progress, results and errors come back.

Only this module, `settings.aws` and the kernel on a worker import `_native`, and only inside a function, so
that importing the package does not load the engine.

Invariant: an error of the engine about an option names the place where the option was set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from os.path import abspath
from typing import TYPE_CHECKING, Any, TypeVar

from sparkify_lake.errors import InternalError, SparkifyLakeError
from sparkify_lake.settings.locations import is_remote

if TYPE_CHECKING:
    from logging import Logger
    from types import ModuleType

    from sparkify_lake._native import LakeTables, TablePresence, TableSchema
    from sparkify_lake.executors import ExecutorBinding
    from sparkify_lake.render.progress import OnTick, Tick
    from sparkify_lake.settings.config import Config

Result = TypeVar("Result")


def native() -> ModuleType:
    """Loads the native module."""
    try:
        from sparkify_lake import _native
    except ImportError as error:
        reason = str(error)
    else:
        return _native
    raise InternalError(
        "the native module of sparkify-lake cannot be loaded",
        cause=reason,
        hint="reinstall the package; in a clone of the repository, build it first: pip install .",
    )


def call(config: Config, function: Callable[[], Result]) -> Result:
    """Calls the engine; adds to an error about an option where the option was set."""
    try:
        return function()
    except SparkifyLakeError as error:
        located = config.with_origin(error)
    # Raised outside the except block: the engine's error may repeat a value and must not be chained.
    raise located


def call_with_progress(
    config: Config, function: Callable[[Any], Result], watch: OnTick | None = None
) -> Result:
    """Calls the engine and displays progress if the settings allow it.

    Args:
        config: The settings.
        function: Calls the engine; its argument is the `on_tick` function for the native module.
        watch: Called with every tick too. An exception that it raises stops the call.
    """
    from sparkify_lake.render.progress import progress_shown

    with progress_shown(hidden=config.is_on("quiet") or config.is_on("no_progress")) as show:

        def on_tick(tick: Tick) -> None:
            for receiver in (watch, show):
                if receiver is not None:
                    receiver(tick)

        return call(config, lambda: function(on_tick if watch else show))


def lake_layout(config: Config, *, optional: bool = False) -> dict[str, str]:
    """Returns the folders of the tables by name; with `optional`, also of those that must be selected."""
    layout: dict[str, str] = call(config, lambda: native().lake_layout(_table_options(config, optional)))
    return layout


def lake_root(config: Config) -> str:
    """Returns the root of the lake, an absolute path or a URL without a slash at the end."""
    # The engine normalizes the location, so the root comes from a folder with a known name.
    root = lake_layout(config.without("table_names"))["songs"].removesuffix("/songs_table")
    return abspath(root) if root and not is_remote(root) else root


def find_tables(config: Config, *, optional: bool = False) -> TablePresence:
    """Returns which tables of a lake exist; with `optional`, also of those that must be selected."""
    found: TablePresence = call(config, lambda: native().look(_table_options(config, optional)))
    return found


def _table_options(config: Config, optional: bool) -> dict[str, object]:
    options = config.native_options()
    return {**options, "tables": ",".join(star_schema())} if optional else options


def lake_tables(config: Config) -> LakeTables:
    """Returns the tables of a lake from its commit log."""
    found: LakeTables = call(config, lambda: native().lake_tables(config.native_options()))
    return found


def defaults() -> dict[str, str]:
    """Returns the default of each option as text."""
    texts: dict[str, str] = native().defaults()
    return texts


@cache
def star_schema() -> Mapping[str, TableSchema]:
    """Returns the star schema by table name, in the order in which tables are published."""
    schema: dict[str, TableSchema] = native().star_schema()
    return schema


@cache
def default_tables() -> tuple[str, ...]:
    """Returns the tables that a run writes unless others are selected."""
    return tuple(defaults()["tables"].split(","))


def renamed_schema(config: Config) -> Mapping[str, TableSchema]:
    """Returns the star schema with the column names of the settings."""
    schema: dict[str, TableSchema] = call(config, lambda: native().star_schema(config.native_options()))
    return schema


def build_info() -> dict[str, str]:
    """Returns the version of the native module and how it was compiled."""
    facts: dict[str, str] = native().build_info()
    return facts


def executor_binding(config: Config) -> ExecutorBinding | None:
    """Returns the executor and its kernel; None for a run on the threads of this process."""
    if config.executor is None and config.value("executor") is None:
        return None
    from sparkify_lake.executors import bind_executor

    return call(config, lambda: bind_executor(config))


def log_warnings(config: Config) -> None:
    """Logs the warnings about the settings."""
    if not config.is_on("quiet"):
        for warning in config.warnings:
            logger().warning("%s", warning)


def logger() -> Logger:
    """Returns the logger of the package."""
    from logging import getLogger

    return getLogger("sparkify_lake")
