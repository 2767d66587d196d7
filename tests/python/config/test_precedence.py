"""Which source of an option wins, where its value comes from, and what Python arguments become."""

from __future__ import annotations

import traceback
import types
from pathlib import Path

import pytest

from sparkify_lake import engine, job
from sparkify_lake.cli import SAMPLE_NUMBERS
from sparkify_lake.config import describe, resolve
from sparkify_lake.errors import ConfigurationError, UsageError
from sparkify_lake.options import (
    OPTIONS,
    DoctorOptions,
    LakeOptions,
    PlanOptions,
    ReadOptions,
    RunOptions,
    names_for,
)
from support.config_files import read, said, write

pytestmark = pytest.mark.usefixtures("clean")


def test_precedence_with_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("output", "match", "compression", "threads")
    write("OUTPUT_DATA=dl\nMATCH=dl\nCOMPRESSION=dl\nTHREADS=1\nUNMATCHED=dl\n")
    write("[LAKE]\nOUTPUT=lake\nMATCH=lake\nCOMPRESSION=lake\nTHREADS=2\n", "lake.cfg")
    monkeypatch.setenv("SPARKIFY_OUTPUT", "environment")
    monkeypatch.setenv("SPARKIFY_MATCH", "environment")
    monkeypatch.setenv("SPARKIFY_COMPRESSION", "")  # empty: not set
    config = read(output="argument", compression=None)
    assert {name: (config.value(name), config.settings[name].origin) for name in (*names, "unmatched")} == {
        "output": ("argument", "argument output"),
        "match": ("environment", "SPARKIFY_MATCH"),
        "compression": ("lake", "lake.cfg:4"),
        "threads": ("2", "lake.cfg:5"),
        "unmatched": ("dl", "dl.cfg:5"),
    }
    assert resolve("run", {"output": "x"}, as_flags=True).settings["output"].origin == "--output"
    rows = {name: (value, origin) for name, value, origin in describe(config, {"chunk_size": "4MiB"})}
    assert rows["chunk_size"] == ("4MiB", "default")
    assert rows["unmatched"] == ("dl", "dl.cfg:5")
    assert rows["input"] == ("", "not set")


def test_a_louder_input_means_its_own_folders() -> None:
    write("[LAKE]\nSONG_DATA=elsewhere\nOUTPUT=o\n", "lake.cfg")
    config = read(input="mine")
    assert "song_data" not in config.native_options()
    assert any("lake.cfg:2" in warning for warning in config.warnings)
    assert read(input="mine", song_data="s").value("song_data") == "s"


def test_where_the_files_are_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "lake.cfg").write_text("OUTPUT=folder")
    (folder / "dl.cfg").write_text("INPUT_DATA=secret folder")
    (folder / "prod.cfg").write_text("OUTPUT=prod")
    write("OUTPUT=here", "lake.cfg")
    assert read().value("output") == "here"
    assert said(read(config=folder)) == {"config": str(folder), "input": "secret folder", "output": "folder"}
    # One of the pair finds the other beside it; a file of any other name stands alone.
    assert read(config=folder / "dl.cfg").value("output") == "folder"
    assert read(config=folder / "lake.cfg").value("input") == "secret folder"
    assert read(config=folder / "prod.cfg").value("input") is None
    monkeypatch.setenv("SPARKIFY_CONFIG", str(folder))
    config = read()
    assert config.value("output") == "folder"
    assert config.settings["output"].origin == f"{folder / 'lake.cfg'}:1"


@pytest.mark.parametrize("named", ["nowhere.cfg", "empty"])
def test_a_named_configuration_must_be_there(named: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(ConfigurationError, match="there is n"):
        read(config=named)


def test_unknown_names_are_refused_with_a_guess() -> None:
    with pytest.raises(UsageError) as caught:
        read(ouput="x")
    assert caught.value.hint == "did you mean 'output'?"
    with pytest.raises(UsageError, match=r"build\(\) does not take 'compression'"):
        read("build", compression="zstd")


def test_a_misspelt_variable_is_worth_a_word() -> None:
    config = resolve("run", {}, environment={"SPARKIFY_OUTPTU": "x", "SPARKIFY_HOME": "another program's"})
    assert len(config.warnings) == 1
    assert "SPARKIFY_OUTPUT" in config.warnings[0]


@pytest.mark.parametrize("name", ["input", "output", "song_data"])
def test_an_empty_argument_is_refused(name: str) -> None:
    write("OUTPUT=o\nINPUT=i\n", "lake.cfg")
    with pytest.raises(ConfigurationError, match=f"{name} is empty"):
        read(**{name: " "})


def test_values_of_python() -> None:
    config = read(
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
        "output": "s3a://bucket/lake",  # pathlib had made s3a:/bucket/lake of it
        "tables": "songs,users",
        "table_names": "songs=tracks,users=people",
        "ts_window": "2018-01-01..2019-01-01",
        "threads": 2,
        "adopt": True,
        "max_bad": "1%",
    }
    with pytest.raises(UsageError, match="tables cannot be of type"):
        read(tables=3.5)


def test_flags_of_the_front_stay_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKIFY_NO_PROGRESS", "yes")
    monkeypatch.setenv("SPARKIFY_QUIET", "0")
    config = read(output="o")
    assert config.is_on("no_progress")
    assert not config.is_on("quiet")
    assert config.native_options() == {"output": "o"}
    monkeypatch.setenv("SPARKIFY_QUIET", "perhaps")
    with pytest.raises(ConfigurationError, match="SPARKIFY_QUIET"):
        read()


def test_only_what_a_call_takes_reaches_it() -> None:
    write("OUTPUT=o\nINPUT=i\nCOMPRESSION=zstd\nMATCH=title_artist\n", "lake.cfg")
    assert read("build").native_options() == {"input": "i", "match": "title_artist"}


def test_a_refused_value_is_located_and_not_repeated() -> None:
    write("[LAKE]\nCOMPRESSION = zip\n", "lake.cfg")
    refusal = ConfigurationError(
        'compression cannot be "zip"', hint="it takes one of …", context={"option": "compression"}
    )
    located = read().explain(refusal)
    assert type(located) is ConfigurationError
    assert located.message == "COMPRESSION in [LAKE], lake.cfg:2, has a value that compression does not take"
    assert located.hint == refusal.hint
    argued = read(compression="zsdt").explain(refusal)
    assert type(argued) is UsageError
    assert argued.hint == "it takes one of …; did you mean zstd?"
    # A location is a matter of configuration wherever it is said: exit 78.
    arn = ConfigurationError("output is an ARN", context={"option": "output"})
    assert type(read(output="arn:x").explain(arn)) is ConfigurationError


def test_what_the_engine_said_of_a_value_is_not_chained(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(options: dict[str, object], on_tick: object, crew: object) -> dict[str, object]:
        context = {"option": "compression"}
        raise ConfigurationError(f"compression cannot be {options['compression']}", context=context)

    monkeypatch.setattr("sparkify_lake.engine.native", lambda: types.SimpleNamespace(run=run))
    write("INPUT=i\nOUTPUT=o\nCOMPRESSION=hunter2\n")
    with pytest.raises(ConfigurationError, match=r"COMPRESSION, dl\.cfg:3, has a value") as caught:
        job.run()
    assert caught.value.__context__ is None
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_the_types_of_keywords_follow_the_table() -> None:
    positional = {"input", "output"}
    assert set(RunOptions.__annotations__) == set(names_for("run")) - positional
    assert set(PlanOptions.__annotations__) == set(names_for("plan")) - positional
    assert set(ReadOptions.__annotations__) == set(names_for("build")) - positional
    assert set(LakeOptions.__annotations__) == set(names_for("open_lake")) - positional
    assert set(DoctorOptions.__annotations__) == set(names_for("doctor"))
    assert len({option.name for option in OPTIONS}) == len(OPTIONS) > 20


def test_the_table_and_the_engine_know_the_same_options() -> None:
    options = {option.name for option in OPTIONS if option.native}
    assert options | SAMPLE_NUMBERS.keys() == engine.defaults().keys()
