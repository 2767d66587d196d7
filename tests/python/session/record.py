"""Records PySpark's results: `python -m session.record [NAME …]`, with `tests/python` on the path.

Without the names of calls it records all of them. It needs pyspark and a Java runtime. Look at the difference
before you commit it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from session.results import results_of

RECORDED = Path(__file__).with_name("pyspark_results.json")


def recorded() -> dict[str, Any]:
    """The recorded results, by the names of the calls."""
    found: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))["results"]
    return found


def recorded_version() -> str:
    """The version of PySpark that gave them."""
    return str(json.loads(RECORDED.read_text(encoding="utf-8"))["pyspark"])


def as_text(result: Any) -> str:
    """A result as it is recorded and compared: 1, 1.0 and true differ. Texts of errors are not compared."""
    kept = {"raises": result["raises"]} if isinstance(result, dict) and "raises" in result else result
    return json.dumps(kept, ensure_ascii=False)


def main(*only: str) -> None:
    """Writes the file, one line for each call."""
    with tempfile.TemporaryDirectory() as folder:
        found = results_of("pyspark", Path(folder), only)
    failed = [name for name, result in found.items() if "AssertionError" in as_text(result)]
    assert not failed, failed
    found = {**recorded(), **found} if only else found
    lines = [
        f"{json.dumps(name, ensure_ascii=False)}: {as_text(result)}" for name, result in sorted(found.items())
    ]
    text = ",\n".join(lines)
    RECORDED.write_text(
        f'{{"pyspark": "{version("pyspark")}", "results": {{\n{text}\n}}}}\n', encoding="utf-8"
    )
    print(f"{len(lines)} results in {RECORDED}")


if __name__ == "__main__":
    main(*sys.argv[1:])
