"""The command `watch`: looks at the input again and again, and runs when something is new.

Invariant: one process and one run at a time; a run begins only after a look has found a change that the run
before did not leave; a signal ends the watch between two runs with exit code 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkify_lake import _engine, diagnostics, jobs
from sparkify_lake.errors import (
    DataRefusedError,
    NoInputError,
    RetryableError,
    StorageError,
    Terminated,
    UsageError,
)
from sparkify_lake.render.text_table import format_count, format_seconds
from sparkify_lake.settings.config import Config

if TYPE_CHECKING:
    from sparkify_lake.results.diagnostics import InputChanges
    from sparkify_lake.results.run_report import RunReport

# After failures in a row, a pause is at most this many intervals.
MAX_BACKOFF = 16
_UNITS = {"s": 1, "m": 60, "h": 3600}
# Failures that may end without a change of the settings.
_TEMPORARY = (RetryableError, StorageError)


def interval_seconds(text: str) -> float:
    """Returns an interval in seconds.

    Example:
        >>> interval_seconds("30s"), interval_seconds("5m"), interval_seconds("0.5")
        (30.0, 300.0, 0.5)
    """
    unit = text[-1:].lower()
    number = text[:-1] if unit in _UNITS else text
    try:
        seconds = float(number) * _UNITS.get(unit, 1)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(
            f"interval cannot be {text!r}",
            hint="use a time such as 30s, 5m or 1h",
            context={"option": "interval"},
        )
    return seconds


@dataclass(slots=True, kw_only=True)
class _State:
    """The memory of a watch.

    Attributes:
        left: The changes at the input that the last run left, such as files of other days; None before it.
        failures: The number of temporary failures in a row.
        runs: The number of successful runs.
        is_running: Whether a run is in progress.
    """

    left: Mapping[str, InputChanges] | None = None
    failures: int = 0
    runs: int = 0
    is_running: bool = False


def watch_with(
    config: Config,
    interval: float,
    on_report: Callable[[RunReport], None],
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Looks at the input and runs when something is new, until a signal arrives between two runs.

    Args:
        config: The settings of the runs.
        interval: Seconds from the end of a look or a run to the next look.
        on_report: Called with the report of each successful run.
        pause: Waits for a number of seconds.

    Raises:
        SparkifyLakeError: If a look or a run fails, unless the failure is temporary, or a change of the input
            is enough to repair it.
        KeyboardInterrupt: If SIGINT arrives during a run.
        Terminated: If SIGTERM arrives during a run.
    """
    config = jobs.checked(config)
    logger, state = _engine.logger(), _State()
    logger.info("looking for new input every %s", format_seconds(interval))
    try:
        while True:
            wait = interval
            try:
                _look(config, state, on_report)
                state.failures = 0
            except _TEMPORARY as error:
                state.failures += 1
                wait = interval * min(2**state.failures, MAX_BACKOFF)
                logger.warning("%s; trying again in %s", error.message, format_seconds(wait))
            state.is_running = False
            pause(wait)
    except (KeyboardInterrupt, Terminated):
        if state.is_running:
            raise
        logger.info("stopped after %s runs; no run was in progress", format_count(state.runs))


def _look(config: Config, state: _State, on_report: Callable[[RunReport], None]) -> None:
    """Looks at the input once, and runs if something is new."""
    changes = None
    with suppress(NoInputError):  # there is no lake yet; if there is no input either, the run says so
        changes = _changes(config)
        if changes == state.left or not any(one.is_news for one in changes.values()):
            return
    state.is_running = True
    try:
        report = jobs.run_with(config)
    except NoInputError as error:
        _engine.logger().info("%s", error.message)
        return
    except DataRefusedError as error:
        if changes is None:
            raise  # without a lake, a change of the input cannot be seen
        _engine.logger().error("%s", error)  # the same input would be rejected again
        state.left = changes
        return
    state.is_running = False
    state.runs += 1
    on_report(report)
    state.left = _changes(config)


def _changes(config: Config) -> Mapping[str, InputChanges]:
    """Returns the changes at the input since the newest version of the lake."""
    return diagnostics.status_of_input(config).input or {}


def describe_run(report: RunReport) -> str:
    """Returns one line about a run."""
    files = sum(source.files_read for source in report.input.values())
    rows = ", ".join(f"{name} {format_count(table.rows)}" for name, table in report.tables.items())
    return (
        f"{report.started_at} {report.state} version {report.version} in {format_seconds(report.seconds)}: "
        f"{format_count(files)} files read; {rows}"
    )
