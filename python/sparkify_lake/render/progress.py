"""The progress of a run: a bar in a terminal or notebook, log lines elsewhere.

The native call reports about ten times per second on the calling thread. Nothing here starts a thread or
reads a clock. rich is imported when a bar is drawn, so a short run never loads it.

Invariant: displaying progress cannot make a run fail, and a run shorter than half a second displays nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypedDict

from sparkify_lake.render.text_table import format_bytes, format_count, format_seconds
from sparkify_lake.settings.environment import is_in_notebook

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOW_AFTER_SECONDS = 0.5
LOG_INTERVAL_SECONDS = 10.0


class Tick(TypedDict):
    """The progress of a native call; sent about every 100 ms, on the calling thread."""

    stage: str  # the phase of the run
    done: int
    total: int | None
    unit: str  # "bytes" or "files"
    elapsed: float  # seconds since the call began


OnTick = Callable[[Tick], object]


@contextmanager
def progress_shown(*, hidden: bool = False, stream: TextIO | None = None) -> Iterator[OnTick | None]:
    """Displays progress while the block runs.

    Args:
        hidden: Whether to display nothing (`quiet`, `no_progress`).
        stream: Where to draw a bar; standard error by default.

    Yields:
        The function to pass to the native call as `on_tick`; None to display nothing.
    """
    if hidden:
        yield None
    elif is_in_notebook() or is_terminal(stream or sys.stderr):
        bar = ProgressBar(stream)
        try:
            yield bar.tick
        finally:
            bar.close()
    else:
        yield ProgressLog().tick


def is_terminal(stream: TextIO) -> bool:
    """Returns whether a stream is a terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # replaced by a simpler object, or closed
        return False


class ProgressLog:
    """Logs a line at most every ten seconds."""

    def __init__(self, log: Callable[[str], object] | None = None) -> None:
        self._log = log
        self._last = 0.0

    def tick(self, tick: Tick) -> None:
        """Logs the progress if the last line is old enough."""
        if tick["elapsed"] - self._last < LOG_INTERVAL_SECONDS:
            return
        self._last = tick["elapsed"]
        if self._log is None:
            from logging import getLogger

            self._log = getLogger("sparkify_lake").info
        self._log(f"{describe(tick)}, after {format_seconds(tick['elapsed'])}")


class ProgressBar:
    """A bar drawn by rich, in a terminal or a notebook; removed when the run ends."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._is_broken = False

    def tick(self, tick: Tick) -> None:
        """Draws the progress of a run that takes longer than half a second."""
        if tick["elapsed"] < SHOW_AFTER_SECONDS or self._is_broken:
            return
        try:
            self._draw(tick)
        except Exception:  # a terminal that was closed must not stop the run
            self._is_broken = True

    def close(self) -> None:
        """Removes the bar."""
        if self._progress is not None:
            try:
                self._progress.stop()
            except Exception:  # as above
                self._is_broken = True

    def _draw(self, tick: Tick) -> None:
        if self._progress is None or self._task is None:
            self._progress = _rich_progress(self._stream)
            self._task = self._progress.add_task("", total=None, amount="")
            self._progress.start()
        self._progress.update(
            self._task,
            description=tick["stage"],
            total=tick["total"],
            completed=tick["done"],
            amount=describe_amount(tick),
        )
        self._progress.refresh()


def _rich_progress(stream: TextIO | None) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # by default, rich closes stdout and exits the process

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        console=Screen(file=stream, stderr=stream is None),
        transient=True,
        auto_refresh=False,  # refreshing would need a thread, and ticks are frequent enough
        redirect_stdout=False,
        redirect_stderr=False,
    )


def describe(tick: Tick) -> str:
    """Returns the progress in words, such as `songs: 45%, 1,234 of 2,000 files`."""
    share = f"{100 * tick['done'] // tick['total']}%, " if tick["total"] else ""
    return f"{tick['stage']}: {share}{describe_amount(tick)}"


def describe_amount(tick: Tick) -> str:
    """Returns the finished amount in the unit of the phase."""
    done, total = tick["done"], tick["total"]
    if tick["unit"] == "bytes":
        return f"{format_bytes(done)} of {format_bytes(total)}" if total else format_bytes(done)
    of_total = f" of {format_count(total)}" if total else ""
    return f"{format_count(done)}{of_total} {tick['unit']}"
