"""Reading a lake back with Polars: columns, types and NULLs, whatever the folders are called and hold."""

from __future__ import annotations

import pickle
from pathlib import Path

import polars as pl
import pytest

import sparkify_lake
from sparkify_lake.lake import COLUMNS, PARTITIONS, TABLES

INPUT = Path("data")
NULL = "__HIVE_DEFAULT_PARTITION__"


pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def source(clean: None) -> Path:
    sparkify_lake.sample(INPUT, songs=20, events=300, days=3, users=5)
    return INPUT


def test_a_star_and_its_lake_have_the_same_columns_types_and_rows(source: Path) -> None:
    star = sparkify_lake.build(source)
    assert list(star) == list(TABLES) == list(COLUMNS)
    sparkify_lake.run(source, "lake")
    lake = sparkify_lake.open_lake("lake")
    for table in TABLES:
        frame = lake[table].collect()
        assert frame.schema == star[table].schema, table
        assert list(frame.schema) == list(COLUMNS[table]), table
        key = frame.columns[0]
        assert frame.sort(key).equals(star[table].sort(key)), table
    assert star.report.state == "built"
    assert star.songs is star["songs"]
    assert pickle.loads(pickle.dumps(star)).songs.equals(star.songs)
    assert "songplays" in repr(star) and "<table" in star._repr_html_()


@pytest.mark.parametrize("names", [None, "plain", "songs=tracks", "plain,songs=tracks,users=people"])
def test_folder_names(source: Path, names: str | None) -> None:
    sparkify_lake.run(source, "la[k]e *", table_names=names)
    found = sparkify_lake.open_lake("la[k]e *", table_names=names if names and "=" in names else None)
    assert all(table.exists for table in found.tables())
    assert found.songs.collect().height > 0


def test_null_and_escaped_partitions(tmp_path: Path) -> None:
    base = pl.DataFrame({"song_id": ["S"], "title": ["T"], "duration": [1.5]})
    paths = ("year=0/artist_id=A%2FB é", f"year={NULL}/artist_id={NULL}", "year=1999/artist_id=007")
    for path in paths:
        folder = tmp_path / "lake/songs_table" / path
        folder.mkdir(parents=True)
        base.write_parquet(folder / "part-00000.snappy.parquet")
    (tmp_path / "lake/songs_table/_SUCCESS").touch()
    rows = sparkify_lake.open_lake("lake").songs.select("artist_id", "year").collect().rows()
    assert sorted(rows, key=str) == [("007", 1999), ("A/B é", 0), (None, None)]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_a_row(tmp_path: Path, table: str) -> None:
    folder = tmp_path / "lake" / ("user_table" if table == "users" else f"{table}_table")
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    frame = sparkify_lake.open_lake("lake")[table].collect()
    assert frame.height == 0
    assert frame.columns == list(COLUMNS[table])
    assert set(PARTITIONS[table]) <= set(frame.columns)


def test_no_lake_and_no_table(source: Path) -> None:
    with pytest.raises(sparkify_lake.NoInputError, match="there is no lake at nowhere"):
        sparkify_lake.open_lake("nowhere")
    with pytest.raises(sparkify_lake.ConfigurationError, match="no lake to open"):
        sparkify_lake.open_lake()
    sparkify_lake.run(source, "lake", tables="users")
    lake = sparkify_lake.open_lake("lake")
    assert [table.name for table in lake.tables() if table.exists] == ["users"]
    with pytest.raises(sparkify_lake.NoInputError, match="no table songs"):
        _ = lake.songs
    with pytest.raises(KeyError):
        _ = lake["nothing"]
    assert "(not there)" in repr(lake)


def test_the_output_may_be_configured(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparkify_lake.run(source, "lake", table_names="users=people")
    Path("lake.cfg").write_text("OUTPUT=lake\nTABLE_NAMES=users=people\nCOMPRESSION=zstd\n")
    assert sparkify_lake.open_lake().users.collect().height > 0
