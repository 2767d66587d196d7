"""The scoreboard: calls that Sparkify notebooks make on Spark, each with its right result.

Every function runs on this session and, in a marked test, on real PySpark: it imports pyspark by itself, as a
cell does, and asserts. What it returns is compared between the two.
"""

from __future__ import annotations

from session import calls_frames, calls_reading, calls_sql, calls_writing
from session.scoreboard import CALLS, REFUSED, Place, printed

__all__ = [
    "CALLS",
    "REFUSED",
    "Place",
    "calls_frames",
    "calls_reading",
    "calls_sql",
    "calls_writing",
    "printed",
]
