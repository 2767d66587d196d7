"""The scoreboard: calls that Sparkify and data lake notebooks make on Spark.

The modules of calls import pyspark: import them only in the process that runs the calls (`results.py`).
"""

from __future__ import annotations

from session import (
    calls_columns,
    calls_context,
    calls_creating,
    calls_errors,
    calls_etl,
    calls_files,
    calls_frames,
    calls_groups,
    calls_joins,
    calls_json,
    calls_rdds,
    calls_reading,
    calls_sql,
    calls_times,
    calls_udfs,
    calls_values,
    calls_views,
    calls_writing,
    calls_writing_formats,
    queries,
)
from session.scoreboard import CALLS

__all__ = [
    "CALLS",
    "calls_columns",
    "calls_context",
    "calls_creating",
    "calls_errors",
    "calls_etl",
    "calls_files",
    "calls_frames",
    "calls_groups",
    "calls_joins",
    "calls_json",
    "calls_rdds",
    "calls_reading",
    "calls_sql",
    "calls_times",
    "calls_udfs",
    "calls_values",
    "calls_views",
    "calls_writing",
    "calls_writing_formats",
    "queries",
]
