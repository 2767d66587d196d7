"""The way to the engine: settings go to the native module, progress and errors come back.

The only module that imports `_native`, and only inside a function: importing the package loads no engine.

Invariant: an error of the engine leaves with the origin of the option it complains about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sparkify_lake.errors import InternalError, SparkifyLakeError

if TYPE_CHECKING:
    from logging import Logger
    from types import ModuleType

    from sparkify_lake._native import OnTick, Sight, Tick
    from sparkify_lake.executors import Executor, Kernel
    from sparkify_lake.settings.resolve import Config

Result = TypeVar("Result")


def lake_layout(config: Config) -> dict[str, str]:
    """Returns the folder of each table below the output, by table name."""
    layout: dict[str, str] = explained(config, lambda: native().lake_layout(config.native_options()))
    return layout


def look(config: Config) -> Sight:
    """Looks which tables of a lake are there."""
    sight: Sight = explained(config, lambda: native().look(config.native_options()))
    return sight


def defaults() -> dict[str, str]:
    """Returns each option's default as text."""
    texts: dict[str, str] = native().defaults()
    return texts


def build_info() -> dict[str, str]:
    """Returns the version and how the native module was compiled."""
    facts: dict[str, str] = native().build_info()
    return facts


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
        hint="install the package again; in a checkout, build it first: pip install .",
    )


def called(config: Config, call: Callable[[Any], Result], watch: OnTick | None = None) -> Result:
    """Calls the engine with what shows progress, as the settings say.

    Args:
        config: The settings.
        call: Takes what is to be called about ten times a second.
        watch: Called as well; what it raises stops the call.
    """
    from sparkify_lake.render.progress import shown

    with shown(hidden=config.is_on("quiet") or config.is_on("no_progress")) as show:

        def on_tick(tick: Tick) -> None:
            for told in (watch, show):
                if told is not None:
                    told(tick)

        return explained(config, lambda: call(on_tick if watch else show))


def crew(config: Config) -> tuple[Executor, Kernel] | None:
    """Returns the executor and what it is to do; None for a run on the threads of this process."""
    if config.executor is None and config.value("executor") is None:
        return None
    from sparkify_lake.executors import crew_of

    return explained(config, lambda: crew_of(config))


def explained(config: Config, call: Callable[[], Result]) -> Result:
    """Calls the engine; what it complains about is told with where it was set."""
    try:
        return call()
    except SparkifyLakeError as error:
        problem = config.explain(error)
    # Out of the except block, so that the engine's words, which may repeat a value, are not chained to it.
    raise problem


def warn(config: Config) -> None:
    """Says what is odd about the settings."""
    if not config.is_on("quiet"):
        for warning in config.warnings:
            logger().warning("%s", warning)


def logger() -> Logger:
    """Returns the package's logger."""
    from logging import getLogger

    return getLogger("sparkify_lake")
