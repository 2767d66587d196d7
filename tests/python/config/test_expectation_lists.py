"""Where expectations are set: the section of a file, its key, the environment, flags and arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import sparkify_lake
from sparkify_lake import cli_arguments
from sparkify_lake.errors import ConfigurationError, UsageError
from sparkify_lake.settings.resolve import resolve
from support.config_files import read_config, write_config
from support.processes import Finished

pytestmark = pytest.mark.usefixtures("isolated")

TWO = "songs.rows >= 1, songplays.age <= 2 days"


@pytest.mark.parametrize(
    "text",
    [
        "[LAKE]\nINPUT = in\n[EXPECTATIONS]\nsongs.rows >= 1\n# why\n\nsongplays.age <= 2 days\n",
        "[expectations]\n  songs.rows >= 1\n    songplays.age <= 2 days\n[LAKE]\nINPUT = in\n",
        "[EXPECTATIONS]\nsongs.rows >= 1\n[LAKE]\nINPUT=in\n[Expectations]\nsongplays.age <= 2 days\n",
        "[LAKE]\nEXPECT = songs.rows >= 1, songplays.age <= 2 days\nINPUT=in\n",
        "[LAKE]\nEXPECT =\n   songs.rows >= 1,\n   songplays.age <= 2 days\nINPUT=in\n",
        "[LAKE]\nEXPECT = songs.rows >= 1,\n   songplays.age <= 2 days\n   INPUT=in\n",
    ],
)
def test_a_file_has_a_section_or_a_key(text: str) -> None:
    write_config(text, "lake.cfg")
    config = read_config()
    assert config.value("expect") == TWO
    assert config.value("input") == "in"
    assert config.warnings == ()


def test_a_section_and_a_key_are_two_values() -> None:
    write_config("[LAKE]\nEXPECT = users.rows >= 1\n[EXPECTATIONS]\nsongs.rows >= 1\n", "lake.cfg")
    with pytest.raises(ConfigurationError, match=r"lake\.cfg sets expect to more than one value"):
        read_config()


def test_the_environment_replaces_the_file_and_arguments_both() -> None:
    write_config("[EXPECTATIONS]\nusers.rows >= 1\n", "lake.cfg")
    variables = {"SPARKIFY_EXPECT": TWO}
    assert resolve("run", {}, environment=variables).value("expect") == TWO
    for value in ("songs.rows >= 5", ["songs.rows >= 5"]):
        assert resolve("run", {"expect": value}, environment=variables).value("expect") == "songs.rows >= 5"


def test_the_flag_may_be_repeated() -> None:
    parser = cli_arguments.parser_for("run")
    given = parser.parse(["--expect", "songs.rows >= 1", "--expect=songplays.age <= 2 days"])
    value = resolve("run", {"expect": given["expect"]}, as_flags=True).value("expect")
    assert str(value).split(",") == TWO.split(", ")
    assert parser.parse([])["expect"] is None


@pytest.mark.parametrize("wrong", ["songs.rows > 1", "albums.rows >= 1", "songplays.age >= 1 day", "songs"])
def test_invalid_expectations_are_refused_before_anything_is_read(wrong: str, tmp_path: Path) -> None:
    for call in (sparkify_lake.run, sparkify_lake.plan):
        with pytest.raises(UsageError, match="expect cannot be") as refused:
            call(tmp_path / "none", tmp_path / "lake", expect=[TWO, wrong])
        assert wrong in refused.value.message and str(refused.value.hint).startswith("condition 3 of 3: ")
    write_config(f"[EXPECTATIONS]\nsongs.rows >= 1\n{wrong}\n", "lake.cfg")
    with pytest.raises(ConfigurationError) as invalid:
        sparkify_lake.run(tmp_path / "none", tmp_path / "lake")
    assert invalid.value.message == "EXPECT in [EXPECTATIONS] (lake.cfg:2) has an invalid value for expect"
    assert str(invalid.value.hint).startswith("condition 2 of 2: ")
    assert wrong not in str(invalid.value), "a file may contain a secret"
    assert not (tmp_path / "lake").exists()


def test_the_program_exits_with_65(source: Path, tmp_path: Path, program: Callable[..., Finished]) -> None:
    write_config("[EXPECTATIONS]\nsongplays.rows >= 1000\n", "lake.cfg")
    done = program(source, tmp_path / "lake", cwd=tmp_path)
    assert done.returncode == 65
    assert "error: the expectation songplays.rows >= 1000 is not met\n" in done.stderr
    assert "cause: songplays.rows is 60 (940 too low)\n" in done.stderr
    done = program(source, tmp_path / "lake", "--expect", "songplays.rows >= 60", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ["songplays.rows", ">=", "60", "60", "-", "met"] in [
        row.split() for row in done.stdout.splitlines()
    ]
    done = program(source, tmp_path / "lake", "--expect", "songs.rows >= many", cwd=tmp_path)
    assert done.returncode == 64
    assert not list((tmp_path / "lake").glob("_etl/log/*2.json"))
