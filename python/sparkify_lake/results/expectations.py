"""The results of expectations, as frozen data, and how they are displayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkify_lake.render.text_table import TextTable, format_count, format_seconds

# How many earlier versions the page displays.
MAX_PAST_VERSIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PastValue:
    """A figure at an earlier version of the lake.

    Attributes:
        version: The version.
        committed_at: When the run began that committed it, ISO 8601, UTC.
        value: The value.
    """

    version: int
    committed_at: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationResult:
    """An expectation about the tables, and the value that was compared with it.

    Attributes:
        expectation: The condition, such as "songplays.match_rate >= 90%".
        metric: The figure, such as "songplays.match_rate".
        unit: Unit of the limit and the values: "rows", "share" (1 is all) or "seconds".
        limit: The limit.
        value: The value; None if there is none, such as a change without an earlier version.
        passed: Whether the expectation is met; a run with another one publishes nothing.
        history: The values of the last versions before the run, the oldest first.
    """

    expectation: str
    metric: str
    unit: str
    limit: float
    value: float | None
    passed: bool
    history: Sequence[PastValue]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExpectationResult:
        """Returns the result for a plain mapping."""
        return cls(**{**data, "history": tuple(PastValue(**past) for past in data["history"])})

    def format(self, value: float | None) -> str:
        """Formats a value in the unit of the expectation."""
        if value is None:
            return "-"
        if self.unit == "rows":
            return format_count(int(value))
        return f"{100 * value:.2f} %" if self.unit == "share" else format_seconds(value)


def expectations_text(results: Sequence[ExpectationResult]) -> TextTable:
    """Returns the results as a text table, with the values of the version before."""
    return TextTable(
        head=("expectation", "value", "before", "result"),
        rows=[
            (
                one.expectation,
                one.format(one.value),
                *_past(one, _versions(results)[:1] or [0]),
                _outcome(one),
            )
            for one in results
        ],
        text_columns=("expectation", "result"),
    )


def expectations_with_past(
    results: Sequence[ExpectationResult],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns the head and the rows of a table with the values of the last versions, the newest first."""
    versions = _versions(results)[:MAX_PAST_VERSIONS]
    head = ("expectation", "result", "value", *(f"version {version}" for version in versions))
    rows = [(one.expectation, _outcome(one), one.format(one.value), *_past(one, versions)) for one in results]
    return head, rows


def _outcome(result: ExpectationResult) -> str:
    return "met" if result.passed else "not met"


def _past(result: ExpectationResult, versions: Iterable[int]) -> list[str]:
    values = {past.version: past.value for past in result.history}
    return [result.format(values.get(version)) for version in versions]


def _versions(results: Sequence[ExpectationResult]) -> list[int]:
    """Returns the versions in any history, the newest first."""
    return sorted({past.version for one in results for past in one.history}, reverse=True)
