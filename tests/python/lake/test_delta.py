"""The tables as Delta Lake tables: read with deltalake, equal to the tables of a rebuild at every version."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

import sparkify_lake
from sparkify_lake.errors import ProtocolError, UsageError
from support.delta_checker import commits
from support.growing_input import NESTED, GrowingInput
from support.lake_files import ALL_FOLDERS, FOLDERS
from support.rounds import Rounds
from support.s3_jobs import tree


@pytest.fixture
def place(tmp_path: Path) -> GrowingInput:
    return GrowingInput(tmp_path)


def read(table: Path, version: int | None = None) -> pl.DataFrame:
    """A Delta table, or one version of it, sorted."""
    frame = pl.scan_delta(str(table), version=version).collect()
    frame = frame.with_columns(pl.col(pl.Datetime).cast(pl.Datetime("us", "UTC")))
    return frame.sort(frame.columns)


def assert_equal_tables(lake: Path, star: sparkify_lake.Star, folders: dict[str, str] = FOLDERS) -> None:
    opened = sparkify_lake.open_lake(lake, table_names=folders)
    for table, wanted in star.items():
        columns = wanted.columns
        delta = read(lake / folders[table]).select(columns)
        assert delta.schema == wanted.schema
        assert delta.sort(columns).equals(wanted.sort(columns)), table
        assert opened[table].collect().sort(columns).equals(wanted.sort(columns)), table


@pytest.mark.parametrize("folders", [FOLDERS, NESTED, ALL_FOLDERS], ids=["flat", "nested", "history"])
def test_each_version_is_one_commit_of_each_changed_table(
    place: GrowingInput, folders: dict[str, str]
) -> None:
    names: dict[str, Any] = {"table_names": folders, "tables": list(folders)}
    place.keep(4)
    place.run(formats="delta", **names)
    for count in range(5, 17):
        place.keep(count)
        before = {table: len(commits(place.lake / folder)) for table, folder in folders.items()}
        report = place.run(**names)
        for table, folder in folders.items():
            changed = report.tables[table].written > 0 or report.tables[table].removed > 0
            assert len(commits(place.lake / folder)) == before[table] + changed, table
        if count % 4 == 0:
            assert_equal_tables(place.lake, place.build(tables=list(folders)), folders)
    assert (place.lake / folders["songplays"] / "_delta_log" / f"{10:020}.checkpoint.parquet").exists()
    assert place.run(**names).state == "unchanged"
    assert sparkify_lake.check(place.lake).exit_code == 0


def test_a_table_is_read_from_its_checkpoint(place: GrowingInput) -> None:
    place.keep(1)
    place.run(formats="delta")
    for count in range(2, 13):
        place.keep(count)
        place.run()
    table = place.lake / "songplays_table"
    assert len(commits(table)) > 10
    for version in range(10):
        (table / "_delta_log" / f"{version:020}.json").unlink()
    wanted = place.build().songplays
    assert DeltaTable(str(table)).version() >= 10
    assert read(table).select(wanted.columns).sort(wanted.columns).equals(wanted.sort(wanted.columns))


def test_the_log_has_the_values_and_bounds_of_every_file(place: GrowingInput) -> None:
    place.run(formats="delta", tables=list(ALL_FOLDERS))
    for table, folder in ALL_FOLDERS.items():
        actions = commits(place.lake / folder)[0]
        for add in (action["add"] for action in actions if "add" in action):
            stats = json.loads(add["stats"])
            rows = pl.read_parquet(
                place.lake / folder / unquote(add["path"]), hive_partitioning=False, glob=False
            )
            assert stats["numRecords"] == rows.height
            assert stats["nullCount"] == {name: rows[name].null_count() for name in rows.columns}, table
            for name in rows.columns:
                values = rows[name].drop_nulls()
                if values.is_empty() or values.dtype == pl.Boolean:
                    assert name not in stats["minValues"]
                    continue
                low, high = stats["minValues"][name], stats["maxValues"][name]
                if values.dtype == pl.Datetime:
                    low, high = (
                        pl.Series([text]).str.to_datetime(time_zone="UTC")[0] for text in (low, high)
                    )
                assert low <= values.min() and values.max() <= high, (table, name)


def test_queries_skip_files_by_their_bounds(place: GrowingInput) -> None:
    place.run(formats="delta")
    plays = place.build().songplays
    for column in ("start_time", "session_id", "user_id"):
        for value in plays[column].drop_nulls().unique().sort()[:: max(1, plays.height // 5)]:
            found = read(place.lake / "songplays_table").filter(pl.col(column) == value).height
            lazily = pl.scan_delta(str(place.lake / "songplays_table")).filter(pl.col(column) == value)
            assert lazily.collect().height == found == (plays[column] == value).sum()


def test_retained_versions_stay_readable(place: GrowingInput) -> None:
    place.keep(3)
    place.run(formats="delta", retain=2)
    table = place.lake / "songplays_table"
    wanted: dict[int, pl.DataFrame] = {0: read(table)}
    for count in range(4, 14):
        place.keep(count)
        place.run()
        newest = len(commits(table)) - 1
        assert_equal_tables(place.lake, place.build())
        wanted[newest] = read(table)
        for version, frame in wanted.items():
            if version >= newest - 2:
                assert read(table, version).equals(frame), (newest, version)
        assert sparkify_lake.check(place.lake).exit_code == 0
    with pytest.raises((DeltaError, FileNotFoundError, pl.exceptions.ComputeError)):
        read(table, 0)
    data = [file for file in tree(table) if file.endswith(".parquet") and "_delta_log" not in file]
    current = {action["add"]["path"] for commit in commits(table) for action in commit if "add" in action}
    assert len(current) > len(data), "files of older versions are removed"
    place.keep(14)
    place.run(retain=0)
    assert sparkify_lake.check(place.lake).exit_code == 0
    folder = pl.scan_parquet(str(table / "year=*" / "**" / "*.parquet"), hive_partitioning=True)
    assert folder.collect().height == place.build().songplays.height, "the folder has one version"


def test_a_reader_never_sees_a_mixture(place: GrowingInput, rounds: Rounds) -> None:
    place.keep(2)
    place.run(formats="delta", retain=3)
    table = str(place.lake / "songplays_table")
    sizes, stop, seen = {read(Path(table)).height}, threading.Event(), set()

    def readers() -> Iterator[int]:
        while not stop.is_set():
            yield read(Path(table)).height

    thread = threading.Thread(target=lambda: seen.update(readers()))
    thread.start()
    try:
        for count in [*range(3, 17), *range(15, 3, -1)] * rounds(1, 4):
            place.keep(count)
            place.run()
            sizes.add(place.build().songplays.height)
    finally:
        stop.set()
        thread.join()
    assert len(seen) > 5
    assert seen <= sizes


def test_formats_are_those_of_the_lake_until_others_are_chosen(place: GrowingInput) -> None:
    place.run()
    plain = tree(place.lake / "songs_table")
    assert place.run(formats="delta").rebuilt == "the table formats have changed"
    assert place.run().state == "unchanged"
    assert_equal_tables(place.lake, place.build())
    assert place.run(formats="parquet").rebuilt == "the table formats have changed"
    assert tree(place.lake / "songs_table") == plain, "the same names and bytes, and no log"
    assert place.run(formats="delta").rebuilt is not None
    assert [len(commits(place.lake / folder)) for folder in FOLDERS.values()] == [1] * 5
    assert_equal_tables(place.lake, place.build())


def test_an_open_lake_follows_the_formats(place: GrowingInput) -> None:
    place.keep(2)
    place.run()
    lake = sparkify_lake.open_lake(place.lake)
    for formats in ("delta", "parquet", "delta"):
        place.keep(3)
        place.run(formats=formats)
        assert lake.songplays.collect().height == place.build().songplays.height, formats


def test_other_column_names_are_a_new_schema(place: GrowingInput) -> None:
    place.run(formats="delta")
    names = {"artists.name": "artist_name", "songs.year": "released"}
    place.run(column_names=names)
    assert [len(commits(place.lake / folder)) for folder in FOLDERS.values()] == [2, 2, 1, 1, 1]
    star = sparkify_lake.build(place.input, max_bad="100%", quiet=True, column_names=names)
    for table in ("artists", "songs"):
        delta = read(place.lake / FOLDERS[table])
        columns = star[table].columns
        assert delta.select(columns).sort(columns).equals(star[table].sort(columns))


@pytest.mark.parametrize("gap", [False, True], ids=["a foreign commit", "a missing commit"])
def test_a_log_that_another_program_changed_is_refused(place: GrowingInput, gap: bool) -> None:
    place.keep(3)
    place.run(formats="delta")
    place.keep(4)
    place.run()
    folder = place.lake / "songplays_table" / "_delta_log"
    if gap:
        (folder / f"{0:020}.json").unlink()
    else:
        shutil.copy(folder / f"{1:020}.json", folder / f"{2:020}.json")
    before = tree(place.lake)
    place.keep(5)
    with pytest.raises(ProtocolError, match="cannot continue the Delta log") as refused:
        place.run()
    assert refused.value.exit_code == 76 and "_delta_log" in str(refused.value)
    found = sparkify_lake.check(place.lake)
    assert found.exit_code == 76 and "_delta_log" in (found.repair or "")
    assert {path: data for path, data in tree(place.lake).items() if "quarantine" not in path} == before
    shutil.move(folder, place.lake.parent / "moved")
    place.run()
    assert len(commits(place.lake / "songplays_table")) == 1, "a new log begins"
    assert_equal_tables(place.lake, place.build())
    assert sparkify_lake.check(place.lake).exit_code == 0


def test_a_log_of_another_program_is_not_continued(place: GrowingInput) -> None:
    place.run()
    folder = place.lake / "artists_table" / "_delta_log"
    folder.mkdir()
    (folder / f"{0:020}.json").write_text("{}")
    for formats in ("delta", "parquet"):
        with pytest.raises(ProtocolError, match="files that sparkify-lake did not write"):
            place.run(formats=formats)
    with pytest.raises(ProtocolError, match="cannot continue the Delta log"):
        place.run(formats="delta", adopt=True)
    assert sparkify_lake.status(place.lake).is_published
    place.run(formats="parquet", adopt=True)
    assert not folder.exists()


def test_versions_are_retained_only_with_a_format(place: GrowingInput) -> None:
    place.keep(2)
    with pytest.raises(UsageError, match="retain needs a table format"):
        place.run(retain=1)
    assert not (place.lake / "_etl/log").exists()
    place.run(formats="delta", retain=3)
    place.keep(3)
    place.run(formats="parquet", retain=0)
    place.keep(1)
    place.run()
    star = place.build()
    opened = sparkify_lake.open_lake(place.lake)
    assert all(opened[table].collect().height == star[table].height for table in star)


@pytest.mark.parametrize("value", ["hudi", "delta,hudi"])
def test_unknown_formats_are_refused(place: GrowingInput, value: str) -> None:
    with pytest.raises(UsageError, match="formats"):
        place.run(formats=value)
    with pytest.raises(UsageError, match="retain"):
        place.run(retain=16)
