"""A reader that searches the whole lake for `*.parquet` finds the tables and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

import sparkify_lake
from support.lake_files import FOLDERS


def parquet_files(lake: Path) -> set[str]:
    return {path.relative_to(lake).parts[0] for path in lake.rglob("*.parquet")}


def with_old_names(lake: Path) -> None:
    """Gives the state files the names that release 0.1.0 gave them."""
    record = next(lake.glob("_etl/log/*.json"))
    body = json.dumps(json.loads(record.read_text())["record"], separators=(",", ":"))
    for file in (lake / "_etl/state").iterdir():
        new = file.with_suffix(".parquet")
        body = body.replace(file.name, new.name)
        file.rename(new)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    record.write_text(f'{{"sha256":"{checksum}","record":{body}}}\n')


def test_only_tables_are_parquet_files(tmp_path: Path) -> None:
    source, lake = tmp_path / "in", tmp_path / "lake"
    sparkify_lake.sample(source, songs=20, events=200, days=40, quiet=True)
    report = sparkify_lake.run(source, lake, quiet=True)
    assert parquet_files(lake) == set(FOLDERS.values())
    rows = duckdb.sql(f"SELECT * FROM read_parquet('{lake}/**/*.parquet', union_by_name=true)")
    assert len(rows) == sum(table.rows for table in report.tables.values())


def test_the_next_run_renames_the_state_of_an_older_lake(tmp_path: Path) -> None:
    source, lake = tmp_path / "in", tmp_path / "lake"
    sparkify_lake.sample(source, songs=20, events=200, days=40, quiet=True)
    sparkify_lake.run(source, lake, quiet=True)
    with_old_names(lake)
    assert "_etl" in parquet_files(lake)
    assert sparkify_lake.check(lake).exit_code == 0
    report = sparkify_lake.run(source, lake, quiet=True)
    assert report.rebuilt == "the state files of an earlier release get other names"
    assert all(table.written == 0 for table in report.tables.values())
    assert parquet_files(lake) == set(FOLDERS.values())
    assert sparkify_lake.run(source, lake, quiet=True).state == "unchanged"
    assert sparkify_lake.check(lake).exit_code == 0
