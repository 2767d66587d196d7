"""Files of one row with any value, read by pyarrow, Polars and DuckDB; `test_spark_reader` has Spark.

Their encoding has no dictionary, no page index and a few hundred bytes, so incompatibilities with readers
would show here. The oracle gives the expected rows. (JSON has no NaN; the Rust tests of the writer do.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support import oracle
from support.generate_inputs import write_input
from support.generate_single_rows import single_row_plays, single_row_songs
from support.lake_files import FOLDERS, Report, data_files, sorted_rows
from support.table_readers import by_duckdb, by_polars, by_pyarrow

pytestmark = pytest.mark.usefixtures("isolated_module")
SEEDS = (1, 2, 3)
TABLES = ("songs", "time", "songplays")


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed {seed}")
def single_row_lake(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    isolated_module: Path,
    run: Callable[..., Report],
) -> tuple[Path, oracle.Expected]:
    """A lake whose songs, plays and times are each alone in a file, and its expected contents."""
    seed: int = request.param
    folder = tmp_path_factory.mktemp("single_rows")
    songs, events = single_row_songs(seed, 250), single_row_plays(seed, 120)
    expected = oracle.expect((one.raw for one in songs), (one.raw for one in events))
    assert not expected.songs.reasons
    assert not expected.logs.reasons
    run(write_input(folder / "in", songs, events, seed), folder / "lake")
    return folder / "lake", expected


def test_each_file_has_one_row(single_row_lake: tuple[Path, oracle.Expected]) -> None:
    lake, _ = single_row_lake
    for table, files in (("songs", 250), ("time", 120), ("songplays", 120)):
        rows = [pq.ParquetFile(file).metadata.num_rows for file in data_files(lake / FOLDERS[table])]
        assert rows == [1] * files, table


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("reader", [by_pyarrow, by_polars, by_duckdb])
def test_other_readers_read_the_expected_rows(
    single_row_lake: tuple[Path, oracle.Expected],
    table: str,
    reader: Callable[[Path, tuple[str, ...]], pa.Table],
) -> None:
    lake, expected = single_row_lake
    frame = reader(lake / FOLDERS[table], oracle.PARTITIONED_BY[table])
    assert sorted_rows(table, frame) == expected.tables[table]
