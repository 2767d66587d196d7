"""The program as a separate process: signals, pipes, encodings, and the installed engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Program
from support.fake_engine import FakeEngine
from support.processes import ROOT

pytestmark = pytest.mark.usefixtures("started_as_script")
SCRIPT = ROOT / "etl.py"


# An engine that prints a line when it starts and runs until it is stopped.
SLOW = """
import sys, time, types
from sparkify_lake import cli
from sparkify_lake import _engine

def run(options, on_tick, binding, iceberg):
    print("working", flush=True)
    for _ in range(300):  # in steps: a signal that arrives just before a sleep is handled only after it
        time.sleep(0.1)

_engine.native = lambda: types.SimpleNamespace(run=run)
sys.exit(cli.main(["in", "out"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
def test_signals_stop_the_program(number: signal.Signals, code: int, message: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (code, message)


def test_the_signal_handler_is_restored(program: Program) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert program("in", "out")[0] == 0
    assert signal.getsignal(signal.SIGTERM) is before


def run_python(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **more,
    )


@pytest.mark.parametrize("start", [[str(SCRIPT)], ["-m", "sparkify_lake"]], ids=["script", "module"])
def test_script_and_module_run_the_same_program(start: list[str]) -> None:
    done = run_python(*start, "--sample", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["state"] == "published"
    assert report["output"] == "sparkify-sample/lake"
    assert report["plays"]["rows"] > 0
    assert (Path("sparkify-sample/lake") / "songplays_table" / "_SUCCESS").is_file()
    assert "Traceback" not in done.stderr


def test_the_script_without_configuration_fails() -> None:
    done = run_python(str(SCRIPT))
    assert (done.returncode, done.stdout) == (78, "")
    assert "--sample" in done.stderr


def test_a_missing_input_is_an_error() -> None:
    done = run_python(str(SCRIPT), "nowhere", "lake")
    assert (done.returncode, done.stdout) == (66, "")
    assert done.stderr.startswith("error: ") and "nowhere" in done.stderr
    assert not Path("lake").exists()


@pytest.mark.parametrize("output", ["arn:aws:s3:::bucket", "gs://bucket/lake", "s3://key:secret@bucket/lake"])
def test_an_unsupported_output_is_an_error(output: str) -> None:
    Path("in/song_data").mkdir(parents=True)
    Path("in/log_data").mkdir(parents=True)
    done = run_python(str(SCRIPT), "in", output)
    assert (done.returncode, done.stdout) == (78, "")
    assert "hint: " in done.stderr


def test_characters_that_the_terminal_cannot_encode_are_escaped() -> None:
    done = run_python(
        "-X", "utf8=0", "-m", "sparkify_lake", "é", "lake", env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 66
    assert r"\xe9" in done.stderr
    done = run_python("-m", "sparkify_lake", "config", "é", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert r"\xe9" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
@pytest.mark.parametrize("unbuffered", ["", "1"])  # the pipe breaks at the end, or at the first line
def test_a_closed_pipe_is_not_an_error(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "sparkify_lake", "--help"]
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_run_imports_only_what_it_needs() -> None:
    """Start-up is a third of a run on little data."""
    unneeded = ["polars", "rich", "pyarrow", "airflow", "pyiceberg", "html", "shutil"]
    unneeded += [f"sparkify_lake.render.{name}" for name in ("charts", "html_report", "small_multiples")]
    unneeded += [f"sparkify_lake.results.{name}" for name in ("diagnostics", "history", "report_page")]
    script = (
        "import sys; from sparkify_lake import cli; code = cli.main(['--sample']); "
        f"print(code, sorted(set({unneeded}) & sys.modules.keys()))"
    )
    assert run_python("-c", script).stdout.splitlines()[-1] == "0 []"


def test_the_fake_engine_has_only_functions_of_the_engine() -> None:
    from sparkify_lake import _native

    assert isinstance(_native, types.ModuleType)
    public = {name for name in vars(FakeEngine) if not name.startswith("_")}
    assert public <= set(dir(_native))
