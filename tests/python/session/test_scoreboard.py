"""The scoreboard: every call has PySpark's result, or is refused by name, or is a documented difference.

The results of PySpark are recorded in `pyspark_results.json`; `test_same_as_spark` checks that they hold.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from session.differences import KNOWN_DIFFERENCES, REFUSED_CALLS
from session.record import as_text, recorded
from session.results import results_of
from support.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("isolated_module")]


def verdict(name: str, expected: Any, found: Any) -> str:
    """How a call compares with PySpark: equal, refused, known, or what is wrong."""
    equal = as_text(found) == as_text(expected)
    sign = next((calls[name] for calls in KNOWN_DIFFERENCES.values() if name in calls), None)
    if sign is not None:
        if equal:
            return "is equal now: remove it from KNOWN_DIFFERENCES and from docs/spark.md"
        if sign in as_text(found) and sign not in as_text(expected):
            return "known"
        return f"differs in another way than the one listed: {as_text(found)}"
    if is_refusal(found):
        named = REFUSED_CALLS.get(name)
        if named is None:
            return f"is refused, but is not in REFUSED_CALLS: {found['message']}"
        return "refused" if named in found["message"] else f"is refused without its name: {found['message']}"
    if name in REFUSED_CALLS:
        return "is not refused any more: remove it from REFUSED_CALLS"
    if equal:
        return "equal"
    message = f": {found['message']}" if isinstance(found, dict) and "message" in found else ""
    return f"differs\n    PySpark: {as_text(expected)[:1500]}\n    session: {as_text(found)[:1500]}{message}"


def is_refusal(found: Any) -> bool:
    """Whether the session refused the call, with a hint."""
    return isinstance(found, dict) and found.get("raises") == "UnsupportedCallError" and bool(found["hint"])


def test_every_call_of_the_scoreboard(tmp_path: Path, record_property: Any) -> None:
    expected, found = recorded(), results_of("session", tmp_path)
    assert list(expected) == sorted(found), "record the results of the new calls: python -m session.record"
    verdicts = {name: verdict(name, expected[name], found[name]) for name in found}
    counts = Counter(verdicts.values())
    equal, refused, known = (counts[word] for word in ("equal", "refused", "known"))
    record_property(
        "summary",
        f"{equal} of {len(found)} calls equal PySpark, {refused} are refused by name, {known} are documented",
    )
    wrong = {name: text for name, text in verdicts.items() if text not in ("equal", "refused", "known")}
    assert not wrong, f"{len(wrong)} of {len(found)} calls\n" + "\n".join(
        f"{name} {text}" for name, text in wrong.items()
    )
    assert equal >= 450


def test_the_page_has_every_difference() -> None:
    page = (ROOT / "docs" / "spark.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|")]
    words = [*KNOWN_DIFFERENCES, *REFUSED_CALLS.values()]
    assert [one for one in words if not any(one in row for row in rows)] == []
    assert f"{len(recorded())} calls" in page


def test_lists_name_calls_of_the_scoreboard() -> None:
    names = list(recorded())
    assert len(names) >= 450
    listed = [*REFUSED_CALLS, *(name for calls in KNOWN_DIFFERENCES.values() for name in calls)]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(names)
    assert all(calls for calls in KNOWN_DIFFERENCES.values())


REFUSAL = {"raises": "UnsupportedCallError", "message": "df.x is not supported", "hint": "use df.y"}


@pytest.mark.parametrize(
    ("name", "expected", "found", "words"),
    [
        ("other", 1, 1, "equal"),
        ("other", 1, 1.0, "differs"),
        ("other", 1, True, "differs"),
        ("other", {"raises": "A"}, {"raises": "A", "message": "its own"}, "equal"),
        ("other", {"raises": "A"}, {"raises": "B", "message": "m"}, "differs"),
        ("other", 1, REFUSAL, "is not in REFUSED_CALLS"),
        ("refused", 1, REFUSAL, "refused"),
        ("refused", 1, {**REFUSAL, "message": "no name"}, "without its name"),
        ("refused", 1, {**REFUSAL, "hint": None}, "is not refused any more"),
        ("refused", 1, 1, "is not refused any more"),
        ("known", 1, [1], "known"),
        ("known", 1, [2], "in another way"),
        ("known", 1, 1, "is equal now"),
    ],
)
def test_verdicts(monkeypatch: pytest.MonkeyPatch, name: str, expected: Any, found: Any, words: str) -> None:
    monkeypatch.setitem(REFUSED_CALLS, "refused", "df.x")
    monkeypatch.setitem(KNOWN_DIFFERENCES, "a row", {"known": "[1"})
    text = verdict(name, expected, found)
    assert text == words if words in ("equal", "refused", "known") else words in text
