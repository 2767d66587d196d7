"""The scoreboard: every call passes with its right result, or is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from session.calls import CALLS, REFUSED, Place
from sparkify_lake.errors import UsageError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("isolated_module")]


def test_scoreboard(without_spark: Any, data: Path, tmp_path: Path, record_property: Any) -> None:
    outcomes: dict[str, str] = {}
    for number, (name, call) in enumerate(CALLS.items()):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        try:
            call(Place(without_spark, data, scratch))
        except Exception as error:
            outcomes[name] = f"FAILS: {type(error).__name__} {error}"
        else:
            outcomes[name] = "passes"
    for name, call in REFUSED.items():
        try:
            call(Place(without_spark, data, tmp_path))
        except UsageError as error:
            named = name in str(error) and error.hint is not None
            outcomes[name] = "refused by name" if named else f"FAILS: {error}"
        except Exception as error:
            outcomes[name] = f"FAILS: {type(error).__name__} {error}"
        else:
            outcomes[name] = "FAILS: neither done nor refused"
    width = max(map(len, outcomes))
    board = "\n".join(f"  {name:{width}}  {outcome}" for name, outcome in outcomes.items())
    passed, refused = (list(outcomes.values()).count(word) for word in ("passes", "refused by name"))
    record_property(
        "told", f"{passed} calls pass, {refused} are refused by name, of {len(outcomes)}\n{board}"
    )
    assert passed + refused == len(outcomes), board
    assert passed >= 45 and refused >= 10
