"""The lake read by DuckDB, Polars and pyarrow, with every artist_id that needs escaping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support import oracle
from support.generate_inputs import write_input
from support.generate_records import PARTITION_TEXTS, event_pairs, play, record, song, song_of_each_artist
from support.lake_files import ALL_FOLDERS, WITH_HISTORY, Report, Tables, data_files, sorted_rows
from support.table_readers import by_duckdb, by_polars, by_pyarrow

pytestmark = pytest.mark.usefixtures("isolated_module")
SEED = 77
TYPES = {
    "songs": ["string", "string", "string", "int32", "double"],
    "artists": ["string"] * 3 + ["double"] * 2,
    "users": ["string"] * 5,
    "users_history": ["string"] * 5 + ["timestamp[us, tz=UTC]"] * 2 + ["bool"],
    "time": ["timestamp[us, tz=UTC]"] + ["int32"] * 6,
    "songplays": [
        "int64",
        "timestamp[us, tz=UTC]",
        *["string"] * 4,
        "int64",
        "string",
        "string",
        "int32",
        "int32",
    ],
}


@pytest.fixture(scope="module")
def escaped_lake(
    tmp_path_factory: pytest.TempPathFactory, isolated_module: Path, run: Callable[..., Report]
) -> tuple[Path, oracle.Expected]:
    """A lake with all these artists and some ordinary songs and plays, and its expected contents."""
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("escaped")
    songs = [*song_of_each_artist(), *(song(SEED + number) for number in range(40))]
    random = Random(SEED)
    names = [("artist", '"Artist 3"'), ("song", '"T"'), ("length", "3.5")]
    matching = [pair for pair in event_pairs(random) if pair[0] not in ("artist", "song", "length")] + names
    events = [*(play(SEED + number) for number in range(200)), record(random, matching)]
    expected = oracle.expect((one.raw for one in songs), (one.raw for one in events), history="plays")
    assert not expected.songs.reasons
    assert not expected.logs.reasons
    assert expected.matched >= 1
    run(write_input(folder / "in", songs, events, SEED), folder / "lake", tables=WITH_HISTORY)
    return folder / "lake", expected


def test_partition_folders_are_named_as_spark_names_them(escaped_lake: tuple[Path, oracle.Expected]) -> None:
    lake, expected = escaped_lake
    checked = 0
    for table, folder in ALL_FOLDERS.items():
        made = {str(file.parent.relative_to(lake / folder)) for file in data_files(lake / folder)}
        wanted = {oracle.partition_folder(table, row) or "." for row in expected.tables[table]}
        assert made == wanted, table
        checked += len(made)
    assert checked >= len(PARTITION_TEXTS)


def test_each_file_has_the_expected_rows(
    escaped_lake: tuple[Path, oracle.Expected], read_back: Callable[[Path], Tables]
) -> None:
    lake, expected = escaped_lake
    tables = read_back(lake)
    for table in ALL_FOLDERS:
        assert tables[table] == expected.tables[table], table


@pytest.mark.parametrize("reader", [by_pyarrow, by_polars, by_duckdb])
@pytest.mark.parametrize("table", list(ALL_FOLDERS))
def test_other_readers_read_the_expected_rows(
    escaped_lake: tuple[Path, oracle.Expected],
    table: str,
    reader: Callable[[Path, tuple[str, ...]], pa.Table],
) -> None:
    lake, expected = escaped_lake
    frame = reader(lake / ALL_FOLDERS[table], oracle.PARTITIONED_BY[table])
    assert sorted(frame.schema.names) == sorted(oracle.COLUMNS[table])
    assert sorted_rows(table, frame) == expected.tables[table]
    if reader is not by_duckdb:  # DuckDB reports the time zone of its session
        kinds = [str(frame.schema.field(name).type).removeprefix("large_") for name in oracle.COLUMNS[table]]
        assert [kind.replace("string_view", "string") for kind in kinds] == TYPES[table]


def test_open_lake_reads_the_expected_rows(escaped_lake: tuple[Path, oracle.Expected]) -> None:
    import sparkify_lake

    lake, expected = escaped_lake
    opened = sparkify_lake.open_lake(str(lake))
    for table in ALL_FOLDERS:
        frame = getattr(opened, table).collect().to_arrow()
        assert frame.schema.names == list(oracle.COLUMNS[table]), table
        assert sorted_rows(table, frame) == expected.tables[table], table


def test_table_folders_hold_only_data_and_success_files(escaped_lake: tuple[Path, oracle.Expected]) -> None:
    lake, _ = escaped_lake
    checked = 0
    for folder in ALL_FOLDERS.values():
        for path in (lake / folder).rglob("*"):
            checked += 1
            if path.is_dir():
                assert "=" in path.name
                assert any(path.iterdir()), f"{path} is empty"
            elif path.name == "_SUCCESS":
                assert path.parent == lake / folder
                assert path.stat().st_size == 0
            else:
                assert path.name == "part-00000.snappy.parquet"
        assert (lake / folder / "_SUCCESS").is_file()
    assert checked >= len(PARTITION_TEXTS)


@pytest.mark.parametrize(
    ("compression", "codec", "name"),
    [
        ("snappy", "SNAPPY", "part-00000.snappy.parquet"),
        ("zstd", "ZSTD", "part-00000.zstd.parquet"),
        ("none", "UNCOMPRESSED", "part-00000.parquet"),
    ],
)
def test_parquet_metadata_of_every_column(
    tmp_path: Path, run: Callable[..., Report], compression: str, codec: str, name: str
) -> None:
    source = write_input(tmp_path / "in", [song(n) for n in range(20)], [play(n) for n in range(300)], 5)
    run(source, tmp_path / "lake", compression=compression)
    checked = 0
    for file in data_files(tmp_path / "lake"):
        assert file.name == name
        data = pq.ParquetFile(file)
        assert b"ARROW:schema" not in (data.metadata.metadata or {}), file
        for index in range(data.metadata.num_columns):
            column = data.schema.column(index)
            assert column.physical_type in ("INT32", "INT64", "DOUBLE", "BYTE_ARRAY"), "no INT96"
            assert column.max_definition_level == 1, "every column may be NULL, as in files of Spark"
            if column.physical_type == "BYTE_ARRAY":
                assert column.logical_type.type == "STRING"
            if column.name == "start_time":
                kind = json.loads(column.logical_type.to_json())
                assert column.physical_type == "INT64"
                assert (kind["Type"], kind["isAdjustedToUTC"], kind["timeUnit"]) == (
                    "Timestamp",
                    True,
                    "microseconds",
                )
            for group in range(data.metadata.num_row_groups):
                chunk = data.metadata.row_group(group).column(index)
                assert chunk.compression == codec
                assert chunk.is_stats_set, f"{file}: {column.name}"
                assert chunk.statistics.has_null_count
                values = data.read_row_group(group, columns=[column.name]).column(0)
                assert chunk.statistics.null_count == values.null_count
                if chunk.statistics.has_min_max and column.physical_type in ("INT32", "INT64", "DOUBLE"):
                    known = values.drop_null().to_pylist()
                    assert (chunk.statistics.min, chunk.statistics.max) == (min(known), max(known))
                checked += 1
    assert checked >= 60


def test_rows_are_sorted(escaped_lake: tuple[Path, oracle.Expected]) -> None:
    lake, _ = escaped_lake
    keys = {
        "songs": "song_id",
        "artists": "artist_id",
        "users": "user_id",
        "time": "start_time",
        "songplays": "songplay_id",
    }
    checked = 0
    for table, key in keys.items():
        for file in data_files(lake / ALL_FOLDERS[table]):
            values = pq.ParquetFile(file).read(columns=[key]).column(0).to_pylist()
            in_order = sorted(
                values, key=lambda value: oracle.order(value) if isinstance(value, str) else value
            )
            if "artist_id=__HIVE_DEFAULT_PARTITION__" not in file.parts:  # in files, NULL sorts before ''
                assert values == in_order, file
                checked += len(values)
    assert checked >= 200
