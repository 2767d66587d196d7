"""The real small data set compared with tables from another engine: values, types, columns, counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support import oracle
from support.lake_files import FOLDERS, Report, Tables, column_values, data_files, plain_type

ROW_COUNTS = {"songs": 71, "artists": 69, "users": 96, "time": 6813, "songplays": 6820}
FILE_TYPES = {
    "songs": {"song_id": "string", "title": "string", "duration": "double"},
    "artists": dict(zip(oracle.COLUMNS["artists"], ["string"] * 3 + ["double"] * 2, strict=True)),
    "users": dict.fromkeys(oracle.COLUMNS["users"], "string"),
    "time": {
        "start_time": "timestamp[us, tz=UTC]",
        **dict.fromkeys(("hour", "day", "week", "weekday"), "int32"),
    },
    "songplays": {
        "songplay_id": "int64",
        "start_time": "timestamp[us, tz=UTC]",
        **dict.fromkeys(("user_id", "level", "song_id", "artist_id"), "string"),
        "session_id": "int64",
        "location": "string",
        "user_agent": "string",
    },
}
pytestmark = pytest.mark.usefixtures("isolated_module")


@pytest.fixture(scope="module")
def lake(
    shared: Path, isolated_module: Path, run: Callable[..., Report], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("expected") / "lake"
    run(shared / "data" / "sparkify", output)
    return output


def expected_rows(shared: Path, table: str) -> list[oracle.Row]:
    """The expected rows in the order of columns of this package, without songplay_id, which may differ."""
    frame = pq.read_table(shared / "data" / "expected" / f"{table}.parquet")
    names = [name for name in oracle.COLUMNS[table] if name != "songplay_id"]
    assert set(names) == set(frame.schema.names)
    columns = [column_values(frame.column(name)) for name in names]
    return sorted(zip(*columns, strict=True), key=lambda row: oracle.order(*row))


def without_id(table: str, rows: list[oracle.Row]) -> list[oracle.Row]:
    if table != "songplays":
        return rows
    return sorted((row[1:] for row in rows), key=lambda row: oracle.order(*row))


@pytest.mark.parametrize("table", list(FOLDERS))
def test_written_tables_match_the_expected_tables(
    shared: Path, lake: Path, read_back: Callable[[Path], Tables], table: str
) -> None:
    rows = read_back(lake)[table]
    assert len(rows) == ROW_COUNTS[table]
    assert without_id(table, rows) == expected_rows(shared, table)


def test_built_frames_match_the_expected_tables(
    shared: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    tables, report = build(shared / "data" / "sparkify")
    for table, rows in tables.items():
        assert without_id(table, rows) == expected_rows(shared, table), table
    assert report["records"]["songs"] == {"read": 71, "loaded": 71, "filtered": 0, "quarantined": 0}
    assert report["records"]["logs"] == {"read": 8056, "loaded": 6820, "filtered": 1236, "quarantined": 0}
    assert report["plays"] == {"rows": 6820, "matched": 1, "last_at": "2018-11-30T19:54:24.796Z"}


def test_the_oracle_matches_the_expected_tables(shared: Path) -> None:
    def records(folder: str) -> list[bytes]:
        files = sorted((shared / "data" / "sparkify" / folder).rglob("*.json"))
        assert len(files) == {"song_data": 71, "log_data": 30}[folder]
        return [line for file in files for line in file.read_bytes().splitlines() if line]

    tables = oracle.expect(records("song_data"), records("log_data")).tables
    assert {table: len(rows) for table, rows in tables.items()} == ROW_COUNTS
    for table, rows in tables.items():
        assert without_id(table, rows) == expected_rows(shared, table), table


def test_songplay_ids_are_unique_and_follow_time(lake: Path, read_back: Callable[[Path], Tables]) -> None:
    plays = read_back(lake)["songplays"]
    assert len({row[0] for row in plays}) == len(plays) == 6820
    assert all(row[0] >> 20 == row[1] // 1000 for row in plays)


def test_exactly_one_play_matches_a_song(lake: Path, read_back: Callable[[Path], Tables]) -> None:
    matched = [row for row in read_back(lake)["songplays"] if row[4] is not None]
    assert [(row[2], row[4], row[5]) for row in matched] == [
        ("15", "SOZCTXZ12AB0182364", "AR5KOSW1187FB35FF4")
    ]


def test_columns_and_types_of_the_files(lake: Path) -> None:
    checked = 0
    for table, folder in FOLDERS.items():
        for file in data_files(lake / folder):
            schema = pq.read_schema(file)
            assert {name: plain_type(schema.field(name).type) for name in schema.names} == FILE_TYPES[
                table
            ], file
            assert schema.names == list(FILE_TYPES[table]), file
            checked += 1
    assert checked == 69 + 4, "one file per year and artist, and one for each other table"


def test_table_names_option_renames_the_folders(
    shared: Path,
    tmp_path: Path,
    run: Callable[..., Report],
    read_back: Callable[[Path], Tables],
    lake: Path,
) -> None:
    run(shared / "data" / "sparkify", tmp_path / "lake", table_names="plain,users=people")
    made = {path.name for path in (tmp_path / "lake").iterdir() if not path.name.startswith("_")}
    assert made == {"songs", "artists", "people", "time", "songplays"}
    for table, name in (("songs", "songs"), ("users", "people")):
        (tmp_path / "lake" / name).rename(tmp_path / "lake" / FOLDERS[table])
        assert read_back(tmp_path / "lake")[table] == read_back(lake)[table]


@pytest.mark.parametrize("chosen", ["songs,artists", "users,time,songplays", "songplays", "time"])
def test_tables_option_writes_only_the_chosen_tables(
    shared: Path,
    tmp_path: Path,
    run: Callable[..., Report],
    read_back: Callable[[Path], Tables],
    lake: Path,
    chosen: str,
) -> None:
    run(shared / "data" / "sparkify", tmp_path / "lake", tables=chosen)
    made = {path.name for path in (tmp_path / "lake").iterdir() if not path.name.startswith("_")}
    assert made == {FOLDERS[table] for table in chosen.split(",")}
    whole, part = read_back(lake), read_back(tmp_path / "lake")
    for table in chosen.split(","):
        assert part[table] == whole[table], table
