"""Rejects an empty time range, and explains how it comes about in Airflow.

The engine checks everything else about time ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkify_lake.errors import ConfigurationError
from sparkify_lake.settings.environment import is_in_airflow

if TYPE_CHECKING:
    from sparkify_lake.settings.config import Config


def reject_empty_range(config: Config) -> None:
    """Rejects a `ts_window`, or `since` and `until`, whose start equals its end.

    Args:
        config: The resolved settings.

    Raises:
        UsageError: If the range is an argument.
        ConfigurationError: If it comes from a file or from the environment.
    """
    begin, dots, end = str(config.value("ts_window") or "").partition("..")
    if dots and begin.strip() == end.strip():
        message = f"the time range ts_window is empty: it starts and ends at {begin.strip()}"
        raise _invalid(config, "ts_window", message, '"{{ macros.ds_add(ds, -1) }}..{{ ds }}"')
    since, until = (str(config.value(name) or "").strip() for name in ("since", "until"))
    if since and since == until:
        message = f"the range of days is empty: since and until are both {since}"
        raise _invalid(config, "until", message, 'since="{{ ds }}" and until="{{ macros.ds_add(ds, 1) }}"')


def _invalid(config: Config, option: str, message: str, template: str) -> Exception:
    cause, hint = None, "the end is exclusive; for one day, use that day and the next day"
    if is_in_airflow():
        cause = (
            "in Airflow 3, the data interval of a schedule such as @daily has zero length: "
            "data_interval_start equals data_interval_end"
        )
        hint = f"use a range such as {template}, or schedule with CronDataIntervalTimetable"
    error = ConfigurationError(message, cause=cause, hint=hint, context={"option": option})
    return config.with_origin(error)
