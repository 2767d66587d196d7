"""The job runs with the new files, and the lake is read under the old names."""

from __future__ import annotations

import shutil
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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with sample input, in which the old jobs run."""
    folder = tmp_path / "project"
    sparkify_lake.sample(folder / "data", songs=20, events=300, days=3, users=6, quiet=True)
    return folder


def run(project: Path, *command: str, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    """Runs a Python program in the folder of the project."""
    return subprocess.run(
        [sys.executable, *command], cwd=project, env=clean_environment(), capture_output=True, text=True,
        timeout=seconds, check=False,
    )  # fmt: skip


def migrated(script: str, project: Path) -> None:
    """Migrates a script of `scripts/` into the folder of the project."""
    shutil.copy(SCRIPTS / f"{script}.py", project / "old_etl.py")
    migrate(project / "old_etl.py", output_dir=project)


@pytest.mark.parametrize(
    ("script", "output", "folders"),
    [
        (
            "path_join",
            "lake",
            ["songs_table", "artists_table", "user_table", "time_table", "songplays_table"],
        ),
        (
            "job_class",
            "output",
            ["songs.parquet", "artists.parquet", "users.parquet", "time.parquet", "songplays.parquet"],
        ),
    ],
)
def test_the_script_runs_and_its_lake_has_the_old_names(
    project: Path, script: str, output: str, folders: list[str]
) -> None:
    migrated(script, project)
    finished = run(project, "etl.py", "--no-progress")
    assert finished.returncode == 0, finished.stderr
    assert "warning" not in finished.stderr
    assert {path.name for path in (project / output).iterdir()} == {*folders, "_etl"}
    counts = {name: pq.read_table(project / output / name).num_rows for name in folders}
    star = sparkify_lake.build(project / "data", quiet=True)
    assert list(counts.values()) == [star[name].height for name in star]


def test_the_functions_of_the_new_script_have_the_old_parameters(project: Path) -> None:
    """A driver calls the functions of a script that has no main() and other names."""
    text = (SCRIPTS / "command_line.py").read_text()
    (project / "old_etl.py").write_text(text)
    migrate(project / "old_etl.py", output_dir=project)
    driver = (
        "import etl\n"
        "spark = etl.create_spark_session()\n"
        "etl.etl_songs(spark, output_dir='lake', input_dir='data')\n"
        "etl.etl_logs(spark, 'data', 'lake')\n"
    )
    finished = run(project, "-c", driver)
    assert finished.returncode == 0, finished.stderr
    names = {"songs", "artists", "users", "time", "songplays"}
    assert {path.parent.name for path in (project / "lake").glob("*/_SUCCESS")} == names


def test_a_function_with_two_inputs(project: Path) -> None:
    migrated("two_inputs", project)
    driver = (
        "import etl\n"
        "etl.process_song_data(None, 'data/song_data', 'lake')\n"
        "etl.process_log_data(None, 'data/log_data/*/*/*.json', 'data/song_data/*/*/*/*.json', 'lake')\n"
    )
    finished = run(project, "-c", driver)
    assert finished.returncode == 0, finished.stderr
    assert (project / "lake" / "sparkify_plays" / "_SUCCESS").exists()
    assert (project / "lake" / "sparkify" / "artists" / "_SUCCESS").exists()


def test_a_part_of_the_input_stays_a_part(project: Path) -> None:
    migrated("no_slash", project)
    first = next((project / "data" / "song_data").rglob("*.json"))
    target = project / "data" / "song_data" / "A" / "A" / "A"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(first, target / "one.json")
    finished = run(project, "etl.py", "--no-progress")
    assert finished.returncode == 0, finished.stderr
    songs = len(list(target.glob("*.json")))
    assert pq.read_table(project / "lake" / "sparkify_songs").num_rows == songs
    assert not (project / "lake" / "sparkify").exists()


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.timeout(660)
@pytest.mark.parametrize(("script", "output"), [("path_join", "lake")])
def test_spark_reads_both_lakes_in_the_same_way(project: Path, script: str, output: str) -> None:
    """The old job runs on a real Spark; the reader of its tables finds the same columns in our lake."""
    pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("no Java runtime for Spark")
    migrated(script, project)
    reader = (
        "import sys, json\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.master('local[1]').getOrCreate()\n"
        "for lake in sys.argv[1:3]:\n"
        "    tables = {n: spark.read.parquet(lake + '/' + n) for n in sys.argv[3:]}\n"
        "    print(json.dumps({n: sorted(table.columns) for n, table in tables.items()}))\n"
    )
    old = run(project, "old_etl.py", seconds=200)
    assert old.returncode == 0, old.stderr[-2000:]
    (project / output).rename(project / "old_lake")
    new = run(project, "etl.py", "--no-progress")
    assert new.returncode == 0, new.stderr
    names = sorted(path.name for path in (project / "old_lake").iterdir())
    read = run(project, "-c", reader, "old_lake", output, *names, seconds=200)
    assert read.returncode == 0, read.stderr[-2000:]
    old_columns, new_columns = read.stdout.splitlines()
    assert len(names) == 5 and new_columns == old_columns
