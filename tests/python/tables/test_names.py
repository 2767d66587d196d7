"""Renamed columns and nested table folders: the same rows under other names, in files, frames and reports."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import polars as pl
import pytest

import sparkify_lake
from support.lake_files import data_files
from support.oracle import COLUMNS

# One name per kind: a text, a key, a time, a partition column, and two columns that swap their names.
COLUMN_NAMES = {
    "songs.artist_id": "artistIdentifierOfTheSong",
    "songs.year": "released",
    "artists.name": "artist_name",
    "users.user_id": "userId",
    "users.first_name": "last_name",
    "users.last_name": "first_name",
    "time.start_time": "ts",
    "songplays.songplay_id": "id",
    "songplays.month": "month_of_year",
}
TABLE_NAMES = {
    "songs": "songs/songs.parquet",
    "artists": "artists/artists.parquet",
    "users": "dimensions/people/users.parquet",
    "time": "dimensions/time",
    "songplays": "songplays",
}
NAMES: dict[str, dict[str, str]] = {"column_names": COLUMN_NAMES, "table_names": TABLE_NAMES}


def renamed(table: str) -> dict[str, str]:
    """The new names of a table's columns, by the names of the schema."""
    return {name: COLUMN_NAMES.get(f"{table}.{name}", name) for name in COLUMNS[table]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    sparkify_lake.sample(tmp_path / "in", songs=30, events=600, days=70, users=8, quiet=True)
    return tmp_path / "in"


def assert_same_rows(found: pl.DataFrame, table: str, plain: pl.DataFrame) -> None:
    assert found.columns == list(renamed(table).values())
    plain = plain.rename(renamed(table))
    assert found.schema == plain.schema
    assert found.sort(found.columns).equals(plain.sort(plain.columns)), table


def test_frames_and_files_have_the_new_names(source: Path, tmp_path: Path) -> None:
    plain = sparkify_lake.build(source)
    star = sparkify_lake.build(source, column_names=COLUMN_NAMES)
    report = sparkify_lake.run(source, tmp_path / "lake", **NAMES)
    lake = sparkify_lake.open_lake(tmp_path / "lake", **NAMES)
    assert {name: table.folder for name, table in report.tables.items()} == TABLE_NAMES
    for table, frame in plain.items():
        assert_same_rows(star[table], table, frame)
        assert_same_rows(lake[table].collect(), table, frame)
        folder = tmp_path / "lake" / TABLE_NAMES[table]
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning=true)")
        assert set(rows.columns) == set(renamed(table).values())
        assert len(rows) == frame.height
    folders = {part for file in data_files(tmp_path / "lake/songs") for part in file.parts if "=" in part}
    assert {folder.partition("=")[0] for folder in folders} == {"released", "artistIdentifierOfTheSong"}


def test_later_runs_continue_under_the_same_names(source: Path, tmp_path: Path) -> None:
    logs = sorted((source / "log_data").rglob("*.json"))
    held_back = [(file, file.read_bytes()) for file in logs[40:]]
    for file, _ in held_back:
        file.unlink()
    lake = tmp_path / "lake"
    sparkify_lake.run(source, lake, **NAMES)
    for file, data in held_back:
        file.write_bytes(data)
        os.utime(file, (1_700_000_000, 1_700_000_000))
    plan = sparkify_lake.plan(source, lake, **NAMES)
    report = sparkify_lake.run(source, lake, **NAMES)
    assert (plan.outlook, report.state) == ("part", "published")
    assert sparkify_lake.run(source, lake, **NAMES).state == "unchanged"
    assert sparkify_lake.check(lake).problem_count == 0
    sparkify_lake.run(source, tmp_path / "rebuilt", **NAMES)
    for table, frame in sparkify_lake.build(source).items():
        assert_same_rows(sparkify_lake.open_lake(lake, **NAMES)[table].collect(), table, frame)
    assert contents(lake) == contents(tmp_path / "rebuilt")


def contents(lake: Path) -> dict[str, bytes]:
    return {file.relative_to(lake).as_posix(): file.read_bytes() for file in data_files(lake)}


def test_other_column_names_rebuild_the_lake(source: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    sparkify_lake.run(source, lake)
    before = contents(lake)
    report = sparkify_lake.run(source, lake, column_names=COLUMN_NAMES)
    assert report.rebuilt == "options that shape rows or files have changed"
    folders = {part for path in contents(lake) for part in path.split("/") if part.startswith("year=")}
    assert all("songs_table/year=" not in path for path in contents(lake)), "the old partitions are removed"
    assert folders, "the other tables keep their partition columns"
    assert sparkify_lake.run(source, lake).rebuilt
    assert contents(lake) == before


def test_an_artist_whose_folder_name_would_be_too_long_is_rejected(tmp_path: Path) -> None:
    """The limit of 255 bytes for the name of a folder holds with the name of the column."""
    (tmp_path / "in/song_data").mkdir(parents=True)
    column = COLUMN_NAMES["songs.artist_id"]
    longest = 255 - len(column) - 1
    songs = [f'{{"song_id": "S{size}", "artist_id": "{"a" * size}"}}' for size in (longest, longest + 1)]
    (tmp_path / "in/song_data/songs.json").write_text("\n".join(songs))
    report = sparkify_lake.run(
        tmp_path / "in", tmp_path / "lake", column_names=COLUMN_NAMES, tables="songs,artists"
    )
    assert report.reasons == {"songs": {"partition_value_too_long:artist_id": 1}}
    lake = sparkify_lake.open_lake(tmp_path / "lake", column_names=COLUMN_NAMES)
    assert lake.songs.collect()[column].to_list() == ["a" * longest]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"column_names": "artists.name=a b"}, "128 letters, digits and _"),
        ({"column_names": "artists.names=x"}, "artists.name=artist_name"),
        ({"column_names": "artists.name=LOCATION"}, "each column of a table needs its own name"),
        ({"table_names": "songs=a,users=a/b"}, "each table needs its own folder"),
        ({"table_names": "songs=../a"}, "must not begin with . or _"),
    ],
)
def test_names_that_cannot_be_are_refused(
    source: Path, tmp_path: Path, names: dict[str, str], says: str
) -> None:
    with pytest.raises(sparkify_lake.UsageError, match="_names") as refused:
        sparkify_lake.run(source, tmp_path / "lake", **names)
    assert says in str(refused.value)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(("first", "then"), [("a", "a/b"), ("a/b", "a"), ("a/b", "a/b/c")])
def test_a_table_of_an_earlier_run_is_not_nested(source: Path, tmp_path: Path, first: str, then: str) -> None:
    """Readers of the outer folder would find the files of the inner one."""
    lake = tmp_path / "lake"
    sparkify_lake.run(source, lake, tables="songs", table_names={"songs": first})
    before = contents(lake)
    options = {"tables": "users", "table_names": {"songs": "elsewhere", "users": then}}
    for call in (sparkify_lake.plan, sparkify_lake.run):
        with pytest.raises(sparkify_lake.UsageError, match=f"has a table in {first}, so no other"):
            call(source, lake, **options)
    assert contents(lake) == before and sparkify_lake.check(lake).problem_count == 0
    sparkify_lake.run(source, lake, tables="users", table_names={"songs": first, "users": first + "_2"})
