"""The commands other than `run`: sample, doctor, check, recover, status, config, help and version."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cli.conftest import Program
from sparkify_lake.settings.options import OPTIONS
from support.fake_engine import FakeEngine
from support.processes import ROOT
from support.report_samples import checkup_mapping, examination_mapping

pytestmark = pytest.mark.usefixtures("started_as_script")
SCRIPT = ROOT / "etl.py"


def test_sample_flag_ignores_configured_locations(
    program: Program, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sample data must not get into a real lake, even if one is configured.
    Path("lake.cfg").write_text("INPUT=real\nOUTPUT=real lake\nSONG_DATA=real songs\nCOMPRESSION=zstd\n")
    monkeypatch.setenv("SPARKIFY_OUTPUT", "real too")
    code, out, err = program("--sample")
    assert code == 0
    assert out.startswith("published")
    assert err == "sample: 5 songs in 6 files and 7 events in 8 files (9 B) in sparkify-sample/input\n"
    assert engine.calls == [
        ("sample", {"directory": "sparkify-sample/input"}),
        ("run", {"compression": "zstd", "input": "sparkify-sample/input", "output": "sparkify-sample/lake"}),
    ]


def test_sample_refuses_a_folder_that_is_not_empty(program: Program, engine: FakeEngine) -> None:
    Path("data").mkdir()
    assert program("data", "lake", "--sample")[0] == 0
    Path("data/mine.json").touch()
    engine.calls.clear()
    code, _, err = program("data", "lake", "--sample")
    assert code == 64
    assert "cannot be created in data, because it is not empty" in err
    assert engine.calls == []


def test_sample_command(program: Program, engine: FakeEngine) -> None:
    code, out, _ = program("sample", "d", "--songs", "5", "--seed", "9")
    assert (code, out) == (0, "5 songs in 6 files and 7 events in 8 files (9 B) in d\n")
    assert engine.calls == [("sample", {"directory": "d", "songs": 5, "seed": 9})]
    assert json.loads(program("sample", "d", "--json")[1])["song_files"] == 6


def test_doctor_command(program: Program, engine: FakeEngine) -> None:
    code, out, err = program("doctor", "s3a://b/x", "--endpoint-url", "http://h:9", "--allow-http")
    assert (code, err) == (77, "")
    assert out.startswith("s3://b/x: 1 ok, 1 warning, 1 failed, 1 skipped\n")
    assert engine.calls == [("doctor s3a://b/x", {"endpoint_url": "http://h:9", "allow_http": True})]
    code, out, _ = program("doctor", "s3://b/x", "--json")
    assert (code, json.loads(out)) == (77, examination_mapping())


def test_doctor_examines_the_configured_output(program: Program, engine: FakeEngine) -> None:
    code, _, err = program("doctor")
    assert code == 64 and err.startswith("error: there is no location to examine\nhint: ")
    Path("dl.cfg").write_text("OUTPUT=s3a://b/lake\nINPUT=in\nKEY=AKIAX\nSECRET=s\nTHREADS=3\n")
    Path("dl.cfg").chmod(0o600)
    assert program("doctor")[0] == 77
    called, options = engine.calls[0]
    assert called == "doctor s3a://b/lake"
    assert options.keys() == {"access_key_id", "secret_access_key", "keys_origin"}
    # A local location needs no credentials.
    program("doctor", "/tmp")
    assert engine.calls[1] == ("doctor /tmp", {})


def test_check_and_recover_commands(program: Program, engine: FakeEngine) -> None:
    code, out, err = program("check", "lake", "--region", "r")
    assert (code, err) == (76, "")
    assert out.startswith("lake, version 3: 2 files do not match the commit log\n")
    assert json.loads(program("check", "--output", "lake", "--json")[1]) == checkup_mapping()
    assert program("recover", "lake")[0] == 0
    assert [name for name, _ in engine.calls] == ["check", "check", "recover"]
    assert engine.calls[0][1] == {"output": "lake", "region": "r"}
    for command in ("check", "recover"):
        code, _, err = program(command)
        assert code == 78 and err.startswith(f"error: there is no lake to {command}\nhint: ")


def test_status_command(program: Program, engine: FakeEngine) -> None:
    code, out, err = program("status", "lake", "--region", "r")
    assert (code, err) == (75, "")
    assert out.startswith("lake, version 3 of 2018-11-30T12:00:00Z: not completely published yet\n")
    assert json.loads(program("status", "--output", "lake", "--json")[1])["rows"] == {"songs": 71}
    assert engine.calls[0] == ("status", {"output": "lake", "region": "r"})
    code, out, err = program("status", "lake", "in")
    assert engine.calls[-1] == ("status", {"output": "lake", "input": "in"})
    code, _, err = program("status")
    assert code == 78 and err.startswith("error: there is no lake to report the status of\nhint: ")


def test_config_command(program: Program, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dl.cfg").write_text("[AWS]\nKEY=AKIAX\nSECRET=hunter2\nOUTPUT=o\n")
    Path("dl.cfg").chmod(0o600)
    monkeypatch.setenv("SPARKIFY_MATCH", "title_artist")
    code, out, err = program("config", "in", "--threads", "3")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[4:]}
    assert rows["input"] == ["in", "--input"]
    assert rows["output"] == ["o", "dl.cfg:4"]
    assert rows["match"] == ["title_artist", "SPARKIFY_MATCH"]
    assert rows["threads"] == ["3", "--threads"]
    assert rows["compression"] == ["snappy", "default"]
    assert rows["secret_access_key"] == ["***", "dl.cfg:3"]
    assert rows["session_token"] == ["not", "set"]
    assert "hunter2" not in out and "AKIAX" not in out
    values = json.loads(program("config", "--json")[1])
    assert values["access_key_id"] == {"value": "***", "origin": "dl.cfg:2"}
    assert values["region"] == {"value": None, "origin": "not set"}
    assert engine.calls == []


def test_help_lists_every_option(program: Program, engine: FakeEngine) -> None:
    code, out, err = program("--help")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for option in OPTIONS:
        assert sum(line.startswith(f"  {option.flag} ") for line in lines) == 1, option.name
    assert any("--memory-limit SIZE" in line and line.endswith("[512MiB]") for line in lines)
    assert out.isascii() and "\x1b" not in out
    assert max(map(len, lines)) <= 100
    assert "python etl.py config" in out
    for command in ("sample", "config", "doctor", "check", "status", "recover", "ddl"):
        assert f"python etl.py {command}" in out
        assert program(command, "--help")[1].startswith(f"sparkify-lake {command}: ")


def test_version(program: Program) -> None:
    assert program("--version") == (0, "sparkify-lake 1.2.3 (profile release)\n", "")


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        ("etl.py", "python etl.py"),
        ("/x/__main__.py", "python -m sparkify_lake"),
        ("/bin/sparkify-lake", "sparkify-lake"),
    ],
)
def test_usage_names_the_command_that_started_the_program(
    program: Program, monkeypatch: pytest.MonkeyPatch, argv: str, name: str
) -> None:
    monkeypatch.setattr(sys, "argv", [argv])
    assert f"\n  {name} [INPUT [OUTPUT]]" in program("--help")[1]


def test_a_no_flag_overrides_a_configuration_file(program: Program, engine: FakeEngine) -> None:
    Path("lake.cfg").write_text("ADOPT=yes\nJSON=on\n")
    code, out, _ = program("in", "out", "--no-adopt", "--no-json")
    assert code == 0
    assert out.startswith("published")
    assert engine.calls[0][1]["adopt"] is False
