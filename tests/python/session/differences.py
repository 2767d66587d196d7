"""The calls whose result is not that of PySpark: refused by name, or a row of the table in `docs/spark.md`.

`test_scoreboard` checks both lists: a call that becomes equal has to be removed here and from the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """A call whose result differs: words of its row in the page's table, and its result on this session."""

    row: str
    result: Any


REFUSED_CALLS: dict[str, str] = {}
"""Calls that the session refuses, and the name in the message."""

KNOWN_DIFFERENCES: dict[str, Difference] = {}
"""Calls that give another result than PySpark does."""
