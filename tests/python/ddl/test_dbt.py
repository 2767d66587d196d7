"""The source for dbt is YAML, has the columns of the lake, and its tests hold for lakes with odd values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ddl.conftest import opened, statements

pytestmark = pytest.mark.usefixtures("isolated_module")
yaml: Any = pytest.importorskip("yaml", reason="PyYAML, which mkdocs needs, is not installed")


def failures(test: Any, column: pl.Series, tables: Mapping[str, pl.DataFrame]) -> list[object]:
    """Returns the values for which a test of dbt fails, as its documentation defines them."""
    if test == "not_null":
        return column.filter(column.is_null()).to_list()
    known = column.drop_nulls()
    if test == "unique":
        return known.filter(known.is_duplicated()).to_list()
    ((name, body),) = test.items()
    if name == "accepted_values":
        return known.filter(~known.is_in(body["arguments"]["values"])).to_list()
    assert name == "relationships"
    found = re.fullmatch(r"source\('sparkify', '(\w+)'\)", body["arguments"]["to"])
    assert found
    return known.filter(~known.is_in(tables[found[1]][body["arguments"]["field"]].to_list())).to_list()


def test_the_source_is_true(odd_lake: Path) -> None:
    (source,) = yaml.safe_load(statements("dbt", odd_lake)[0])["sources"]
    tables = dict(opened(odd_lake))
    assert source["name"] == "sparkify"
    assert [table["name"] for table in source["tables"]] == list(tables)
    checked: list[str] = []
    for table in source["tables"]:
        frame = tables[table["name"]]
        assert [column["name"] for column in table["columns"]] == frame.columns
        for column in table["columns"]:
            for test in column.get("data_tests", ()):
                assert failures(test, frame[column["name"]], tables) == [], (table["name"], column, test)
                checked.append(test if isinstance(test, str) else next(iter(test)))
    counts = {name: checked.count(name) for name in sorted(set(checked))}
    assert counts == {
        "accepted_values": 2 + ("users_history" in tables),
        "not_null": 15 + 3 * ("users_history" in tables),
        "relationships": 5,
        "unique": 5,
    }


@pytest.mark.parametrize(
    ("test", "values"),
    [
        ("not_null", ["a", None]),
        ("unique", ["a", "a"]),
        ({"accepted_values": {"arguments": {"values": ["a"]}}}, ["a", "b"]),
        ({"relationships": {"arguments": {"to": "source('sparkify', 't')", "field": "x"}}}, ["a", "z"]),
    ],
)
def test_a_value_that_breaks_a_test_is_found(test: Any, values: list[str | None]) -> None:
    tables = {"t": pl.DataFrame({"x": ["a", "b"]})}
    assert failures(test, pl.Series(values, dtype=pl.String), tables)
    assert failures(test, pl.Series(["a", None] if test != "not_null" else ["a"]), tables) == []
