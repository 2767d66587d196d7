"""Lakes for engines that are installed: odd partition values, and renamed columns in nested folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from sparkify_lake.ddl import ddl_with
from sparkify_lake.settings.resolve import resolve
from support.generate_inputs import write_input
from support.generate_records import listen, play, song, song_of_each_artist
from support.lake_files import WITH_HISTORY, Report
from tables.test_names import COLUMN_NAMES, TABLE_NAMES

LAKES: dict[str, dict[str, Any]] = {
    "lake": {},
    "it's a 100% lake": {"column_names": COLUMN_NAMES, "table_names": TABLE_NAMES},
    "history": {"tables": WITH_HISTORY},
}


@pytest.fixture(scope="module", params=list(LAKES))
def odd_lake(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    isolated_module: Path,
    run: Callable[..., Report],
) -> Path:
    """A lake with every artist_id that needs an escape, and NULL in partitions and columns."""
    folder = tmp_path_factory.mktemp("ddl")
    songs = [*song_of_each_artist(), *(song(number) for number in range(20))]
    events = [*(play(number) for number in range(150)), *(listen(number, range(20)) for number in range(60))]
    run(write_input(folder / "in", songs, events, 4), folder / request.param, **LAKES[request.param])
    return folder / str(request.param)


def opened(lake: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Reads the tables with `open_lake`."""
    options = {**LAKES[lake.name]}
    tables = str(options.pop("tables", "songs,artists,users,time,songplays"))
    found = sparkify_lake.open_lake(lake, **options)
    for table in tables.split(","):
        frame = found[table].collect()
        assert frame.height > 5
        yield table, frame


def statements(engine: str, lake: Path, format: str | None = None) -> list[str]:
    """Returns the statements for a lake, without the comment at the beginning."""
    printed = ddl_with(engine, format, None, resolve("ddl", {"output": str(lake)})).statements
    return [one for one in printed if re.search("^[^-#]", one, re.MULTILINE)]


def assert_same_table(found: pl.DataFrame, expected: pl.DataFrame, table: str) -> None:
    """Compares columns, types and rows, in any order of rows."""
    assert found.schema == expected.schema, table
    assert found.sort(found.columns).equals(expected.sort(expected.columns)), table
