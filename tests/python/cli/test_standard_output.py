"""Every way in which stdout can be unusable: for the program, and for the functions of the original job."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")

SCRIPT = "import sys; from sparkify_lake import etl; etl.{function}({arguments})"
COMMANDS = {
    "run": ["data", "lake-ü", "--no-progress"],
    "json": ["data", "lake-ü", "--json", "--no-progress"],
    "dry run": ["data", "lake-ü", "--dry-run"],
    "status": ["status", "done"],
    "check": ["check", "done"],
    "config": ["config", "data"],
    "help": ["--help"],
    "version": ["--version"],
}
FUNCTIONS = {
    "main": '"data", "lake-ü"',
    "process_song_data": 'None, "data", "lake-ü"',
    "process_log_data": 'None, "data", "lake-ü"',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an input, and with a lake of it."""
    folder = tmp_path_factory.mktemp("stdout")
    sample = ["sample", "data", "--songs=5", "--events=50", "--days=2"]
    for words in (sample, ["data", "done", "--quiet"]):
        subprocess.run(
            [sys.executable, "-m", "sparkify_lake", *words], cwd=folder, check=True, capture_output=True
        )
    return folder


def _closed(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    words = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(words, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def _both_closed(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    words = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    return subprocess.run(words, cwd=folder, env=environment, check=False).returncode, ""


def _full(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    return done.returncode, done.stderr


def _ascii(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    environment = {**environment, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


def _pipe(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    return done.returncode, done.stderr


WAYS: dict[str, Callable[[list[str], Path, dict[str, str]], tuple[int, str]]] = {
    "closed": _closed,
    "both closed": _both_closed,
    "full": _full,
    "ascii": _ascii,
    "pipe": _pipe,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_succeeds_or_reports_that_its_result_is_lost(command: str, way: str, folder: Path) -> None:
    for unbuffered in ("", "1"):
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        words = [sys.executable, "-m", "sparkify_lake", *COMMANDS[command]]
        code, errors = WAYS[way](words, folder, environment)
        if way == "full":
            assert code == 74, errors
            assert errors.count("error: ") == 1
            assert "error: the result cannot be written to stdout\ncause: No space left on device" in errors
        else:
            assert code == 0, errors
            assert "error: " not in errors
        assert "Traceback" not in errors and "Exception ignored" not in errors


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_succeeds_without_stdout(function: str, way: str, folder: Path) -> None:
    script = SCRIPT.format(function=function, arguments=FUNCTIONS[function])
    code, errors = WAYS[way]([sys.executable, "-c", script], folder, dict(os.environ))
    # Python exits with 120 if it cannot flush the rest of the output; the function has returned by then.
    assert code in ((0, 120) if way in ("full", "pipe") else (0,)), errors
    assert "Traceback" not in errors
    if way in ("full", "pipe"):
        assert "the report cannot be printed: " in errors
    assert (folder / "lake-ü" / "_etl").is_dir()
