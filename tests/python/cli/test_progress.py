"""Progress: a bar in a terminal, occasional log lines elsewhere, nothing for a short run."""

from __future__ import annotations

import io
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sparkify_lake
from sparkify_lake.render import progress
from sparkify_lake.render.progress import ProgressBar, ProgressLog, describe, progress_shown

if TYPE_CHECKING:
    from sparkify_lake.render.progress import Tick


def tick(
    elapsed: float, done: int = 25, total: int | None = 100, unit: str = "files", stage: str = "write"
) -> Tick:
    return {"stage": stage, "done": done, "total": total, "unit": unit, "elapsed": elapsed}


class Terminal(io.StringIO):
    """A terminal that records what is drawn, and that can be closed."""

    is_closed = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.is_closed:
            raise BrokenPipeError
        return super().write(text)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def test_progress_lines_appear_at_most_every_ten_seconds() -> None:
    written: list[str] = []
    lines = ProgressLog(written.append)
    for tenth in range(351):
        lines.tick(tick(tenth / 10, done=tenth, total=1000))
    assert written == [
        "write: 10%, 100 of 1,000 files, after 10.0 s",
        "write: 20%, 200 of 1,000 files, after 20.0 s",
        "write: 30%, 300 of 1,000 files, after 30.0 s",
    ]


def test_progress_lines_go_to_the_package_logger(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, logger="sparkify_lake"),
        progress_shown(stream=io.StringIO()) as on_tick,
    ):
        assert on_tick is not None
        on_tick(tick(11))
    assert caplog.record_tuples == [
        ("sparkify_lake", logging.INFO, "write: 25%, 25 of 100 files, after 11.0 s")
    ]


def test_a_terminal_shows_a_progress_bar() -> None:
    terminal = Terminal()
    threads = threading.active_count()
    with progress_shown(stream=terminal) as on_tick:
        assert on_tick is not None
        on_tick(tick(0.6, done=1 << 20, total=4 << 20, unit="bytes", stage="logs"))
        assert "logs" in terminal.getvalue()
        assert "1.0 MiB of 4.0 MiB" in terminal.getvalue()
        on_tick(tick(0.7, stage="write"))
        assert "25 of 100 files" in terminal.getvalue()
        assert threading.active_count() == threads
    assert terminal.getvalue().endswith("\x1b[2K"), "the bar is cleared"


def test_no_color_turns_colors_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        terminal = Terminal()
        with progress_shown(stream=terminal) as on_tick:
            assert on_tick is not None
            on_tick(tick(1.0))
        return terminal.getvalue()

    assert "\x1b[38;5;" in drawn()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[38;5;" not in drawn()


def test_a_short_run_shows_no_bar_and_imports_no_rich() -> None:
    terminal = Terminal()
    bar = ProgressBar(terminal)
    loaded = "rich.progress" in sys.modules
    for tenth in range(5):
        bar.tick(tick(tenth / 10))
    bar.close()
    assert terminal.getvalue() == ""
    assert ("rich.progress" in sys.modules) is loaded


def test_hidden_progress_has_no_callback() -> None:
    with progress_shown(hidden=True, stream=Terminal()) as on_tick:
        assert on_tick is None


def test_a_notebook_shows_a_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    made: list[object] = []

    class RecordedBar(ProgressBar):
        def __init__(self, stream: object) -> None:
            made.append(stream)
            super().__init__(None)

    monkeypatch.setattr(progress, "ProgressBar", RecordedBar)
    with progress_shown():
        pass
    assert len(made) == 1


def test_a_closed_terminal_does_not_stop_the_run() -> None:
    terminal = Terminal()
    with progress_shown(stream=terminal) as on_tick:
        assert on_tick is not None
        on_tick(tick(0.6))
        terminal.is_closed = True
        on_tick(tick(0.7))
        on_tick(tick(0.8))


def test_the_bar_is_cleared_when_the_run_is_interrupted() -> None:
    terminal = Terminal()
    with pytest.raises(KeyboardInterrupt), progress_shown(stream=terminal) as on_tick:
        assert on_tick is not None
        on_tick(tick(1.0))
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("\x1b[2K")


def test_a_closed_stream_is_not_a_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    assert not progress.is_terminal(closed)
    assert not progress.is_terminal(None)  # type: ignore[arg-type]  # pythonw has no stderr


@pytest.mark.parametrize(
    ("shown_tick", "text"),
    [
        (tick(1, total=None), "write: 25 files"),
        (tick(1, total=0), "write: 25 files"),
        (tick(1, done=2048, total=None, unit="bytes"), "write: 2.0 KiB"),
    ],
)
def test_describe_without_a_total(shown_tick: Tick, text: str) -> None:
    assert describe(shown_tick) == text


def test_engine_messages_go_to_logging(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sparkify_lake.sample(tmp_path / "input", songs=5, events=50, days=1, users=3)
    with caplog.at_level(logging.INFO, logger="sparkify_lake.engine"):
        sparkify_lake.run(tmp_path / "input", tmp_path / "lake")
    messages = [record.getMessage() for record in caplog.records if record.name == "sparkify_lake.engine"]
    assert any(line.startswith("logs: 50 records read, ") for line in messages), messages
    assert "songplays: 1 files written, 0 unchanged, 0 removed" in messages
