"""The program: stdout, stderr, and every exit code.

These tests run it in this process on a fake engine, because they are about the Python side.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cli.conftest import Program
from sparkify_lake import cli, errors
from sparkify_lake.errors import ConfigurationError, SparkifyLakeError
from support.fake_engine import FakeEngine
from support.processes import ROOT
from support.report_samples import plan_mapping, run_mapping

pytestmark = pytest.mark.usefixtures("started_as_script")
SCRIPT = ROOT / "etl.py"


def test_arguments_and_options_reach_the_engine(program: Program, engine: FakeEngine) -> None:
    code, out, err = program("in", "out", "--compression", "zstd", "--threads=2", "--adopt")
    assert (code, err) == (0, "")
    assert out.startswith("published in 1.3 s\n")
    options = {"input": "in", "output": "out", "compression": "zstd", "threads": "2", "adopt": True}
    assert engine.calls == [("run", options)]


def test_no_configuration_lists_the_ways_to_configure(program: Program, engine: FakeEngine) -> None:
    code, out, err = program()
    assert (code, out) == (78, "")
    assert err.startswith("error: no input and no output configured\nhint: ")
    for option in ("INPUT and OUTPUT", "lake.cfg", "SPARKIFY_INPUT", "--sample"):
        assert option in err
    assert engine.calls == []


@pytest.mark.parametrize(
    ("words", "missing"),
    [(["in"], "output"), (["--output", "o"], "input"), (["--output", "o", "--log-data", "l"], None)],
)
def test_the_missing_location_is_named(program: Program, words: list[str], missing: str | None) -> None:
    code, _, err = program(*words)
    assert code == (78 if missing else 0)
    assert f"error: no {missing} configured\n" in err or missing is None


def test_environment_and_files_are_read(
    program: Program, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("dl.cfg").write_text("[LOCAL]\nINPUT_DATA=in\nOUTPUT_DATA=out\n")
    monkeypatch.setenv("SPARKIFY_OUTPUT", "elsewhere")
    assert program()[0] == 0
    assert engine.calls == [("run", {"input": "in", "output": "elsewhere"})]


def test_json_prints_the_report(program: Program) -> None:
    code, out, err = program("in", "out", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == run_mapping()
    assert json.loads(program("in", "out", "--json", "--dry-run")[1]) == plan_mapping()


def test_dry_run_only_plans(program: Program, engine: FakeEngine) -> None:
    code, out, _ = program("in", "out", "--dry-run")
    assert code == 0
    assert out.startswith("plan: nothing was written\n")
    assert [name for name, _ in engine.calls] == ["plan"]


def test_warnings_go_to_stderr_unless_quiet(program: Program) -> None:
    Path("lake.cfg").write_text("COLOR=red\n")
    code, out, err = program("in", "out")
    assert (code, err) == (0, "warning: lake.cfg: an unknown key is ignored: COLOR on line 1\n")
    assert "COLOR" not in out
    assert program("in", "out", "--quiet") == (0, out, "")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["--compresion", "zstd"],
            "error: unknown option --compresion\nhint: did you mean --compression?\n",
        ),
        (["--ouput=x"], "error: unknown option --ouput\nhint: did you mean --output?\n"),
        (["--zzz"], "error: unknown option --zzz\nhint: python etl.py --help lists the options\n"),
        # No abbreviations: --out could become another option.
        (["--out", "x"], "error: unknown option --out\n"),
        (["a", "b", "c"], "error: unexpected argument 'c'\n"),
        (["--output"], "error: --output: expected one argument\n"),
        (["a", "b", "--output", "c"], "error: output is given twice, as an argument and as --output\n"),
        (["a", "b", "--match", ""], "error: match is empty\n"),
        (["--config=x", "--sample", "--song-data=x"], "error: the configuration file x does not exist\n"),
        (["--sample", "--song-data=x"], "error: a sample cannot be combined with song_data or log_data\n"),
        (["sample"], "error: the command sample needs a folder\n"),
        (["sample", "d", "--songs", "many"], "error: --songs: invalid int value: 'many'\n"),
        (["sample", "d", "--compression", "zstd"], "error: unknown option --compression\n"),
        (["sample", "s3://b/x"], "error: a sample can only be created on a local disk\n"),
        (["--sample", "--input", "s3://b/x"], "error: a sample can only be created on a local disk\n"),
        (["doctor", "x", "--compression", "zstd"], "error: unknown option --compression\n"),
        (["check", "x", "--output", "y"], "error: output is given twice, as an argument and as --output\n"),
        (["check", "x", "--threads", "2"], "error: unknown option --threads\n"),
        # Flags are visible in the process list, so credentials have none.
        (["i", "o", "--secret-access-key", "s"], "error: unknown option --secret-access-key\n"),
    ],
)
def test_usage_errors(program: Program, engine: FakeEngine, words: list[str], complaint: str) -> None:
    code, out, err = program(*words)
    assert (code, out) == (78 if "--config=x" in words else 64, "")
    assert err.startswith(complaint)
    assert "usage:" not in err and "Traceback" not in err
    assert engine.calls == []


CLASSES = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SparkifyLakeError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_print_message_cause_and_hint(
    program: Program, engine: FakeEngine, kind: type[SparkifyLakeError]
) -> None:
    engine.failure = kind("it failed \x1b[2J", cause="because", hint="do this")
    assert program("in", "out") == (
        kind.exit_code, "", "error: it failed \\x1b[2J\ncause: because\nhint: do this\n",
    )  # fmt: skip


def test_all_exit_codes_are_tested() -> None:
    assert {kind.exit_code for kind in CLASSES} == {64, 65, 66, 70, 73, 74, 75, 76, 77, 78}


def test_the_exit_code_of_a_bad_value_depends_on_its_origin(program: Program, engine: FakeEngine) -> None:
    engine.failure = ConfigurationError(
        'compression cannot be "zip"', hint="it takes one of …", context={"option": "compression"}
    )
    assert program("in", "out", "--compression", "zip")[0] == 64
    Path("lake.cfg").write_text("COMPRESSION=zip\n")
    code, _, err = program("in", "out")
    assert code == 78
    assert err.startswith("error: COMPRESSION (lake.cfg:1) has an invalid value for compression\n")


def test_an_unexpected_exception_is_reported_as_a_bug(program: Program, engine: FakeEngine) -> None:
    engine.failure = KeyError("oops")
    code, out, err = program("in", "out")
    assert (code, out) == (70, "")
    assert err.startswith("error: sparkify-lake has a bug: KeyError\n")
    assert "Traceback" not in err
    assert "Traceback" in program("in", "out", "--verbose")[2]


def test_a_missing_native_module_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sparkify_lake._native", None)
    monkeypatch.delattr("sparkify_lake._native", raising=False)
    assert cli.main(["in", "out"]) == 70
    assert "the native module of sparkify-lake cannot be loaded" in capsys.readouterr().err
    assert cli.main(["--help"]) == 0, "--help works without the native module"
