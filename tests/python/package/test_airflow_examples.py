"""The example DAGs, except one, import on Airflow 2 and 3; `tests/airflow` runs them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "airflow"
ONLY_AIRFLOW_3 = {FOLDER / "arrival.py"}  # Airflow 2 has no watchers of assets
EXAMPLES = sorted({*FOLDER.glob("*.py")} - ONLY_AIRFLOW_3)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_import_that_airflow_2_does_not_have_is_guarded(file: Path) -> None:
    """Only `from airflow import …` is the same in both versions; all else needs `except ImportError`."""
    tree = ast.parse(file.read_text())
    guarded = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.Try) and any("ImportError" in ast.dump(one) for one in block.handlers)
        for node in ast.walk(block)
    }
    unguarded = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and id(node) not in guarded and node.module
    }
    assert {name for name in unguarded if name.partition(".")[0] == "airflow"} == {"airflow"}
