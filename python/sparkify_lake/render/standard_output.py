"""Prints results to stdout, which may be closed, full, or unable to encode a name.

Services and cron jobs start programs without stdout, and a run that has published must not fail because of
its report.
"""

from __future__ import annotations

import os
import sys
from logging import getLogger
from typing import TextIO

from sparkify_lake.errors import StorageError


def open_missing_streams() -> None:
    """Replaces a closed stdout or stderr by the null device; Python sets a closed stream to None."""
    if sys.stdout is None:
        sys.stdout = _null_device()
    if sys.stderr is None:
        sys.stderr = _null_device()


def print_result(result: object) -> None:
    """Prints the result of a command of the program.

    Args:
        result: The result; its text is printed.

    Raises:
        BrokenPipeError: The reader of the output has closed the pipe.
        StorageError: The text cannot be written, for example to a full disk.
    """
    try:
        print(result, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_stdout()
        raise StorageError(
            "the result cannot be written to stdout",
            cause=error.strerror,
            hint="the command itself has succeeded; redirect stdout to another file",
        ) from error


def print_report(report: object) -> None:
    """Prints the report of a run that was called as a function; never fails.

    Args:
        report: The report; its text is printed. Characters that stdout cannot encode are escaped.
    """
    text = str(report)
    encoding = getattr(sys.stdout, "encoding", None)
    if encoding:
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, flush=True)
    except (OSError, ValueError) as error:  # ValueError: the stream is closed
        getLogger("sparkify_lake").warning("the report cannot be printed: %s", error)


def discard_stdout() -> None:
    """Sends the rest of the output to the null device, so that the flush at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _null_device() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")
