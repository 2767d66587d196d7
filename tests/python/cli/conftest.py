"""Fixtures: the program run in this process on a fake engine."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from sparkify_lake import cli
from support.fake_engine import FakeEngine

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def started_as_script(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["etl.py"])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    stand_in = FakeEngine()
    monkeypatch.setattr("sparkify_lake._engine.native", lambda: stand_in)
    return stand_in


@pytest.fixture
def program(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> Program:
    """Runs the program in this process: exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
