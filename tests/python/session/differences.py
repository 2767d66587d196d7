"""The calls whose result is not that of PySpark: refused by name, or a row of the table in `docs/spark.md`.

`test_scoreboard` checks both lists: a call that becomes equal has to be removed here and from the page.
"""

from __future__ import annotations

REFUSED_CALLS: dict[str, str] = {}
"""Calls that the session refuses, and the name in the message, which is also in a table of the page."""

KNOWN_DIFFERENCES: dict[str, dict[str, str]] = {}
"""The rows of the table of differences, by words of the row: calls, and what only our result contains."""
