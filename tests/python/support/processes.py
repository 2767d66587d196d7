"""Child processes of the tests: their environment, their locks, and their error output."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[3]
"""The folder of the project."""
Finished: TypeAlias = "subprocess.CompletedProcess[str]"


def clean_environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of a child process: without settings of the package and without a progress bar."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARKIFY_", "AWS_"))}
    return {**kept, "SPARKIFY_NO_PROGRESS": "1", **(more or {})}


def holds_a_lock(process: subprocess.Popen[str]) -> bool:
    """Whether the process holds a lock on a file, which means that it is writing (from Linux's /proc)."""
    try:
        descriptors = list(Path(f"/proc/{process.pid}/fdinfo").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        with suppress(OSError):  # closed in the meantime
            if "lock:" in descriptor.read_text():
                return True
    return False


def assert_refused(finished: Finished, *codes: int, says: str = "") -> None:
    """One error line, a hint, one of the exit codes; no traceback and nothing on stdout."""
    lines = finished.stderr.strip().splitlines()
    assert finished.returncode in codes, finished.stderr
    assert "Traceback" not in finished.stderr
    assert not finished.stdout
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, finished.stderr
    assert any(line.startswith("hint: ") and len(line) > 12 for line in lines), finished.stderr
    assert len(errors[0]) < 400
    assert says.lower() in finished.stderr.lower()
