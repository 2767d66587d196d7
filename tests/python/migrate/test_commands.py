"""The commands `migrate` and `init`: files, exit codes, JSON, secrets, and files that exist already."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkify_lake import cli
from sparkify_lake.migrate import tables
from sparkify_lake.migrate.conclusions import migrate
from sparkify_lake.migrate.project import create_project
from sparkify_lake.settings.files import read_file
from support.processes import ROOT, clean_environment

SCRIPTS = Path(__file__).parent / "scripts"
SCRIPT = SCRIPTS / "path_join.py"
# All texts in keys_in_script.py that must not get into any output.
SECRETS = [
    "AKIAFAKEFAKEFAKEFAKE",
    "FAKEfake0123456789/FAKEfake0123456789abcd",
    "notARealTokenJustForThisTest",
    "another-not-real-value",
    "AKIAFAKEFAKEFAKE2222",
    "short-but-secret",
    "AKIAFAKEFAKEFAKE3333",
    "p4ss/word",
]
Program = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.usefixtures("isolated")


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Program:
    """Runs the program in this process: exit code, stdout, stderr."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_columns_are_those_of_the_star_schema() -> None:
    from sparkify_lake import _engine

    # A script for Spark has no table of the history.
    schema = {name: _engine.star_schema()[name] for name in _engine.default_tables()}
    assert {name: list(columns) for name, columns in tables.COLUMNS.items()} == {
        name: list(described["columns"]) for name, described in schema.items()
    }
    assert dict(tables.PARTITIONS) == {
        name: tuple(described["partition_columns"])
        for name, described in schema.items()
        if described["partition_columns"]
    }


def test_migrate_writes_two_files(program: Program) -> None:
    code, out, err = program("migrate", SCRIPT, "--output-dir", "new/job")
    assert (code, err) == (0, "")
    assert "5 of 5 tables found; wrote lake.cfg and etl.py to new/job" in out
    assert sorted(path.name for path in Path("new/job").iterdir()) == ["etl.py", "lake.cfg"]
    read = read_file(Path("new/job/lake.cfg"))
    assert read.error is None and read.warnings == ()


def test_migrate_writes_next_to_the_script_by_default(program: Program) -> None:
    Path("old").mkdir()
    Path("old/etl.py").write_text(SCRIPT.read_text())
    assert program("migrate", "old/etl.py")[0] == 0
    assert sorted(path.name for path in Path("old/migrated").iterdir()) == ["etl.py", "lake.cfg"]
    assert Path("old/etl.py").read_text() == SCRIPT.read_text()


def test_a_dry_run_writes_nothing(program: Program) -> None:
    code, out, _ = program("migrate", SCRIPT, "--output-dir", "new", "--dry-run")
    assert code == 0 and "a dry run; it would write lake.cfg and etl.py to new" in out
    assert list(Path().iterdir()) == []


def test_the_report_as_json(program: Program) -> None:
    report = json.loads(program("migrate", SCRIPTS / "dataframes.py", "--output-dir", "new", "--json")[1])
    assert report["written"] is True and report["folder"] == "new"
    assert report["tables"]["users"] == {
        "line": 42,
        "folder": "s3a://sparkify-lake/analytics/users/users.parquet",
        "columns": ["userId", "firstName", "lastName", "gender", "level"],
        "partitioned_by": [],
        "mode": "overwrite",
        "format": "parquet",
        "renamed": {"user_id": "userId", "first_name": "firstName", "last_name": "lastName"},
    }
    assert report["settings"]["UNMATCHED"] == "drop"
    assert report["files"]["lake.cfg"] == Path("new/lake.cfg").read_text()
    assert report["unclear"] == [] and {note["line"] for note in report["differs"]} >= {28, 42}


@pytest.mark.parametrize("name", ["etl.py", "lake.cfg"])
def test_nothing_is_overwritten_without_force(name: str, program: Program) -> None:
    Path("new").mkdir()
    Path("new", name).write_text("mine")
    code, out, err = program("migrate", SCRIPT, "--output-dir", "new")
    assert (code, out) == (73, "")
    assert f"error: new/{name} exists already" in err and "--force" in err
    assert [path.name for path in Path("new").iterdir()] == [name], "no other file was written"
    assert Path("new", name).read_text() == "mine"
    assert program("migrate", SCRIPT, "--output-dir", "new", "--force")[0] == 0
    assert Path("new", name).read_text() != "mine"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (None, 66, "there is no script old.py"),
        ("print 'Python 2'\n", 65, "old.py is not valid Python in line 1"),
        ("x = 1\n", 65, "old.py writes none of the five tables"),
        ("\0", 65, "old.py is not valid Python"),
        ("", 65, "old.py writes none of the five tables"),
        ("x = " + "(" * 300 + ")" * 300, 65, "old.py is not valid Python"),
        ("while True:\n    x = 1\n", 65, "writes none of the five tables"),
        ("def f():\n    return f()\nf()\n", 65, "writes none of the five tables"),
        ("#" * (1 << 20) + "\n", 65, "old.py is too large"),
    ],
)
def test_a_script_that_is_refused(text: str | None, code: int, message: str, program: Program) -> None:
    if text is not None:
        Path("old.py").write_text(text)
    found, out, err = program("migrate", "old.py")
    assert (found, out) == (code, "")
    assert message in err and "hint: " in err
    assert not Path("migrated").exists()


def test_usage_errors(program: Program) -> None:
    assert program("migrate")[0] == 64
    assert (
        program("migrate", SCRIPT, "--outputdir", "x")[2].splitlines()[0]
        == "error: unknown option --outputdir"
    )
    assert program("init", "a", "b")[0] == 64


def test_the_script_is_not_run(program: Program) -> None:
    Path("old.py").write_text(SCRIPT.read_text() + "\nopen('proof', 'w').close()\nraise SystemExit(9)\n")
    assert program("migrate", "old.py")[0] == 0
    assert not Path("proof").exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_printed_or_written(as_json: bool, program: Program) -> None:
    script = SCRIPTS / "keys_in_script.py"
    assert all(secret in script.read_text() for secret in SECRETS)
    code, out, err = program("migrate", script, "--output-dir", "new", *(["--json"] if as_json else []))
    texts = [out, err, *(path.read_text() for path in Path("new").iterdir())]
    assert code == 0
    assert [secret for secret in SECRETS if any(secret in text for text in texts)] == []
    lines = {note.line for note in migrate(script, dry_run=True).secrets}
    assert lines == {5, 6, 7, 8, 13, 14, 45, 46}, "each secret is reported with its line"


@pytest.mark.parametrize(
    "place",
    [
        'os.environ["AWS_SECRET_ACCESS_KEY"] = "{}"',
        'os.environ["ANYTHING"] = "{}"',
        'aws_secret = "{}"',
        'KEY, SECRET = "x", "{}"',
        'config = {{"aws": {{"secret_access_key": "{}"}}}}',
        'client = boto3.client("s3", aws_secret_access_key="{}")',
        'spark.conf.set("fs.s3a.secret.key", "{}")',
        'output_data = "s3a://key:{}@bucket/lake/"',
        'path = "s3n://AKIAFAKEFAKEFAKEFAKE:{}@bucket"',
        'comment = "the key is {}"',
        'df.write.parquet("s3a://bucket/{}/songs")',
    ],
)
def test_a_key_of_aws_anywhere_is_not_shown(place: str, program: Program) -> None:
    secret = "AKIA0FAKE0FAKE0FAKE0"
    text = f"import os, boto3\n{place.format(secret)}\n" + SCRIPT.read_text()
    Path("old.py").write_text(text)
    code, out, err = program("migrate", "old.py", "--json")
    assert code == 0, err
    assert secret not in out + err + "".join(path.read_text() for path in Path("migrated").iterdir())
    assert any(note["line"] == 2 for note in json.loads(out)["secrets"])


@pytest.mark.parametrize(
    "line",
    [
        'key = "song_id"',
        'PRIMARY_KEY = "artist_id"',
        'options = {"key": "year", "sort_key": "songs_table"}',
        'fetch_token = ""',
        'path = "a/long/path/of/40/characters/with/Cases/"',
    ],
)
def test_a_word_of_the_script_is_no_secret(line: str, program: Program) -> None:
    """A secret is masked everywhere in the output, so a name of a column must not be taken for one."""
    Path("old.py").write_text(f"{line}\n{SCRIPT.read_text()}")
    code, out, _ = program("migrate", "old.py", "--json")
    assert code == 0 and json.loads(out)["secrets"] == []
    assert "***" not in out + "".join(path.read_text() for path in Path("migrated").iterdir())


# --- init ---------------------------------------------------------------------------------------------------


def test_init_creates_a_project_that_runs(tmp_path: Path, program: Program) -> None:
    code, out, err = program("init", "project")
    assert (code, err) == (0, "") and out.startswith("a new project in project")
    names = {".gitignore", "dl.cfg", "etl.py", "lake.cfg"}
    assert {path.name for path in Path("project").iterdir()} == names
    assert stat.S_IMODE(Path("project/dl.cfg").stat().st_mode) == 0o600
    assert "dl.cfg" in Path("project/.gitignore").read_text().splitlines()
    assert program("sample", "project/data", "--songs=20", "--events=200", "--days=2")[0] == 0
    finished = subprocess.run(
        [sys.executable, "etl.py", "--no-progress"], cwd="project", env=clean_environment(),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert finished.returncode == 0 and "warning" not in finished.stderr, finished.stderr
    assert Path("project/lake/songplays_table/_SUCCESS").exists()


def test_init_in_the_current_folder_with_an_example_dag(program: Program) -> None:
    report = json.loads(program("init", "--airflow", "--json")[1])
    assert report == {
        "folder": ".",
        "files": {
            "etl.py": "created", "lake.cfg": "created", "dags/sparkify_nightly.py": "created",
            "dl.cfg": "created", ".gitignore": "created",
        },
    }  # fmt: skip
    compile(Path("dags/sparkify_nightly.py").read_text(), "dag", "exec")


def test_init_keeps_existing_files(program: Program) -> None:
    Path("dl.cfg").write_text("[AWS]\nKEY=mine\n")
    Path(".gitignore").write_text("*.pyc")
    assert create_project().files[".gitignore"] == "extended"
    assert Path("dl.cfg").read_text() == "[AWS]\nKEY=mine\n"
    assert Path(".gitignore").read_text().startswith("*.pyc\n")
    Path("lake.cfg").write_text("INPUT=mine\n")
    code, _, err = program("init")
    assert code == 73 and "existing files: etl.py, lake.cfg" in err
    assert Path("lake.cfg").read_text() == "INPUT=mine\n"
    again = create_project(force=True)
    assert (again.files["dl.cfg"], again.files[".gitignore"]) == ("kept", "kept")
    assert Path("dl.cfg").read_text() == "[AWS]\nKEY=mine\n"


@pytest.mark.parametrize(
    ("template", "original"),
    [
        ("etl", "etl.py"),
        ("dl.cfg", "dl.cfg.example"),
        ("lake.cfg", "lake.cfg.example"),
        ("dag", "examples/airflow/nightly.py"),
    ],
)
def test_the_templates_are_the_examples_of_the_repository(template: str, original: str) -> None:
    package = ROOT / "python" / "sparkify_lake" / "migrate" / "templates"
    assert (package / f"{template}.txt").read_text() == (ROOT / original).read_text()
