"""How far a run has come, shown where it helps: a bar in a terminal or a notebook, a log line elsewhere.

The native call ticks about ten times a second on the calling thread; nothing here starts a thread or reads
a clock. rich is imported when a bar is really drawn, so a short run never loads it.

Invariant: showing progress cannot fail a run; and a run shorter than half a second shows nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from sparkify_lake.render.text_table import count, seconds, size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from sparkify_lake._native import OnTick, Tick

PATIENCE = 0.5
LOG_EVERY = 10.0


@contextmanager
def shown(*, hidden: bool = False, stream: TextIO | None = None) -> Iterator[OnTick | None]:
    """Shows progress while the block runs.

    Args:
        hidden: Whether nothing shall be shown (`quiet`, `no_progress`).
        stream: Where a bar would be drawn; standard error, unless given.

    Yields:
        What the native call shall be given as `on_tick`.
    """
    if hidden:
        yield None
    elif in_notebook() or is_terminal(stream or sys.stderr):
        bar = Bar(stream)
        try:
            yield bar.tick
        finally:
            bar.close()
    else:
        yield Lines().tick


def is_terminal(stream: TextIO) -> bool:
    """Returns whether a stream is a terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # replaced by something simpler, or closed
        return False


def in_notebook() -> bool:
    """Returns whether this is a Jupyter kernel; looks, but imports nothing."""
    return "ipykernel" in sys.modules


class Lines:
    """A log line at most every ten seconds."""

    def __init__(self, log: Callable[[str], object] | None = None) -> None:
        self._log = log
        self._last = 0.0

    def tick(self, tick: Tick) -> None:
        """Logs where the run is, if the last line is old enough."""
        if tick["elapsed"] - self._last < LOG_EVERY:
            return
        self._last = tick["elapsed"]
        if self._log is None:
            from logging import getLogger

            self._log = getLogger("sparkify_lake").info
        self._log(f"{describe(tick)}, after {seconds(tick['elapsed'])}")


class Bar:
    """A bar of rich, in a terminal or in a notebook; gone when the run is over."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._broken = False

    def tick(self, tick: Tick) -> None:
        """Draws where the run is, once it has taken longer than half a second."""
        if tick["elapsed"] < PATIENCE or self._broken:
            return
        try:
            self._draw(tick)
        except Exception:  # a terminal that went away must not take the run with it
            self._broken = True

    def close(self) -> None:
        """Wipes the bar."""
        if self._progress is not None:
            try:
                self._progress.stop()
            except Exception:  # as above
                self._broken = True

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
            amount=amount(tick),
        )
        self._progress.refresh()


def _rich_progress(stream: TextIO | None) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich's own way is to close stdout and end the program

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        console=Screen(file=stream, stderr=stream is None),
        transient=True,
        auto_refresh=False,  # a refreshing thread would be one more; ticks come often enough
        redirect_stdout=False,
        redirect_stderr=False,
    )


def describe(tick: Tick) -> str:
    """Says in words where a run is, as `songs: 45%, 1,234 of 2,000 files`."""
    share = f"{100 * tick['done'] // tick['total']}%, " if tick["total"] else ""
    return f"{tick['stage']}: {share}{amount(tick)}"


def amount(tick: Tick) -> str:
    """Says how much is done, in the unit of the stage."""
    done, total = tick["done"], tick["total"]
    if tick["unit"] == "bytes":
        return f"{size(done)} of {size(total)}" if total else size(done)
    return f"{count(done)} of {count(total)} {tick['unit']}" if total else f"{count(done)} {tick['unit']}"
