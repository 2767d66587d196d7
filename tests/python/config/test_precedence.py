"""Precedence of the sources of an option, the origin of values, and values from Python."""

from __future__ import annotations

import traceback
import types
from pathlib import Path

import pytest

from sparkify_lake import _engine, jobs
from sparkify_lake.cli_arguments import SAMPLE_SIZES
from sparkify_lake.errors import ConfigurationError, UsageError
from sparkify_lake.settings.config import describe
from sparkify_lake.settings.keywords import (
    DoctorOptions,
    LakeOptions,
    PlanOptions,
    ReadOptions,
    RunOptions,
)
from sparkify_lake.settings.options import OPTIONS, names_for
from sparkify_lake.settings.resolve import resolve
from support.config_files import read_config, values_of, write_config

pytestmark = pytest.mark.usefixtures("isolated")


def test_precedence_and_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("output", "match", "compression", "threads")
    write_config("OUTPUT_DATA=dl\nMATCH=dl\nCOMPRESSION=dl\nTHREADS=1\nUNMATCHED=dl\n")
    write_config("[LAKE]\nOUTPUT=lake\nMATCH=lake\nCOMPRESSION=lake\nTHREADS=2\n", "lake.cfg")
    monkeypatch.setenv("SPARKIFY_OUTPUT", "environment")
    monkeypatch.setenv("SPARKIFY_MATCH", "environment")
    monkeypatch.setenv("SPARKIFY_COMPRESSION", "")  # empty: not set
    config = read_config(output="argument", compression=None)
    assert {name: (config.value(name), config.settings[name].origin) for name in (*names, "unmatched")} == {
        "output": ("argument", "argument output"),
        "match": ("environment", "SPARKIFY_MATCH"),
        "compression": ("lake", "lake.cfg:4"),
        "threads": ("2", "lake.cfg:5"),
        "unmatched": ("dl", "dl.cfg:5"),
    }
    assert resolve("run", {"output": "x"}, as_flags=True).settings["output"].origin == "--output"
    rows = {name: (value, origin) for name, value, origin in describe(config, {"chunk_size": "512KiB"})}
    assert rows["chunk_size"] == ("512KiB", "default")
    assert rows["unmatched"] == ("dl", "dl.cfg:5")
    assert rows["input"] == ("", "not set")


def test_an_input_argument_ignores_configured_folders() -> None:
    write_config("[LAKE]\nSONG_DATA=elsewhere\nOUTPUT=o\n", "lake.cfg")
    config = read_config(input="mine")
    assert "song_data" not in config.native_options()
    assert any("lake.cfg:2" in warning for warning in config.warnings)
    assert read_config(input="mine", song_data="s").value("song_data") == "s"


def test_locations_of_the_configuration_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "lake.cfg").write_text("OUTPUT=folder")
    (folder / "dl.cfg").write_text("INPUT_DATA=secret folder")
    (folder / "prod.cfg").write_text("OUTPUT=prod")
    write_config("OUTPUT=here", "lake.cfg")
    assert read_config().value("output") == "here"
    assert values_of(read_config(config=folder)) == {
        "config": str(folder),
        "input": "secret folder",
        "output": "folder",
    }
    # dl.cfg and lake.cfg are found next to each other; a file with another name is read alone.
    assert read_config(config=folder / "dl.cfg").value("output") == "folder"
    assert read_config(config=folder / "lake.cfg").value("input") == "secret folder"
    assert read_config(config=folder / "prod.cfg").value("input") is None
    monkeypatch.setenv("SPARKIFY_CONFIG", str(folder))
    config = read_config()
    assert config.value("output") == "folder"
    assert config.settings["output"].origin == f"{folder / 'lake.cfg'}:1"


@pytest.mark.parametrize("named", ["nowhere.cfg", "empty"])
def test_a_named_configuration_must_exist(named: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"does not exist|contains neither"):
        read_config(config=named)


def test_unknown_keywords_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        read_config(ouput="x")
    assert caught.value.hint == "did you mean 'output'?"
    with pytest.raises(UsageError, match=r"build\(\) does not accept the option 'compression'"):
        read_config("build", compression="zstd")


def test_a_misspelled_variable_causes_a_warning() -> None:
    config = resolve("run", {}, environment={"SPARKIFY_OUTPTU": "x", "SPARKIFY_HOME": "another program's"})
    assert len(config.warnings) == 1
    assert "SPARKIFY_OUTPUT" in config.warnings[0]


@pytest.mark.parametrize("name", ["input", "output", "song_data"])
def test_an_empty_argument_is_refused(name: str) -> None:
    write_config("OUTPUT=o\nINPUT=i\n", "lake.cfg")
    with pytest.raises(ConfigurationError, match=f"{name} is empty"):
        read_config(**{name: " "})


def test_python_values_become_native_options() -> None:
    config = read_config(
        input=Path("in"),
        output=Path("s3a://bucket/lake"),
        tables=["songs", "users"],
        table_names={"songs": "tracks", "users": "people"},
        ts_window=("2018-01-01", "2019-01-01"),
        threads=2,
        adopt=True,
        max_bad="1%",
    )
    assert config.native_options() == {
        "input": "in",
        "output": "s3a://bucket/lake",  # pathlib turned it into s3a:/bucket/lake
        "tables": "songs,users",
        "table_names": "songs=tracks,users=people",
        "ts_window": "2018-01-01..2019-01-01",
        "threads": 2,
        "adopt": True,
        "max_bad": "1%",
    }
    with pytest.raises(UsageError, match="tables cannot be of type"):
        read_config(tables=3.5)


def test_options_of_the_python_side_do_not_reach_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKIFY_NO_PROGRESS", "yes")
    monkeypatch.setenv("SPARKIFY_QUIET", "0")
    config = read_config(output="o")
    assert config.is_on("no_progress")
    assert not config.is_on("quiet")
    assert config.native_options() == {"output": "o"}
    monkeypatch.setenv("SPARKIFY_QUIET", "perhaps")
    with pytest.raises(ConfigurationError, match="SPARKIFY_QUIET"):
        read_config()


def test_a_call_gets_only_its_own_options() -> None:
    write_config("OUTPUT=o\nINPUT=i\nCOMPRESSION=zstd\nMATCH=title_artist\n", "lake.cfg")
    assert read_config("build").native_options() == {"input": "i", "match": "title_artist"}


def test_a_refused_value_is_located_and_not_shown() -> None:
    write_config("[LAKE]\nCOMPRESSION = zip\n", "lake.cfg")
    refusal = ConfigurationError(
        'compression cannot be "zip"', hint="it takes one of …", context={"option": "compression"}
    )
    located = read_config().with_origin(refusal)
    assert type(located) is ConfigurationError
    assert located.message == "COMPRESSION in [LAKE] (lake.cfg:2) has an invalid value for compression"
    assert located.hint == refusal.hint
    argued = read_config(compression="zsdt").with_origin(refusal)
    assert type(argued) is UsageError
    assert argued.hint == "it takes one of …; did you mean zstd?"
    # A bad location is always a configuration error: exit code 78.
    arn = ConfigurationError("output is an ARN", context={"option": "output"})
    assert type(read_config(output="arn:x").with_origin(arn)) is ConfigurationError


def test_the_engine_error_with_the_value_is_not_chained(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(options: dict[str, object], *_: object) -> dict[str, object]:
        context = {"option": "compression"}
        raise ConfigurationError(f"compression cannot be {options['compression']}", context=context)

    monkeypatch.setattr("sparkify_lake._engine.native", lambda: types.SimpleNamespace(run=run))
    write_config("INPUT=i\nOUTPUT=o\nCOMPRESSION=hunter2\n")
    with pytest.raises(ConfigurationError, match=r"COMPRESSION \(dl\.cfg:3\) has an invalid value") as caught:
        jobs.run()
    assert caught.value.__context__ is None
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_keyword_types_match_the_option_table() -> None:
    positional = {"input", "output"}
    assert set(RunOptions.__annotations__) == set(names_for("run")) - positional
    assert set(PlanOptions.__annotations__) == set(names_for("plan")) - positional
    assert set(ReadOptions.__annotations__) == set(names_for("build")) - positional
    assert set(LakeOptions.__annotations__) == set(names_for("open_lake")) - positional
    assert set(DoctorOptions.__annotations__) == set(names_for("doctor"))
    assert len({option.name for option in OPTIONS}) == len(OPTIONS) > 20


def test_the_option_table_matches_the_engine() -> None:
    options = {option.name for option in OPTIONS if option.native}
    assert options | SAMPLE_SIZES.keys() == _engine.defaults().keys()
