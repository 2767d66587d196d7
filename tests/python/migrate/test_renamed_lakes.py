"""Lakes with nested folders and renamed columns, as the scripts name them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sparkify_lake
from sparkify_lake.migrate.conclusions import migrate
from support.processes import clean_environment

SCRIPTS = Path(__file__).parent / "scripts"

pytestmark = pytest.mark.usefixtures("isolated")


@pytest.mark.parametrize(
    "script",
    ["dataframes", "sql_views", "config_paths", "helper_and_loop", "sql_in_a_module", "frames_returned"],
)
def test_the_lake_has_the_old_folders_and_columns(script: str, tmp_path: Path) -> None:
    sparkify_lake.sample(tmp_path / "data", songs=20, events=300, days=3, users=6, quiet=True)
    result = migrate(SCRIPTS / f"{script}.py", output_dir=tmp_path)
    parts = [name for name in ("SONG_DATA", "LOG_DATA") if name in result.settings]
    text = (tmp_path / "lake.cfg").read_text()
    for name in parts:  # the folders of the sample are others
        text = text.replace(f"{name} = {result.settings[name]}", f"# {name} =")
    (tmp_path / "lake.cfg").write_text(text)
    finished = subprocess.run(
        [sys.executable, "etl.py", "data", "lake", "--no-progress"], cwd=tmp_path, env=clean_environment(),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    folders = dict(pair.split("=") for pair in result.settings["TABLE_NAMES"].split(","))
    for table in result.tables:
        ours = pq.read_table(tmp_path / "lake" / folders[table.name]).column_names
        assert set(table.renamed.values()) <= set(ours), f"{table.name} has the old names"
        assert not set(table.renamed) & set(ours), f"{table.name} has no other names"
