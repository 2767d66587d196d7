"""The tables as Iceberg tables: read with PyIceberg and Polars, and equal to the tables of a rebuild."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from sparkify_lake import iceberg
from sparkify_lake.errors import ConfigurationError, ProtocolError, RetryableError
from support.growing_input import NESTED, GrowingInput
from support.lake_files import ALL_FOLDERS, FOLDERS
from support.processes import clean_environment
from support.s3_jobs import tree

pytest.importorskip("pyiceberg", reason="needs the package pyiceberg")

from pyiceberg.conversions import from_bytes
from pyiceberg.table import StaticTable

from sparkify_lake.iceberg import commits

pytestmark = pytest.mark.filterwarnings("ignore:Iceberg scan planning")
NAMES = list(FOLDERS)


@pytest.fixture
def place(tmp_path: Path) -> GrowingInput:
    return GrowingInput(tmp_path)


def home(lake: Path, table: str) -> Path:
    return lake / "_etl" / "iceberg" / table


def commit_of(lake: Path, table: str) -> int:
    """The number in the version hint, which is that of the newest commit."""
    folder = home(lake, table) / "metadata"
    number = int((folder / "version-hint.text").read_text())
    commits = [int(file.name[1:].split(".")[0]) for file in folder.glob("v*.metadata.json")]
    assert number == max(commits)
    return number


def commits_of(lake: Path, tables: Iterable[str] = FOLDERS) -> dict[str, int]:
    return {table: commit_of(lake, table) for table in tables}


def opened(lake: Path, table: str) -> StaticTable:
    return StaticTable.from_metadata(str(home(lake, table)))


def read(lake: Path, table: str, snapshot: int | None = None) -> pl.DataFrame:
    return pl.from_arrow(opened(lake, table).scan(snapshot_id=snapshot).to_arrow())  # type: ignore[return-value]


def assert_equal_tables(
    lake: Path, star: sparkify_lake.Star, names: Sequence[str] = (), folders: dict[str, str] = FOLDERS
) -> None:
    lazy = sparkify_lake.open_lake(lake, table_names=folders)
    for table in names or folders:
        wanted = star[table]
        columns = wanted.columns
        newest = home(lake, table) / "metadata" / f"v{commit_of(lake, table)}.metadata.json"
        frames = (read(lake, table), pl.scan_iceberg(str(newest)).collect(), lazy[table].collect())
        for number, frame in enumerate(frames):
            assert frame.columns == columns
            frame = frame.cast(dict(wanted.schema))  # Arrow has large strings, and other time zones
            assert frame.sort(columns).equals(wanted.sort(columns)), (table, number)


@pytest.mark.parametrize("folders", [FOLDERS, NESTED, ALL_FOLDERS], ids=["flat", "nested", "history"])
def test_each_version_is_one_commit_of_each_changed_table(
    place: GrowingInput, folders: dict[str, str]
) -> None:
    names: dict[str, Any] = {"table_names": folders, "tables": list(folders)}
    ones = dict.fromkeys(folders, 1)
    place.keep(4)
    place.run(formats="iceberg", **names)
    assert commits_of(place.lake, folders) == ones
    assert_equal_tables(place.lake, place.build(tables=list(folders)), folders=folders)
    for count in range(5, 15):
        place.keep(count)
        wanted = commits_of(place.lake, folders)
        report = place.run(**names)
        for table in folders:
            wanted[table] += report.tables[table].written + report.tables[table].removed > 0
        assert commits_of(place.lake, folders) == wanted
        kept = {table: len(opened(place.lake, table).snapshots()) for table in folders}
        assert kept == ones, "retain is 0"
    assert_equal_tables(place.lake, place.build(tables=list(folders)), folders=folders)
    before_files = tree(place.lake / "_etl" / "iceberg")
    assert place.run(**names).state == "unchanged"
    assert tree(place.lake / "_etl" / "iceberg") == before_files, "a repeated run adds nothing"
    assert sparkify_lake.check(place.lake).exit_code == 0


def test_the_metadata_has_no_needless_files(place: GrowingInput) -> None:
    place.keep(1)
    place.run(formats="iceberg")
    for count in range(2, 16):
        place.keep(count)
        place.run()
    for table in NAMES:
        listed = opened(place.lake, table)
        (snapshot,) = listed.snapshots()
        manifests = {Path(one.manifest_path).name for one in snapshot.manifests(listed.io)}
        found = {file.name for file in (home(place.lake, table) / "metadata").glob("*.avro")}
        assert found == {*manifests, Path(snapshot.manifest_list).name}


def test_both_formats_have_the_same_files(place: GrowingInput) -> None:
    place.keep(5)
    place.run(formats=["delta", "iceberg"])
    place.keep(6)
    place.run()
    assert_equal_tables(place.lake, place.build())
    for table, folder in FOLDERS.items():
        tasks = opened(place.lake, table).scan().plan_files()
        delta = pl.scan_delta(str(place.lake / folder)).collect()
        assert sum(task.file.record_count for task in tasks) == delta.height


def test_the_metadata_has_the_values_and_bounds_of_every_file(place: GrowingInput) -> None:
    place.run(formats="iceberg", tables=list(ALL_FOLDERS))
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    for table in ALL_FOLDERS:
        static = opened(place.lake, table)
        fields = {field.field_id: field for field in static.schema().fields}
        for task in static.scan().plan_files():
            path = task.file.file_path.removeprefix("file://")
            rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
            assert task.file.record_count == rows.height
            assert task.file.file_size_in_bytes == Path(path).stat().st_size
            ids = {field.name: number for number, field in fields.items()}
            assert task.file.null_value_counts == {
                ids[name]: rows[name].null_count() for name in rows.columns
            }
            for name in rows.columns:
                values, number = rows[name].drop_nulls(), ids[name]
                if values.is_empty() or values.dtype == pl.Boolean:  # the engine computes no bounds of these
                    assert number not in task.file.lower_bounds
                    continue
                kind = fields[number].field_type
                low, high = (
                    from_bytes(kind, bounds[number])
                    for bounds in (task.file.lower_bounds, task.file.upper_bounds)
                )
                least, greatest = values.min(), values.max()
                if isinstance(least, datetime) and isinstance(greatest, datetime):
                    least, greatest = ((time - epoch) // (datetime.resolution) for time in (least, greatest))
                assert low <= least and greatest <= high, (table, name)


def test_commits_import_almost_nothing(place: GrowingInput) -> None:
    """All of PyIceberg that they need is imported while the engine works."""
    place.keep(3)
    place.run(formats="iceberg")
    place.keep(5)
    code = f"""if True:
        import sys
        import sparkify_lake.iceberg.commits
        known = set(sys.modules)
        sparkify_lake.run({str(place.input)!r}, {str(place.lake)!r}, quiet=True, max_bad="100%")
        print(*(name for name in set(sys.modules) - known if name.startswith("pyiceberg")))
    """
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment()
    )
    assert set(ended.stdout.split()) <= {"pyiceberg.avro.decoder_fast"}, ended.stderr
    assert ended.returncode == 0, ended.stderr
    assert commit_of(place.lake, "songplays") == 2


def test_queries_skip_files_by_their_bounds(place: GrowingInput) -> None:
    place.run(formats="iceberg")
    plays = place.build().songplays
    for column in ("session_id", "user_id", "year", "month"):
        for value in plays[column].drop_nulls().unique().sort()[:: max(1, plays.height // 5)]:
            wanted = (plays[column] == value).sum()
            text = f"'{value}'" if isinstance(value, str) else str(value)
            found = opened(place.lake, "songplays").scan(row_filter=f"{column} == {text}").to_arrow()
            assert found.num_rows == wanted


def test_retained_versions_stay_readable(place: GrowingInput) -> None:
    place.keep(3)
    place.run(formats="iceberg", retain=2)
    wanted: dict[int, pl.DataFrame] = {}
    for count in range(4, 12):
        place.keep(count)
        place.run()
        snapshots = opened(place.lake, "songplays").snapshots()
        assert len(snapshots) <= 3
        wanted[snapshots[-1].snapshot_id] = read(place.lake, "songplays")
        for snapshot in snapshots:
            if snapshot.snapshot_id in wanted:
                found = read(place.lake, "songplays", snapshot.snapshot_id)
                columns = found.columns
                assert found.sort(columns).equals(wanted[snapshot.snapshot_id].sort(columns))
        assert_equal_tables(place.lake, place.build(), ["songplays", "time"])
        assert sparkify_lake.check(place.lake).exit_code == 0
    assert len(opened(place.lake, "songplays").snapshots()) == 3
    place.keep(12)
    place.run(retain=0)
    assert len(opened(place.lake, "songplays").snapshots()) == 1


@pytest.mark.parametrize("way", ["run", "run with other input", "recover"])
def test_a_commit_that_a_stopped_run_left_out_is_made_up_for(
    place: GrowingInput, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    place.keep(3)
    place.run(formats="iceberg", retain=3)
    place.keep(5)
    before = commits_of(place.lake)

    def stop(request: Any) -> Any:
        raise OSError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(commits, "commit", stop)
        with pytest.raises(RetryableError, match="Iceberg tables are not") as failed:
            place.run()
        assert "disk is on fire" in str(failed.value) and "recover" in str(failed.value)
    assert commits_of(place.lake) == before
    found = sparkify_lake.check(place.lake)
    assert found.exit_code == 76 and "recover" in (found.repair or "")
    assert {problem.what for problem in found.problems} == {"outdated"}
    if way == "run with other input":
        place.keep(7)
    if way == "recover":
        assert sparkify_lake.recover(place.lake).exit_code == 0
    else:
        place.run()
    assert_equal_tables(place.lake, place.build())
    assert sparkify_lake.check(place.lake).exit_code == 0
    versions = 3 if way == "run with other input" else 2
    found_versions = [
        int(snapshot.summary["sparkify-lake.version"])  # type: ignore[index]
        for snapshot in opened(place.lake, "songplays").snapshots()
    ]
    assert found_versions == list(range(1, versions + 1)), "each version once, in order"
    for table in NAMES:
        for snapshot in opened(place.lake, table).snapshots():
            read(place.lake, table, snapshot.snapshot_id)


def test_a_kill_before_the_version_hint_is_repaired(place: GrowingInput) -> None:
    place.keep(3)
    place.run(formats="iceberg")
    place.keep(5)
    hint = home(place.lake, "time") / "metadata" / "version-hint.text"
    place.run()
    hint.write_text("1")
    place.run()
    assert commit_of(place.lake, "time") == 2
    assert_equal_tables(place.lake, place.build())


def test_formats_are_those_of_the_lake_until_others_are_chosen(place: GrowingInput) -> None:
    place.run()
    plain = tree(place.lake / "songs_table")
    assert place.run(formats="iceberg").rebuilt == "the table formats have changed"
    assert place.run().state == "unchanged"
    assert_equal_tables(place.lake, place.build())
    assert place.run(formats="parquet").rebuilt == "the table formats have changed"
    assert tree(place.lake / "songs_table") == plain, "the same names and bytes"
    assert tree(place.lake / "_etl" / "iceberg") == {}
    place.run(formats="delta")
    assert place.run(formats="delta,iceberg").rebuilt is not None
    assert_equal_tables(place.lake, place.build())


def test_other_column_names_are_a_new_schema(place: GrowingInput) -> None:
    place.run(formats="iceberg")
    names = {"artists.name": "artist_name", "songs.year": "released"}
    place.run(column_names=names)
    assert list(commits_of(place.lake).values()) == [2, 2, 1, 1, 1]
    star = sparkify_lake.build(place.input, max_bad="100%", quiet=True, column_names=names)
    for table in ("artists", "songs"):
        frame, columns = read(place.lake, table).cast(dict(star[table].schema)), star[table].columns
        assert frame.sort(columns).equals(star[table].sort(columns))


@pytest.mark.parametrize("name", ["a b", "100%41", "Müller"])
def test_a_lake_is_moved(place: GrowingInput, name: str) -> None:
    place.keep(3)
    place.run(formats="iceberg")
    shutil.move(place.lake, place.lake.parent / name)
    place.lake = place.lake.parent / name
    assert sparkify_lake.check(place.lake).exit_code == 76
    place.run()
    assert_equal_tables(place.lake, place.build())
    assert sparkify_lake.check(place.lake).exit_code == 0


def test_a_table_that_another_program_changed_is_refused(place: GrowingInput) -> None:
    place.keep(3)
    place.run(formats="iceberg")
    folder = home(place.lake, "songplays")
    shutil.copy(folder / "metadata" / "v1.metadata.json", folder / "metadata" / "v2.metadata.json")
    (folder / "metadata" / "version-hint.text").write_text("2")
    before = tree(place.lake)
    place.keep(5)
    with pytest.raises(ProtocolError, match="cannot continue the Iceberg table") as refused:
        place.run()
    assert refused.value.exit_code == 76 and "move the folder away" in str(refused.value)
    assert tree(place.lake) == before, "nothing was written"
    found = sparkify_lake.check(place.lake)
    assert found.exit_code == 76 and [problem.what for problem in found.problems] == ["foreign"]
    shutil.move(folder, place.lake.parent / "moved")
    place.run()
    assert commit_of(place.lake, "songplays") == 2, "a new table begins with the version before"
    assert_equal_tables(place.lake, place.build())


def test_other_files_in_a_manifest_are_found(place: GrowingInput) -> None:
    place.keep(3)
    place.run(formats="iceberg")
    metadata = home(place.lake, "songs") / "metadata"
    newest = json.loads((metadata / "v1.metadata.json").read_text())
    other = json.loads((home(place.lake, "artists") / "metadata" / "v1.metadata.json").read_text())
    newest["snapshots"][0]["manifest-list"] = other["snapshots"][0]["manifest-list"]
    (metadata / "v1.metadata.json").write_text(json.dumps(newest))
    found = sparkify_lake.check(place.lake)
    assert found.exit_code == 76 and [problem.what for problem in found.problems] == ["changed"]


@pytest.mark.parametrize("other", ["the same version", "a lost manifest list"])
def test_a_run_that_another_one_overtakes_adds_nothing(
    place: GrowingInput, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    place.keep(3)
    place.run(formats="iceberg")
    place.keep(5)
    make, is_first = commits.commit, [True]

    def late(request: commits.Request) -> commits.Reading:
        """Another run makes the first commit before this one does."""
        made = yield from make(request)
        if is_first and made and is_first.pop():
            for path, content in made[0]:
                changed = content.replace(b'"format-version":2', b'"format-version": 2')
                (place.lake / path).write_bytes(changed)
            if other == "a lost manifest list":
                for file in (place.lake / path).parent.glob("snap-*.avro"):
                    file.unlink()
                (place.lake / path).unlink()
        return made

    monkeypatch.setattr(commits, "commit", late)
    place.run()
    assert not is_first and max(commits_of(place.lake).values()) <= 2
    assert_equal_tables(place.lake, place.build())


def test_a_missing_package_stops_the_run_before_it_writes(
    place: GrowingInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iceberg, "writer", lambda catalog: None)
    with pytest.raises(ConfigurationError, match="pyiceberg") as refused:
        place.run(formats="iceberg")
    assert "sparkify-lake[iceberg]" in str(refused.value) and not place.lake.exists()
    monkeypatch.undo()
    place.keep(3)
    place.run(formats="iceberg")
    place.keep(5)
    monkeypatch.setattr(iceberg, "writer", lambda catalog: None)
    before = tree(place.lake)
    with pytest.raises(ConfigurationError, match="pyiceberg"):
        place.run()
    assert tree(place.lake) == before
    assert sparkify_lake.check(place.lake).exit_code == 0, "not compared"
    place.run(formats="parquet")
    assert tree(place.lake / "_etl" / "iceberg") == {}


@pytest.mark.parametrize("output", ["a#b", "a?b"])
def test_a_location_without_iceberg_tables_is_refused(
    place: GrowingInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="Iceberg tables cannot be published") as refused:
        sparkify_lake.run(place.input, output, formats="iceberg", quiet=True)
    assert "delta" in str(refused.value) and not Path(output).exists(), "nothing is written"


@pytest.mark.parametrize("formats", ["parquet", "delta"])
def test_the_metadata_that_a_stopped_run_left_is_removed(place: GrowingInput, formats: str) -> None:
    place.run(formats="iceberg")
    kept = place.lake.parent / "kept"
    shutil.copytree(place.lake / "_etl" / "iceberg", kept)
    place.run(formats=formats)
    assert tree(place.lake / "_etl" / "iceberg") == {}
    shutil.copytree(kept, place.lake / "_etl" / "iceberg", dirs_exist_ok=True)
    assert place.run().state == "unchanged"
    assert tree(place.lake / "_etl" / "iceberg") == {}
    assert sparkify_lake.check(place.lake).exit_code == 0
