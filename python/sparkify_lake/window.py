"""A window of time that can hold nothing is refused, with how one comes by it.

What else a window may be, the engine decides.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sparkify_lake.errors import ConfigurationError

if TYPE_CHECKING:
    from sparkify_lake.config import Config


def refuse_empty_window(config: Config) -> None:
    """Refuses a `ts_window` that begins where it ends.

    Args:
        config: The merged settings.

    Raises:
        ConfigurationError: Or a `UsageError`, when it was an argument.
    """
    begin, dots, end = str(config.value("ts_window") or "").partition("..")
    if not dots or begin.strip() != end.strip():
        return
    cause, hint = None, "its end is exclusive: for one day, name the day and the next one"
    if is_in_airflow():
        cause = (
            "in Airflow 3 a schedule such as @daily runs at a point of time: data_interval_start "
            "equals data_interval_end"
        )
        hint = (
            'name both ends, such as "{{ macros.ds_add(ds, -1) }}..{{ ds }}", or schedule with '
            "CronDataIntervalTimetable"
        )
    raise config.explain(
        ConfigurationError(
            f"ts_window begins where it ends, at {begin.strip()}: it would select nothing",
            cause=cause,
            hint=hint,
            context={"option": "ts_window"},
        )
    )


def is_in_airflow() -> bool:
    """Returns whether this process has to do with Airflow; looks, but imports nothing."""
    return "airflow.sdk" in sys.modules or "airflow.models" in sys.modules
