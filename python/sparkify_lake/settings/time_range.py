"""A window of time that can hold nothing is refused, with how one comes by it.

What else a window may be, the engine decides.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sparkify_lake.errors import ConfigurationError

if TYPE_CHECKING:
    from sparkify_lake.settings.resolve import Config


def refuse_empty_window(config: Config) -> None:
    """Refuses a `ts_window`, or `since` and `until`, that begin where they end.

    Args:
        config: The merged settings.

    Raises:
        ConfigurationError: Or a `UsageError`, when it was an argument.
    """
    begin, dots, end = str(config.value("ts_window") or "").partition("..")
    if dots and begin.strip() == end.strip():
        message = f"ts_window begins where it ends, at {begin.strip()}: it would select nothing"
        raise _refused(config, "ts_window", message, '"{{ macros.ds_add(ds, -1) }}..{{ ds }}"')
    since, until = (str(config.value(name) or "").strip() for name in ("since", "until"))
    if since and since == until:
        message = f"since is until, {since}: no day lies between them"
        raise _refused(config, "until", message, 'since="{{ ds }}" and until="{{ macros.ds_add(ds, 1) }}"')


def _refused(config: Config, option: str, message: str, template: str) -> Exception:
    cause, hint = None, "the end is exclusive: for one day, name the day and the next one"
    if is_in_airflow():
        cause = (
            "in Airflow 3 a schedule such as @daily runs at a point of time: data_interval_start "
            "equals data_interval_end"
        )
        hint = f"name both ends, such as {template}, or schedule with CronDataIntervalTimetable"
    return config.explain(ConfigurationError(message, cause=cause, hint=hint, context={"option": option}))


def is_in_airflow() -> bool:
    """Returns whether this process has to do with Airflow; looks, but imports nothing."""
    return "airflow.sdk" in sys.modules or "airflow.models" in sys.modules
